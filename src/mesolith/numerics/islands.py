"""Good conductors amid bad ones, as the conduction solver sees them.

The potential of a cluster whose couplings inside are much stronger than those around it moves as
a whole, and coarse grids that join two such clusters into one cell cannot move them apart. So each
cluster is one more unknown of the preconditioner, on its own: the residual summed over it, over
the conductance that leaves it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Protocol

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


class Grid(Protocol):
    """What of an operator is needed to find its islands."""

    shape: tuple[int, int, int]
    strength: tuple[float, float, float]
    wrap: tuple[int, ...]

    def faces(self, axis: int, plane: int) -> Array: ...


def islands_of(grid: Grid, conductivity: Array) -> list[Islands]:
    """Islands above each gap in the conductivities, and along axes of far stronger couplings.

    ``conductivity`` has the shape of the image. None where all couplings are alike.
    """
    from scipy import ndimage

    everywhere = ndimage.generate_binary_structure(3, 1)
    levels = [(threshold, everywhere) for threshold in thresholds_of(conductivity)]
    for axes in strong_axes(grid.strength):
        along = everywhere.copy()
        for axis in set(range(3)) - set(axes):
            np.moveaxis(along, axis, 0)[[0, 2]] = False
        levels.append((0.0, along))
    found = []
    for threshold, structure in levels:
        label = np.zeros([n + 2 for n in grid.shape], dtype=np.int32)
        chosen = conductivity >= threshold if threshold > 0 else conductivity > 0
        ndimage.label(chosen, structure, output=label[1:-1, 1:-1, 1:-1])
        wrap_ghosts(label, grid.wrap)
        found.append(Islands(label, _leaving(label, grid)))
    return found


def strong_axes(strength: tuple[float, float, float]) -> list[tuple[int, ...]]:
    """Groups of axes that are coupled ten times more strongly than the others."""
    order = sorted(range(3), key=lambda axis: -strength[axis])
    return [
        tuple(sorted(order[:count]))
        for count in (1, 2)
        if strength[order[count - 1]] >= STEP * strength[order[count]]
    ]


def thresholds_of(conductivity: Array) -> list[float]:
    """Conductivities at the upper side of gaps, the highest first.

    A gap is a factor of ten without any value; where values spread without one, a level starts
    every two decades. At most four levels.
    """
    if conductivity.dtype == np.bool_:
        return []
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


def _leaving(label: Array, grid: Grid) -> FloatArray:
    """Conductance that leaves each island, through faces to other labels or to the ends."""
    total = np.zeros(int(label.max()) + 1)
    inner = slice(1, -1)

    def count(below: Array, here: Array, values: Array) -> None:
        apart = (below != here) & (values > 0)
        for side in (below[apart], here[apart]):
            np.add.at(total, side, values[apart])

    # the face of a seam stands on both sides
    upper = [-1 if axis in grid.wrap else None for axis in range(3)]
    for i in range(1, grid.shape[0] + 2):
        count(label[i - 1, inner, inner], label[i, inner, inner], grid.faces(0, i))
        if i <= grid.shape[0]:
            y, z = label[i, :, inner], label[i, inner]
            count(y[:-1][: upper[1]], y[1:][: upper[1]], grid.faces(1, i)[: upper[1]])
            z_faces = grid.faces(2, i)[:, : upper[2]]
            count(z[:, :-1][:, : upper[2]], z[:, 1:][:, : upper[2]], z_faces)
    return total


def wrap_ghosts(u: Array, wrap: tuple[int, ...]) -> None:
    """Copy the far side into the padding of the axes listed."""
    if 1 in wrap:
        u[:, 0] = u[:, -2]
        u[:, -1] = u[:, 1]
    if 2 in wrap:
        u[..., 0] = u[..., -2]
        u[..., -1] = u[..., 1]
