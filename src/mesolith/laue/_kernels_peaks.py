"""Oblique Gaussians fitted to peaks by least squares, each with its neighbours taken off."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mesolith.laue._kernels_level import between_blocks
from mesolith.numerics._kernels_small import factor_positive, solve_factored

# parameters: height, place, the inverse covariance ff ss fs, and what is left of the level
HEIGHT, FAST, SLOW, FF, SS, FS, REST = range(7)
PARAMETERS = 7
# what a fit tells besides: how far other weights would move the place, the sum of counts, pixels
# that were saturated, whether it ended; then variances of place (ff, fs, ss) and move (fast,
# slow), first what the background's noise does, then what that of the peak does
MOVE_F, MOVE_S, COUNTS, SATURATED, SETTLED = range(5)
COV_FF, COV_FS, COV_SS, VAR_F, VAR_S = range(5)
OF_BACKGROUND, OF_PEAK = 5, 10
TOLD = 15
# half of the squared distance at which a Gaussian ends, and up to which counts are summed
_FAR, _INSIDE = 12.0, 8.0
# squared distance, in sigmas, within which two Gaussians are one peak
_DOUBLE = 4.0
# standard deviations up to which a peak is taken off its neighbours
_REACHES = 3.5
# least half of the width of a window across the peak, px; corners of square ones stay in
_STRIP = 9.0
# a pixel so many standard deviations below the level is dead
_DEAD = 7.0
_ROUNDS = 30
_ENOUGH = 3e-5


@njit(nogil=True, cache=True)
def bell(p, x, y):  # type: ignore[no-untyped-def]
    """Counts of the Gaussian p (7,) at a place, without level and rest."""
    dx, dy = x - p[FAST], y - p[SLOW]
    q = 0.5 * (p[FF] * dx * dx + p[SS] * dy * dy) + p[FS] * dx * dy
    return p[HEIGHT] * math.exp(-q) if q < _FAR else 0.0


@njit(nogil=True, cache=True)
def fit_peaks(  # type: ignore[no-untyped-def]
    which, image, usable, owner, level, block, limit, gain, noise, half, begin, near, apart,
    peaks, told,
):  # fmt: skip
    """Fit those ``which`` (m,) of ``peaks`` (n, 7) in their windows, and fill ``told`` (n, 15).

    Windows reach ``half`` (n,) pixels from the place that ``peaks`` has at first. The Gaussians
    of the neighbours ``near[begin[k] : begin[k + 1]]`` are taken off; with ``apart`` pixels that
    ``owner`` gives to others are left out instead. Pixels that are not ``usable``, dead
    or at ``limit`` are left out. All pixels weigh the same, so that what no Gaussian describes in
    the middle of a bright peak moves it little; the covariance is that of counts with the
    variance noise^2 + gain * peak.
    """
    largest = 2 * int(half.max()) + 1
    xs, ys = np.empty(largest * largest), np.empty(largest * largest)
    values = np.empty(largest * largest)
    for k in which:
        p = peaks[k].copy()
        told[k] = 0.0
        count = _gathered(
            image, usable, owner, level, block, limit, noise[k], half[k], k, begin, near, apart,
            peaks, xs, ys, values, told[k],
        )  # fmt: skip
        if count < 2 * PARAMETERS:
            continue
        x, y, value = xs[:count], ys[:count], values[:count]
        if _fitted(p, x, y, value, float(half[k])):
            peaks[k] = p
            told[k, SETTLED] = 1.0
            _judge(p, x, y, value, noise[k], gain, told[k])


@njit(nogil=True, cache=True)
def _gathered(  # type: ignore[no-untyped-def]
    image, usable, owner, level, block, limit, noise, half, k, begin, near, apart, peaks, xs, ys,
    values, told,
):  # fmt: skip
    """Fill places and counts above the level of the pixels of a window; how many.

    The window is as long as the peak and as wide as it is: a square turned along its long axis,
    cut to a strip.
    """
    middle_x = math.floor(peaks[k, FAST] + 0.5)
    middle_y = math.floor(peaks[k, SLOW] + 0.5)
    ff, ss, fs = peaks[k, FF], peaks[k, SS], peaks[k, FS]
    narrow = 1.0 / math.sqrt(0.5 * (ff + ss) + math.hypot(0.5 * (ff - ss), fs))
    strip = max(_STRIP, 4.0 * narrow + 2.0)
    tilt = 0.5 * math.atan2(-2.0 * fs, ss - ff)
    sine, cosine = math.sin(tilt), math.cos(tilt)
    base = between_blocks(level, block, middle_y, middle_x)
    right = between_blocks(level, block, middle_y, middle_x + 1) - base
    down = between_blocks(level, block, middle_y + 1, middle_x) - base
    count = 0
    for y in range(max(middle_y - half, 0), min(middle_y + half + 1, image.shape[0])):
        for x in range(max(middle_x - half, 0), min(middle_x + half + 1, image.shape[1])):
            if abs(cosine * (y - middle_y) - sine * (x - middle_x)) > strip:
                continue
            mine = owner[y, x] == k + 1
            if image[y, x] >= limit:
                told[SATURATED] += 1.0 if mine else 0.0
                continue
            if usable[y, x] == 0 or (apart and not mine and owner[y, x] != 0):
                continue
            value = image[y, x] - (base + right * (x - middle_x) + down * (y - middle_y))
            if value < -_DEAD * noise:
                continue
            if not apart:
                for n in range(begin[k], begin[k + 1]):
                    value -= bell(peaks[near[n]], x, y)
            xs[count], ys[count], values[count] = x, y, value
            count += 1
    return count


@njit(nogil=True, cache=True, fastmath=True)
def _slopes(p, x, y, j):  # type: ignore[no-untyped-def]
    """Fill the derivatives j (7,) of the model at a pixel; the model there."""
    dx, dy = x - p[FAST], y - p[SLOW]
    q = 0.5 * (p[FF] * dx * dx + p[SS] * dy * dy) + p[FS] * dx * dy
    j[:] = 0.0
    j[REST] = 1.0
    if q >= _FAR:
        return p[REST]
    e = math.exp(-q)
    counts = p[HEIGHT] * e
    j[HEIGHT] = e
    j[FAST] = counts * (p[FF] * dx + p[FS] * dy)
    j[SLOW] = counts * (p[SS] * dy + p[FS] * dx)
    j[FF] = -0.5 * counts * dx * dx
    j[SS] = -0.5 * counts * dy * dy
    j[FS] = -counts * dx * dy
    return counts + p[REST]


@njit(nogil=True, cache=True, fastmath=True)
def _normal_equations(p, xs, ys, values, matrix, right):  # type: ignore[no-untyped-def]
    """Fill the lower triangle (7, 7) and the right side (7,); the sum of squares."""
    j = np.empty(PARAMETERS)
    matrix[:] = 0.0
    right[:] = 0.0
    total, far, far_sum = 0.0, 0.0, 0.0
    for n in range(len(xs)):
        left = values[n] - _slopes(p, xs[n], ys[n], j)
        total += left * left
        if j[HEIGHT] == 0.0:
            far += 1.0
            far_sum += left
            continue
        for a in range(PARAMETERS):
            right[a] += j[a] * left
            for b in range(a + 1):
                matrix[a, b] += j[a] * j[b]
    matrix[REST, REST] += far
    right[REST] += far_sum
    return total


@njit(nogil=True, cache=True)
def _fitted(p, xs, ys, values, reach):  # type: ignore[no-untyped-def]
    """Improve p by Levenberg's and Marquardt's method; whether it became a peak."""
    matrix, damped = np.empty((PARAMETERS, PARAMETERS)), np.empty((PARAMETERS, PARAMETERS))
    right, step = np.empty(PARAMETERS), np.empty(PARAMETERS)
    next_matrix, next_right = np.empty((PARAMETERS, PARAMETERS)), np.empty(PARAMETERS)
    trial = np.empty(PARAMETERS)
    start_x, start_y = p[FAST], p[SLOW]
    best = _normal_equations(p, xs, ys, values, matrix, right)
    damping = 1e-3
    for _ in range(_ROUNDS):
        damped[:] = matrix
        for a in range(PARAMETERS):
            damped[a, a] += damping * matrix[a, a] + 1e-300
        step[:] = right
        good = factor_positive(damped)
        if good:
            solve_factored(damped, step)
            trial[:] = p + step
            good = (
                trial[HEIGHT] > 0.0
                and trial[FF] > 0.0
                and trial[SS] > 0.0
                and trial[FF] * trial[SS] > trial[FS] ** 2 * (1.0 + 1e-9)
                and abs(trial[FAST] - start_x) < reach
                and abs(trial[SLOW] - start_y) < reach
            )
        if good:
            now = _normal_equations(trial, xs, ys, values, next_matrix, next_right)
            good = now < best
        if good:
            p[:] = trial
            settled = best - now < _ENOUGH * best
            best = now
            matrix[:], right[:] = next_matrix, next_right
            if settled:
                return True
            damping = max(0.2 * damping, 1e-7)
        else:
            if damping > 1e5:
                break
            damping *= 10.0
    # no step is downhill any more
    return damping > 1e5


@njit(nogil=True, cache=True, fastmath=True)
def _judge(p, xs, ys, values, noise, gain, told):  # type: ignore[no-untyped-def]
    """Fill covariance and counts, and what weights by the counts' noise would make of it."""
    plain, weighed = np.zeros((PARAMETERS, PARAMETERS)), np.zeros((PARAMETERS, PARAMETERS))
    right, j = np.zeros(PARAMETERS), np.empty(PARAMETERS)
    floor = noise * noise
    counts, far = 0.0, 0.0
    for n in range(len(xs)):
        model = _slopes(p, xs[n], ys[n], j)
        bright = model - p[REST]
        weight = floor / (floor + gain * bright)
        left = values[n] - model
        if bright == 0.0:
            far += 1.0
            right[REST] += left
            continue
        for a in range(PARAMETERS):
            right[a] += weight * j[a] * left
            for b in range(a + 1):
                product = j[a] * j[b]
                plain[a, b] += product
                weighed[a, b] += weight * product
        if bright > p[HEIGHT] * math.exp(-_INSIDE):
            counts += values[n] - p[REST]
    plain[REST, REST] += far
    weighed[REST, REST] += far
    told[COUNTS] = counts
    if not (factor_positive(plain) and factor_positive(weighed)):
        told[SETTLED] = 0.0
        return
    one = np.zeros((4, PARAMETERS))
    one[0, FAST], one[1, SLOW], one[2, FAST], one[3, SLOW] = 1.0, 1.0, 1.0, 1.0
    for k in range(2):
        solve_factored(plain, one[k])
        solve_factored(weighed, one[2 + k])
    solve_factored(weighed, right)
    told[MOVE_F], told[MOVE_S] = right[FAST], right[SLOW]
    for n in range(len(xs)):
        bright = _slopes(p, xs[n], ys[n], j) - p[REST]
        weight = floor / (floor + gain * bright)
        fast, slow, move_fast, move_slow = 0.0, 0.0, 0.0, 0.0
        for a in range(PARAMETERS):
            fast += one[0, a] * j[a]
            slow += one[1, a] * j[a]
            move_fast += (weight * one[2, a] - one[0, a]) * j[a]
            move_slow += (weight * one[3, a] - one[1, a]) * j[a]
        for part, variance in ((OF_BACKGROUND, floor), (OF_PEAK, gain * bright)):
            told[part + COV_FF] += variance * fast * fast
            told[part + COV_FS] += variance * fast * slow
            told[part + COV_SS] += variance * slow * slow
            told[part + VAR_F] += variance * move_fast * move_fast
            told[part + VAR_S] += variance * move_slow * move_slow


