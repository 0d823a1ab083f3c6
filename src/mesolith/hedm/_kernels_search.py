"""Orientations and places from pairs of Friedel pairs, confirmed on all rings.

Directions of g are kept in a stereographic map of one half space, a square of cells for each
ring: g and -g are one entry, since each pair stands for both.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mesolith.axes import FloatArray, IntArray
from mesolith.numerics._kernels_small import invert_three

EDGE = 1.06  # half side of the map; the equator lies at 1, copies reach a little beyond
_FAR = 9.0  # of squared standard deviations: a first look at a place
_NEAR = 16.0
_REJECT = -3.5
_ACCEPT = 12.0
_MIXES = (0.95, 0.85, 0.7, 0.55, 0.4, 0.25)


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
            u, v = _cell(a, cells), _cell(b, cells)
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
def _cell(a, cells):  # type: ignore[no-untyped-def]
    return min(max(int((a + EDGE) * cells / (2.0 * EDGE)), 0), cells - 1)


@njit(nogil=True, cache=True)
def _fits(row, x, y, z, spread, limit):  # type: ignore[no-untyped-def]
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
def _find(  # type: ignore[no-untyped-def]
    gx, gy, gz, ring, x, y, z, spread, limit, across, rest,
    rows, start, cells, pair, taken, found,
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
    u0, u1 = _cell(a - window, cells), _cell(a + window, cells)
    v0, v1 = _cell(b - window, cells), _cell(b + window, cells)
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
            if not _fits(row, x, y, z, spread, limit):
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
def _confirm(  # type: ignore[no-untyped-def]
    m, place, spread, hkl, hkl_ring, chance, tolerance, sizes, pole,
    g, equation, rows, start, cells, pair, taken, found, hits, slots, claimed,
):
    """Fit the reciprocal lattice m (3, 3) and the place (3) to all pairs that agree.

    Returns the log likelihood ratio against chance and the number of pairs, whose signed
    numbers are left in ``claimed``.
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
            count = _find(
                gx, gy, gz, ring, place[0], place[1], place[2], spread, _NEAR,
                tolerance[turn, 0], tolerance[turn, 1],
                rows, start, cells, pair, taken, found,
            )
            slots[ring] += 2.0
            hits[ring] += min(count, 2)
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


@njit(nogil=True, cache=True)
def _oriented(g1, g2, side, hkl_pair, b0, m):  # type: ignore[no-untyped-def]
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
def _place_of_two(one, two, noise, sizes, place, spread):  # type: ignore[no-untyped-def]
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
    variance = (
        2.0 * noise + dx * dx * spread[0] + 2.0 * dx * dy * spread[1] + dy * dy * spread[2]
    )
    if (z1 - z2) ** 2 > _FAR * variance:
        return False
    place[0], place[1], place[2] = x, y, 0.5 * (z1 + z2)
    # sizes are variances of an even spread: a quarter and a twelfth of the squared extents
    if x * x + y * y > 4.0 * sizes[0] + _FAR * (spread[0] + spread[2]):
        return False
    if place[2] ** 2 > 3.0 * sizes[1] + _FAR * spread[3]:
        return False
    off = one[5] - one[3] * x - one[4] * y
    return off * off <= _FAR * noise


