"""Fit each spot's profile, a Gaussian integrated over pixels and frames, neighbours taken off."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm._kernels_gaussian import (
    PARAMETERS,
    drop_silent,
    gaussian_table,
    invert,
    normal_equations,
)

Image = NDArray[np.float32]
Whole = NDArray[np.int32]

_LONGEST = 96
_TURNS, _CHOICE, _CLOSE = 14, 1, 0.1
_NARROWEST, _WIDEST = math.log(0.2), math.log(40.0)
_REACH = 5.0


@njit(nogil=True, cache=True)
def _start(first: int, last: int, place: Whole, smooth: Image, value: FloatArray) -> None:
    """Sum, centre and widths from smoothed counts: rough, but never far off."""
    total, top = 0.0, 0.0
    for i in range(first, last):
        total += smooth[i]
        top = max(top, smooth[i])
    for a in range(3):
        centre, spread, origin = 0.0, 0.0, place[a, first]
        for i in range(first, last):
            away = smooth[i] * (place[a, i] - origin)
            centre += away
            spread += away * (place[a, i] - origin)
        centre /= total
        spread = spread / total - centre * centre
        value[1 + a] = centre + origin
        # the smoothing itself has a variance of 1/2
        value[4 + a] = 0.5 * math.log(max(spread - 0.4, 0.2))
    value[0] = max(total, 4.0 * top)


@njit(nogil=True, cache=True)
def _gather(
    first: int,
    last: int,
    place: Whole,
    low: IntArray,
    counts: Image,
    variance: Image,
    usable: NDArray[np.bool_],
    cell: Whole,
    data: Image,
) -> int:
    """Usable voxels of a spot side by side; returns how many.

    ``cell`` (3, n) are their indices in the tables of profiles, rows of ``data`` (3, n) their
    counts, variance and, 0 as yet, what the neighbours' profiles have there.
    """
    n = 0
    for i in range(first, last):
        if usable[i]:
            for a in range(3):
                cell[a, n] = place[a, i] - low[a]
            data[0, n], data[1, n], data[2, n] = counts[i], variance[i], 0.0
            n += 1
    return n


@njit(nogil=True, cache=True)
def _add_neighbours(
    s: int,
    first: int,
    last: int,
    peak: Whole,
    long: float,
    low: IntArray,
    length: IntArray,
    value: FloatArray,
    reach: FloatArray,
    n: int,
    cell: Whole,
    data: Image,
    tables: Image,
) -> None:
    """Add the present profiles of spots ``first`` up to ``last`` but s to row 2 of ``data``.

    ``peak`` are the frames of their maxima, increasing; no spot reaches farther than ``long``
    frames from its own.
    """
    begin = first + np.searchsorted(peak[first:last], low[s, 2] - long)
    for t in range(begin, last):
        if peak[t] > low[s, 2] + length[s, 2] + long:
            break
        if t == s or not value[t, 0] > 0.0:
            continue
        near = True
        for a in range(3):
            if (
                value[t, 1 + a] + reach[t, a] < low[s, a]
                or value[t, 1 + a] - reach[t, a] > low[s, a] + length[s, a]
            ):
                near = False
                break
        if not near:
            continue
        for a in range(3):
            width = (reach[t, a] - 1.0) / _REACH
            gaussian_table(low[s, a], length[s, a], value[t, 1 + a], width, tables[a])
        amount = np.float32(value[t, 0])
        for e in range(n):
            data[2, e] += (
                amount
                * tables[0, 0, cell[0, e]]
                * tables[1, 0, cell[1, e]]
                * tables[2, 0, cell[2, e]]
            )


@njit(nogil=True, cache=True)
def fit_profiles(
    begin: IntArray,
    patch_begin: IntArray,
    peak: Whole,
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

    Voxels ``begin[s]`` up to ``begin[s + 1]`` are those of spot s, ``place`` (3, voxel).
    Each factor is a Gaussian integrated over a pixel or a frame. Spots ``patch_begin[p]`` up to
    ``patch_begin[p + 1]`` share patch p, in the order of ``peak``, the frames of their maxima:
    the others' present profiles are taken off the counts
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
    cell = np.zeros((3, longest), dtype=np.int32)
    data = np.zeros((3, longest), dtype=np.float32)
    slope = np.zeros((9, longest), dtype=np.float32)
    tables = np.zeros((3, 3, _LONGEST), dtype=np.float32)
    low = np.zeros((spots, 3), dtype=np.int64)
    length = np.zeros((spots, 3), dtype=np.int64)
    top = np.zeros((spots, 3))
    for s in range(spots):
        highest = begin[s]
        for i in range(begin[s], begin[s + 1]):
            if counts[i] > counts[highest]:
                highest = i
        for a in range(3):
            least, most = place[a, begin[s]], place[a, begin[s]]
            for i in range(begin[s], begin[s + 1]):
                least = min(least, place[a, i])
                most = max(most, place[a, i])
            low[s, a], length[s, a] = least, most - least + 1
            top[s, a] = place[a, highest]
    reach = np.zeros((spots, 3))
    matrix, factor, inverse = (
        np.zeros((PARAMETERS, PARAMETERS)),
        np.zeros((PARAMETERS, PARAMETERS)),
        np.zeros((PARAMETERS, PARAMETERS)),
    )
    vector, step = np.zeros(PARAMETERS), np.zeros(PARAMETERS)
    for p in range(patch_begin.shape[0] - 1):
        alone = patch_begin[p + 1] - patch_begin[p] == 1
        long = 0.0
        for sweep in range(1 if alone else sweeps):
            for s in range(patch_begin[p], patch_begin[p + 1]):
                if max(length[s, 0], length[s, 1], length[s, 2]) > _LONGEST:
                    misfit[s] = np.nan
                    continue
                here = value[s]
                if sweep == 0 or math.isnan(misfit[s]):
                    _start(begin[s], begin[s + 1], place, smooth, here)
                n = _gather(
                    begin[s],
                    begin[s + 1],
                    place,
                    low[s],
                    counts,
                    variance,
                    usable,
                    cell,
                    data,
                )
                if not alone:
                    _add_neighbours(
                        s,
                        patch_begin[p],
                        patch_begin[p + 1],
                        peak,
                        long,
                        low,
                        length,
                        value,
                        reach,
                        n,
                        cell,
                        data,
                        tables,
                    )
                good = False
                chi = 0.0
                for turn in range(_TURNS):
                    for a in range(3):
                        width = math.exp(here[4 + a])
                        gaussian_table(low[s, a], length[s, a], here[1 + a], width, tables[a])
                    if turn == _CHOICE:
                        n = drop_silent(n, here[0], tables, cell, data)
                    if n < 4:
                        break
                    lasts = min(3.545 * math.exp(here[6]), float(length[s, 2]))
                    common = 1.0 + max(lasts, 1.0) / frames
                    chi = normal_equations(
                        n, cell, data, tables, here[0], gain, common, slope, matrix, vector
                    )
                    for a in range(3):
                        if here[4 + a] <= _NARROWEST:
                            # anywhere in its cell, unless it shows in two
                            matrix[1 + a, 1 + a] += 12.0
                            vector[1 + a] += 12.0 * (top[s, a] - here[1 + a])
                        matrix[4 + a, 4 + a] += tightness[a]
                        vector[4 + a] += tightness[a] * (usual[a] - here[4 + a])
                    if not invert(matrix, PARAMETERS, factor, inverse):
                        break
                    largest = 0.0
                    for a in range(PARAMETERS):
                        step[a] = 0.0
                        for b in range(PARAMETERS):
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
                    for a in range(PARAMETERS):
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
                    misfit[s] = chi / max(n - PARAMETERS, 1)
                    inflation = max(misfit[s], 1.0)
                    for a in range(PARAMETERS):
                        for b in range(PARAMETERS):
                            covariance[s, a, b] = inflation * inverse[a, b]
                    for a in range(3):
                        reach[s, a] = _REACH * math.exp(here[4 + a]) + 1.0
                    long = max(long, reach[s, 2] + abs(here[3] - peak[s]))
                else:
                    misfit[s] = np.nan
                    here[0] = 0.0
