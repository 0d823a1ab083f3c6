"""Smooth frames in three dimensions strip by strip, and gather what stands out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray

Counts = NDArray[Any]
Image = NDArray[np.float32]

# what a voxel is
CORE, SEED, SATURATED, MASKED, RIM = 1, 2, 4, 8, 16
# counts beyond this, infinite ones and NaN are those of a pixel that failed
NO_NUMBER = np.float32(1e30)


@njit(nogil=True, cache=True)
def _factors(offsets: FloatArray, side: int, y: int, out: Image, line: FloatArray) -> None:
    """1 + the tiles' relative offsets at each pixel of a row, linear between tile centres."""
    tiles_y, tiles_x = offsets.shape
    place = min(max((y + 0.5) / side - 0.5, 0.0), tiles_y - 1.0)
    above = min(int(place), max(tiles_y - 2, 0))
    below = min(above + 1, tiles_y - 1)
    part = place - above
    for k in range(tiles_x):
        line[k] = 1.0 + (1.0 - part) * offsets[above, k] + part * offsets[below, k]
    columns = out.shape[0]
    half = side // 2
    for x in range(min(half, columns)):
        out[x] = line[0]
    for k in range(tiles_x - 1):
        begin = half + k * side
        slope = np.float32((line[k + 1] - line[k]) / side)
        first = np.float32(line[k] + 0.5 * slope)
        for x in range(begin, min(begin + side, columns)):
            out[x] = first + slope * np.float32(x - begin)
    for x in range(half + (tiles_x - 1) * side, columns):
        out[x] = line[tiles_x - 1]


