"""Where techniques and states meet."""
