"""Grains from seeds: each pair of a ring with its partners on another, the best one kept."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm._kernels_hypothesis import confirm, orient, passes_tests, place_of_two
from mesolith.hedm._kernels_pair_map import EDGE, cell_of

_WALK = 10  # orientations that are tested in the time of one look for partners


@njit(nogil=True, cache=True)
def search_seeds(
    seeds: IntArray,
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
    each: int,
    least: float,
    enough: float,
    b0: FloatArray,
    g: FloatArray,
    equation: FloatArray,
    members: IntArray,
    rows: np.ndarray,
    start: IntArray,
    cells: int,
    pair: IntArray,
    coarse_start: IntArray,
    coarse_cells: int,
    coarse_pair: IntArray,
    taken: np.ndarray,
    spot_taken: np.ndarray,
    around_start: IntArray,
    around: IntArray,
    lattice: FloatArray,
    places: FloatArray,
    ratio: FloatArray,
) -> tuple[int, int]:
    """Grains through seeds on one ring and partners on another; returns grains and work.

    Work is counted in orientations that were tested; to look for the partners of a seed at one
    angle is as much work as ten.

    Parameters
    ----------
    seeds
        Pairs to start from, in order.
    angles, choices, choice_hkl
        Cosines, not negative, of the angles between indices of the two rings; where each angle's
        index pairs begin in ``choice_hkl`` (k, 6).
    reach
        Largest error of that angle, rad.
    tests, test_ring, gain
        Indices to test in order, their rings, and what a hit and a miss add on each ring.
    hkl, hkl_ring, chance
        Half of all indices, their rings, the chance that a slot of a ring is filled.
    tolerance, first_tolerance
        Relative distances (along the rotation, across it): one row a round of the fit; of the
        tests.
    sizes, noise, pole, each
        Variances of place across and along the axis, um2; that of an equation, um2; least share
        of g at right angles to the axis; pairs that a reflection makes.
    least, enough
        Log likelihood ratio at which a grain is accepted, and share of filled slots at which no
        better one is looked for.
    b0
        Reciprocal lattice of the reference, crystal axes.
    g, equation, members, rows, start, cells, pair
        Pairs: g (n, 3), rows of `pair_vectors`, spots (n, 2); and their map.
    coarse_start, coarse_cells, coarse_pair
        The map of the partners' ring alone, with wide cells.
    taken, spot_taken, around_start, around
        Pairs and spots to pass over, both changed here; pairs around each spot.
    lattice, places, ratio
        Filled: reciprocal lattices (k, 3, 3), places (k, 3), log likelihood ratios (k,).
    """
    grains, work = 0, 0
    stamp = np.zeros(coarse_cells * coarse_cells, dtype=np.int64)
    partners = np.empty(len(coarse_pair), dtype=np.int64)
    found = np.empty(16, dtype=np.int64)
    claimed = np.empty((4 + each) * len(hkl), dtype=np.int64)
    best_claimed = np.empty_like(claimed)
    hits, slots = np.empty(len(chance)), np.empty(len(chance))
    m, place, spread = np.empty((3, 3)), np.empty(3), np.empty(5)
    mark = 0
    for s in range(len(seeds)):
        seed = seeds[s]
        if taken[seed]:
            continue
        if grains == len(ratio):
            break
        best, best_count, done = -1e300, 0, False
        for angle in range(len(angles)):
            mark += 1
            work += _WALK
            near = partners_of(
                seed,
                angles[angle],
                reach,
                g,
                members,
                taken,
                coarse_start,
                coarse_cells,
                coarse_pair,
                stamp,
                mark,
                partners,
            )
            # at right angles either sense of the partner will do
            ways = 2 if angles[angle] <= reach else 1
            trial, per_partner = 0, (choices[angle + 1] - choices[angle]) * ways
            while trial < near * per_partner and not done:
                other = partners[trial // per_partner]
                if not place_of_two(equation[seed], equation[other], noise, sizes, place, spread):
                    trial += per_partner
                    continue
                choice, way = divmod(trial % per_partner, ways)
                trial += 1
                work += 1
                g1, g2 = g[seed], g[other]
                side = 1.0 - 2.0 * way
                if g1[0] * g2[0] + g1[1] * g2[1] + g1[2] * g2[2] < 0.0:
                    side = -side
                orient(g1, g2, side, choice_hkl[choices[angle] + choice], b0, m)
                if not passes_tests(
                    m,
                    place,
                    spread,
                    tests,
                    test_ring,
                    gain,
                    first_tolerance,
                    pole,
                    rows,
                    start,
                    cells,
                    pair,
                    taken,
                    found,
                ):
                    continue
                value, count = confirm(
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
                )
                if value > best:
                    best, best_count = value, count
                    lattice[grains] = m
                    places[grains] = place
                    best_claimed[:count] = claimed[:count]
                    done = hits.sum() > enough * slots.sum() and value > least
            if done:
                break
        if best < least:
            continue
        ratio[grains] = best
        grains += 1
        claim_spots(best_claimed[:best_count], members, spot_taken, around_start, around, taken)
    return grains, work


@njit(nogil=True, cache=True)
def partners_of(
    seed: int,
    cosine: float,
    reach: float,
    g: FloatArray,
    members: IntArray,
    taken: np.ndarray,
    coarse_start: IntArray,
    coarse_cells: int,
    coarse_pair: IntArray,
    stamp: IntArray,
    mark: int,
    partners: IntArray,
) -> int:
    """Fill ``partners`` with pairs at an angle from the seed's g or its opposite; return how many.

    ``stamp`` (cells,) remembers in which look, ``mark``, a cell was last visited. Pairs that are
    taken or hold a spot of the seed are left out.
    """
    length = math.sqrt(g[seed, 0] ** 2 + g[seed, 1] ** 2 + g[seed, 2] ** 2)
    ex, ey, ez = g[seed, 0] / length, g[seed, 1] / length, g[seed, 2] / length
    # two directions at right angles to the seed
    if abs(ez) < 0.8:
        across = math.sqrt(ex * ex + ey * ey)
        ux, uy, uz = -ey / across, ex / across, 0.0
    else:
        across = math.sqrt(ey * ey + ez * ez)
        ux, uy, uz = 0.0, -ez / across, ey / across
    vx, vy, vz = ey * uz - ez * uy, ez * ux - ex * uz, ex * uy - ey * ux
    sine = math.sqrt(1.0 - cosine * cosine)
    count = 0
    for offset in range(-1, 2):
        # three circles: the middle of the strip and its rims
        along = cosine * math.cos(offset * reach) - sine * math.sin(offset * reach)
        radius = sine * math.cos(offset * reach) + cosine * math.sin(offset * reach)
        steps = int(2.0 * math.pi * radius * coarse_cells / EDGE) + 1
        cosine_step, sine_step = math.cos(2.0 * math.pi / steps), math.sin(2.0 * math.pi / steps)
        cx, sx = radius, 0.0
        for _ in range(steps):
            cx, sx = cx * cosine_step - sx * sine_step, sx * cosine_step + cx * sine_step
            x = along * ex + cx * ux + sx * vx
            y = along * ey + cx * uy + sx * vy
            z = along * ez + cx * uz + sx * vz
            if z < 0.0:
                x, y, z = -x, -y, -z
            u = cell_of(x / (1.0 + z), coarse_cells)
            v = cell_of(y / (1.0 + z), coarse_cells)
            square = u * coarse_cells + v
            if stamp[square] == mark:
                continue
            stamp[square] = mark
            for k in range(coarse_start[square], coarse_start[square + 1]):
                other = abs(coarse_pair[k]) - 1
                if taken[other] or other == seed:
                    continue
                gx, gy, gz = g[other, 0], g[other, 1], g[other, 2]
                size = math.sqrt(gx * gx + gy * gy + gz * gz)
                dot = abs(ex * gx + ey * gy + ez * gz) / size
                if abs(dot - cosine) > reach * max(sine, reach):
                    continue
                if (
                    members[other, 0] == members[seed, 0]
                    or members[other, 0] == members[seed, 1]
                    or members[other, 1] == members[seed, 0]
                    or members[other, 1] == members[seed, 1]
                ):
                    continue
                partners[count] = other
                count += 1
    return count


@njit(nogil=True, cache=True)
def claim_spots(
    claimed: IntArray,
    members: IntArray,
    spot_taken: np.ndarray,
    around_start: IntArray,
    around: IntArray,
    taken: np.ndarray,
) -> None:
    """Take the spots of signed pairs, and with them every pair that holds one of them."""
    for k in range(len(claimed)):
        which = abs(claimed[k]) - 1
        for side in range(2):
            spot = members[which, side]
            if not spot_taken[spot]:
                spot_taken[spot] = True
                for q in range(around_start[spot], around_start[spot + 1]):
                    taken[around[q]] = True
