"""One file per format; a format is recognised by its content."""
