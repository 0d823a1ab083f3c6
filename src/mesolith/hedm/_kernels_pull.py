"""How much each spot pulls at its grain, against what its stated error lets expect."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm._kernels_refine import by_grain, residual_of, robust_weight, squared

_MOST_LEVERAGE = 0.9


@njit(nogil=True, cache=True)
def pulls_on_grains(
    reciprocal: FloatArray,
    position: FloatArray,
    phase: IntArray,
    table: FloatArray,
    match: IntArray,
    share: FloatArray,
    rows: FloatArray,
    panel_of: IntArray,
    source: FloatArray,
    panels: FloatArray,
    covariance: FloatArray,
    scatter: FloatArray,
    effective: FloatArray,
) -> None:
    """Fill ``scatter`` and ``effective`` (g,); the other arguments are as in `refine_grains`.

    A spot moves its grain by C J^T P w r, with the grain's covariance C, the derivatives J, the
    spot's precision P, weight w and residual r. ``scatter`` is the sum of the squares of these
    moves in units of C over the sum of the spots' leverages w tr(P J C J^T): what a spot is off by
    counts as much as the spot decides. A residual is longer by 1 / (1 - leverage) in the square
    than the grain, which follows the spot, leaves of it. ``effective`` is how many spots of equal
    leverage would decide alike. NaN and 0 for a grain without covariance.
    """
    value, residual = np.empty(3), np.empty(3)
    by_g, by_p = np.empty((3, 3)), np.empty((3, 3))
    jacobian, turned = np.empty((3, 12)), np.empty((3, 12))
    pulled, weighted = np.empty(3), np.empty((3, 3))
    for i in range(len(reciprocal)):
        scatter[i], effective[i] = math.nan, 0.0
        if math.isnan(covariance[i, 0, 0]):
            continue
        c = covariance[i]
        hkl = table[phase[i]]
        moves, levers, squares = 0.0, 0.0, 0.0
        for j in range(len(hkl)):
            for k in range(2):
                q = match[i, j, k]
                if q < 0 or share[i, j, k] == 0.0:
                    continue
                row = rows[q]
                gx, gy, gz = residual_of(
                    reciprocal[i],
                    position[i],
                    hkl[j],
                    row,
                    source,
                    panels[panel_of[q]],
                    value,
                    by_g,
                    by_p,
                    residual,
                )
                if math.isnan(gx):
                    continue
                by_grain(gx, gy, gz, by_g, by_p, jacobian)
                w = share[i, j, k] * robust_weight(squared(row, residual))
                weighted[0, 0], weighted[1, 1], weighted[2, 2] = row[3], row[6], row[8]
                weighted[0, 1] = weighted[1, 0] = row[4]
                weighted[0, 2] = weighted[2, 0] = row[5]
                weighted[1, 2] = weighted[2, 1] = row[7]
                for a in range(3):
                    for b in range(12):
                        total = 0.0
                        for n in range(12):
                            total += jacobian[a, n] * c[n, b]
                        turned[a, b] = total
                for a in range(3):
                    pulled[a] = 0.0
                    for b in range(3):
                        pulled[a] += w * weighted[a, b] * residual[b]
                move, lever = 0.0, 0.0
                for a in range(3):
                    for b in range(3):
                        spread = 0.0
                        for n in range(12):
                            spread += turned[a, n] * jacobian[b, n]
                        move += pulled[a] * spread * pulled[b]
                        lever += w * weighted[a, b] * spread
                moves += move / (1.0 - min(lever / 3.0, _MOST_LEVERAGE))
                levers += lever
                squares += lever * lever
        if levers > 0.0:
            scatter[i] = moves / levers
            effective[i] = levers * levers / squares
