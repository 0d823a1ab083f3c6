"""Which peak is which predicted spot: nearest neighbours through a grid of cells."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def cells_of(fast, slow, cell, columns, rows):  # type: ignore[no-untyped-def]
    """Linked lists of the peaks in each cell: heads [columns, rows] and the next of each peak."""
    head = np.empty((columns, rows), np.int64)
    after = np.empty(len(fast), np.int64)
    for a in range(columns):
        for b in range(rows):
            head[a, b] = -1
    for i in range(len(fast)):
        a = min(max(int(fast[i] / cell), 0), columns - 1)
        b = min(max(int(slow[i] / cell), 0), rows - 1)
        after[i] = head[a, b]
        head[a, b] = i
    return head, after


@njit(nogil=True, cache=True)
def nearest_peaks(place, fast, slow, usable, head, after, cell, radius, peak, distance):  # type: ignore[no-untyped-def]
    """Fill peak (n,) and distance (n,) with the nearest usable peak of each place (n, 2)."""
    reach = int(radius / cell) + 1
    for k in range(len(place)):
        peak[k] = -1
        distance[k] = radius
        a = int(place[k, 0] / cell)
        b = int(place[k, 1] / cell)
        for u in range(max(a - reach, 0), min(a + reach + 1, head.shape[0])):
            for v in range(max(b - reach, 0), min(b + reach + 1, head.shape[1])):
                i = head[u, v]
                while i >= 0:
                    if usable[i]:
                        d = math.hypot(fast[i] - place[k, 0], slow[i] - place[k, 1])
                        if d < distance[k]:
                            distance[k] = d
                            peak[k] = i
                    i = after[i]


@njit(nogil=True, cache=True)
def one_spot_a_peak(peak, distance, strength, owner):  # type: ignore[no-untyped-def]
    """Leave each peak to one predicted spot: the nearest, where a far stronger one is not near.

    ``owner`` (peaks,) is scratch. What loses its peak gets -1.
    """
    owner[:] = -1
    for k in range(len(peak)):
        i = peak[k]
        if i < 0:
            continue
        other = owner[i]
        if other < 0:
            owner[i] = k
        elif strength[k] / (0.2 + distance[k] ** 2) > strength[other] / (
            0.2 + distance[other] ** 2
        ):
            peak[other] = -1
            owner[i] = k
        else:
            peak[k] = -1
