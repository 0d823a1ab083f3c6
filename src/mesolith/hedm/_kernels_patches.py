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
def _beside(where: Whole, y: int, x: int) -> int:
    """A core among the nine about a pixel of one frame, the nearest first; -1 without one."""
    for j in (where[y, x], where[y - 1, x], where[y, x - 1], where[y, x + 1], where[y + 1, x]):
        if j >= 0:
            return j
    for k in range(4):
        j = where[y - 1 + k // 2 * 2, x - 1 + k % 2 * 2]
        if j >= 0:
            return j
    return -1


@njit(nogil=True, cache=True)
def join_neighbours(
    frame: Whole,
    row: Whole,
    column: Whole,
    smooth: Image,
    flags: NDArray[np.uint8],
    where: Whole,
) -> tuple[Whole, Whole, Whole]:
    """Patch of each core voxel, where each voxel climbs to, and pairs of cores.

    Voxels are neighbours where no index differs by more than one. ``patch`` is the number of
    the patch's first voxel, -1 for a voxel that is no core. ``up`` is the highest of a core and
    its neighbours; of a voxel that is no core it is a core beside it, in its own frame if there
    is one, and -1 where there is none. ``pairs`` (n, 2) are all neighbouring cores. ``where``
    (3, slow + 2, fast + 2) is scratch, -1 everywhere, and is left so: it tells which core lies
    at a pixel of three frames, with a rim so that no index needs a check.
    """
    n = frame.shape[0]
    patch = np.full(n, -1, dtype=np.int32)
    up = np.full(n, -1, dtype=np.int32)
    pairs = np.empty((max(2 * n, 16), 2), dtype=np.int32)
    used = 0
    near = np.empty(13, dtype=np.int32)
    begins = np.empty(n + 1, dtype=np.int64)
    segments = 0
    for i in range(n):
        if i == 0 or frame[i] != frame[i - 1]:
            begins[segments] = i
            segments += 1
    begins[segments] = n
    for s in range(segments + 1):
        if s < segments:
            here = where[s % 3]
            behind = where[(s + 2) % 3]
            follows = s > 0 and frame[begins[s]] == frame[begins[s - 1]] + 1
            for i in range(begins[s], begins[s + 1]):
                if not flags[i] & CORE:
                    continue
                y, x = row[i] + 1, column[i] + 1
                patch[i], up[i] = i, i
                found = 0
                for u in range(x - 1, x + 2):
                    if here[y - 1, u] >= 0:
                        near[found] = here[y - 1, u]
                        found += 1
                if here[y, x - 1] >= 0:
                    near[found] = here[y, x - 1]
                    found += 1
                if follows:
                    for v in range(y - 1, y + 2):
                        for u in range(x - 1, x + 2):
                            if behind[v, u] >= 0:
                                near[found] = behind[v, u]
                                found += 1
                if used + found > pairs.shape[0]:
                    longer = np.empty((2 * pairs.shape[0], 2), dtype=np.int32)
                    longer[:used] = pairs[:used]
                    pairs = longer
                for k in range(found):
                    j = near[k]
                    if _higher(smooth, j, up[i]):
                        up[i] = j
                    if _higher(smooth, i, up[j]):
                        up[j] = i
                    if patch[i] != patch[j]:
                        low, high = _root(patch, i), _root(patch, j)
                        patch[max(low, high)] = min(low, high)
                    pairs[used, 0], pairs[used, 1] = i, j
                    used += 1
                here[y, x] = i
        if s == 0:
            continue
        # what is no core in the frame before: now all frames beside it are known
        before = begins[s - 1]
        after = s < segments and frame[begins[s]] == frame[before] + 1
        earlier = s > 1 and frame[before] == frame[begins[s - 2]] + 1
        for i in range(before, begins[s]):
            if flags[i] & CORE:
                continue
            y, x = row[i] + 1, column[i] + 1
            core = _beside(where[(s + 2) % 3], y, x)
            if earlier and core < 0:
                core = _beside(where[(s + 1) % 3], y, x)
            if after and core < 0:
                core = _beside(where[s % 3], y, x)
            up[i] = core
        for t in range(max(s - 2, 0), s - 1 if s < segments else s):
            for i in range(begins[t], begins[t + 1]):
                where[t % 3, row[i] + 1, column[i] + 1] = -1
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
        if summit[pairs[e, 0]] != summit[pairs[e, 1]]:
            borders += 1
    saddle = np.empty(borders, dtype=np.float32)
    which = np.empty(borders, dtype=np.int32)
    borders = 0
    for e in range(pairs.shape[0]):
        i, j = pairs[e, 0], pairs[e, 1]
        if summit[i] != summit[j]:
            saddle[borders] = min(smooth[i], smooth[j])
            which[borders] = e
            borders += 1
    group = np.arange(n).astype(np.int32)
    order = np.argsort(-saddle)
    for at in range(borders):
        e = which[order[at]]
        a, b = _root(group, summit[pairs[e, 0]]), _root(group, summit[pairs[e, 1]])
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
def judge_patches(
    frame: Whole, flags: NDArray[np.uint8], patch: Whole, first: int, last: int
) -> NDArray[np.uint8]:
    """What each patch is, at the number of its first voxel: 1 has a seed, 2 touches frame
    ``first``, 4 touches frame ``last``."""
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
    return state


@njit(nogil=True, cache=True)
def sorted_by_spot(number: Whole, spots: int) -> tuple[IntArray, IntArray]:
    """Where each spot's voxels begin (spots + 1,), and the voxels in the order of their spots."""
    begin = np.zeros(spots + 1, dtype=np.int64)
    for i in range(number.shape[0]):
        if number[i] >= 0:
            begin[number[i] + 1] += 1
    for k in range(spots):
        begin[k + 1] += begin[k]
    fill = begin[:-1].copy()
    order = np.empty(begin[spots], dtype=np.int64)
    for i in range(number.shape[0]):
        if number[i] >= 0:
            order[fill[number[i]]] = i
            fill[number[i]] += 1
    return begin, order


@njit(nogil=True, cache=True)
def summits_with_seed(summit: Whole, flags: NDArray[np.uint8]) -> FloatArray:
    """1.0 at each summit whose own voxels hold a seed, else 0.0."""
    seeded = np.zeros(summit.shape[0])
    for i in range(summit.shape[0]):
        if summit[i] >= 0 and flags[i] & SEED:
            seeded[summit[i]] = 1.0
    return seeded


@njit(nogil=True, cache=True)
def facts_of_spots(
    begin: IntArray,
    order: IntArray,
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
        for e in range(begin[s], begin[s + 1]):
            i = order[e]
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
