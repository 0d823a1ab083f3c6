"""Friedel pairs by direction: which of them lie where a grain puts its reflections.

Directions of g are kept in a stereographic map of one half space, a square of cells for each
ring: g and -g are one entry, since each pair stands for both.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mesolith.axes import FloatArray, IntArray

EDGE = 1.06  # half side of the map; the equator lies at 1, copies reach a little beyond
FAR = 9.0  # of squared standard deviations: a first look at a place
NEAR = 16.0


@njit(nogil=True, cache=True)
def map_entries(
    g: FloatArray, ring: IntArray, rings: int, cells: int, start: IntArray, entry: IntArray
) -> int:
    """Sort pairs into the maps of their rings: fill ``start`` and ``entry``, return the entries.

    Entries are +(pair + 1) for g as it is and -(pair + 1) for -g; ``start`` has one place for
    each of rings * cells * cells squares and one more. Pairs of ring -1 are left out.
    """
    n = len(g)
    key = np.empty(2 * n, dtype=np.int64)
    sign = np.empty(2 * n, dtype=np.int64)
    total = 0
    start[:] = 0
    for i in range(n):
        if ring[i] < 0:
            continue
        length = math.sqrt(g[i, 0] ** 2 + g[i, 1] ** 2 + g[i, 2] ** 2)
        for side in (1, -1):
            z = side * g[i, 2]
            if z <= -length:
                continue
            a, b = side * g[i, 0] / (length + z), side * g[i, 1] / (length + z)
            if a * a + b * b > EDGE * EDGE:
                continue
            u, v = cell_of(a, cells), cell_of(b, cells)
            key[total] = (ring[i] * cells + u) * cells + v
            sign[total] = side * (i + 1)
            start[key[total] + 1] += 1
            total += 1
    for k in range(len(start) - 1):
        start[k + 1] += start[k]
    fill = start[:-1].copy()
    for k in range(total):
        entry[fill[key[k]]] = sign[k]
        fill[key[k]] += 1
    return total


@njit(nogil=True, cache=True)
def cell_of(a, cells):  # type: ignore[no-untyped-def]
    """Cell of one coordinate of the map, its rim's where it lies beyond."""
    return min(max(int((a + EDGE) * cells / (2.0 * EDGE)), 0), cells - 1)


@njit(nogil=True, cache=True)
def fits_place(row, x, y, z, spread, limit):  # type: ignore[no-untyped-def]
    """Whether a pair's two equations agree with a place and its covariance xx xy yy, zz, noise."""
    off = row[5] - row[3] * x - row[4] * y
    variance = (
        spread[4]
        + row[3] * row[3] * spread[0]
        + 2.0 * row[3] * row[4] * spread[1]
        + row[4] * row[4] * spread[2]
    )
    if off * off > limit * variance:
        return False
    off = row[8] - row[6] * x - row[7] * y - z
    variance = (
        spread[4]
        + spread[3]
        + row[6] * row[6] * spread[0]
        + 2.0 * row[6] * row[7] * spread[1]
        + row[7] * row[7] * spread[2]
    )
    return off * off <= limit * variance


@njit(nogil=True, cache=True)
def find_pairs(  # type: ignore[no-untyped-def]
    gx,
    gy,
    gz,
    ring,
    x,
    y,
    z,
    spread,
    limit,
    across,
    rest,
    rows,
    start,
    cells,
    pair,
    taken,
    found,
):
    """Entries that fit a predicted g and a place: their pairs go to ``found``, signed.

    ``across`` and ``rest`` are the largest relative distances along the rotation and at right
    angles to it. Returns the number, at most the length of ``found``.
    """
    square = gx * gx + gy * gy + gz * gz
    length = math.sqrt(square)
    flip = 1
    if gz < 0.0:
        gx, gy, gz, flip = -gx, -gy, -gz, -1
    a, b = gx / (length + gz), gy / (length + gz)
    window = 0.5 * max(across, rest) * (1.0 + a * a + b * b)
    u0, u1 = cell_of(a - window, cells), cell_of(a + window, cells)
    v0, v1 = cell_of(b - window, cells), cell_of(b + window, cells)
    flat = gx * gx + gy * gy
    most_rest = rest * rest * square
    most_across = across * across * flat + most_rest
    count = 0
    for u in range(u0, u1 + 1):
        base = (ring * cells + u) * cells
        for k in range(start[base + v0], start[base + v1 + 1]):
            row = rows[k]
            dx, dy, dz = row[0] - gx, row[1] - gy, row[2] - gz
            along = (dy * gx - dx * gy) ** 2 / flat
            if along > most_across:
                continue
            if dx * dx + dy * dy + dz * dz - along > most_rest:
                continue
            if not fits_place(row, x, y, z, spread, limit):
                continue
            own = pair[k]
            which = own - 1 if own > 0 else -own - 1
            if taken[which]:
                continue
            if count < len(found):
                found[count] = flip * own
                count += 1
    return count


@njit(nogil=True, cache=True)
def occupied(
    lattices: FloatArray,
    places: FloatArray,
    hkl: FloatArray,
    hkl_ring: IntArray,
    rings: int,
    noise: float,
    tolerance: FloatArray,
    rows: np.ndarray,
    start: IntArray,
    cells: int,
    pair: IntArray,
) -> FloatArray:
    """Share of reflections of given grains at which a pair is found, by ring (rings,)."""
    filled, asked = np.zeros(rings), np.full(rings, 1e-9)
    found = np.empty(1, dtype=np.int64)
    taken = np.zeros(2 * len(pair) + 1, dtype=np.bool_)
    spread = np.array([noise, 0.0, noise, 0.5 * noise, noise])
    for i in range(len(lattices)):
        m, place = lattices[i], places[i]
        for h in range(len(hkl)):
            gx = m[0, 0] * hkl[h, 0] + m[0, 1] * hkl[h, 1] + m[0, 2] * hkl[h, 2]
            gy = m[1, 0] * hkl[h, 0] + m[1, 1] * hkl[h, 1] + m[1, 2] * hkl[h, 2]
            gz = m[2, 0] * hkl[h, 0] + m[2, 1] * hkl[h, 1] + m[2, 2] * hkl[h, 2]
            asked[hkl_ring[h]] += 1.0
            filled[hkl_ring[h]] += find_pairs(
                gx,
                gy,
                gz,
                hkl_ring[h],
                place[0],
                place[1],
                place[2],
                spread,
                FAR,
                tolerance[0],
                tolerance[1],
                rows,
                start,
                cells,
                pair,
                taken,
                found,
            )
    return filled / asked
