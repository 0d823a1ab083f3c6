"""Local maxima of a smoothed image, and the pixels that belong to each."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mesolith.laue._kernels_level import between_blocks, smoothed_at

# what neighbours of a pixel hold of its counts where a peak is as narrow as peaks get
_NEIGHBOURS = 0.5


@njit(nogil=True, cache=True)
def local_maxima(image, threshold, block, rows, columns, value):  # type: ignore[no-untyped-def]
    """Maxima of the image smoothed by 1 2 1 that reach the threshold; how many.

    ``threshold`` is a grid of blocks, level included. ``rows``, ``columns``, ``value`` are
    filled, strongest or not, as far as they reach; the answer may be larger.
    """
    height, width = image.shape
    smooth = np.zeros((3, width), dtype=np.float32)
    upright = np.empty(width, dtype=np.float32)
    bound = np.empty(width, dtype=np.float32)
    found = 0
    for y in range(height - 1):
        if y > 0:
            above, here, below = image[y - 1], image[y], image[y + 1]
            for x in range(width):
                upright[x] = above[x] + np.float32(2.0) * here[x] + below[x]
            line = smooth[y % 3]
            for x in range(1, width - 1):
                line[x] = np.float32(0.0625) * (
                    upright[x - 1] + np.float32(2.0) * upright[x] + upright[x + 1]
                )
        at = y - 1
        if at < 2:
            continue
        _bounds(threshold, block, at, bound)
        upper, middle, lower = smooth[(at - 1) % 3], smooth[at % 3], smooth[(at + 1) % 3]
        for x in range(2, width - 2):
            top = middle[x]
            if top < bound[x]:
                continue
            if top < middle[x - 1] or top <= middle[x + 1]:
                continue
            if (
                top < max(upper[x - 1], upper[x], upper[x + 1])
                or top <= max(lower[x - 1], lower[x], lower[x + 1])
            ):  # fmt: skip
                continue
            if found < len(rows):
                rows[found], columns[found], value[found] = at, x, top
            found += 1
    return found


@njit(nogil=True, cache=True)
def _bounds(grid, block, y, bound):  # type: ignore[no-untyped-def]
    """The grid along a row of pixels, linear between the centres of the blocks."""
    width, columns = len(bound), grid.shape[1]
    begin = 0
    for i in range(columns - 1):
        first = between_blocks(grid, block, y, (i + 0.5) * block - 0.5)
        last = between_blocks(grid, block, y, (i + 1.5) * block - 0.5)
        end = width if i == columns - 2 else int((i + 1.5) * block)
        step = (last - first) / block
        start = (i + 0.5) * block - 0.5
        for x in range(begin, min(end, width)):
            bound[x] = first + step * min(max(x - start, 0.0), float(block))
        begin = end


@njit(nogil=True, cache=True)
def remove_single_pixels(image, level, threshold, block, rows, columns, value, sigma, usable):  # type: ignore[no-untyped-def]
    """Take pixels that stand alone under or beside maxima out of the image and out of use.

    A pixel stands alone where it is more than five standard deviations ``sigma`` (n,) above the
    level and its eight neighbours hold less than half of its counts; it gets their mean. The
    maximum moves to what is highest now within a pixel; ``value`` (n,) becomes 0 where that is
    below the threshold.
    """
    for k in range(len(rows)):
        base = between_blocks(level, block, rows[k], columns[k])
        found = False
        for y in range(max(rows[k] - 1, 1), min(rows[k] + 2, image.shape[0] - 1)):
            for x in range(max(columns[k] - 1, 1), min(columns[k] + 2, image.shape[1] - 1)):
                top = image[y, x] - base
                if usable[y, x] == 0 or top < 5.0 * sigma[k]:
                    continue
                around = -top
                for row in range(y - 1, y + 2):
                    for column in range(x - 1, x + 2):
                        around += image[row, column] - base
                if around < _NEIGHBOURS * top:
                    usable[y, x] = 0
                    image[y, x] = base + around / 8.0
                    found = True
        if found:
            _settle(image, threshold, block, k, rows, columns, value)


@njit(nogil=True, cache=True)
def _settle(image, threshold, block, k, rows, columns, value):  # type: ignore[no-untyped-def]
    row, column = rows[k], columns[k]
    value[k] = 0.0
    for y in range(max(row - 1, 2), min(row + 2, image.shape[0] - 2)):
        for x in range(max(column - 1, 2), min(column + 2, image.shape[1] - 2)):
            here = smoothed_at(image, y, x)
            if here >= between_blocks(threshold, block, y, x) and here > value[k]:
                rows[k], columns[k], value[k] = y, x, here


@njit(nogil=True, cache=True)
def connected_groups(image, rows, columns, top, noise, reach, group):  # type: ignore[no-untyped-def]
    """Join maxima (strongest first) between which the smoothed image hardly falls.

    ``top`` is above the level. ``group`` (n,) becomes the strongest maximum of each: two are one
    where the way between them stays within three standard deviations, or a tenth, of the lower.
    """
    count = len(rows)
    for k in range(count):
        group[k] = k
    for k in range(count):
        for other in range(k):
            down, right = rows[k] - rows[other], columns[k] - columns[other]
            if abs(down) > reach or abs(right) > reach:
                continue
            steps = max(abs(down), abs(right))
            depth = max(3.0 * noise[k], 0.1 * top[k])
            here = smoothed_at(image, rows[k], columns[k])
            joined = True
            for step in range(1, steps):
                y = rows[other] + math.floor(step * down / steps + 0.5)
                x = columns[other] + math.floor(step * right / steps + 0.5)
                if smoothed_at(image, y, x) < here - depth:
                    joined = False
                    break
            if joined:
                group[k] = group[other]
                break
