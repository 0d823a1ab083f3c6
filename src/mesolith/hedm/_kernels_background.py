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
    middle, reach = np.empty(columns, np.float32), np.empty(columns, np.float32)
    total, used = np.empty(columns, np.float32), np.empty(columns, np.float32)
    # row by row: all samples of a pixel at once would lie in as many places of memory
    for y in range(rows):
        below, above, dim = samples[(count - 1) // 2, y], samples[count // 2, y], samples[rank, y]
        for x in range(columns):
            centre = 0.5 * (float(below[x]) + float(above[x]))
            noise = max(constant + gain * (centre - offset[y, x]), least)
            own = ((centre - float(dim[x])) / quantile) ** 2
            variance[y, x] = own if own > 6.0 * noise else noise
            middle[x], reach[x] = centre, 2.5 * np.sqrt(noise)
            total[x], used[x] = 0.0, 0.0
        for k in range(count):
            values = samples[k, y]
            for x in range(columns):
                away = np.float32(values[x]) - middle[x]
                inside = abs(away) <= reach[x]
                total[x] += away if inside else np.float32(0.0)
                used[x] += np.float32(1.0) if inside else np.float32(0.0)
        for x in range(columns):
            level[y, x] = middle[x] + total[x] / max(used[x], np.float32(1.0))


@njit(nogil=True, cache=True)
def add_capped(total: Counts, frame: Counts) -> None:
    """Add a frame of 16-bit counts to a sum of them, which stays at 65535 where it is more."""
    rows, columns = total.shape
    for y in range(rows):
        for x in range(columns):
            value = np.uint32(total[y, x]) + np.uint32(frame[y, x])
            total[y, x] = min(value, np.uint32(65535))


@njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz"})
def _clipped_mean(values: Image, sigma: Image, start: np.float32) -> tuple[int, np.float32]:
    """How many values lie within 2.5 sigma of their mean, found from ``start``; and that mean."""
    mean, reach, used = start, np.float32(4.0), 0
    for _ in range(4):
        total, used = np.float32(0.0), 0
        for k in range(values.shape[0]):
            inside = abs(values[k] - mean) <= reach * sigma[k]
            total += values[k] if inside else np.float32(0.0)
            used += 1 if inside else 0
        mean = total / np.float32(max(used, 1)) if used > 0 else start
        reach = np.float32(2.5)
    return used, mean


@njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz"})
def tile_offsets(
    frame: Counts,
    pixel: NDArray[np.int32],
    level: Image,
    noise: Image,
    offsets: FloatArray,
) -> float:
    """Relative change of the background of one frame in each tile, (tile, tile), into offsets.

    ``pixel`` (tile, tile, n) are some pixels of each tile, as indices into the flat frame;
    ``level`` and ``noise`` their level and its standard deviation, below zero for those that do
    not count. Pixels more than 2.5 sigma away from the tile's mean, spots among them, are left
    out; 0 where fewer than 16 are left, and where the level is below a quarter of the noise, a
    change of which cannot be told. Returns which share of all pixels that count was left.
    """
    counts = frame.ravel()
    size = pixel.shape[2]
    difference = np.empty(size, np.float32)
    kept, counted = 0, 0
    for ty in range(offsets.shape[0]):
        for tx in range(offsets.shape[1]):
            place, base, sigma = pixel[ty, tx], level[ty, tx], noise[ty, tx]
            total, spread, n = np.float32(0.0), np.float32(0.0), 0
            for k in range(size):
                difference[k] = np.float32(counts[place[k]]) - base[k]
                good = sigma[k] > 0.0
                total += base[k] if good else np.float32(0.0)
                spread += sigma[k] if good else np.float32(0.0)
                n += 1 if good else 0
            used, mean = _clipped_mean(difference, sigma, np.float32(0.0))
            if 2 * used < n:
                # the light of this frame changed by more than its noise: begin in its middle
                right = (sigma > 0.0) & (np.abs(difference) < 1e30)
                if np.sum(right) > 0:
                    used, mean = _clipped_mean(
                        difference, sigma, np.float32(np.median(difference[right]))
                    )
            good = used >= 16 and total > 0.25 * spread
            offsets[ty, tx] = float(mean) * n / total if good else 0.0
            kept += used
            counted += n
    return kept / max(counted, 1)
