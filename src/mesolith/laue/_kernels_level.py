"""Level and noise of an image in blocks, from a sixteenth of its pixels."""

from __future__ import annotations

import numpy as np
from numba import njit

# sampled every so many pixels, which is further than what neighbours share of the noise
STRIDE = 4
_CLIP = 4.0


@njit(nogil=True, cache=True)
def smoothed_at(image, y, x):  # type: ignore[no-untyped-def]
    """Mean of an inner pixel and its neighbours, weights 1 2 1 both ways."""
    edges = image[y - 1, x] + image[y + 1, x] + image[y, x - 1] + image[y, x + 1]
    corners = image[y - 1, x - 1] + image[y - 1, x + 1] + image[y + 1, x - 1] + image[y + 1, x + 1]
    return (4.0 * image[y, x] + 2.0 * edges + corners) / 16.0


@njit(nogil=True, cache=True)
def block_levels(image, usable, block, level, raw, smooth):  # type: ignore[no-untyped-def]
    """Fill the median and the variances, (rows, columns), of blocks of ``block`` pixels.

    ``raw`` is the variance of a pixel, ``smooth`` that of the smoothed image, both from
    differences of samples ``STRIDE`` apart along fast, so that a slope adds nothing. Differences
    of more than four standard deviations do not count. The variances are those of every second
    block both ways, NaN in the others.
    """
    rows, columns = level.shape
    size = (block // STRIDE) ** 2
    values, ones, twos = np.empty(size), np.empty(size), np.empty(size)
    for j in range(rows):
        for i in range(columns):
            count, pairs = 0, 0
            noisy = j % 2 == 0 and i % 2 == 0
            for y in range(max(j * block, 1), min((j + 1) * block, image.shape[0] - 1), STRIDE):
                before, before_smooth = np.nan, np.nan
                for x in range(max(i * block, 1), min((i + 1) * block, image.shape[1] - 1), STRIDE):
                    if usable[y, x] == 0:
                        continue
                    here = float(image[y, x])
                    values[count] = here
                    count += 1
                    if not noisy:
                        continue
                    here_smooth = smoothed_at(image, y, x)
                    if before == before:
                        ones[pairs] = here - before
                        twos[pairs] = here_smooth - before_smooth
                        pairs += 1
                    before, before_smooth = here, here_smooth
            level[j, i], raw[j, i], smooth[j, i] = np.nan, np.nan, np.nan
            if count < size // 2:
                continue
            level[j, i] = np.median(values[:count])
            if noisy:
                raw[j, i] = 0.5 * _clipped_square(ones[:pairs])
                smooth[j, i] = 0.5 * _clipped_square(twos[:pairs])


@njit(nogil=True, cache=True)
def _clipped_square(values):  # type: ignore[no-untyped-def]
    """Mean square of differences, without those beyond four standard deviations."""
    limit = _CLIP * max(1.4826 * np.median(np.abs(values)), 0.5)
    total, count = 0.0, 0
    for value in values:
        if abs(value) <= limit:
            total += value * value
            count += 1
    return total / max(count, 1)


@njit(nogil=True, cache=True)
def between_blocks(grid, block, y, x):  # type: ignore[no-untyped-def]
    """A value of a grid of blocks (at least 2 x 2) at a pixel, linear between their centres."""
    down = min(max((y + 0.5) / block - 0.5, 0.0), grid.shape[0] - 1.0)
    right = min(max((x + 0.5) / block - 0.5, 0.0), grid.shape[1] - 1.0)
    j, i = min(int(down), grid.shape[0] - 2), min(int(right), grid.shape[1] - 2)
    v, u = down - j, right - i
    upper = grid[j, i] * (1.0 - u) + grid[j, i + 1] * u
    lower = grid[j + 1, i] * (1.0 - u) + grid[j + 1, i + 1] * u
    return upper * (1.0 - v) + lower * v


@njit(nogil=True, cache=True)
def between_blocks_of(grid, block, rows, columns):  # type: ignore[no-untyped-def]
    """Values of a grid of blocks at pixels (n,), as `between_blocks`."""
    values = np.empty(len(rows))
    for k in range(len(rows)):
        values[k] = between_blocks(grid, block, rows[k], columns[k])
    return values
