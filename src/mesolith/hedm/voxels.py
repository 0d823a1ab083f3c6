"""Voxels that stand out of the background, sorted by frame, row and column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Whole = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Voxels:
    """One row a voxel: where it is, and its counts above background.

    ``smooth`` are the smoothed counts of a core voxel, 0 of a neighbour that is no core.
    ``variance`` is that of the background; ``flags`` are bits of `mesolith.hedm._kernels_peaks`.
    """

    frame: Whole
    row: Whole
    column: Whole
    smooth: Image
    counts: Image
    variance: Image
    flags: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.frame)

    def chosen(self, rows: NDArray[np.bool_]) -> Voxels:
        """Those rows."""
        return Voxels(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def empty(cls) -> Voxels:
        """No voxel."""
        whole, image = np.empty(0, np.int32), np.empty(0, np.float32)
        return cls(whole, whole, whole, image, image, image, np.empty(0, np.uint8))

    @classmethod
    def joined(cls, lists: Sequence[Voxels]) -> Voxels:
        """All lists, one behind the other, which must be their order by frame."""
        if not lists:
            return cls.empty()
        return cls(
            *(np.concatenate([getattr(one, field.name) for one in lists]) for field in fields(cls))
        )

    def sorted(self) -> Voxels:
        """In the order of frame, row and column."""
        order = np.lexsort((self.column, self.row, self.frame))
        return Voxels(*(getattr(self, field.name)[order] for field in fields(self)))
