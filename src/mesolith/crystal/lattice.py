"""Lattice parameters and the basis of lattice vectors.

A lattice is a b c (angstrom), alpha beta gamma (rad); its basis holds a, b, c as columns on
crystal axes: x along a, z along c*, y completes a right-handed set.
"""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError


def basis_from_lattice(lattice: FloatArray) -> FloatArray:
    """Basis matrices (..., 3, 3), columns a b c in angstrom on crystal axes.

    Raises ``InvalidValueError`` where a lattice (..., 6) is not finite, has a length that is not
    positive, or angles that close no cell.
    """
    lattice = np.asarray(lattice, dtype=np.float64)
    _check_lattice(lattice)
    a, b, c, alpha, beta, gamma = np.moveaxis(lattice, -1, 0)
    cos_a, cos_b, cos_g, sin_g = np.cos(alpha), np.cos(beta), np.cos(gamma), np.sin(gamma)
    c_y = (cos_a - cos_b * cos_g) / sin_g
    c_z2 = 1.0 - cos_b**2 - c_y**2
    if np.any(c_z2 <= 0.0):
        raise InvalidValueError(
            "the angles of a lattice close no cell",
            remedy="Angles are in rad here; degrees are converted by the reader.",
        )
    basis = np.zeros((*a.shape, 3, 3))
    basis[..., 0, 0] = a
    basis[..., 0, 1] = b * cos_g
    basis[..., 1, 1] = b * sin_g
    basis[..., 0, 2] = c * cos_b
    basis[..., 1, 2] = c * c_y
    basis[..., 2, 2] = c * np.sqrt(c_z2)
    return basis


def lattice_from_basis(basis: FloatArray) -> FloatArray:
    """Lattices (..., 6) of basis matrices (..., 3, 3) with columns a b c, on any axes."""
    basis = np.asarray(basis, dtype=np.float64)
    a, b, c = basis[..., 0], basis[..., 1], basis[..., 2]
    lengths = [np.linalg.norm(vector, axis=-1) for vector in (a, b, c)]
    angles = [_angle(b, c), _angle(a, c), _angle(a, b)]
    return np.stack([*lengths, *angles], axis=-1)


def cell_volume(lattice: FloatArray) -> FloatArray:
    """Volume of each unit cell, cubic angstrom."""
    volume: FloatArray = np.linalg.det(basis_from_lattice(lattice))
    return volume


def _angle(u: FloatArray, v: FloatArray) -> FloatArray:
    cross = np.linalg.norm(np.cross(u, v), axis=-1)
    angle: FloatArray = np.arctan2(cross, np.sum(u * v, axis=-1))
    return angle


def _check_lattice(lattice: FloatArray) -> None:
    flat = lattice.reshape(-1, lattice.shape[-1])
    good = np.isfinite(flat).all(axis=1) & (flat[:, :3] > 0).all(axis=1)
    good &= ((flat[:, 3:] > 0) & (flat[:, 3:] < np.pi)).all(axis=1)
    if not good.all():
        row = int(np.argmin(good))
        raise InvalidValueError(
            f"{int((~good).sum())} of {len(flat)} lattices are not finite with positive lengths "
            f"and angles between 0 and pi rad (first: row {row}, {flat[row].tolist()})",
            remedy="Remove the grain, or read it with the right units.",
        )
