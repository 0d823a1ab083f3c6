"""Good conductors amid bad ones, as the conduction solver sees them.

The potential of a cluster whose couplings inside are much stronger than those around it moves as
a whole, and coarse grids that join two such clusters into one cell cannot move them apart. So each
cluster is one more unknown of the preconditioner, on its own: the residual summed over it, over
the conductance that leaves it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray
from mesolith.numerics import _kernels_multigrid as kernels

Array = NDArray[Any]

# a cluster is one where the next conductivity below is this many times smaller
STEP = 10.0
BINS_PER_STEP = 4
MOST_LEVELS = 4


class Islands:
    """Clusters of the voxels above one conductivity.

    ``label`` is padded, 0 where there is no island; ``inverse`` is 1 over the conductance that
    leaves each.
    """

    def __init__(self, label: Array, leaving: FloatArray) -> None:
        self.label = label
        self.inverse = np.divide(1.0, leaving, out=np.zeros_like(leaving), where=leaving > 0)
        self.bytes = label.nbytes

    def correct(self, r: Array, z: Array) -> None:
        """Add to z the shift of each island that its residual asks for."""
        total = np.zeros_like(self.inverse)
        kernels.island_sums(self.label.reshape(-1), r.reshape(-1), total)
        shift = (total * self.inverse).astype(np.float32)
        kernels.island_shift(self.label.reshape(-1), z.reshape(-1), shift)


def islands_of(
    conductivity: Array, faces: tuple[Array, Array, Array], wrap: tuple[int, ...]
) -> list[Islands]:
    """Islands above each gap in the conductivities; none where all are alike.

    ``conductivity`` has the shape of the image, ``faces`` are padded conductances.
    """
    from scipy import ndimage

    found = []
    for threshold in thresholds_of(conductivity):
        inner, _ = ndimage.label(conductivity >= threshold)
        label = np.zeros(faces[0].shape, dtype=np.int32)
        label[1:-1, 1:-1, 1:-1] = inner
        found.append(Islands(label, _leaving(label, faces, wrap)))
    return found


def thresholds_of(conductivity: Array) -> list[float]:
    """Conductivities at the upper side of gaps, the highest first.

    A gap is a factor of ten without any value; where values spread without one, a level starts
    every two decades. At most four levels.
    """
    lowest, highest = np.inf, 0.0
    for plane in conductivity:
        positive = plane[plane > 0]
        if positive.size:
            lowest = min(lowest, float(positive.min()))
            highest = max(highest, float(positive.max()))
    if not highest >= STEP * lowest:
        return []
    decades = np.log10(highest / lowest)
    count = int(np.ceil(decades * BINS_PER_STEP)) + 1
    smallest = np.full(count, np.inf)
    for plane in conductivity:
        positive = plane[plane > 0].astype(np.float64)
        at = (np.log10(positive / lowest) * BINS_PER_STEP).astype(np.int64).clip(0, count - 1)
        np.minimum.at(smallest, at, positive)
    values = smallest[np.isfinite(smallest)]
    found, last = [], values[0]
    for below, here in pairwise(values):
        if here >= 0.99 * STEP * below or here >= STEP**2 * last:
            found.append(float(here))
            last = here
    return found[::-1][:MOST_LEVELS]


def _leaving(label: Array, faces: tuple[Array, Array, Array], wrap: tuple[int, ...]) -> FloatArray:
    """Conductance that leaves each island, through faces to other labels or to the ends."""
    total = np.zeros(int(label.max()) + 1)
    for axis, conductance in enumerate(faces):
        values = np.moveaxis(conductance, axis, 0)
        labels = np.moveaxis(label, axis, 0)
        last = len(labels) - 1
        for i in range(1, last + 1):
            below, here = labels[i - 1], labels[i]
            if axis in wrap and i in (1, last):
                # the face of the seam is kept on both sides and counted once
                if i == last:
                    continue
                below = labels[last - 1]
            apart = (below != here) & (values[i] > 0)
            for side in (below[apart], here[apart]):
                np.add.at(total, side, values[i][apart])
    return total
