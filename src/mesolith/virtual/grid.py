"""Voxel lattices on which a virtual cell is rendered, whole or in slabs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mesolith.virtual.arrays import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class Grid:
    """Cubic voxels; arrays on it have the order (z, y, x).

    ``first`` is the centre (x, y, z) of voxel (0, 0, 0), ``shape`` is (nz, ny, nx), um.
    """

    first: tuple[float, float, float]
    spacing: float
    shape: tuple[int, int, int]

    def axis(self, direction: int) -> FloatArray:
        """Voxel centres along x (0), y (1) or z (2)."""
        count = self.shape[2 - direction]
        return self.first[direction] + self.spacing * np.arange(count, dtype=np.float64)

    def slab(self, start: int, stop: int) -> Grid:
        """Layers ``start`` to ``stop`` of this grid."""
        first = (self.first[0], self.first[1], self.first[2] + self.spacing * start)
        return Grid(first, self.spacing, (stop - start, self.shape[1], self.shape[2]))

    def points(self) -> FloatArray:
        """Centres of all voxels, shape (nz * ny * nx, 3), columns x y z."""
        z, y, x = np.meshgrid(self.axis(2), self.axis(1), self.axis(0), indexing="ij")
        return np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1)

    def in_cylinder(self, diameter: float, height: float) -> BoolArray:
        """Voxels whose centre lies in the cylinder about z through the origin."""
        square = self.axis(0)[None, :] ** 2 + self.axis(1)[:, None] ** 2
        disc = square <= (diameter / 2.0) ** 2
        inside = np.abs(self.axis(2)) <= height / 2.0
        return np.asarray(inside[:, None, None] & disc[None, :, :])


def grid_around(diameter: float, height: float, spacing: float, *, odd: bool = False) -> Grid:
    """Grid centred on the origin that covers the cylinder.

    With ``odd`` the numbers of voxels are odd products of 3, 5, 7 and 11 with at least one
    voxel of margin: a transform of such a length is fast and has no Nyquist frequency.
    """
    counts = [math.ceil(height / spacing), *[math.ceil(diameter / spacing)] * 2]
    if odd:
        counts = [_odd_length(count + 2) for count in counts]
    nz, ny, nx = counts
    first = tuple(-spacing * (count - 1) / 2.0 for count in (nx, ny, nz))
    return Grid((first[0], first[1], first[2]), spacing, (nz, ny, nx))


def _odd_length(least: int) -> int:
    length = least | 1
    while True:
        rest = length
        for prime in (3, 5, 7, 11):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 2
