"""Grain maps."""
