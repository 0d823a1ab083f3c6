"""What the cycler recorded."""
