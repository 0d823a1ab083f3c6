"""One point of a scan: which lattices to try first, and when to search from nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mesolith.axes import FloatArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.crystal.symmetry import rotation_operators
from mesolith.laue.index import LaueIndexer
from mesolith.laue.narrow import TURN_RAD, narrowed
from mesolith.laue.scan_settings import ScanSettings
from mesolith.laue.solve import IndexedPattern, index_pattern
from mesolith.numerics.rotations import matrix_from_quaternion
from mesolith.records.laue import LaueGrains, LauePeaks

# lattices closer than this are one guess: a grain that turned less is found from either
_SAME_RAD = np.deg2rad(0.05)
_MOST_GUESSES = 8
_BRIGHT_BESIDE_GRAINS = 20


@dataclass(slots=True)
class Follower:
    """Indexes the points of one row of the raster, each beginning with what the last one found.

    ``near`` knows only directions near the lattices ``made_for`` (k, 3, 3); ``beside`` searches
    where some grains are known. ``searched``: the last point was searched.
    """

    indexer: LaueIndexer
    settings: ScanSettings
    usual: float
    expected: float
    beside: LaueIndexer = field(init=False)
    searched: bool = False
    near: LaueIndexer | None = None
    made_for: FloatArray | None = None

    def __post_init__(self) -> None:
        # beside grains that explain most of a pattern only its brightest peaks can tell of another
        settings = self.indexer.settings
        few = replace(settings, bright=min(settings.bright, _BRIGHT_BESIDE_GRAINS))
        self.beside = replace(self.indexer, settings=few)

    def point(
        self, peaks: LauePeaks, last: Sequence[FloatArray], others: Sequence[FloatArray]
    ) -> tuple[IndexedPattern, int]:
        """Grains of one pattern, and how many peaks are left over.

        ``last`` are the lattices of the point before, ``others`` those of the scan before and of
        seeds, nearest first.
        """
        guesses = distinct([*last, *others])[:_MOST_GUESSES]
        if len(peaks) < self.indexer.settings.least_spots:
            return index_pattern(self.indexer, peaks, search=False), len(peaks)
        whole, self.searched = self.indexer, True
        if guesses:
            found = index_pattern(self._near(guesses), peaks, guesses, search=False)
            left = left_over(found, peaks)
            self.searched = self._leaves_too_many(left, len(peaks)) or len(found.grains) == 0
            if not (self.searched or self._doubts(found.grains.completeness)):
                return found, left
            if len(found.grains):
                guesses = list(reciprocal_lattices(found.grains))
                whole = self.beside
        found = index_pattern(whole, peaks, guesses, search=self.searched)
        return found, left_over(found, peaks)

    def _leaves_too_many(self, left: int, count: int) -> bool:
        usual = self.usual * count
        return left > usual + 3.0 * np.sqrt(usual) + self.settings.left_over

    def _doubts(self, completeness: FloatArray) -> bool:
        """Whether a grain may be the coincidence relative of the true one.

        It would have taken peaks of the true one before its turn came: the last cannot have.
        """
        tested = completeness[:-1] if len(completeness) > 1 else completeness
        return bool(np.any(tested < self.settings.believed * self.expected))

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
    left, _, right = np.linalg.svd(reciprocal @ reference.T)
    turned = (left @ right)[:, None] @ matrix_from_quaternion(operators)
    best = np.argmax(np.trace(turned, axis1=2, axis2=3), axis=1)
    change = matrix_from_quaternion(operators)[best]
    # the operator acts on crystal axes: a stretch stays where it is
    inverse = np.linalg.inv(reflections.reciprocal)
    return np.ascontiguousarray(reciprocal @ inverse @ change @ reflections.reciprocal)


def distinct(reciprocal: Sequence[FloatArray]) -> list[FloatArray]:
    """Lattices (3, 3), named alike, without those that lie as an earlier one does."""
    kept: list[FloatArray] = []
    for one in reciprocal:
        near = _SAME_RAD * float(np.linalg.norm(one))
        if all(float(np.linalg.norm(one - other)) > near for other in kept):
            kept.append(one)
    return kept