@njit(nogil=True, cache=True, fastmath={"contract"})
def find_cores(
    frames: Counts,
    level: Image,
    threshold: Image,
    mask: NDArray[np.bool_],
    offsets: FloatArray,
    side: int,
    strip: int,
    count: IntArray,
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
    smooth: Image,
) -> bool:
    """Voxels whose smoothed counts above background exceed the threshold, frame by frame.

    ``frames`` (n, slow, fast); frames 1 ... n-2 are searched, the outer two only smooth them
    (weights 1 2 1 along each of the three axes, over 64). ``offsets`` (n, tile, tile) changes
    the level of each frame. The core of frame k goes to row k of ``rows``, ``columns`` and
    ``smooth``, in the order of rows and columns, and its number to ``count[k]``. False where
    these arrays are too short; ``count`` then tells how long they must be.
    """
    n, height, width = frames.shape
    capacity = rows.shape[1]
    lines = np.zeros((3, width), dtype=np.float32)
    plain = np.zeros(width, dtype=np.float32)
    factor = np.empty(width, dtype=np.float32)
    line = np.empty(offsets.shape[2])
    ring = np.zeros((3, strip, width), dtype=np.float32)
    above = np.zeros((width + 7) // 8 * 8, dtype=np.uint8)
    eights = above.view(np.uint64)
    total = np.empty(width, dtype=np.float32)
    count[:] = 0
    fits = True
    for begin in range(0, height, strip):
        end = min(begin + strip, height)
        for f in range(n):
            here = ring[f % 3]
            for y in range(begin - 1, end + 1):
                current = lines[(y + 3) % 3]
                if y < 0 or y >= height:
                    current[:] = 0.0
                else:
                    _factors(offsets[f], side, y, factor, line)
                    frame, base, bad = frames[f, y], level[y], mask[y]
                    for x in range(width):
                        value = np.float32(frame[x]) - base[x] * factor[x]
                        right = (not bad[x]) & (abs(value) < NO_NUMBER)
                        plain[x] = value if right else np.float32(0.0)
                    current[0] = 2.0 * plain[0] + plain[1]
                    for x in range(1, width - 1):
                        current[x] = plain[x - 1] + np.float32(2.0) * plain[x] + plain[x + 1]
                    current[width - 1] = plain[width - 2] + 2.0 * plain[width - 1]
                if y > begin:
                    a, b, c = lines[(y + 1) % 3], lines[(y + 2) % 3], lines[y % 3]
                    out = here[y - 1 - begin]
                    for x in range(width):
                        out[x] = a[x] + np.float32(2.0) * b[x] + c[x]
            if f < 2:
                continue
            k = f - 1
            before, middle, after = ring[(f - 2) % 3], ring[(f - 1) % 3], here
            for y in range(begin, end):
                p, q, r = before[y - begin], middle[y - begin], after[y - begin]
                limit = threshold[y]
                for x in range(width):
                    value = (p[x] + np.float32(2.0) * q[x] + r[x]) * np.float32(1.0 / 64.0)
                    total[x] = value
                    above[x] = value > limit[x]
                for e in range(eights.shape[0]):
                    if eights[e] == 0:
                        continue
                    for x in range(8 * e, min(8 * e + 8, width)):
                        if above[x] and not mask[y, x]:
                            m = count[k]
                            if m < capacity:
                                rows[k, m] = y
                                columns[k, m] = x
                                smooth[k, m] = total[x]
                            else:
                                fits = False
                            count[k] = m + 1
    return fits


@njit(nogil=True, cache=True)
def _mark(
    near: NDArray[np.uint8],
    touched: NDArray[np.uint8],
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
) -> None:
    """Mark pixels and their eight neighbours, and the rows in which they lie."""
    height, width = near.shape
    for m in range(rows.shape[0]):
        y, x = rows[m], columns[m]
        for v in range(max(y - 1, 0), min(y + 2, height)):
            touched[v] = 1
            for u in range(max(x - 1, 0), min(x + 2, width)):
                near[v, u] = 1


@njit(nogil=True, cache=True)
def find_cores_listed(
    frames: Counts,
    threshold: Image,
    mask: NDArray[np.bool_],
    near: NDArray[np.uint8],
    touched: NDArray[np.uint8],
    begins: IntArray,
    listed_row: NDArray[np.int32],
    listed_column: NDArray[np.int32],
    count: IntArray,
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
    smooth: Image,
) -> bool:
    """As `find_cores`, for frames that are zero but for listed pixels, and have no background.

    Pixels ``begins[f]`` up to ``begins[f + 1]`` of ``listed_row`` and ``listed_column`` are those
    of frame f. ``near`` (slow, fast) and ``touched`` (slow,) are scratch: zeros, and left so.
    """
    n, height, width = frames.shape
    capacity = rows.shape[1]
    count[:] = 0
    fits = True
    for k in range(1, n - 1):
        for f in range(k - 1, k + 2):
            low, high = begins[f], begins[f + 1]
            _mark(near, touched, listed_row[low:high], listed_column[low:high])
        for y in range(height):
            if touched[y] == 0:
                continue
            touched[y] = 0
            for x in range(width):
                if near[y, x] == 0:
                    continue
                near[y, x] = 0
                if mask[y, x]:
                    continue
                total = 0.0
                for f in range(k - 1, k + 2):
                    for v in range(max(y - 1, 0), min(y + 2, height)):
                        for u in range(max(x - 1, 0), min(x + 2, width)):
                            if not mask[v, u]:
                                weight = (2 - abs(f - k)) * (2 - abs(v - y)) * (2 - abs(u - x))
                                total += weight * float(frames[f, v, u])
                total /= 64.0
                if total > threshold[y, x]:
                    m = count[k]
                    if m < capacity:
                        rows[k, m], columns[k, m] = y, x
                        smooth[k, m] = total
                    else:
                        fits = False
                    count[k] = m + 1
    return fits


@njit(nogil=True, cache=True)
def gather_voxels(
    frames: Counts,
    level: Image,
    variance: Image,
    mask: NDArray[np.bool_],
    offsets: FloatArray,
    side: int,
    strip: int,
    saturation: float,
    seed_factor: float,
    number: IntArray,
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
    smooth: Image,
    count: IntArray,
    out_row: NDArray[np.int32],
    out_column: NDArray[np.int32],
    out_smooth: Image,
    out_counts: Image,
    out_variance: Image,
    out_flags: NDArray[np.uint8],
) -> bool:
    """Cores of frames and their neighbours in three dimensions, in the order of rows and columns.

    Neighbours share a face or an edge with a core voxel. A voxel that is no core has ``smooth``
    0; one whose counts are no number has counts 0 and is masked.

    ``number`` (n + 2,), ``rows``, ``columns`` and ``smooth`` are the cores of one frame more
    before and behind the n ``frames``. The voxels of frame k go to row k of the arrays ``out_``,
    and their number to ``count[k]``. False where these arrays are too short; ``count`` then tells
    how long they must be. Strip by strip, so that level, variance and mask are read from memory
    once for all frames.
    """
    n, height, width = frames.shape
    capacity = out_row.shape[1]
    first = np.empty((n + 2, height + 1), dtype=np.int32)
    for f in range(n + 2):
        m = 0
        for y in range(height):
            first[f, y] = m
            while m < number[f] and rows[f, m] == y:
                m += 1
        first[f, height] = m
    marks = np.zeros((width + 9) // 8 * 8, dtype=np.uint8)
    eights = marks.view(np.uint64)
    listed = np.empty(width + 1, dtype=np.int32)
    of_core = np.empty(width + 1, dtype=np.int32)
    factor = np.empty(width, dtype=np.float32)
    line = np.empty(offsets.shape[2])
    count[:] = 0
    fits = True
    for begin in range(0, height, strip):
        for k in range(n):
            before, own, behind = first[k], first[k + 1], first[k + 2]
            for y in range(begin, min(begin + strip, height)):
                low, high = max(y - 1, 0), min(y + 2, height)
                empty = own[low] == own[high]
                if empty and before[low] == before[high] and behind[low] == behind[high]:
                    continue
                # column x is marked at x + 1
                for m in range(own[low], own[high]):
                    x = columns[k + 1, m]
                    marks[x] |= 1
                    marks[x + 1] |= 1
                    marks[x + 2] |= 1
                for m in range(own[y], own[y + 1]):
                    marks[columns[k + 1, m] + 1] |= 2
                for f in (k, k + 2):
                    for m in range(first[f, low], first[f, high]):
                        marks[columns[f, m] + 1] |= 1
                    for m in range(first[f, y], first[f, y + 1]):
                        marks[columns[f, m]] |= 1
                        marks[columns[f, m] + 2] |= 1
                marks[0], marks[width + 1] = 0, 0
                # which columns first, then array by array: no load has to wait for another
                n_row, core = 0, 0
                for e in range(eights.shape[0]):
                    if eights[e] == 0:
                        continue
                    for place in range(8 * e, 8 * e + 8):
                        mark = marks[place]
                        if mark == 0:
                            continue
                        marks[place] = 0
                        listed[n_row] = place - 1
                        of_core[core] = n_row
                        core += mark >> 1
                        n_row += 1
                at = count[k]
                count[k] = at + n_row
                if at + n_row > capacity:
                    fits = False
                    continue
                _factors(offsets[k], side, y, factor, line)
                counts, base, noise, bad = frames[k, y], level[y], variance[y], mask[y]
                rim = RIM if y == 0 or y == height - 1 else 0
                for m in range(n_row):
                    x = listed[m]
                    value = np.float32(counts[x])
                    above = value - base[x] * factor[x]
                    right = abs(above) < NO_NUMBER
                    flags = rim | (RIM if x == 0 or x == width - 1 else 0)
                    flags |= SATURATED if value >= saturation else 0
                    flags |= 0 if right and not bad[x] else MASKED
                    out_row[k, at + m], out_column[k, at + m] = y, x
                    out_smooth[k, at + m] = 0.0
                    out_counts[k, at + m] = above if right else 0.0
                    out_variance[k, at + m] = noise[x]
                    out_flags[k, at + m] = flags
                for m in range(core):
                    high, to = smooth[k + 1, own[y] + m], at + of_core[m]
                    out_smooth[k, to] = high
                    seed = high > seed_factor * np.sqrt(out_variance[k, to])
                    out_flags[k, to] |= (CORE | SEED) if seed else CORE
    return fits
