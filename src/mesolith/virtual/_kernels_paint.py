"""Painting of spheres on a voxel grid, nearest power distance on top."""

from __future__ import annotations

import math
from typing import Any

from numba import njit


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def paint_spheres(
    centre: Any, weight: Any, reach: float, first: Any, spacing: float, power: Any, owner: Any
) -> None:
    """Let every sphere claim the voxels whose power distance to it is the smallest so far.

    ``power`` and ``owner`` are (nz, ny, nx); ``first`` is the centre of voxel (0, 0, 0) as
    x, y, z. A sphere i visits voxels with distance^2 - weight[i] < reach, and takes those with a
    power below the one that stands there; at a tie the earlier sphere keeps the voxel.
    """
    nz, ny, nx = owner.shape
    for i in range(centre.shape[0]):
        square = weight[i] + reach
        if square <= 0.0:
            continue
        radius = math.sqrt(square)
        x, y, z = centre[i, 0], centre[i, 1], centre[i, 2]
        k0 = max(0, math.ceil((z - radius - first[2]) / spacing))
        k1 = min(nz - 1, math.floor((z + radius - first[2]) / spacing))
        for k in range(k0, k1 + 1):
            dz = first[2] + k * spacing - z
            left_z = square - dz * dz
            if left_z < 0.0:
                continue
            half_y = math.sqrt(left_z)
            j0 = max(0, math.ceil((y - half_y - first[1]) / spacing))
            j1 = min(ny - 1, math.floor((y + half_y - first[1]) / spacing))
            for j in range(j0, j1 + 1):
                dy = first[1] + j * spacing - y
                left_y = left_z - dy * dy
                if left_y < 0.0:
                    continue
                half_x = math.sqrt(left_y)
                m0 = max(0, math.ceil((x - half_x - first[0]) / spacing))
                m1 = min(nx - 1, math.floor((x + half_x - first[0]) / spacing))
                for m in range(m0, m1 + 1):
                    dx = first[0] + m * spacing - x
                    value = dx * dx + dy * dy + dz * dz - weight[i]
                    if value < power[k, j, m]:
                        power[k, j, m] = value
                        owner[k, j, m] = i
