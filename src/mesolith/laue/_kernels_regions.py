"""The pixels that belong to each maximum, and their first and second moments."""

from __future__ import annotations

import numpy as np
from numba import njit

from mesolith.laue._kernels_level import between_blocks, smoothed_at

# columns of moments: sum, place, second moments, pixels
SUM, FAST, SLOW, FF, FS, SS, PIXELS = range(7)


@njit(nogil=True, cache=True)
def grow_regions(image, level, block, rows, columns, group, low, slack, reach, owner, moments):  # type: ignore[no-untyped-def]
    """Give each group of maxima the pixels that lie downhill from it; fill its moments.

    ``group`` (n,) numbers the groups. ``moments`` (groups, 7) become the sum of counts above the
    level, place and second moments, and pixels. Pixels are taken while the smoothed image is
    ``low`` (n,) above the level and does not rise by more than ``slack`` (n,), up to ``reach``
    pixels from the maximum. ``owner`` (slow, fast), 0 at first, becomes the group plus one.
    """
    height, width = image.shape
    size = (2 * reach + 1) ** 2
    stack = np.empty((size, 2), dtype=np.int64)
    moments[:] = 0.0
    for k in range(len(rows)):
        home = group[k]
        if owner[rows[k], columns[k]] != 0:
            continue
        owner[rows[k], columns[k]] = home + 1
        stack[0, 0], stack[0, 1] = rows[k], columns[k]
        filled = 1
        while filled > 0:
            filled -= 1
            y, x = stack[filled, 0], stack[filled, 1]
            here = smoothed_at(image, y, x)
            base = between_blocks(level, block, y, x)
            _add(moments[home], x, y, image[y, x] - base)
            for side in range(4):
                row, column = y + (side == 0) - (side == 1), x + (side == 2) - (side == 3)
                if not (2 <= row < height - 2 and 2 <= column < width - 2):
                    continue
                if owner[row, column] != 0 or filled >= size:
                    continue
                if abs(row - rows[k]) > reach or abs(column - columns[k]) > reach:
                    continue
                there = smoothed_at(image, row, column)
                if there - base > low[k] and there < here + slack[k]:
                    owner[row, column] = home + 1
                    stack[filled, 0], stack[filled, 1] = row, column
                    filled += 1
    for k in range(len(moments)):
        _centred(moments[k])


@njit(nogil=True, cache=True)
def _add(row, x, y, counts):  # type: ignore[no-untyped-def]
    row[SUM] += counts
    row[FAST] += counts * x
    row[SLOW] += counts * y
    row[FF] += counts * x * x
    row[FS] += counts * x * y
    row[SS] += counts * y * y
    row[PIXELS] += 1.0


@njit(nogil=True, cache=True)
def _centred(row):  # type: ignore[no-untyped-def]
    if row[SUM] <= 0.0:
        return
    for k in range(1, 6):
        row[k] /= row[SUM]
    row[FF] -= row[FAST] ** 2
    row[FS] -= row[FAST] * row[SLOW]
    row[SS] -= row[SLOW] ** 2
