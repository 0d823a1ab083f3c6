"""The report: one figure per file, one page, one viewer."""
