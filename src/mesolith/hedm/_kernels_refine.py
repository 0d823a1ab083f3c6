"""Lattice and place of grains by robust least squares on their spots."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mesolith.axes import FloatArray, IntArray
from mesolith.instrument._kernels_geometry import crossings, spot_and_derivatives, wrapped
from mesolith.numerics._kernels_small import factor_positive, invert_three, solve_factored

WIDE = 4.0  # a spot that was displaced by its neighbour is off by so many standard deviations
_CLEAN = 0.9


@njit(nogil=True, cache=True)
def robust_weight(square: float) -> float:
    """Weight of a residual of three coordinates whose squared length is ``square``.

    The mean precision, in units of the stated one, if one in ten spots is off by ``WIDE``
    standard deviations rather than one.
    """
    clean = _CLEAN * math.exp(-0.5 * square)
    wide = (1.0 - _CLEAN) / WIDE**3 * math.exp(-0.5 * square / WIDE**2)
    return (clean + wide / WIDE**2) / (clean + wide)


@njit(nogil=True, cache=True)
def residual_of(  # type: ignore[no-untyped-def]
    m, place, hkl, row, source, panel, value, by_g, by_p, residual
):
    """Fill residual (3) of one spot and the derivatives of its prediction; returns g, or NaN."""
    h, k, n = hkl[0], hkl[1], hkl[2]
    gx = m[0, 0] * h + m[0, 1] * k + m[0, 2] * n
    gy = m[1, 0] * h + m[1, 1] * k + m[1, 2] * n
    gz = m[2, 0] * h + m[2, 1] * k + m[2, 2] * n
    first, second = crossings(gx, gy, gz, source)
    one, two = wrapped(first - row[2]), wrapped(second - row[2])
    off = one if abs(one) <= abs(two) else two
    if math.isnan(off):
        return math.nan, math.nan, math.nan
    if not spot_and_derivatives(
        gx, gy, gz, place[0], place[1], place[2], row[2] + off, source, panel, value, by_g, by_p
    ):
        return math.nan, math.nan, math.nan
    residual[0], residual[1], residual[2] = row[0] - value[0], row[1] - value[1], -off
    return gx, gy, gz


@njit(nogil=True, cache=True)
def by_grain(gx, gy, gz, by_g, by_p, jacobian):  # type: ignore[no-untyped-def]
    """Fill jacobian (3, 12): place (3), rotation vector (3), strain 11 22 33 23 13 12.

    A small strain E and rotation w of the lattice move g by -E g + w x g.
    """
    for a in range(3):
        d0, d1, d2 = by_g[a, 0], by_g[a, 1], by_g[a, 2]
        jacobian[a, 0], jacobian[a, 1], jacobian[a, 2] = by_p[a, 0], by_p[a, 1], by_p[a, 2]
        jacobian[a, 3] = d2 * gy - d1 * gz
        jacobian[a, 4] = d0 * gz - d2 * gx
        jacobian[a, 5] = d1 * gx - d0 * gy
        jacobian[a, 6] = -d0 * gx
        jacobian[a, 7] = -d1 * gy
        jacobian[a, 8] = -d2 * gz
        jacobian[a, 9] = -(d1 * gz + d2 * gy)
        jacobian[a, 10] = -(d0 * gz + d2 * gx)
        jacobian[a, 11] = -(d0 * gy + d1 * gx)


@njit(nogil=True, cache=True)
def squared(row, residual):  # type: ignore[no-untyped-def]
    """Squared length of a residual in units of its spot's covariance."""
    u, v, t = residual[0], residual[1], residual[2]
    return (
        row[3] * u * u
        + row[6] * v * v
        + row[8] * t * t
        + 2.0 * (row[4] * u * v + row[5] * u * t + row[7] * v * t)
    )


