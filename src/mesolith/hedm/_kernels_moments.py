"""Sum, centre and widths of spots from their counts, without a model."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray

Image = NDArray[np.float32]
Whole = NDArray[np.int32]


@njit(nogil=True, cache=True)
def moments(
    begin: IntArray,
    place: Whole,
    counts: Image,
    variance: Image,
    usable: NDArray[np.bool_],
    gain: float,
    frames: float,
    wanted: NDArray[np.bool_],
    value: FloatArray,
    covariance: FloatArray,
) -> None:
    """Sum, centre and widths of each spot's counts, without a model.

    Only spots ``wanted`` (spot,). ``place`` (3, voxel) are column, row and frame. Writes
    ``value`` (spot, 7): sum, centre (3), logarithm of the widths (3); and ``covariance``
    (spot, 7, 7) of the sum and the centre.
    Where the sum is not positive the centre is that of the voxels. Counts below zero count in
    the sum and the centre, but widths are at least those of one cell. The background is the mean
    of ``frames`` frames: its error is the same in all frames of a spot.
    """
    for s in range(begin.shape[0] - 1):
        if not wanted[s]:
            continue
        least, most = place[2, begin[s]], place[2, begin[s]]
        for i in range(begin[s], begin[s + 1]):
            least = min(least, place[2, i])
            most = max(most, place[2, i])
        common = 1.0 + (most - least + 1) / frames
        total, noise = 0.0, 0.0
        middle = np.zeros(3)
        plain = np.zeros(3)
        used = 0
        for i in range(begin[s], begin[s + 1]):
            if not usable[i]:
                continue
            used += 1
            total += counts[i]
            noise += common * variance[i] + gain * max(counts[i], 0.0)
            for a in range(3):
                middle[a] += counts[i] * place[a, i]
                plain[a] += place[a, i]
        value[s, 0] = total
        safe = total if total > 0.0 else 1.0
        low, high = np.full(3, 1e9), np.full(3, -1e9)
        for i in range(begin[s], begin[s + 1]):
            for a in range(3):
                low[a] = min(low[a], place[a, i])
                high[a] = max(high[a], place[a, i])
        for a in range(3):
            centre = middle[a] / safe if total > 0.0 else plain[a] / max(used, 1)
            value[s, 1 + a] = min(max(centre, low[a]), high[a])
        spread, error = np.zeros(3), np.zeros((3, 3))
        for i in range(begin[s], begin[s + 1]):
            if not usable[i]:
                continue
            own = common * variance[i] + gain * max(counts[i], 0.0)
            for a in range(3):
                away = place[a, i] - value[s, 1 + a]
                spread[a] += counts[i] * away * away
                for b in range(3):
                    error[a, b] += own * away * (place[b, i] - value[s, 1 + b])
        covariance[s] = 0.0
        covariance[s, 0, 0] = noise
        for a in range(3):
            value[s, 4 + a] = 0.5 * math.log(max(spread[a] / safe, 1.0 / 12.0))
            for b in range(3):
                covariance[s, 1 + a, 1 + b] = error[a, b] / (safe * safe)
            covariance[s, 1 + a, 1 + a] += 1e-8
