"""Fit each spot's profile, a Gaussian integrated over pixels and frames, neighbours taken off."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray

Image = NDArray[np.float32]
Whole = NDArray[np.int32]

_LONGEST = 96
_P = 7
_TURNS, _CHOICE, _CLOSE = 14, 1, 0.1
_SILENT = 0.03**2
_NARROWEST, _WIDEST = math.log(0.2), math.log(40.0)


@njit(nogil=True, cache=True)
def _table(low: int, length: int, centre: float, ln_width: float, table: FloatArray) -> None:
    """Share of a Gaussian in each of ``length`` cells around low, low + 1 ..., rows of table:
    the share, its derivative by the centre, and that by the logarithm of the width."""
    width = math.exp(ln_width)
    z = (low - 0.5 - centre) / width
    before = 0.5 * math.erfc(-z * 0.7071067811865476)
    bell = 0.3989422804014327 * math.exp(-0.5 * z * z)
    for k in range(length):
        z_next = (low + k + 0.5 - centre) / width
        upto = 0.5 * math.erfc(-z_next * 0.7071067811865476)
        bell_next = 0.3989422804014327 * math.exp(-0.5 * z_next * z_next)
        table[0, k] = upto - before
        table[1, k] = (bell - bell_next) / width
        table[2, k] = z * bell - z_next * bell_next
        z, before, bell = z_next, upto, bell_next


@njit(nogil=True, cache=True)
def _invert(matrix: FloatArray, size: int, factor: FloatArray, inverse: FloatArray) -> bool:
    """Inverse of a symmetric positive matrix by Cholesky; False where it is not positive."""
    for i in range(size):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            if i == j:
                if not total > 1e-12 * matrix[i, i]:
                    return False
                factor[i, i] = math.sqrt(total)
            else:
                factor[i, j] = total / factor[j, j]
    for column in range(size):
        for i in range(size):
            total = 1.0 if i == column else 0.0
            for k in range(i):
                total -= factor[i, k] * inverse[k, column]
            inverse[i, column] = total / factor[i, i]
        for i in range(size - 1, -1, -1):
            total = inverse[i, column]
            for k in range(i + 1, size):
                total -= factor[k, i] * inverse[k, column]
            inverse[i, column] = total / factor[i, i]
    return True


@njit(nogil=True, cache=True)
def _start(
    first: int, last: int, order: IntArray, place: Whole, smooth: Image, value: FloatArray
) -> None:
    """Sum, centre and widths from smoothed counts: rough, but never far off."""
    total, top = 0.0, 0.0
    for e in range(first, last):
        total += smooth[order[e]]
        top = max(top, smooth[order[e]])
    for a in range(3):
        centre, spread = 0.0, 0.0
        for e in range(first, last):
            centre += smooth[order[e]] * place[a, order[e]]
        centre /= total
        for e in range(first, last):
            spread += smooth[order[e]] * (place[a, order[e]] - centre) ** 2
        value[1 + a] = centre
        # the smoothing itself has a variance of 1/2
        value[4 + a] = 0.5 * math.log(max(spread / total - 0.4, 0.2))
    value[0] = max(total, 4.0 * top)


@njit(nogil=True, cache=True)
def _normal_equations(
    first: int,
    last: int,
    order: IntArray,
    place: Whole,
    low: IntArray,
    tables: FloatArray,
    total: float,
    counts: Image,
    variance: Image,
    usable: NDArray[np.bool_],
    other: FloatArray,
    silent: NDArray[np.bool_],
    turn: int,
    gain: float,
    common: float,
    matrix: FloatArray,
    vector: FloatArray,
) -> tuple[float, int]:
    """Lower half of the normal matrix (7, 7) and its right side; chi-square and voxels.

    Written out, because sums that stay in registers are twice as fast.
    """
    chi, used = 0.0, 0
    m00 = 0.0
    m10 = m11 = 0.0
    m20 = m21 = m22 = 0.0
    m30 = m31 = m32 = m33 = 0.0
    m40 = m41 = m42 = m43 = m44 = 0.0
    m50 = m51 = m52 = m53 = m54 = m55 = 0.0
    m60 = m61 = m62 = m63 = m64 = m65 = m66 = 0.0
    v0 = v1 = v2 = v3 = v4 = v5 = v6 = 0.0
    for e in range(first, last):
        i = order[e]
        if not usable[i]:
            continue
        c, r, f = place[0, i] - low[0], place[1, i] - low[1], place[2, i] - low[2]
        x, y, z = tables[0, 0, c], tables[1, 0, r], tables[2, 0, f]
        xy = x * y
        j0 = xy * z
        model = total * j0
        if turn == _CHOICE:
            silent[e - first] = model * model < _SILENT * variance[i]
        if turn >= _CHOICE and silent[e - first]:
            continue
        yz, xz = total * y * z, total * x * z
        xy *= total
        j1, j2, j3 = tables[0, 1, c] * yz, tables[1, 1, r] * xz, tables[2, 1, f] * xy
        j4, j5, j6 = tables[0, 2, c] * yz, tables[1, 2, r] * xz, tables[2, 2, f] * xy
        beside = other[e - first]
        weight = 1.0 / (common * variance[i] + gain * (max(model, 0.0) + max(beside, 0.0)))
        away = counts[i] - beside - model
        chi += weight * away * away
        used += 1
        w0 = weight * j0
        v0 += w0 * away
        w1 = weight * j1
        v1 += w1 * away
        w2 = weight * j2
        v2 += w2 * away
        w3 = weight * j3
        v3 += w3 * away
        w4 = weight * j4
        v4 += w4 * away
        w5 = weight * j5
        v5 += w5 * away
        w6 = weight * j6
        v6 += w6 * away
        m00 += w0 * j0
        m10 += w1 * j0
        m11 += w1 * j1
        m20 += w2 * j0
        m21 += w2 * j1
        m22 += w2 * j2
        m30 += w3 * j0
        m31 += w3 * j1
        m32 += w3 * j2
        m33 += w3 * j3
        m40 += w4 * j0
        m41 += w4 * j1
        m42 += w4 * j2
        m43 += w4 * j3
        m44 += w4 * j4
        m50 += w5 * j0
        m51 += w5 * j1
        m52 += w5 * j2
        m53 += w5 * j3
        m54 += w5 * j4
        m55 += w5 * j5
        m60 += w6 * j0
        m61 += w6 * j1
        m62 += w6 * j2
        m63 += w6 * j3
        m64 += w6 * j4
        m65 += w6 * j5
        m66 += w6 * j6
    matrix[0, 0] = m00
    matrix[1, 0] = m10
    matrix[1, 1] = m11
    matrix[2, 0] = m20
    matrix[2, 1] = m21
    matrix[2, 2] = m22
    matrix[3, 0] = m30
    matrix[3, 1] = m31
    matrix[3, 2] = m32
    matrix[3, 3] = m33
    matrix[4, 0] = m40
    matrix[4, 1] = m41
    matrix[4, 2] = m42
    matrix[4, 3] = m43
    matrix[4, 4] = m44
    matrix[5, 0] = m50
    matrix[5, 1] = m51
    matrix[5, 2] = m52
    matrix[5, 3] = m53
    matrix[5, 4] = m54
    matrix[5, 5] = m55
    matrix[6, 0] = m60
    matrix[6, 1] = m61
    matrix[6, 2] = m62
    matrix[6, 3] = m63
    matrix[6, 4] = m64
    matrix[6, 5] = m65
    matrix[6, 6] = m66
    vector[0] = v0
    vector[1] = v1
    vector[2] = v2
    vector[3] = v3
    vector[4] = v4
    vector[5] = v5
    vector[6] = v6
    return chi, used


@njit(nogil=True, cache=True)
def fit_profiles(
    begin: IntArray,
    order: IntArray,
    patch_begin: IntArray,
    place: Whole,
    smooth: Image,
    counts: Image,
    variance: Image,
    usable: NDArray[np.bool_],
    gain: float,
    frames: float,
    usual: FloatArray,
    tightness: FloatArray,
    sweeps: int,
    value: FloatArray,
    covariance: FloatArray,
    misfit: FloatArray,
) -> None:
    """Least squares of ``sum * x(column) y(row) z(frame)`` to the voxels of each spot.

    Each factor is a Gaussian integrated over a pixel or a frame. Spots ``patch_begin[p]`` up to
    ``patch_begin[p + 1]`` share patch p: the others' present profiles are taken off the counts
    of each, ``sweeps`` times. ``value`` (spot, 7) receives sum, centre and logarithm of the
    widths; ``covariance`` (spot, 7, 7) theirs. The fit starts where
    the counts ``smooth`` are, which are 0 outside the core. Weights are one over background
    variance plus ``gain`` times the profile. The logarithms of the widths are drawn to ``usual``
    (3,) with the weights ``tightness`` (3,): spots too faint to show their width have the usual
    one. The background is the mean of ``frames`` frames, an error that all frames of a spot
    share. Voxels in which the profile is below 3 % of the noise say next to nothing of it and
    are passed over. A spot that is narrower than a fifth of a cell can lie anywhere in that
    cell: it is drawn to the middle, and its variance is a twelfth. ``misfit`` receives
    chi-square per degree of freedom, with which the covariance is multiplied where it exceeds
    1; NaN where no fit was found, and then value and covariance say nothing.
    """
    spots = begin.shape[0] - 1
    longest = 0
    for s in range(spots):
        longest = max(longest, begin[s + 1] - begin[s])
    other = np.zeros(longest)
    silent = np.zeros(longest, dtype=np.bool_)
    tables = np.zeros((3, 3, _LONGEST))
    theirs = np.zeros((3, 3, _LONGEST))
    low = np.zeros((spots, 3), dtype=np.int64)
    length = np.zeros((spots, 3), dtype=np.int64)
    for s in range(spots):
        for a in range(3):
            least, most = place[a, order[begin[s]]], place[a, order[begin[s]]]
            for e in range(begin[s], begin[s + 1]):
                least = min(least, place[a, order[e]])
                most = max(most, place[a, order[e]])
            low[s, a], length[s, a] = least, most - least + 1
    matrix, factor, inverse = np.zeros((_P, _P)), np.zeros((_P, _P)), np.zeros((_P, _P))
    vector, step = np.zeros(_P), np.zeros(_P)
    for p in range(patch_begin.shape[0] - 1):
        alone = patch_begin[p + 1] - patch_begin[p] == 1
        for sweep in range(1 if alone else sweeps):
            for s in range(patch_begin[p], patch_begin[p + 1]):
                if max(length[s, 0], length[s, 1], length[s, 2]) > _LONGEST:
                    misfit[s] = np.nan
                    continue
                here = value[s]
                if sweep == 0 or math.isnan(misfit[s]):
                    _start(begin[s], begin[s + 1], order, place, smooth, here)
                other[: begin[s + 1] - begin[s]] = 0.0
                for t in range(patch_begin[p], patch_begin[p + 1]):
                    if t == s or not value[t, 0] > 0.0:
                        continue
                    near = True
                    for a in range(3):
                        reach = 5.0 * math.exp(value[t, 4 + a]) + 1.0
                        if (
                            value[t, 1 + a] + reach < low[s, a]
                            or value[t, 1 + a] - reach > low[s, a] + length[s, a]
                        ):
                            near = False
                            break
                    if not near:
                        continue
                    for a in range(3):
                        _table(low[s, a], length[s, a], value[t, 1 + a], value[t, 4 + a], theirs[a])
                    for e in range(begin[s], begin[s + 1]):
                        i = order[e]
                        other[e - begin[s]] += (
                            value[t, 0]
                            * theirs[0, 0, place[0, i] - low[s, 0]]
                            * theirs[1, 0, place[1, i] - low[s, 1]]
                            * theirs[2, 0, place[2, i] - low[s, 2]]
                        )
                top = order[begin[s]]
                for e in range(begin[s], begin[s + 1]):
                    if counts[order[e]] > counts[top]:
                        top = order[e]
                good = False
                chi, used = 0.0, 0
                for turn in range(_TURNS):
                    for a in range(3):
                        _table(low[s, a], length[s, a], here[1 + a], here[4 + a], tables[a])
                    long = min(3.545 * math.exp(here[6]), float(length[s, 2]))
                    common = 1.0 + max(long, 1.0) / frames
                    chi, used = _normal_equations(
                        begin[s],
                        begin[s + 1],
                        order,
                        place,
                        low[s],
                        tables,
                        here[0],
                        counts,
                        variance,
                        usable,
                        other,
                        silent,
                        turn,
                        gain,
                        common,
                        matrix,
                        vector,
                    )
                    for a in range(3):
                        if here[4 + a] <= _NARROWEST:
                            # anywhere in its cell, unless it shows in two
                            matrix[1 + a, 1 + a] += 12.0
                            vector[1 + a] += 12.0 * (place[a, top] - here[1 + a])
                        matrix[4 + a, 4 + a] += tightness[a]
                        vector[4 + a] += tightness[a] * (usual[a] - here[4 + a])
                    if used < 4 or not _invert(matrix, _P, factor, inverse):
                        break
                    largest = 0.0
                    for a in range(_P):
                        step[a] = 0.0
                        for b in range(_P):
                            step[a] += inverse[a, b] * vector[b]
                    # weights that follow the profile can make it swing: half steps end that
                    most_scale = 1.0 if turn < _TURNS // 2 else 0.5
                    scale = most_scale
                    for a in range(3):
                        width = math.exp(here[4 + a])
                        scale = min(scale, 1.0 * width / max(abs(step[1 + a]), 1e-12))
                        scale = min(scale, 0.4 / max(abs(step[4 + a]), 1e-12))
                    if step[0] < 0.0:
                        scale = min(scale, 0.7 * here[0] / -step[0])
                    for a in range(_P):
                        here[a] += scale * step[a]
                        if a > 3 and here[a] < _NARROWEST:
                            here[a] = _NARROWEST
                        else:
                            largest = max(largest, abs(step[a]) / math.sqrt(inverse[a, a]))
                    if not here[0] > 0.0:
                        break
                    if scale == most_scale and largest < _CLOSE:
                        good = True
                        break
                for a in range(3):
                    away = here[1 + a] - low[s, a]
                    if not -1.0 <= away <= length[s, a] or here[4 + a] > _WIDEST:
                        good = False
                if good:
                    misfit[s] = chi / max(used - _P, 1)
                    inflation = max(misfit[s], 1.0)
                    for a in range(_P):
                        for b in range(_P):
                            covariance[s, a, b] = inflation * inverse[a, b]
                else:
                    misfit[s] = np.nan
                    here[0] = 0.0
