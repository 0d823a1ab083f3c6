"""Tests of Mesolith; the folders mirror src/mesolith."""
