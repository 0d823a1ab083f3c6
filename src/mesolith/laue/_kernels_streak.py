"""How the places of spots move when their lattice turns."""

from __future__ import annotations

import numpy as np
from numba import njit

from mesolith.laue._kernels_refine import place_and_slope


@njit(nogil=True, cache=True)
def turn_slopes(g, hkl, depth, row, out):  # type: ignore[no-untyped-def]
    """Fill out (n, 2, 3) with px per rad of rotation about x, y, z; NaN where no spot is."""
    place = np.empty(2)
    slope = np.empty((2, 8))
    deep = np.empty(2)
    for k in range(len(hkl)):
        x = g[0, 0] * hkl[k, 0] + g[0, 1] * hkl[k, 1] + g[0, 2] * hkl[k, 2]
        y = g[1, 0] * hkl[k, 0] + g[1, 1] * hkl[k, 1] + g[1, 2] * hkl[k, 2]
        z = g[2, 0] * hkl[k, 0] + g[2, 1] * hkl[k, 1] + g[2, 2] * hkl[k, 2]
        there = place_and_slope(x, y, z, depth[k], row, place, slope, deep)
        for axis in range(2):
            for i in range(3):
                out[k, axis, i] = slope[axis, i] if there else np.nan
