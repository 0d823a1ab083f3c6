"""Join voxels into patches, cut patches along their valleys: sparse, in three dimensions."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm._kernels_peaks import CORE, MASKED, SATURATED, SEED

Image = NDArray[np.float32]
Whole = NDArray[np.int32]


@njit(nogil=True, cache=True)
def _root(parent: Whole, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(nogil=True, cache=True)
def _higher(smooth: Image, i: int, j: int) -> bool:
    """Whether i lies higher than j; of equals the later one counts as higher."""
    return smooth[i] > smooth[j] or (smooth[i] == smooth[j] and i > j)


@njit(nogil=True, cache=True)
def _beside(lines: Whole, y: int, x: int) -> int:
    """A core among the nine about a pixel of one frame, the nearest first; -1 without one."""
    above, here, below = lines[(y + 2) % 3], lines[y % 3], lines[(y + 1) % 3]
    # the farthest first and no branch: which of them is a core cannot be foretold
    j = below[x + 1]
    j = below[x - 1] if below[x - 1] >= 0 else j
    j = above[x + 1] if above[x + 1] >= 0 else j
    j = above[x - 1] if above[x - 1] >= 0 else j
    j = below[x] if below[x] >= 0 else j
    j = here[x + 1] if here[x + 1] >= 0 else j
    j = here[x - 1] if here[x - 1] >= 0 else j
    j = above[x] if above[x] >= 0 else j
    return here[x] if here[x] >= 0 else j


@njit(nogil=True, cache=True)
def _show_rows(
    y: int,
    lines: Whole,
    row: Whole,
    column: Whole,
    cores: Whole,
    shown: IntArray,
    end: int,
) -> None:
    """Let ``lines`` (3, fast + 2) of one frame hold the cores of rows y - 1, y and y + 1.

    Cores ``shown[0]`` up to ``shown[1]`` are those that it holds; rows only ever increase.
    """
    at, upto = shown
    while at < upto and row[cores[at]] < y - 1:
        i = cores[at]
        lines[row[i] % 3, column[i] + 1] = -1
        at += 1
    if at == upto:
        while upto < end and row[cores[upto]] < y - 1:
            upto += 1
        at = upto
    while upto < end and row[cores[upto]] <= y + 1:
        i = cores[upto]
        lines[row[i] % 3, column[i] + 1] = i
        upto += 1
    shown[0], shown[1] = at, upto


@njit(nogil=True, cache=True)
def join_neighbours(
    frame: Whole,
    row: Whole,
    column: Whole,
    smooth: Image,
    flags: NDArray[np.uint8],
    lines: Whole,
) -> tuple[Whole, Whole, Whole]:
    """Patch of each core voxel, where each voxel climbs to, and pairs of cores.

    Voxels are neighbours where no index differs by more than one. ``patch`` is the number of
    the patch's first voxel, -1 for a voxel that is no core. ``up`` is the highest of a core and
    its neighbours; of a voxel that is no core it is a core beside it, in its own frame if there
    is one, and -1 where there is none. ``pairs`` (n, 2) are all neighbouring cores, the later
    one first. ``lines`` (3, 3, fast + 2) is scratch, -1 everywhere, and is left so: it tells
    which core lies at a pixel of three rows of three frames, with a rim so that no column needs
    a check.
    """
    n = frame.shape[0]
    patch = np.full(n, -1, dtype=np.int32)
    up = np.full(n, -1, dtype=np.int32)
    highest = np.empty(n, dtype=np.float32)
    cores = np.empty(n, dtype=np.int32)
    begins, core_begins = np.empty(n + 1, dtype=np.int64), np.empty(n + 1, dtype=np.int64)
    segments, total = 0, 0
    for i in range(n):
        if i == 0 or frame[i] != frame[i - 1]:
            begins[segments], core_begins[segments] = i, total
            segments += 1
        if flags[i] & CORE:
            cores[total] = i
            patch[i], up[i] = i, i
            total += 1
    begins[segments], core_begins[segments] = n, total
    # thirteen neighbours at most stand before a core; memory that is not touched costs nothing
    pairs = np.empty((13 * total + 1, 2), dtype=np.int32)
    near = np.empty(14, dtype=np.int32)
    used = 0
    shown = np.zeros((3, 2), dtype=np.int64)
    for s in range(segments):
        f = frame[begins[s]]
        follows = s > 0 and f == frame[begins[s - 1]] + 1
        goes_on = s + 1 < segments and frame[begins[s + 1]] == f + 1
        behind, here, ahead = lines[(s + 2) % 3], lines[s % 3], lines[(s + 1) % 3]
        for k in range(-1, 2):
            shown[(s + k) % 3] = core_begins[min(max(s + k, 0), segments)]
        y = np.int32(-2)
        above, beside = here[0], here[0]
        for i in range(begins[s], begins[s + 1]):
            if row[i] != y:
                y = row[i]
                for k in range(-1, 2):
                    if k == 0 or (k < 0 and follows) or (k > 0 and goes_on):
                        j = (s + k) % 3
                        end = core_begins[s + k + 1]
                        _show_rows(y, lines[j], row, column, cores, shown[j], end)
                above, beside = here[(y + 2) % 3], here[y % 3]
            x = column[i] + 1
            if not flags[i] & CORE:
                core = _beside(here, y, x)
                if core < 0 and follows:
                    core = _beside(behind, y, x)
                if core < 0 and goes_on:
                    core = _beside(ahead, y, x)
                up[i] = core
                continue
            found = 0
            for u in range(x - 1, x + 2):
                near[found] = above[u]
                found += near[found] >= 0
            near[found] = beside[x - 1]
            found += near[found] >= 0
            if follows:
                for v in range(3):
                    for u in range(x - 1, x + 2):
                        near[found] = behind[v, u]
                        found += near[found] >= 0
            height, top, best = smooth[i], smooth[i], i
            for k in range(found):
                j = near[k]
                higher = smooth[j] > top or (smooth[j] == top and j > best)
                top = smooth[j] if higher else top
                best = j if higher else best
                # of equals the later one counts as higher
                lower = height >= highest[j]
                highest[j] = height if lower else highest[j]
                up[j] = i if lower else up[j]
                if patch[i] != patch[j]:
                    low, high = _root(patch, i), _root(patch, j)
                    patch[max(low, high)] = min(low, high)
                pairs[used, 0], pairs[used, 1] = i, j
                used += 1
            highest[i], up[i] = top, best
        for j in range(3):
            for k in range(shown[j, 0], shown[j, 1]):
                i = cores[k]
                lines[j, row[i] % 3, column[i] + 1] = -1
    for i in range(n):
        if patch[i] >= 0:
            patch[i] = _root(patch, i)
    return patch, up, pairs[:used]


@njit(nogil=True, cache=True)
def cut_patches(
    smooth: Image,
    variance: Image,
    up: Whole,
    pairs: Whole,
    gain: float,
    noise_factor: float,
    sigmas: float,
    depth: float,
) -> Whole:
    """Voxel of the maximum that each voxel belongs to, -1 where none.

    Each voxel climbs to its highest neighbour. Two maxima are one where the lower rises above
    the highest saddle between them by less than ``sigmas`` times the noise of the smoothed
    counts, or by less than ``depth`` of its height.
    """
    n = up.shape[0]
    summit = np.full(n, -1, dtype=np.int32)
    for i in range(n):
        if up[i] < 0:
            continue
        j = up[i]
        while up[j] != j:
            up[j] = up[up[j]]
            j = up[j]
        summit[i] = j
    borders = 0
    for e in range(pairs.shape[0]):
        borders += summit[pairs[e, 0]] != summit[pairs[e, 1]]
    saddle = np.empty(borders, dtype=np.float32)
    sides = np.empty((borders, 2), dtype=np.int32)
    borders = 0
    for e in range(pairs.shape[0]):
        i, j = pairs[e, 0], pairs[e, 1]
        if summit[i] != summit[j]:
            saddle[borders] = min(smooth[i], smooth[j])
            sides[borders, 0], sides[borders, 1] = summit[i], summit[j]
            borders += 1
    group = np.arange(n).astype(np.int32)
    order = np.argsort(-saddle)
    for at in range(borders):
        a, b = _root(group, sides[order[at], 0]), _root(group, sides[order[at], 1])
        if a == b:
            continue
        if _higher(smooth, b, a):
            a, b = b, a
        height = saddle[order[at]]
        noise = noise_factor * np.sqrt(variance[b] + 2.0 * gain * max(height, 0.0))
        rise = smooth[b] - height
        if rise < sigmas * noise or rise < depth * smooth[b]:
            group[b] = a
    for i in range(n):
        if summit[i] >= 0:
            summit[i] = _root(group, summit[i])
    return summit


@njit(nogil=True, cache=True)
def judge_voxels(
    frame: Whole,
    flags: NDArray[np.uint8],
    patch: Whole,
    up: Whole,
    first: int,
    last: int,
) -> NDArray[np.uint8]:
    """What each voxel's patch is: 1 has a seed, 2 touches frame ``first``, 4 frame ``last``.

    A voxel that is no core belongs to the patch of the core beside it, and stands for itself
    where there is none.
    """
    state = np.zeros(frame.shape[0], dtype=np.uint8)
    for i in range(frame.shape[0]):
        p = patch[i]
        if p < 0:
            continue
        if flags[i] & SEED:
            state[p] |= 1
        if frame[i] == first:
            state[p] |= 2
        if frame[i] == last:
            state[p] |= 4
    result = np.empty(frame.shape[0], dtype=np.uint8)
    for i in range(frame.shape[0]):
        if up[i] >= 0:
            result[i] = state[patch[up[i]]]
        else:
            result[i] = 2 * (frame[i] == first) + 4 * (frame[i] == last)
    return result


@njit(nogil=True, cache=True)
def summits_with_seed(summit: Whole, wanted: NDArray[np.bool_], flags: NDArray[np.uint8]) -> Whole:
    """Summits whose own voxels hold a seed, in order; only of voxels that are ``wanted``."""
    n = summit.shape[0]
    seeded = np.zeros(n, dtype=np.bool_)
    for i in range(n):
        if flags[i] & SEED and wanted[i] and summit[i] >= 0:
            seeded[summit[i]] = True
    return np.flatnonzero(seeded).astype(np.int32)


@njit(nogil=True, cache=True)
def voxels_by_spot(
    seeded: Whole,
    summit: Whole,
    frame: Whole,
    row: Whole,
    column: Whole,
    smooth: Image,
    counts: Image,
    variance: Image,
    flags: NDArray[np.uint8],
) -> tuple[IntArray, Whole, Image, NDArray[np.uint8]]:
    """Voxels of spots side by side, so that what measures a spot reads memory in order.

    Spot k is of the voxels whose summit is ``seeded[k]``, in their order. Returns where each
    spot begins (spots + 1,); column, row and frame (3, voxel); smoothed counts, counts and
    variance (3, voxel); and flags.
    """
    n, spots = summit.shape[0], seeded.shape[0]
    number = np.full(n, -1, dtype=np.int32)
    for k in range(spots):
        number[seeded[k]] = k
    begin = np.zeros(spots + 1, dtype=np.int64)
    for i in range(n):
        if summit[i] >= 0 and number[summit[i]] >= 0:
            begin[number[summit[i]] + 1] += 1
    for k in range(spots):
        begin[k + 1] += begin[k]
    fill = begin[:-1].copy()
    place = np.empty((3, begin[spots]), dtype=np.int32)
    light = np.empty((3, begin[spots]), dtype=np.float32)
    told = np.empty(begin[spots], dtype=np.uint8)
    for i in range(n):
        if summit[i] < 0 or number[summit[i]] < 0:
            continue
        k = number[summit[i]]
        at = fill[k]
        fill[k] = at + 1
        place[0, at], place[1, at], place[2, at] = column[i], row[i], frame[i]
        light[0, at], light[1, at], light[2, at] = smooth[i], counts[i], variance[i]
        told[at] = flags[i]
    return begin, place, light, told


@njit(nogil=True, cache=True)
def facts_of_spots(
    begin: IntArray,
    frame: Whole,
    counts: Image,
    variance: Image,
    voxel_flags: NDArray[np.uint8],
    maximum: FloatArray,
    pixels: IntArray,
    frames: IntArray,
    flags: IntArray,
    share: FloatArray,
) -> None:
    """What can be said of each spot without its profile: see `mesolith.hedm.patches.Measured`."""
    for s in range(begin.shape[0] - 1):
        highest, sharpest, clear = -np.inf, 0.0, 0.0
        least, most, number, found = np.int64(2**40), np.int64(-(2**40)), 0, 0
        for i in range(begin[s], begin[s + 1]):
            if voxel_flags[i] & CORE:
                number += 1
                least, most = min(least, frame[i]), max(most, frame[i])
                found |= voxel_flags[i]
            elif voxel_flags[i] & MASKED:
                found |= voxel_flags[i]
            sigma = np.sqrt(variance[i])
            highest = max(highest, counts[i])
            sharpest = max(sharpest, counts[i] / sigma)
            if counts[i] > 2.0 * sigma:
                clear += counts[i]
        maximum[s], pixels[s], flags[s] = highest, number, found
        frames[s, 0], frames[s, 1] = least, most
        sharp = sharpest > 6.0 and found & SATURATED == 0
        share[s] = highest / clear if sharp else 0.0
