"""Grains that may be there, while a layer is indexed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Grains:
    """Hypotheses on sample axes: reciprocal lattices (g, 3, 3), places (g, 3), phases (g,)."""

    reciprocal: FloatArray
    position: FloatArray
    phase: IntArray

    def __len__(self) -> int:
        return len(self.phase)

    def rows(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Grains:
        """Some of the grains."""
        return Grains(self.reciprocal[rows], self.position[rows], self.phase[rows])

    def joined(self, other: Grains) -> Grains:
        """These grains and others."""
        return Grains(
            np.concatenate([self.reciprocal, other.reciprocal]),
            np.concatenate([self.position, other.position]),
            np.concatenate([self.phase, other.phase]),
        )


NO_GRAINS = Grains(np.empty((0, 3, 3)), np.empty((0, 3)), np.empty(0, dtype=np.int64))
