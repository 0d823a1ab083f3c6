"""One grain hypothesis: made from two pairs, tested on others, fitted to all."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mesolith.hedm._kernels_pair_map import FAR, NEAR, find_pairs
from mesolith.numerics._kernels_small import invert_three

_REJECT, _ACCEPT = -3.5, 12.0
_MIXES = (0.95, 0.85, 0.7, 0.55, 0.4, 0.25)


@njit(nogil=True, cache=True)
def log_ratio_of_counts(hits, slots, chance):  # type: ignore[no-untyped-def]
    """Log likelihood ratio of a grain against chance, rings summed, its visibility fitted.

    ``hits`` of ``slots`` were filled on each ring; a slot is filled by chance with ``chance``.
    """
    best = -1e300
    for p in _MIXES:
        total = 0.0
        for r in range(len(hits)):
            if slots[r] > 0:
                filled = p + (1.0 - p) * chance[r]
                total += hits[r] * math.log(filled / chance[r])
                total += (slots[r] - hits[r]) * math.log((1.0 - filled) / (1.0 - chance[r]))
        best = max(best, total)
    return best - math.log(len(_MIXES))


@njit(nogil=True, cache=True)
def orient(g1, g2, side, hkl_pair, b0, m):  # type: ignore[no-untyped-def]
    """Fill m = U b0 for which the two indices point along g1 and side * g2."""
    frame = np.empty((3, 3))
    crystal = np.empty((3, 3))
    for which in range(2):
        t = frame if which == 0 else crystal
        for a in range(3):
            if which == 0:
                t[0, a], t[1, a] = g1[a], side * g2[a]
            else:
                t[0, a] = b0[a, 0] * hkl_pair[0] + b0[a, 1] * hkl_pair[1] + b0[a, 2] * hkl_pair[2]
                t[1, a] = b0[a, 0] * hkl_pair[3] + b0[a, 1] * hkl_pair[4] + b0[a, 2] * hkl_pair[5]
        for row in range(2):
            length = math.sqrt(t[row, 0] ** 2 + t[row, 1] ** 2 + t[row, 2] ** 2)
            for a in range(3):
                t[row, a] /= length
        # halves of the angle: the error of either direction counts alike
        for a in range(3):
            one, two = t[0, a], t[1, a]
            t[0, a], t[1, a] = one + two, one - two
        for row in range(2):
            length = math.sqrt(t[row, 0] ** 2 + t[row, 1] ** 2 + t[row, 2] ** 2)
            for a in range(3):
                t[row, a] /= length
        t[2, 0] = t[0, 1] * t[1, 2] - t[0, 2] * t[1, 1]
        t[2, 1] = t[0, 2] * t[1, 0] - t[0, 0] * t[1, 2]
        t[2, 2] = t[0, 0] * t[1, 1] - t[0, 1] * t[1, 0]
    for a in range(3):
        for b in range(3):
            value = 0.0
            for row in range(3):
                for c in range(3):
                    value += frame[row, a] * crystal[row, c] * b0[c, b]
            m[a, b] = value


@njit(nogil=True, cache=True)
def place_of_two(one, two, noise, sizes, place, spread):  # type: ignore[no-untyped-def]
    """Fill place and spread from the equations of two pairs; False where they disagree."""
    xx = noise / sizes[0] + one[3] * one[3] + two[3] * two[3]
    yy = noise / sizes[0] + one[4] * one[4] + two[4] * two[4]
    xy = one[3] * one[4] + two[3] * two[4]
    bx = one[3] * one[5] + two[3] * two[5]
    by = one[4] * one[5] + two[4] * two[5]
    determinant = xx * yy - xy * xy
    spread[0], spread[1], spread[2] = (
        noise * yy / determinant,
        -noise * xy / determinant,
        noise * xx / determinant,
    )
    spread[3], spread[4] = 0.5 * noise, noise
    x = (yy * bx - xy * by) / determinant
    y = (xx * by - xy * bx) / determinant
    z1 = one[8] - one[6] * x - one[7] * y
    z2 = two[8] - two[6] * x - two[7] * y
    dx, dy = one[6] - two[6], one[7] - two[7]
    variance = 2.0 * noise + dx * dx * spread[0] + 2.0 * dx * dy * spread[1] + dy * dy * spread[2]
    if (z1 - z2) ** 2 > FAR * variance:
        return False
    place[0], place[1], place[2] = x, y, 0.5 * (z1 + z2)
    # sizes are variances of an even spread: a quarter and a twelfth of the squared extents
    if x * x + y * y > 4.0 * sizes[0] + FAR * (spread[0] + spread[2]):
        return False
    if place[2] ** 2 > 3.0 * sizes[1] + FAR * spread[3]:
        return False
    off = one[5] - one[3] * x - one[4] * y
    return off * off <= FAR * noise


@njit(nogil=True, cache=True)
def passes_tests(  # type: ignore[no-untyped-def]
    m,
    place,
    spread,
    tests,
    test_ring,
    gain,
    tolerance,
    pole,
    rows,
    start,
    cells,
    pair,
    taken,
    found,
):
    """Wald's test in the order of the tests: whether chance was ruled out before the grain was."""
    total = 0.0
    for t in range(len(tests)):
        i, j, k = tests[t, 0], tests[t, 1], tests[t, 2]
        gx = m[0, 0] * i + m[0, 1] * j + m[0, 2] * k
        gy = m[1, 0] * i + m[1, 1] * j + m[1, 2] * k
        gz = m[2, 0] * i + m[2, 1] * j + m[2, 2] * k
        if gx * gx + gy * gy < pole * pole * (gx * gx + gy * gy + gz * gz):
            continue
        count = find_pairs(
            gx,
            gy,
            gz,
            test_ring[t],
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
        total += gain[test_ring[t], 0] if count > 0 else gain[test_ring[t], 1]
        if total < _REJECT:
            return False
        if total > _ACCEPT:
            return True
    return total > 0.5 * _ACCEPT


@njit(nogil=True, cache=True)
def confirm(  # type: ignore[no-untyped-def]
    m,
    place,
    spread,
    hkl,
    hkl_ring,
    chance,
    tolerance,
    sizes,
    pole,
    each,
    g,
    equation,
    rows,
    start,
    cells,
    pair,
    taken,
    found,
    hits,
    slots,
    claimed,
):
    """Fit the reciprocal lattice m (3, 3) and the place (3) to all pairs that agree.

    A reflection makes ``each`` pairs, and more do not count. Returns the log likelihood ratio
    against chance and the number of pairs, whose signed numbers are left in ``claimed``.
    """
    inner = np.empty((3, 3))
    outer = np.empty((3, 3))
    inverse = np.empty((3, 3))
    normal = np.empty((3, 3))
    right = np.empty(3)
    total = 0
    rounds = len(tolerance)
    for turn in range(rounds):
        # a weak pull to where the lattice is keeps few reflections from bending it
        pull = 1.0 if turn < rounds - 1 else 0.1
        for i in range(3):
            for j in range(3):
                inner[i, j] = pull if i == j else 0.0
                outer[i, j] = pull * m[i, j]
                normal[i, j] = 0.0
            right[i] = 0.0
        normal[0, 0] = normal[1, 1] = spread[4] / sizes[0]
        normal[2, 2] = spread[4] / sizes[1]
        total = 0
        hits[:] = 0.0
        slots[:] = 0.0
        for h in range(len(hkl)):
            i, j, k = hkl[h, 0], hkl[h, 1], hkl[h, 2]
            gx = m[0, 0] * i + m[0, 1] * j + m[0, 2] * k
            gy = m[1, 0] * i + m[1, 1] * j + m[1, 2] * k
            gz = m[2, 0] * i + m[2, 1] * j + m[2, 2] * k
            if gx * gx + gy * gy < pole * pole * (gx * gx + gy * gy + gz * gz):
                continue
            ring = hkl_ring[h]
            count = find_pairs(
                gx,
                gy,
                gz,
                ring,
                place[0],
                place[1],
                place[2],
                spread,
                NEAR,
                tolerance[turn, 0],
                tolerance[turn, 1],
                rows,
                start,
                cells,
                pair,
                taken,
                found,
            )
            slots[ring] += each
            hits[ring] += min(count, each)
            for c in range(count):
                which = abs(found[c]) - 1
                side = 1.0 if found[c] > 0 else -1.0
                if total < len(claimed):
                    claimed[total] = found[c]
                    total += 1
                for a in range(3):
                    value = side * g[which, a]
                    for b in range(3):
                        outer[a, b] += value * hkl[h, b]
                        inner[a, b] += hkl[h, a] * hkl[h, b]
                e = equation[which]
                for a in range(2):
                    for b in range(2):
                        normal[a, b] += e[3 + a] * e[3 + b] + e[6 + a] * e[6 + b]
                    normal[a, 2] += e[6 + a]
                    normal[2, a] += e[6 + a]
                    right[a] += e[3 + a] * e[5] + e[6 + a] * e[8]
                normal[2, 2] += 1.0
                right[2] += e[8]
        if total < 4:
            return -1e300, total
        invert_three(inner, inverse)
        for a in range(3):
            for b in range(3):
                value = 0.0
                for c in range(3):
                    value += outer[a, c] * inverse[c, b]
                m[a, b] = value
        invert_three(normal, inverse)
        for a in range(3):
            place[a] = 0.0
            for b in range(3):
                place[a] += inverse[a, b] * right[b]
        spread[0] = spread[4] * inverse[0, 0]
        spread[1] = spread[4] * inverse[0, 1]
        spread[2] = spread[4] * inverse[1, 1]
        spread[3] = spread[4] * inverse[2, 2]
    return log_ratio_of_counts(hits, slots, chance), total
