"""Weighing grains against chance, the best first."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mesolith.axes import FloatArray, IntArray

SEEN = (0.98, 0.9, 0.8, 0.65, 0.5, 0.35, 0.2)


@njit(nogil=True, cache=True)
def log_ratio(  # type: ignore[no-untyped-def]
    match, square, expected, hkl_ring, limit, volume, chance, explained, sums, counts
):
    """Log likelihood ratio of one grain against chance, its visibility fitted.

    ``match``, ``square``, ``expected`` (h, 2) are its rows of the matches, of which those within
    the squared distance ``limit`` count; ``volume`` is that of the search to this limit in units of
    a normal density's, ``chance`` (rings,) how often chance fills it. Spots
    that are ``explained`` are passed over. ``counts`` (3) is filled with spots found, spots of
    its own and reflections expected.
    """
    sums[:] = 0.0
    counts[:] = 0
    for j in range(len(match)):
        for c in range(2):
            q = match[j, c]
            if q == -2:
                continue
            if q >= 0 and square[j, c] <= limit:
                if expected[j, c]:
                    counts[0] += 1
                    counts[2] += 1
                if explained[q]:
                    continue
                counts[1] += 1
                gain = volume / chance[hkl_ring[j]] * math.exp(-0.5 * square[j, c])
                for s in range(len(SEEN)):
                    sums[s] += math.log(1.0 - SEEN[s] + SEEN[s] * gain)
            elif expected[j, c]:
                counts[2] += 1
                for s in range(len(SEEN)):
                    sums[s] += math.log(1.0 - SEEN[s])
    return sums.max() - math.log(len(SEEN))


@njit(nogil=True, cache=True)
def log_ratios(
    match: IntArray,
    square: FloatArray,
    expected: np.ndarray,
    phase: IntArray,
    table_ring: IntArray,
    limit: float,
    volume: float,
    chance: FloatArray,
    explained: np.ndarray,
    order: IntArray,
    least: float,
    least_spots: int,
    explain: bool,
    ratio: FloatArray,
    counts: IntArray,
) -> None:
    """Fill ``ratio`` (g,) and ``counts`` (g, 3), grains in the given order.

    With ``explain`` the spots of a grain whose ratio reaches ``least`` with ``least_spots`` of
    its own are explained for those that follow, also those beyond the limit: they are displaced.
    """
    sums = np.empty(len(SEEN))
    for k in range(len(order)):
        i = order[k]
        ratio[i] = log_ratio(
            match[i],
            square[i],
            expected[i],
            table_ring[phase[i]],
            limit,
            volume,
            chance,
            explained,
            sums,
            counts[i],
        )
        if explain and ratio[i] >= least and counts[i, 1] >= least_spots:
            for j in range(match.shape[1]):
                for c in range(2):
                    if match[i, j, c] >= 0:
                        explained[match[i, j, c]] = True
