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
_FEWEST = 5
_MOST_LEVERAGE = 0.9


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
def gather_spots(  # type: ignore[no-untyped-def]
    match, share, rows, panel_of, which, seen, part, whitening
):
    """Lay the spots of one grain side by side; returns how many there are.

    Fills ``which`` (n, 3), reflection, crossing and panel; ``seen`` (n, 3), where the spot is;
    ``part`` (n,), its share; ``whitening`` (n, 6), the upper triangle of U where U^T U is its
    precision.
    """
    count = 0
    for j in range(len(match)):
        for c in range(2):
            q = match[j, c]
            if q < 0 or share[j, c] == 0.0:
                continue
            row, out = rows[q], whitening[count]
            which[count, 0], which[count, 1], which[count, 2] = j, c, panel_of[q]
            seen[count, 0], seen[count, 1], seen[count, 2] = row[0], row[1], row[2]
            part[count] = share[j, c]
            out[0] = math.sqrt(row[3])
            out[1], out[2] = row[4] / out[0], row[5] / out[0]
            out[3] = math.sqrt(row[6] - out[1] * out[1])
            out[4] = (row[7] - out[1] * out[2]) / out[3]
            out[5] = math.sqrt(row[8] - out[2] * out[2] - out[4] * out[4])
            count += 1
    return count


@njit(nogil=True, cache=True, fastmath={"contract", "reassoc"})
def normal_equations(columns, right, size, normal, gradient):  # type: ignore[no-untyped-def]
    """Fill the lower triangle of normal = A A^T and gradient = A r.

    A is the first ``size`` columns of ``columns`` (12, n) and r those of ``right`` (n,).
    """
    for a in range(12):
        one = columns[a]
        total = 0.0
        for k in range(size):
            total += one[k] * right[k]
        gradient[a] = total
        for b in range(a + 1):
            two = columns[b]
            total = 0.0
            for k in range(size):
                total += one[k] * two[k]
            normal[a, b] = total


@njit(nogil=True, cache=True)
def pulls_on_grain(factor, columns, right, count):  # type: ignore[no-untyped-def]
    """How much the spots of one grain are off, each counted as much as it decides.

    ``columns`` (12, n), changed here, and ``right`` (n,) are derivatives and residuals over their
    errors, three to a spot, as `normal_equations` took them; ``factor`` is the factor of the
    normal matrix. With the covariance C of the grain a spot moves it by C J^T r. The first number
    is the sum of the squares of these moves in units of C over the sum of the spots' leverages
    tr(J C J^T): what a spot is off by counts as much as the spot decides. A residual is longer
    by 1 / (1 - leverage) in the square than the grain, which follows the spot, leaves of it. The
    second number is how many spots of equal leverage would decide alike. NaN and 0 where none
    does.
    """
    size = 3 * count
    for a in range(12):
        own = columns[a]
        for b in range(a):
            slope, other = factor[a, b], columns[b]
            for k in range(size):
                own[k] -= slope * other[k]
        scale = 1.0 / factor[a, a]
        for k in range(size):
            own[k] *= scale
    moves, levers, squares = 0.0, 0.0, 0.0
    for k in range(0, size, 3):
        move, lever = 0.0, 0.0
        for a in range(12):
            x, y, z = columns[a, k], columns[a, k + 1], columns[a, k + 2]
            lever += x * x + y * y + z * z
            along = x * right[k] + y * right[k + 1] + z * right[k + 2]
            move += along * along
        moves += move / (1.0 - min(lever / 3.0, _MOST_LEVERAGE))
        levers += lever
        squares += lever * lever
    if not levers > 0.0:
        return math.nan, 0.0
    return moves / levers, levers * levers / squares


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
    scatter: FloatArray,
    effective: FloatArray,
    residuals: FloatArray,
    squares: FloatArray,
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
    scatter, effective
        Filled (g,) by `pulls_on_grain`.
    residuals, squares, weights
        Filled where there is a spot: (g, h, 2, 3), observed minus predicted in px and rad; (g, h,
        2), its square in units of the stated errors; (g, h, 2), robust weight times share.
    """
    most = 2 * table.shape[1]
    which, seen = np.empty((most, 3), dtype=np.int64), np.empty((most, 3))
    part, whitening = np.empty(most), np.empty((most, 6))
    residual, square, weight = np.empty((most, 3)), np.empty(most), np.empty(most)
    columns, right = np.empty((12, 3 * most)), np.empty(3 * most)
    value, by_g, by_p = np.empty(3), np.empty((3, 3)), np.empty((3, 3))
    jacobian, white = np.empty((3, 12)), np.empty(3)
    normal, step = np.empty((12, 12)), np.empty(12)
    for i in range(len(reciprocal)):
        m, place = reciprocal[i].copy(), position[i].copy()
        hkl = table[phase[i]]
        spots = gather_spots(match[i], share[i], rows, panel_of, which, seen, part, whitening)
        good = True
        for _ in range(steps):
            sum_squares, freedom, count = 0.0, 0.0, 0
            for k in range(spots):
                weight[k] = 0.0
                gx, gy, gz = residual_of(
                    m,
                    place,
                    hkl[which[k, 0]],
                    seen[k],
                    source,
                    panels[which[k, 2]],
                    value,
                    by_g,
                    by_p,
                    residual[k],
                )
                if math.isnan(gx):
                    continue
                by_grain(gx, gy, gz, by_g, by_p, jacobian)
                u = whitening[k]
                x, y, z = residual[k, 0], residual[k, 1], residual[k, 2]
                white[0] = u[0] * x + u[1] * y + u[2] * z
                white[1] = u[3] * y + u[4] * z
                white[2] = u[5] * z
                square[k] = white[0] ** 2 + white[1] ** 2 + white[2] ** 2
                weight[k] = part[k] * robust_weight(square[k])
                sum_squares += weight[k] * square[k]
                freedom += 3.0 * weight[k]
                root, at = math.sqrt(weight[k]), 3 * count
                for a in range(12):
                    x, y, z = root * jacobian[0, a], root * jacobian[1, a], root * jacobian[2, a]
                    columns[a, at] = u[0] * x + u[1] * y + u[2] * z
                    columns[a, at + 1] = u[3] * y + u[4] * z
                    columns[a, at + 2] = u[5] * z
                for a in range(3):
                    right[at + a] = root * white[a]
                count += 1
            if count >= _FEWEST:
                normal_equations(columns, right, 3 * count, normal, step)
            if count < _FEWEST or not factor_positive(normal):
                good = False
                break
            solve_factored(normal, step)
            for a in range(3):
                place[a] += step[a]
            deform(m, step[3:])
        if good:
            reciprocal[i] = m
            position[i] = place
            for a in range(12):
                step[:] = 0.0
                step[a] = 1.0
                solve_factored(normal, step)
                covariance[i, a, :] = step
            variance[i] = sum_squares / max(freedom - 12.0, 1.0)
            scatter[i], effective[i] = pulls_on_grain(normal, columns, right, count)
            for k in range(spots):
                if weight[k] > 0.0:
                    j, c = which[k, 0], which[k, 1]
                    residuals[i, j, c, :] = residual[k]
                    squares[i, j, c] = square[k]
                    weights[i, j, c] = weight[k]
        else:
            covariance[i, :, :] = math.nan
            variance[i], scatter[i], effective[i] = math.nan, math.nan, 0.0
