"""Lattices, symmetry, orientation, elasticity of crystals."""
