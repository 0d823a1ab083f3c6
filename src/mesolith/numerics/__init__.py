"""Numerical methods that know no beamline."""
