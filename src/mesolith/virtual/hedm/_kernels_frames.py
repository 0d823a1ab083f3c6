"""Frames: spots painted as expected counts, then every pixel drawn.

Random numbers come from a counter that is hashed (Steele et al. 2014, 10.1145/2714064.2660195,
"splitmix"), so a frame depends on its own seed alone.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

CELLS = 4096
STRIP = 16
_PER_WORD = 5
TAIL = np.int16(-32768)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_U30, _U27, _U31, _U11, _U12 = (np.uint64(k) for k in (30, 27, 31, 11, 12))
_MASK = np.uint64(CELLS - 1)
_INVERSE = 1.0 / np.maximum(np.arange(1002.0), 1.0)
_UNIT = 1.0 / 9007199254740992.0  # 2^-53


@njit(nogil=True, cache=True, inline="always")  # type: ignore[untyped-decorator, unused-ignore]
def mixed(counter: Any) -> Any:
    """Well-mixed 64 bits of a counter."""
    z = counter
    z = (z ^ (z >> _U30)) * _FIRST
    z = (z ^ (z >> _U27)) * _SECOND
    return z ^ (z >> _U31)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def poisson(mean: float, uniform: float, other: float) -> int:
    """Poisson number by search from zero; from 400 on the rounded normal of the same moments."""
    if mean > 400.0:
        normal = math.sqrt(-2.0 * math.log(1.0 - uniform)) * math.cos(2.0 * math.pi * other)
        return max(0, int(mean + math.sqrt(mean) * normal + 0.5))
    if uniform < 1.0 - mean:  # which is below exp(-mean)
        return 0
    chance = math.exp(-mean)
    count = 0
    left = uniform - chance
    while left >= 0.0 and count < 1000:
        count += 1
        chance *= mean * _INVERSE[count]
        left -= chance
    return count


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def paint_spots(
    candidates: Any,
    last: Any,
    frame: int,
    fast: Any,
    slow: Any,
    omega: Any,
    intensity: Any,
    covariance: Any,
    begin: float,
    end: float,
    tail_share: float,
    tail_scale: float,
    signal: Any,
    touched: Any,
) -> None:
    """Add the expected counts of a frame from ``begin`` to ``end`` (rad) to ``signal``.

    ``touched`` (slow, strips) is set for each strip of STRIP pixels that gets some.
    ``candidates`` are rows of the spots, ``last`` the last frame that each of them reaches.
    A spot is a normal distribution in fast, slow and omega; what falls into the frame lies about
    the mean of the two coordinates given the mean omega within the frame, with their covariance
    given omega. The share ``tail_share`` lies in a second one, ``tail_scale`` times as wide on
    the panel.
    """
    rows, columns = signal.shape
    root = math.sqrt(0.5)
    for k in range(len(candidates)):
        if last[k] < frame:
            continue
        i = candidates[k]
        ww = np.float64(covariance[i, 2])
        sw, fw = np.float64(covariance[i, 3]), np.float64(covariance[i, 4])
        sigma = math.sqrt(ww)
        middle = omega[i] - 2.0 * math.pi * round((omega[i] - begin) / (2.0 * math.pi))
        low, high = (begin - middle) / sigma, (end - middle) / sigma
        share = 0.5 * (math.erf(high * root) - math.erf(low * root))
        counts = intensity[i] * share
        if counts < 1e-3:
            continue
        # mean of a normal number between low and high
        inside = (math.exp(-0.5 * low * low) - math.exp(-0.5 * high * high)) / (
            math.sqrt(2.0 * math.pi) * share
        )
        f = fast[i] + fw / sigma * inside
        s = slow[i] + sw / sigma * inside
        # the spread of omega within the frame carries its part of the correlation
        within = 1.0 - inside * inside
        within += (low * math.exp(-0.5 * low * low) - high * math.exp(-0.5 * high * high)) / (
            math.sqrt(2.0 * math.pi) * share
        )
        lost = max(0.0, 1.0 - within) / ww
        ff = covariance[i, 0] - fw * fw * lost
        ss = covariance[i, 1] - sw * sw * lost
        fs = covariance[i, 5] - sw * fw * lost
        for part in range(2):
            weight = 1.0 - tail_share if part == 0 else tail_share
            if weight * counts < 1e-3:
                continue
            if part == 1:
                ff, ss, fs = ff * tail_scale**2, ss * tail_scale**2, fs * tail_scale**2
            determinant = ff * ss - fs * fs
            a, b, c = 0.5 * ss / determinant, fs / determinant, 0.5 * ff / determinant
            height = weight * counts / (2.0 * math.pi * math.sqrt(determinant))
            # out to where a hundredth of a count is left, at least three sigmas
            reach = math.sqrt(2.0 * max(4.5, math.log(max(height, 1e-12) / 0.01)))
            half_f, half_s = reach * math.sqrt(ff), reach * math.sqrt(ss)
            first, end_x = max(0, math.ceil(f - half_f)), min(columns - 1, math.floor(f + half_f))
            low_y, end_y = max(0, math.ceil(s - half_s)), min(rows - 1, math.floor(s + half_s))
            for y in range(low_y, end_y + 1):
                dy = y - s
                for strip in range(first // STRIP, end_x // STRIP + 1):
                    touched[y, strip] = True
                for x in range(first, end_x + 1):
                    dx = x - f
                    signal[y, x] += height * math.exp(-a * dx * dx + b * dx * dy - c * dy * dy)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def draw_frame(
    signal: Any,
    touched: Any,
    level: Any,
    table: Any,
    cumulative: Any,
    lowest: Any,
    dark: Any,
    ceiling: int,
    seed: Any,
    frame: Any,
) -> None:
    """Draw every pixel into ``frame`` (uint16), clear ``signal`` and ``touched``.

    Background and read noise of a pixel come from the table of its ``level``: (levels, CELLS)
    integers, each standing for one part in CELLS of the probability, or TAIL where the part
    holds several values: then ``cumulative`` (levels, width), from the value ``lowest`` on, is
    searched with fresh bits, so that the distribution is exact. Counts of spots are added as
    Poisson numbers. ``dark`` (uint16) is added, and the sum ends at 0 and at ``ceiling``.
    """
    rows, columns = signal.shape
    width = cumulative.shape[1]
    counter = mixed(seed)
    line = np.empty(columns, dtype=np.int32)
    place_of, cell_of = np.empty(columns, dtype=np.int64), np.empty(columns, dtype=np.int64)
    for y in range(rows):
        # five pixels from one word; most of them need nothing else
        unsure = 0
        for first in range(0, columns, _PER_WORD):
            counter += _GOLDEN
            bits = mixed(counter)
            for x in range(first, min(first + _PER_WORD, columns)):
                cell = bits & _MASK
                bits = bits >> _U12
                value = table[level[y, x], cell]
                line[x] = value
                if value == TAIL:
                    place_of[unsure] = x
                    cell_of[unsure] = cell
                    unsure += 1
        for i in range(unsure):
            x = place_of[i]
            k = level[y, x]
            counter += _GOLDEN
            place = (cell_of[i] + np.float64(mixed(counter) >> _U11) * _UNIT) / CELLS
            below, above = 0, width - 1
            while below < above:
                middle = (below + above) // 2
                if cumulative[k, middle] > place:
                    above = middle
                else:
                    below = middle + 1
            line[x] = lowest[k] + below
        for part in range(touched.shape[1]):
            if not touched[y, part]:
                continue
            touched[y, part] = False
            for x in range(part * STRIP, min((part + 1) * STRIP, columns)):
                expected = np.float64(signal[y, x])
                if expected > 0.0:
                    signal[y, x] = 0.0
                    counter += _GOLDEN
                    one = np.float64(mixed(counter) >> _U11) * _UNIT
                    two = 0.0
                    if expected > 400.0:
                        counter += _GOLDEN
                        two = np.float64(mixed(counter) >> _U11) * _UNIT
                    line[x] += poisson(expected, one, two)
        for x in range(columns):
            frame[y, x] = min(max(line[x] + dark[y, x], 0), ceiling)
