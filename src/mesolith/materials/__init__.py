"""Materials of the library, each with its reference."""