@njit(nogil=True, cache=True)
def neighbours(peaks, kept, half, begin, near):  # type: ignore[no-untyped-def]
    """Fill ``begin`` (n + 1,) and ``near`` with who reaches into whose window; how many.

    Only those that are ``kept`` (n,) count. The answer may be larger than ``near`` is; then it is
    not complete.
    """
    count = 0
    reach = np.empty((len(peaks), 2))
    for k in range(len(peaks)):
        p = peaks[k]
        det = max(p[FF] * p[SS] - p[FS] * p[FS], 1e-12)
        reach[k, 0], reach[k, 1] = (
            _REACHES * math.sqrt(p[SS] / det),
            _REACHES * math.sqrt(p[FF] / det),
        )
    for k in range(len(peaks)):
        begin[k] = count
        if not kept[k]:
            continue
        for other in range(len(peaks)):
            if other == k or not kept[other]:
                continue
            if (
                abs(peaks[k, FAST] - peaks[other, FAST]) < half[k] + reach[other, 0]
                and abs(peaks[k, SLOW] - peaks[other, SLOW]) < half[k] + reach[other, 1]
            ):
                if count < len(near):
                    near[count] = other
                count += 1
    begin[len(peaks)] = count
    return count


@njit(nogil=True, cache=True)
def drop_doubles(peaks, kept, begin, near, touched):  # type: ignore[no-untyped-def]
    """Unset ``kept`` (n,) of the lower of two peaks of which one lies within two sigmas.

    ``touched`` (n,) is set of those whose neighbour was dropped.
    """
    for k in range(len(peaks)):
        for n in range(begin[k], begin[k + 1]):
            other = near[n]
            if not (kept[k] and kept[other]) or peaks[other, HEIGHT] > peaks[k, HEIGHT]:
                continue
            dx, dy = peaks[other, FAST] - peaks[k, FAST], peaks[other, SLOW] - peaks[k, SLOW]
            for p in (peaks[k], peaks[other]):
                q = p[FF] * dx * dx + p[SS] * dy * dy + 2.0 * p[FS] * dx * dy
                if q < _DOUBLE:
                    kept[other] = False
            if not kept[other]:
                touched[k] = True
    for k in range(len(peaks)):
        for n in range(begin[k], begin[k + 1]):
            if not kept[near[n]]:
                touched[k] = True
