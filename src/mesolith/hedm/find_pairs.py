"""Pairs of finds that lie near each other and alike, and how one deforms into the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from mesolith.axes import SIX, FloatArray, IntArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.crystal.symmetry import rotation_operators
from mesolith.hedm.layer_finds import Finds
from mesolith.hedm.standard_setting import index_operators
from mesolith.numerics.rotations import quaternion_from_matrix, quaternion_multiply
from mesolith.records.grains import Phases

_BLOCK = 100_000  # pairs at once


@dataclass(frozen=True, slots=True)
class FindPairs:
    """Pairs of finds (n,), rows ``lower`` and ``upper``, that may be one grain.

    ``operator`` (n, 3, 3) acts on the indices of the upper lattice so that it lies as the lower
    one; ``turn`` (n, 3) in rad and ``strain`` (n, 6), components 11 22 33 23 13 12, are what then
    turns and strains the lower lattice into the upper one, sample axes.
    """

    lower: IntArray
    upper: IntArray
    operator: FloatArray
    turn: FloatArray
    strain: FloatArray

    def __len__(self) -> int:
        return len(self.lower)

    def rows(self, rows: IntArray | np.ndarray[tuple[int], np.dtype[np.bool_]]) -> FindPairs:
        """Some of the pairs."""
        return FindPairs(
            self.lower[rows],
            self.upper[rows],
            self.operator[rows],
            self.turn[rows],
            self.strain[rows],
        )


class Orientations:
    """Orientations of all finds, for misorientations of pairs."""

    def __init__(self, finds: Finds, phases: Phases) -> None:
        self.finds = finds
        self._basis = basis_from_lattice(np.asarray(phases.lattice))
        self._groups = [int(group) for group in phases.space_group]
        relative = finds.lattice_vectors @ np.linalg.inv(self._basis)[finds.phase]
        self._turn = quaternion_from_matrix(_polar(relative))

    def likeness(self, lower: IntArray, upper: IntArray) -> FloatArray:
        """Misorientation (n,) of pairs of finds, rad; pi where their kinds differ."""
        angle = np.full(len(lower), np.pi)
        for kind in np.unique(self.finds.kind):
            operators = self._operators(int(kind))
            same = (self.finds.kind[lower] == kind) & (self.finds.kind[upper] == kind)
            rows = np.flatnonzero(same)
            for part in np.array_split(rows, 1 + len(rows) // _BLOCK):
                between = self._between(lower[part], upper[part])
                scalar = np.abs(between @ operators.T).max(axis=1)
                angle[part] = 2.0 * np.arccos(np.minimum(scalar, 1.0))
        return angle

    def pairs(self, lower: IntArray, upper: IntArray) -> FindPairs:
        """How the finds ``lower`` deform into ``upper``, pair by pair, of one kind each."""
        finds = self.finds
        operator = np.empty((len(lower), 3, 3))
        for kind in np.unique(finds.kind[lower]):
            rows = np.flatnonzero(finds.kind[lower] == kind)
            operators = self._operators(int(kind))
            between = self._between(lower[rows], upper[rows])
            scalar = np.abs(between @ operators.T)
            on_indices = index_operators(self._groups[kind], self._basis[int(kind)])
            operator[rows] = on_indices[np.argmax(scalar, axis=1)]
        moved = finds.lattice_vectors[upper] @ operator
        change = moved @ np.linalg.inv(finds.lattice_vectors[lower])
        return FindPairs(lower, upper, operator, turn_of(change), strain_of(change))

    def _operators(self, kind: int) -> FloatArray:
        return rotation_operators(self._groups[kind])

    def _between(self, lower: IntArray, upper: IntArray) -> FloatArray:
        """Quaternions on crystal axes that carry the upper orientation into the lower one."""
        back = self._turn[upper] * [1.0, -1.0, -1.0, -1.0]
        return quaternion_multiply(back, self._turn[lower])


def border_pairs(orientations: Orientations, layer: int, *, reach: float, gate: float) -> FindPairs:
    """Finds of ``layer`` and of the next one whose parts may be one grain.

    Their centres are within ``reach`` (um) of each other in x and y, and within ``gate`` (rad) in
    orientation.
    """
    finds = orientations.finds
    below, above = np.flatnonzero(finds.layer == layer), np.flatnonzero(finds.layer == layer + 1)
    lower, upper = _near(finds.position[below, :2], finds.position[above, :2], reach)
    lower, upper = below[lower], above[upper]
    alike = orientations.likeness(lower, upper) < gate
    return orientations.pairs(lower[alike], upper[alike])


def joined_pairs(parts: Sequence[FindPairs]) -> FindPairs:
    """Pairs of several borders in one list."""
    if not parts:
        none = np.empty(0, dtype=np.int64)
        shapes = ((0, 3, 3), (0, 3), (0, 6))
        return FindPairs(none, none, *(np.empty(shape) for shape in shapes))
    names = ("lower", "upper", "operator", "turn", "strain")
    return FindPairs(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


def neighbour_angles(orientations: Orientations, *, nearest: float, reach: float) -> FloatArray:
    """Misorientations (rad) of finds of one layer between ``nearest`` and ``reach`` um apart.

    Two finds of one layer are two grains, so these are misorientations by chance.
    """
    finds = orientations.finds
    found = []
    for layer in np.unique(finds.layer):
        rows = np.flatnonzero(finds.layer == layer)
        pairs = cKDTree(finds.position[rows]).query_pairs(reach, output_type="ndarray")
        first, second = rows[pairs[:, 0]], rows[pairs[:, 1]]
        apart = np.linalg.norm(finds.position[first] - finds.position[second], axis=1)
        far = (apart > nearest) & (finds.kind[first] == finds.kind[second])
        found.append(orientations.likeness(first[far], second[far]))
    return np.concatenate(found) if found else np.empty(0)


def turn_of(change: FloatArray) -> FloatArray:
    """Rotation vectors (..., 3) of deformations (..., 3, 3) near one."""
    half = 0.5 * (change - np.swapaxes(change, -1, -2))
    return np.stack([half[..., 2, 1], half[..., 0, 2], half[..., 1, 0]], axis=-1)


def strain_of(change: FloatArray) -> FloatArray:
    """Strains (..., 6), 11 22 33 23 13 12, of deformations (..., 3, 3) near one."""
    symmetric = 0.5 * (change + np.swapaxes(change, -1, -2)) - np.eye(3)
    return np.stack([symmetric[..., i, j] for i, j in SIX], axis=-1)


def _near(below: FloatArray, above: FloatArray, reach: float) -> tuple[IntArray, IntArray]:
    """Rows of both, of all points within ``reach`` of each other."""
    found: Any = cKDTree(below).sparse_distance_matrix(cKDTree(above), reach, output_type="ndarray")
    order = np.lexsort([found["j"], found["i"]])
    return found["i"][order].astype(np.int64), found["j"][order].astype(np.int64)


def _polar(matrix: FloatArray) -> FloatArray:
    """The rotation nearest to each matrix (n, 3, 3)."""
    u, _, v = np.linalg.svd(matrix)
    return np.asarray(u @ v)
