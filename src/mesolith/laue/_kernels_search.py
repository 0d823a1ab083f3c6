"""Orientations from pairs of peaks, each tried on the strongest spots that it predicts."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mesolith.laue._kernels_predict import project, strength_of

NOTHING, FREE, TAKEN = 0, 1, 2


@njit(nogil=True, cache=True)
def paint(fast, slow, value, radius, cell, picture):  # type: ignore[no-untyped-def]
    """Set the cells of ``picture`` [fast, slow] whose middle lies within ``radius`` of a peak."""
    for i in range(len(fast)):
        for a in range(int((fast[i] - radius) / cell), int((fast[i] + radius) / cell) + 1):
            for b in range(int((slow[i] - radius) / cell), int((slow[i] + radius) / cell) + 1):
                if 0 <= a < picture.shape[0] and 0 <= b < picture.shape[1]:
                    dx = (a + 0.5) * cell - fast[i]
                    dy = (b + 0.5) * cell - slow[i]
                    if dx * dx + dy * dy <= radius * radius:
                        picture[a, b] = value


@njit(nogil=True, cache=True)
def turning(a1, a2, b1, b2, r):  # type: ignore[no-untyped-def]
    """Fill r (3, 3) with the rotation that takes a1, a2 to b1, b2, their bisectors exactly."""
    f = np.empty((2, 3, 3))
    for s in range(2):
        one = a1 if s == 0 else b1
        two = a2 if s == 0 else b2
        n1 = 0.0
        n2 = 0.0
        for i in range(3):
            f[s, 0, i] = one[i] + two[i]
            f[s, 1, i] = one[i] - two[i]
            n1 += f[s, 0, i] ** 2
            n2 += f[s, 1, i] ** 2
        n1 = 1.0 / math.sqrt(n1)
        n2 = 1.0 / math.sqrt(n2)
        for i in range(3):
            f[s, 0, i] *= n1
            f[s, 1, i] *= n2
        f[s, 2, 0] = f[s, 0, 1] * f[s, 1, 2] - f[s, 0, 2] * f[s, 1, 1]
        f[s, 2, 1] = f[s, 0, 2] * f[s, 1, 0] - f[s, 0, 0] * f[s, 1, 2]
        f[s, 2, 2] = f[s, 0, 0] * f[s, 1, 1] - f[s, 0, 1] * f[s, 1, 0]
    for i in range(3):
        for j in range(3):
            r[i, j] = f[1, 0, i] * f[0, 0, j] + f[1, 1, i] * f[0, 1, j] + f[1, 2, i] * f[0, 2, j]


@njit(nogil=True, cache=True)
def support(  # type: ignore[no-untyped-def]
    r, direction, length, start, order, square, photons, centre, cosine, weakest, depth,
            row, picture, cell, gain, loss, early, most):  # fmt: skip
    """How well the strongest predicted spots are found: (evidence, found, predicted).

    A predicted spot with a free peak adds ``gain``, one without takes ``loss``; one in a peak
    that is taken says nothing. Given up where evidence falls below ``early`` at its steps.
    """
    cx = r[0, 0] * centre[0] + r[1, 0] * centre[1] + r[2, 0] * centre[2]
    cy = r[0, 1] * centre[0] + r[1, 1] * centre[1] + r[2, 1] * centre[2]
    cz = r[0, 2] * centre[0] + r[1, 2] * centre[1] + r[2, 2] * centre[2]
    found = 0
    count = 0
    for k in range(len(direction)):
        dx, dy, dz = direction[k, 0], direction[k, 1], direction[k, 2]
        if dx * cx + dy * cy + dz * cz < cosine:
            continue
        fast, slow, sine = project(
            r[0, 0] * dx + r[0, 1] * dy + r[0, 2] * dz,
            r[1, 0] * dx + r[1, 1] * dy + r[1, 2] * dz,
            r[2, 0] * dx + r[2, 1] * dy + r[2, 2] * dz,
            depth,
            row,
        )
        if sine <= 0.0 or fast < 0.0 or slow < 0.0 or fast > row[17] - 1 or slow > row[18] - 1:
            continue
        if strength_of(k, sine, length, start, order, square, photons) < weakest:
            continue
        there = picture[int(fast / cell), int(slow / cell)]
        if there == 2:
            continue
        count += 1
        if there == 1:
            found += 1
        step = count == 10 or count == 20 or count == 35
        if step and found * gain - (count - found) * loss < early:
            break
        if count == most:
            break
    return found * gain - (count - found) * loss, found, count


@njit(nogil=True, cache=True)
def first_not_below(values, bound):  # type: ignore[no-untyped-def]
    """First place in ascending values that is not below the bound.

    np.searchsorted says the same and compiles twenty times as long.
    """
    low = 0
    high = len(values)
    while low < high:
        middle = (low + high) // 2
        if values[middle] < bound:
            low = middle + 1
        else:
            high = middle
    return low


@njit(nogil=True, cache=True)
def search_pairs(  # type: ignore[no-untyped-def]
    q, pairs, first, last, angle, one, two, direction, length, start, order, square,
                 photons, centre, cosine, weakest, depth, row, picture, cell, gain, loss, early,
                 most, tolerance, enough, best_of):  # fmt: skip
    """Try pairs ``first`` to ``last``; keep the best orientations.

    ``q`` (n, 3) are unit scattering vectors, ``pairs`` (m, 2) rows of it. Returns the next pair,
    the orientations (k, 3, 3), their evidence, found and predicted spots, and how many
    orientations were tried; ends with the pair that gives an evidence above ``enough``.
    """
    kept = np.empty((best_of, 3, 3))
    marks = np.empty((best_of, 3))
    for s in range(best_of):
        for u in range(3):
            marks[s, u] = -1e9
            for v in range(3):
                kept[s, u, v] = 0.0
    r = np.empty((3, 3))
    tried = 0
    stop = False
    p = first
    while p < last and not stop:
        i, j = pairs[p, 0], pairs[p, 1]
        p += 1
        c = q[i, 0] * q[j, 0] + q[i, 1] * q[j, 1] + q[i, 2] * q[j, 2]
        if c > 0.9945 or c < -0.9945:
            continue
        apart = math.acos(c)
        low = first_not_below(angle, apart - tolerance)
        high = first_not_below(angle, apart + tolerance)
        for t in range(low, high):
            for swap in range(2):
                a = i if swap == 0 else j
                b = j if swap == 0 else i
                turning(direction[one[t]], direction[two[t]], q[a], q[b], r)
                tried += 1
                evidence, found, count = support(
                    r, direction, length, start, order, square, photons, centre, cosine, weakest,
                    depth, row, picture, cell, gain, loss, early, most,
                )  # fmt: skip
                worst = 0
                for s in range(1, best_of):
                    if marks[s, 0] < marks[worst, 0]:
                        worst = s
                if evidence <= marks[worst, 0]:
                    continue
                # the same orientation, found by another pair, is kept once
                place = worst
                for s in range(best_of):
                    trace = 0.0
                    for u in range(3):
                        for v in range(3):
                            trace += kept[s, u, v] * r[u, v]
                    if trace > 2.9998:
                        place = s
                if evidence <= marks[place, 0]:
                    continue
                for u in range(3):
                    for v in range(3):
                        kept[place, u, v] = r[u, v]
                marks[place, 0] = evidence
                marks[place, 1] = found
                marks[place, 2] = count
                if evidence > enough:
                    stop = True
    return p, kept, marks, tried


@njit(nogil=True, cache=True)
def support_of_all(  # type: ignore[no-untyped-def]
    turned, direction, length, start, order, square, photons, centre, cosine, weakest, depth, row,
    picture, cell, gain, loss, early, most, marks):  # fmt: skip
    """Fill marks (k,) with the evidence of each orientation (k, 3, 3), see `support`."""
    for k in range(len(turned)):
        marks[k] = support(
            turned[k], direction, length, start, order, square, photons, centre, cosine, weakest,
            depth, row, picture, cell, gain, loss, early, most,
        )[0]  # fmt: skip
