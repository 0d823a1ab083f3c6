"""Coincidence relatives: turned lattices that share many reflecting directions with a lattice.

A wrong orientation that explains a third of a garnet's peaks is one of these. Half turns about
lattice rows and about normals of lattice planes give them, whatever the lattice: of a cubic one
all coincidences up to Sigma 13.
"""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray
from mesolith.crystal.symmetry import rotation_operators
from mesolith.laue.reflections import LaueReflections
from mesolith.numerics.rotations import matrix_from_quaternion

_HIGHEST_INDEX = 4
_TOLERANCE = 2e-3
_STRONG = 0.01


def coincidence_rotations(
    reflections: LaueReflections, *, least_share: float = 0.08, directions: int = 400
) -> FloatArray:
    """Rotations (k, 3, 3) on crystal axes that put directions onto others, the most first.

    ``least_share`` of that many strongest directions must fall on one that can be a hundredth as
    strong as the first. Rotations that
    differ by a symmetry from the right are the same; those that are symmetries are left out.
    """
    listed = reflections.direction[reflections.most > _STRONG]
    cell = 4.0 * _TOLERANCE
    known: set[tuple[int, int, int]] = set()
    for shift in np.stack(np.meshgrid(*[[-0.5, 0.5]] * 3), axis=-1).reshape(-1, 3):
        known |= set(map(tuple, np.floor(listed / cell + shift).astype(np.int64).tolist()))
    operators = matrix_from_quaternion(rotation_operators(reflections.space_group))
    strongest = listed[:directions]
    found: list[FloatArray] = []
    shares: list[float] = []
    for axis in _axes(reflections.reciprocal):
        turn = 2.0 * np.outer(axis, axis) - np.eye(3)
        if any(_same(turn, other, operators) for other in [np.eye(3), *found]):
            continue
        turned = np.floor(strongest @ turn.T / cell).astype(np.int64).tolist()
        share = float(np.mean([tuple(row) in known for row in turned]))
        if share >= least_share:
            found.append(turn)
            shares.append(share)
    order = np.argsort(-np.array(shares), kind="stable")
    return np.array([found[k] for k in order]).reshape(-1, 3, 3)


def _axes(reciprocal: FloatArray) -> FloatArray:
    """Unit vectors along lattice rows and plane normals with small indices, (n, 3)."""
    span = np.arange(-_HIGHEST_INDEX, _HIGHEST_INDEX + 1)
    grid = np.stack(np.meshgrid(span, span, span, indexing="ij"), axis=-1).reshape(-1, 3)
    grid = grid[np.gcd.reduce(grid, axis=1) == 1]
    sign = np.sign(grid[np.arange(len(grid)), np.argmax(grid != 0, axis=1)])
    grid = grid[sign > 0]
    grid = grid[np.argsort(np.sum(grid**2, axis=1), kind="stable")]
    both = np.concatenate([grid @ reciprocal.T, grid @ np.linalg.inv(reciprocal)])
    unit = both / np.linalg.norm(both, axis=1, keepdims=True)
    return unit[np.sort(np.unique(np.round(unit, 6), axis=0, return_index=True)[1])]


def _same(one: FloatArray, other: FloatArray, operators: FloatArray) -> bool:
    trace = np.einsum("ij,kij->k", one.T @ other, np.swapaxes(operators, 1, 2))
    return bool(np.any(trace > 3.0 - _TOLERANCE**2))
