"""Spots nearest to where grains are predicted to make them."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mesolith.axes import FloatArray, IntArray
from mesolith.instrument._kernels_geometry import crossing_rate, crossings, spot

ROW_SIZE = 9  # fast, slow (px), omega (rad), precision: 00 01 02 11 12 22
MISSED, UNSEEN = -1, -2
TURN = 2.0 * math.pi


@njit(nogil=True, cache=True)
def match_grains(
    reciprocal: FloatArray,
    position: FloatArray,
    phase: IntArray,
    table: FloatArray,
    source: FloatArray,
    panels: FloatArray,
    ranges: FloatArray,
    poles: FloatArray,
    shift: float,
    reach: FloatArray,
    rows: FloatArray,
    start: IntArray,
    shape: IntArray,
    tile: float,
    match: IntArray,
    square: FloatArray,
    expected: np.ndarray,
) -> None:
    """Find the spot nearest to each prediction, both crossings.

    Parameters
    ----------
    reciprocal, position, phase, table
        Grains (g, 3, 3), (g, 3) and (g,); indices of each phase (phases, h, 3), 0 0 0 at the end
        where a phase has fewer.
    source, panels
        The instrument in flat form.
    ranges
        Measured stretches of omega, rad, (k, 2).
    poles
        Sine of the azimuth below which a spot is not looked for, and below which none is
        expected.
    shift
        Added to each predicted omega, rad: what stands there then stands there by chance.
    reach
        Largest distance in fast, slow (px), omega (rad); the share of them within which is looked
        first; largest squared distance in units of the covariance.
    rows, start, shape, tile
        Spots (n, ROW_SIZE) sorted by panel, bin of omega, tile along slow, tile along fast; where
        each box begins; numbers of panels, bins and tiles; side of a tile, px.
    match, square, expected
        Filled, (g, h, 2): row of the spot, or MISSED, or UNSEEN where nothing can be seen; its
        squared distance; whether a spot must be there if the grain is.
    """
    bins, tiles_slow, tiles_fast = shape[1], shape[2], shape[3]
    for i in range(len(reciprocal)):
        m = reciprocal[i]
        hkl = table[phase[i]]
        px, py, pz = position[i, 0], position[i, 1], position[i, 2]
        for j in range(len(hkl)):
            h, k, n = hkl[j, 0], hkl[j, 1], hkl[j, 2]
            gx = m[0, 0] * h + m[0, 1] * k + m[0, 2] * n
            gy = m[1, 0] * h + m[1, 1] * k + m[1, 2] * n
            gz = m[2, 0] * h + m[2, 1] * k + m[2, 2] * n
            both = crossings(gx, gy, gz, source)
            sine = 0.5 * source[3] * math.sqrt(gx * gx + gy * gy + gz * gz)
            double = 2.0 * sine * math.sqrt(max(1.0 - sine * sine, 0.0))
            for c in range(2):
                omega = both[c]
                match[i, j, c] = UNSEEN
                square[i, j, c] = math.inf
                expected[i, j, c] = False
                if math.isnan(omega):
                    continue
                rate = abs(crossing_rate(gx, gy, gz, omega, source))
                if rate < poles[0] * double:
                    continue
                fast, slow, where = math.nan, math.nan, -1
                for p in range(len(panels)):
                    fast, slow = spot(gx, gy, gz, px, py, pz, omega, source, panels[p])
                    if -0.5 <= fast <= panels[p, 14] - 0.5 and -0.5 <= slow <= panels[p, 15] - 0.5:
                        where = p
                        break
                if where < 0:
                    continue
                omega += shift
                seen, inside = False, False
                for r in range(len(ranges)):
                    past = omega - ranges[r, 0]
                    past -= TURN * math.floor(past / TURN)
                    long = ranges[r, 1] - ranges[r, 0]
                    if past <= long:
                        seen = True
                        inside = long > TURN - 1e-6 or (reach[2] < past < long - reach[2])
                if not seen:
                    continue
                match[i, j, c] = MISSED
                rim = (
                    fast > reach[0]
                    and slow > reach[1]
                    and fast < panels[where, 14] - 1.0 - reach[0]
                    and slow < panels[where, 15] - 1.0 - reach[1]
                )
                expected[i, j, c] = inside and rim and rate >= poles[1] * double
                omega -= TURN * math.floor(omega / TURN)
                base = where * bins * tiles_slow * tiles_fast
                # mostly the spot is near, and the wide search is spared
                for near in range(2):
                    size = reach[3] if near == 0 else 1.0
                    match[i, j, c], square[i, j, c] = nearest_spot(
                        fast,
                        slow,
                        omega,
                        size,
                        reach,
                        rows,
                        start,
                        base,
                        bins,
                        tiles_slow,
                        tiles_fast,
                        tile,
                    )
                    if match[i, j, c] >= 0 or reach[3] == 1.0:
                        break


@njit(nogil=True, cache=True)
def nearest_spot(  # type: ignore[no-untyped-def]
    fast, slow, omega, size, reach, rows, start, base, bins, tiles_slow, tiles_fast, tile
):
    """Row and squared distance of the spot nearest to a place within ``size`` times the reach.

    ``base`` is the first box of the panel; the other arguments are as in `match_grains`.
    """
    width = TURN / bins
    most_u, most_v, most_t = size * reach[0], size * reach[1], size * reach[2]
    w0 = math.floor((omega - most_t) / width)
    w1 = math.floor((omega + most_t) / width)
    f0 = max(int((fast - most_u + 0.5) / tile), 0)
    f1 = min(int((fast + most_u + 0.5) / tile), tiles_fast - 1)
    s0 = max(int((slow - most_v + 0.5) / tile), 0)
    s1 = min(int((slow + most_v + 0.5) / tile), tiles_slow - 1)
    best, which = size * size * reach[4], MISSED
    for w in range(w0, w1 + 1):
        for s in range(s0, s1 + 1):
            box = base + ((w % bins) * tiles_slow + s) * tiles_fast
            for q in range(start[box + f0], start[box + f1 + 1]):
                row = rows[q]
                u, v, t = row[0] - fast, row[1] - slow, row[2] - omega
                if abs(u) > most_u or abs(v) > most_v:
                    continue
                t -= TURN * math.floor(t / TURN + 0.5)
                value = (
                    row[3] * u * u
                    + row[6] * v * v
                    + row[8] * t * t
                    + 2.0 * (row[4] * u * v + row[5] * u * t + row[7] * v * t)
                )
                if value < best:
                    best, which = value, q
    return which, best


@njit(nogil=True, cache=True)
def share_spots(
    match: IntArray, square: FloatArray, limit: float, spots: int, share: FloatArray
) -> None:
    """Divide each spot among the predictions that found it, by their likelihood.

    Fills ``share`` (like ``match``): 1 where a prediction has its spot alone, 0 where it has none
    or one beyond the squared distance ``limit``.
    """
    total = np.zeros(spots)
    flat, distance, part = match.ravel(), square.ravel(), share.ravel()
    for k in range(len(flat)):
        if flat[k] >= 0 and distance[k] <= limit:
            total[flat[k]] += math.exp(-0.5 * distance[k])
    for k in range(len(flat)):
        part[k] = 0.0
        if flat[k] >= 0 and distance[k] <= limit:
            part[k] = math.exp(-0.5 * distance[k]) / total[flat[k]]
