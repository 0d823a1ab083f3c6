"""Micro-Laue: from peaks of white-beam patterns to orientations and deviatoric strains."""
