"""Virtual cells with known truth, and instruments that make their raw data."""