@njit(nogil=True, cache=True)
def deform(m, step):  # type: ignore[no-untyped-def]
    """Apply rotation vector and strain (9) to the reciprocal lattice m (3, 3)."""
    h = np.empty((3, 3))
    inverse = np.empty((3, 3))
    old = m.copy()
    h[0, 0], h[1, 1], h[2, 2] = 1.0 + step[3], 1.0 + step[4], 1.0 + step[5]
    h[1, 2], h[2, 1] = step[6] - step[0], step[6] + step[0]
    h[0, 2], h[2, 0] = step[7] + step[1], step[7] - step[1]
    h[0, 1], h[1, 0] = step[8] - step[2], step[8] + step[2]
    invert_three(h, inverse)
    for a in range(3):
        for b in range(3):
            # lattice vectors go with h, reciprocal ones with its inverse transposed
            m[a, b] = (
                inverse[0, a] * old[0, b] + inverse[1, a] * old[1, b] + inverse[2, a] * old[2, b]
            )


@njit(nogil=True, cache=True)
def refine_grains(
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
    steps: int,
    covariance: FloatArray,
    variance: FloatArray,
    residuals: FloatArray,
    weights: FloatArray,
) -> None:
    """Move each grain to the robust least squares of its spots; lattice and place change.

    Parameters
    ----------
    reciprocal, position, phase
        Grains (g, 3, 3), (g, 3) and (g,); the first two are changed in place.
    table, match, share
        Indices of each phase (phases, h, 3); spots (g, h, 2), negative where there is none; their
        weights.
    rows, panel_of
        Spots as in `match_grains`, and their panels.
    steps
        Gauss-Newton steps; what is filled stands for the start of the last one.
    covariance
        Filled (g, 12, 12) for place, rotation vector, strain, by the stated errors; NaN where the
        spots do not determine a grain, which then stays where it was.
    variance
        Filled (g,): mean squared residual in units of the stated errors and of its expectation.
    residuals, weights
        Filled (g, h, 2, 3), observed minus predicted in px and rad, and (g, h, 2): robust weight
        times share; NaN and 0 where there is no spot.
    """
    value, residual = np.empty(3), np.empty(3)
    by_g, by_p = np.empty((3, 3)), np.empty((3, 3))
    jacobian, weighted = np.empty((3, 12)), np.empty((3, 12))
    normal, right = np.empty((12, 12)), np.empty(12)
    column = np.empty(12)
    for i in range(len(reciprocal)):
        m, place = reciprocal[i].copy(), position[i].copy()
        hkl = table[phase[i]]
        good = True
        for step in range(steps):
            last = step == steps - 1
            normal[:] = 0.0
            right[:] = 0.0
            sum_squares, freedom, count = 0.0, 0.0, 0
            for j in range(len(hkl)):
                for c in range(2):
                    weights[i, j, c] = 0.0
                    residuals[i, j, c, :] = math.nan
                    q = match[i, j, c]
                    if q < 0 or share[i, j, c] == 0.0:
                        continue
                    row = rows[q]
                    gx, gy, gz = residual_of(
                        m,
                        place,
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
                    square = squared(row, residual)
                    w = share[i, j, c] * robust_weight(square)
                    count += 1
                    if last:
                        residuals[i, j, c, :] = residual
                        weights[i, j, c] = w
                    sum_squares += w * square
                    freedom += 3.0 * w
                    for b in range(12):
                        x, y, z = jacobian[0, b], jacobian[1, b], jacobian[2, b]
                        weighted[0, b] = w * (row[3] * x + row[4] * y + row[5] * z)
                        weighted[1, b] = w * (row[4] * x + row[6] * y + row[7] * z)
                        weighted[2, b] = w * (row[5] * x + row[7] * y + row[8] * z)
                    for a in range(12):
                        x, y, z = weighted[0, a], weighted[1, a], weighted[2, a]
                        right[a] += x * residual[0] + y * residual[1] + z * residual[2]
                        for b in range(12):
                            normal[a, b] += (
                                x * jacobian[0, b] + y * jacobian[1, b] + z * jacobian[2, b]
                            )
            if count < 5 or not factor_positive(normal):
                good = False
                break
            solve_factored(normal, right)
            for a in range(3):
                place[a] += right[a]
            deform(m, right[3:])
            if last:
                for a in range(12):
                    column[:] = 0.0
                    column[a] = 1.0
                    solve_factored(normal, column)
                    covariance[i, a, :] = column
                variance[i] = sum_squares / max(freedom - 12.0, 1.0)
        if good:
            reciprocal[i] = m
            position[i] = place
        else:
            covariance[i, :, :] = math.nan
            variance[i] = math.nan