@njit(nogil=True, cache=True)
def _passes(  # type: ignore[no-untyped-def]
    m, place, spread, tests, test_ring, gain, tolerance, pole,
    rows, start, cells, pair, taken, found,
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
        count = _find(
            gx, gy, gz, test_ring[t], place[0], place[1], place[2], spread, _FAR,
            tolerance[0], tolerance[1], rows, start, cells, pair, taken, found,
        )
        total += gain[test_ring[t], 0] if count > 0 else gain[test_ring[t], 1]
        if total < _REJECT:
            return False
        if total > _ACCEPT:
            return True
    return total > 0.5 * _ACCEPT


@njit(nogil=True, cache=True)
def search_seeds(
    seeds: IntArray,
    partner: int,
    angles: FloatArray,
    choices: IntArray,
    choice_hkl: FloatArray,
    reach: float,
    tests: FloatArray,
    test_ring: IntArray,
    gain: FloatArray,
    hkl: FloatArray,
    hkl_ring: IntArray,
    chance: FloatArray,
    tolerance: FloatArray,
    first_tolerance: FloatArray,
    sizes: FloatArray,
    noise: float,
    pole: float,
    least: float,
    enough: float,
    b0: FloatArray,
    g: FloatArray,
    equation: FloatArray,
    members: IntArray,
    rows: np.ndarray,  # type: ignore[type-arg]
    start: IntArray,
    cells: int,
    pair: IntArray,
    coarse_start: IntArray,
    coarse_cells: int,
    coarse_pair: IntArray,
    taken: np.ndarray,  # type: ignore[type-arg]
    spot_taken: np.ndarray,  # type: ignore[type-arg]
    around_start: IntArray,
    around: IntArray,
    lattice: FloatArray,
    places: FloatArray,
    ratio: FloatArray,
) -> tuple[int, int]:
    """Grains through seeds on one ring and partners on another; returns grains and trials.

    Parameters
    ----------
    seeds
        Pairs to start from, in order.
    partner, angles, choices, choice_hkl
        Ring of the second pair; cosines, not negative, of the angles between indices of the two
        rings; where each angle's index pairs begin in ``choice_hkl`` (k, 6).
    reach
        Largest error of that angle, rad.
    tests, test_ring, gain
        Indices to test in order, their rings, and what a hit and a miss add on each ring.
    hkl, hkl_ring, chance
        Half of all indices, their rings, the chance that a slot of a ring is filled.
    tolerance, first_tolerance
        Relative distances (along the rotation, across it): one row a round of the fit; of the
        tests.
    sizes, noise, pole
        Variances of place across and along the axis, um2; that of an equation, um2; least share
        of g at right angles to the axis.
    least, enough
        Log likelihood ratio at which a grain is accepted, and share of filled slots at which no
        better one is looked for.
    b0
        Reciprocal lattice of the reference, crystal axes.
    g, equation, members, rows, start, cells, pair
        Pairs: g (n, 3), rows of `pair_vectors`, spots (n, 2); and their map.
    coarse_start, coarse_cells, coarse_pair
        The same of the partner's ring with wide cells.
    taken, spot_taken, around_start, around
        Pairs and spots to pass over, both changed here; pairs around each spot.
    lattice, places, ratio
        Filled: reciprocal lattices (k, 3, 3), places (k, 3), log likelihood ratios (k,).
    """
    grains, trials = 0, 0
    stamp = np.zeros(coarse_cells * coarse_cells, dtype=np.int64)
    found = np.empty(16, dtype=np.int64)
    claimed = np.empty(6 * len(hkl), dtype=np.int64)
    best_claimed = np.empty_like(claimed)
    hits, slots = np.empty(len(chance)), np.empty(len(chance))
    m, best_m = np.empty((3, 3)), np.empty((3, 3))
    place, best_place = np.empty(3), np.empty(3)
    spread = np.empty(5)
    mark = 0
    for s in range(len(seeds)):
        seed = seeds[s]
        if taken[seed] or grains >= len(ratio):
            continue
        g1 = g[seed]
        length = math.sqrt(g1[0] ** 2 + g1[1] ** 2 + g1[2] ** 2)
        ex, ey, ez = g1[0] / length, g1[1] / length, g1[2] / length
        # two directions at right angles to the seed
        if abs(ez) < 0.8:
            across = math.sqrt(ex * ex + ey * ey)
            ux, uy, uz = -ey / across, ex / across, 0.0
        else:
            across = math.sqrt(ey * ey + ez * ez)
            ux, uy, uz = 0.0, -ez / across, ey / across
        vx, vy, vz = ey * uz - ez * uy, ez * ux - ex * uz, ex * uy - ey * ux
        best, best_count = -1e300, 0
        done = False
        for angle in range(len(angles)):
            if done:
                break
            mark += 1
            cosine = angles[angle]
            sine = math.sqrt(1.0 - cosine * cosine)
            for offset in range(-1, 2):
                along = cosine * math.cos(offset * reach) - sine * math.sin(offset * reach)
                radius = sine * math.cos(offset * reach) + cosine * math.sin(offset * reach)
                steps = int(2.0 * math.pi * radius * coarse_cells / EDGE) + 1
                for step in range(steps):
                    turn = 2.0 * math.pi * step / steps
                    cx, sx = radius * math.cos(turn), radius * math.sin(turn)
                    x = along * ex + cx * ux + sx * vx
                    y = along * ey + cx * uy + sx * vy
                    z = along * ez + cx * uz + sx * vz
                    if z < 0.0:
                        x, y, z = -x, -y, -z
                    u = _cell(x / (1.0 + z), coarse_cells)
                    v = _cell(y / (1.0 + z), coarse_cells)
                    square = u * coarse_cells + v
                    if stamp[square] == mark:
                        continue
                    stamp[square] = mark
                    for k in range(coarse_start[square], coarse_start[square + 1]):
                        other = abs(coarse_pair[k]) - 1
                        if taken[other] or other == seed:
                            continue
                        g2 = g[other]
                        size = math.sqrt(g2[0] ** 2 + g2[1] ** 2 + g2[2] ** 2)
                        dot = (ex * g2[0] + ey * g2[1] + ez * g2[2]) / size
                        if abs(abs(dot) - cosine) > reach * max(sine, reach):
                            continue
                        if (
                            members[other, 0] == members[seed, 0]
                            or members[other, 0] == members[seed, 1]
                            or members[other, 1] == members[seed, 0]
                            or members[other, 1] == members[seed, 1]
                        ):
                            continue
                        if not _place_of_two(
                            equation[seed], equation[other], noise, sizes, place, spread
                        ):
                            continue
                        for c in range(choices[angle], choices[angle + 1]):
                            for way in range(2):
                                side = 1.0 if dot >= 0.0 else -1.0
                                if way == 1:
                                    # at right angles either sense of the partner will do
                                    if cosine > reach:
                                        break
                                    side = -side
                                _oriented(g1, g2, side, choice_hkl[c], b0, m)
                                trials += 1
                                if not _passes(
                                    m, place, spread, tests, test_ring, gain, first_tolerance,
                                    pole, rows, start, cells, pair, taken, found,
                                ):
                                    continue
                                value, count = _confirm(
                                    m, place, spread, hkl, hkl_ring, chance, tolerance, sizes,
                                    pole, g, equation, rows, start, cells, pair, taken, found,
                                    hits, slots, claimed,
                                )
                                if value > best:
                                    best, best_count = value, count
                                    for a in range(3):
                                        best_place[a] = place[a]
                                        for b in range(3):
                                            best_m[a, b] = m[a, b]
                                    best_claimed[:count] = claimed[:count]
                                    done = hits.sum() > enough * slots.sum() and value > least
                                _place_of_two(
                                    equation[seed], equation[other], noise, sizes, place, spread
                                )
                                if done:
                                    break
                            if done:
                                break
                        if done:
                            break
                    if done:
                        break
                if done:
                    break
        if best < least:
            continue
        lattice[grains] = best_m
        places[grains] = best_place
        ratio[grains] = best
        grains += 1
        for k in range(best_count):
            which = abs(best_claimed[k]) - 1
            for side in range(2):
                spot = members[which, side]
                if not spot_taken[spot]:
                    spot_taken[spot] = True
                    for q in range(around_start[spot], around_start[spot + 1]):
                        taken[around[q]] = True
    return grains, trials


@njit(nogil=True, cache=True)
def occupied(
    lattices: FloatArray,
    places: FloatArray,
    hkl: FloatArray,
    hkl_ring: IntArray,
    rings: int,
    noise: float,
    tolerance: FloatArray,
    rows: np.ndarray,  # type: ignore[type-arg]
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
            filled[hkl_ring[h]] += _find(
                gx, gy, gz, hkl_ring[h], place[0], place[1], place[2], spread, _FAR,
                tolerance[0], tolerance[1], rows, start, cells, pair, taken, found,
            )
    return filled / asked
