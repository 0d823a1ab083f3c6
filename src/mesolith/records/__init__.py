"""What the package talks about: frozen records of read-only arrays, data only."""
