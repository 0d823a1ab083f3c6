"""Sort samples of frames pixel by pixel, and what the sorted samples say of level and noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray

Counts = NDArray[Any]
Image = NDArray[np.float32]


@njit(nogil=True, cache=True)
def sort_samples(samples: Counts, pairs: IntArray) -> None:
    """Sort (sample, slow, fast) along the samples in place by a network of exchanges.

    ``pairs`` (n, 2) is the network: after each exchange the lower value stands first.
    """
    _, rows, columns = samples.shape
    for y in range(rows):
        for e in range(pairs.shape[0]):
            low, high = samples[pairs[e, 0], y], samples[pairs[e, 1], y]
            for x in range(columns):
                a, b = low[x], high[x]
                low[x] = min(a, b)
                high[x] = max(a, b)


@njit(nogil=True, cache=True)
def noise_by_level(
    samples: Counts,
    offset: Image,
    mask: NDArray[np.bool_],
    rank: int,
    lowest: float,
    width: float,
    sigma: FloatArray,
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Mean level, mean distance of the median from a lower rank, and pixels, of each bin.

    ``samples`` are sorted; the level is their median less ``offset``. Bins begin at ``lowest``
    and are ``width`` wide. A pixel whose highest sample lies more than 4.5 ``sigma`` of its bin
    above its median, one that saw a spot, is left out.
    """
    count, rows, columns = samples.shape
    bins = sigma.shape[0]
    level, distance = np.zeros(bins), np.zeros(bins)
    pixels = np.zeros(bins, dtype=np.int64)
    for y in range(rows):
        for x in range(columns):
            if mask[y, x]:
                continue
            middle = 0.5 * (
                float(samples[(count - 1) // 2, y, x]) + float(samples[count // 2, y, x])
            )
            k = int((middle - offset[y, x] - lowest) / width)
            if k < 0 or k >= bins:
                continue
            if float(samples[count - 1, y, x]) - middle > 4.5 * sigma[k]:
                continue
            level[k] += middle - offset[y, x]
            distance[k] += middle - float(samples[rank, y, x])
            pixels[k] += 1
    return level, distance, pixels


@njit(nogil=True, cache=True)
def level_and_variance(
    samples: Counts,
    offset: Image,
    rank: int,
    quantile: float,
    constant: float,
    gain: float,
    least: float,
    level: Image,
    variance: Image,
) -> None:
    """Level (mean of the samples within 2.5 sigma of the median) and variance of each pixel.

    The variance is ``constant + gain * (level - offset)``, at least ``least``; that of the
    pixel's own samples where it is more than six times as large (an unsteady pixel).
    ``quantile`` is how many sigma the sample at ``rank`` lies below the median.
    """
    count, rows, columns = samples.shape
    for y in range(rows):
        for x in range(columns):
            middle = 0.5 * (
                float(samples[(count - 1) // 2, y, x]) + float(samples[count // 2, y, x])
            )
            noise = max(constant + gain * (middle - offset[y, x]), least)
            reach = 2.5 * np.sqrt(noise)
            total, used = 0.0, 0
            for k in range(count):
                value = float(samples[k, y, x])
                if abs(value - middle) <= reach:
                    total += value
                    used += 1
            level[y, x] = total / used if used > 0 else middle
            own = ((middle - float(samples[rank, y, x])) / quantile) ** 2
            variance[y, x] = own if own > 6.0 * noise else noise


@njit(nogil=True, cache=True)
def tile_offsets(
    frame: Counts,
    level: Image,
    noise: Image,
    mask: NDArray[np.bool_],
    side: int,
    stride: int,
    offsets: FloatArray,
) -> None:
    """Relative change of the background of one frame in each tile, (tile, tile), into offsets.

    ``noise`` is the standard deviation of each pixel. Every ``stride``-th pixel of a tile of
    ``side`` counts; those more than 2.5 sigma away from
    the tile's mean, spots among them, do not. 0 where fewer than 16 are left.
    """
    rows, columns = frame.shape
    size = (side // stride + 1) ** 2
    difference, sigma = np.empty(size, np.float32), np.empty(size, np.float32)
    for ty in range(offsets.shape[0]):
        for tx in range(offsets.shape[1]):
            n = 0
            base = 0.0
            for y in range(ty * side, min((ty + 1) * side, rows), stride):
                for x in range(tx * side, min((tx + 1) * side, columns), stride):
                    if not mask[y, x]:
                        difference[n] = float(frame[y, x]) - level[y, x]
                        sigma[n] = noise[y, x]
                        base += level[y, x]
                        n += 1
            mean, reach = 0.0, 4.0
            used = 0
            for _ in range(4):
                total, used = 0.0, 0
                for k in range(n):
                    inside = abs(difference[k] - mean) <= reach * sigma[k]
                    total += difference[k] if inside else 0.0
                    used += 1 if inside else 0
                mean = total / used if used > 0 else 0.0
                reach = 2.5
            good = used >= 16 and base > 0.0
            offsets[ty, tx] = mean * n / base if good else 0.0
