"""One point of a scan: which lattices to try first, and when to search from nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.crystal.orientation import misorientation_angle
from mesolith.crystal.symmetry import rotation_operators
from mesolith.laue.index import LaueIndexer
from mesolith.laue.narrow import TURN_RAD, narrowed
from mesolith.laue.scan_settings import ScanSettings
from mesolith.laue.solve import IndexedPattern, index_pattern
from mesolith.numerics.rotations import matrix_from_quaternion, quaternion_from_matrix
from mesolith.records.laue import LaueGrains, LauePeaks

# lattices closer than this are one guess: a grain that turned less is found from either
_SAME_RAD = np.deg2rad(0.02)
_MOST_GUESSES = 8


@dataclass(slots=True)
class Follower:
    """Indexes the points of one row of the raster, each beginning with what the last one found.

    ``near`` knows only directions near the lattices ``made_for`` (k, 3, 3).
    """

    indexer: LaueIndexer
    settings: ScanSettings
    usual: float
    expected: float
    near: LaueIndexer | None = None
    made_for: FloatArray | None = None

    def point(
        self, peaks: LauePeaks, last: Sequence[FloatArray], others: Sequence[FloatArray]
    ) -> tuple[IndexedPattern, int]:
        """Grains of one pattern, and how many peaks are left over.

        ``last`` are the lattices of the point before, ``others`` those of the scan before and of
        seeds, nearest first.
        """
        guesses = distinct(self.indexer, [*last, *others])[:_MOST_GUESSES]
        if len(peaks) < self.indexer.settings.least_spots:
            return index_pattern(self.indexer, peaks, search=False), len(peaks)
        found = None
        if guesses:
            found = index_pattern(self._near(guesses), peaks, guesses, search=False)
            left = left_over(found, peaks)
            searched = self._leaves_too_many(left, len(peaks)) or len(found.grains) == 0
            doubted = np.any(found.grains.completeness < self.settings.believed * self.expected)
            if not (searched or doubted):
                return found, left
            guesses = list(reciprocal_lattices(found.grains))
        else:
            searched = True
        found = index_pattern(self.indexer, peaks, guesses, search=bool(searched))
        return found, left_over(found, peaks)

    def _leaves_too_many(self, left: int, count: int) -> bool:
        usual = self.usual * count
        return left > usual + 3.0 * np.sqrt(usual) + self.settings.left_over

    def _near(self, guesses: Sequence[FloatArray]) -> LaueIndexer:
        """The narrowed indexer that covers the guesses; made anew only where a lattice is new."""
        known = self.made_for
        if self.near is not None and known is not None:
            size = float(np.linalg.norm(known[0]))
            apart = np.linalg.norm(np.stack(guesses)[:, None] - known, axis=(2, 3)).min(axis=1)
            if np.all(apart < 0.5 * TURN_RAD * size):
                return self.near
        self.near, self.made_for = narrowed(self.indexer, guesses), np.stack(guesses)
        return self.near


def left_over(found: IndexedPattern, peaks: LauePeaks) -> int:
    """Peaks that no grain explains."""
    links = found.assignment
    return len(peaks) - len(np.unique(links.peak[links.weight > 0.0]))


def reciprocal_lattices(grains: LaueGrains) -> FloatArray:
    """a* b* c* as columns (n, 3, 3), 1/angstrom, of grains."""
    vectors = grains.lattice_vectors
    return np.ascontiguousarray(np.swapaxes(np.linalg.inv(vectors), 1, 2))


def standing(indexer: LaueIndexer, reciprocal: FloatArray) -> FloatArray:
    """Lattices (n, 3, 3) with their axes named so that each turns the least from the crystal's.

    Symmetry lets the axes of a lattice be named in up to 24 ways; neighbours named alike share
    a list of directions.
    """
    if not len(reciprocal):
        return reciprocal
    reflections = indexer.reflections
    reference = basis_from_lattice(reflections.lattice)
    operators = rotation_operators(reflections.space_group)
    rotation = _nearest_rotation(reciprocal @ reference.T)
    turned = rotation[:, None] @ matrix_from_quaternion(operators)
    best = np.argmax(np.trace(turned, axis1=2, axis2=3), axis=1)
    change = matrix_from_quaternion(operators)[best]
    # the operator acts on crystal axes: a stretch stays where it is
    inverse = np.linalg.inv(reflections.reciprocal)
    return np.ascontiguousarray(reciprocal @ inverse @ change @ reflections.reciprocal)


def distinct(indexer: LaueIndexer, reciprocal: Sequence[FloatArray]) -> list[FloatArray]:
    """Lattices (3, 3) without those that lie like an earlier one, up to symmetry."""
    if len(reciprocal) < 2:
        return list(reciprocal)
    reflections = indexer.reflections
    operators = rotation_operators(reflections.space_group)
    matrices = np.stack(list(reciprocal)) @ basis_from_lattice(reflections.lattice).T
    quaternion = quaternion_from_matrix(_nearest_rotation(matrices))
    angle = misorientation_angle(quaternion[:, None], quaternion[None], operators)
    kept: list[int] = []
    for k in range(len(quaternion)):
        if not kept or float(angle[k, kept].min()) > _SAME_RAD:
            kept.append(k)
    return [reciprocal[k] for k in kept]


def _nearest_rotation(matrix: FloatArray) -> FloatArray:
    left, _, right = np.linalg.svd(matrix)
    return np.asarray(left @ right)
