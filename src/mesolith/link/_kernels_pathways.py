"""Ends of stress pathways while the stress of all other grains changes places, many times."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray


@njit(nogil=True, cache=True)
def _mixed(counter: np.uint64) -> float:
    """Even random number in [0, 1) of a counter (splitmix64)."""
    z = counter * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return float((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


@njit(nogil=True, cache=True)
def exchanged_ends(
    start: IntArray,
    free: NDArray[np.bool_],
    stress: FloatArray,
    begin: NDArray[np.int32],
    other: NDArray[np.int32],
    length: FloatArray,
    near_begin: NDArray[np.int32],
    near: NDArray[np.int32],
    mutual: bool,
    exchanges: int,
    seed: np.uint64,
) -> tuple[IntArray, IntArray]:
    """Last grain of each path (exchanges, paths, states), and where rows stood at last (grain,).

    Rows of ``stress`` (grain, state) whose ``free`` is true change places, all states of a row
    together. ``begin``, ``other`` and ``length`` are the graph of neighbours; ``near_begin`` and
    ``near`` the grains over which stress is averaged first. ``mutual`` ends a path in the colder
    of two that see their steepest gradient in each other, else it ends in a minimum. A row is
    drawn when a path first comes near it, so that an exchange costs as much as the paths are
    long; the second result is the row in each place in the last exchange, -1 where none was
    drawn.
    """
    count, states = stress.shape
    ends = np.empty((exchanges, start.shape[0], states), dtype=np.int64)
    pool = np.flatnonzero(free)
    row = np.arange(count)
    drawn, known = np.full(count, -1), np.full(count, -1)
    field = np.empty((count, states))
    counter = seed
    for turn in range(exchanges):
        used = 0
        for k in range(states):
            for p in range(start.shape[0]):
                before, here = -1, start[p, k]
                for _ in range(count):
                    # what this exchange has not looked at: the neighbours, and the grain itself
                    for e in range(begin[here] - 1, begin[here + 1]):
                        i = here if e < begin[here] else np.int64(other[e])
                        if known[i] == turn:
                            continue
                        known[i] = turn
                        for c in range(states):
                            field[i, c] = 0.0
                        for m in range(near_begin[i], near_begin[i + 1]):
                            j = near[m]
                            if free[j] and drawn[j] != turn:
                                counter += np.uint64(1)
                                pick = used + int(_mixed(counter) * (len(pool) - used))
                                pool[used], pool[pick] = pool[pick], pool[used]
                                drawn[j], row[j] = turn, pool[used]
                                used += 1
                            for c in range(states):
                                field[i, c] += stress[row[j], c]
                        for c in range(states):
                            field[i, c] /= near_begin[i + 1] - near_begin[i]
                    best, steepest = here, 0.0
                    for e in range(begin[here], begin[here + 1]):
                        slope = (field[other[e], k] - field[here, k]) / length[e]
                        slope = -abs(slope) if mutual else slope
                        if slope < steepest:
                            best, steepest = np.int64(other[e]), slope
                    if mutual and best == before:
                        here = before if field[before, k] <= field[here, k] else here
                        break
                    if best == here:
                        break
                    before, here = here, best
                ends[turn, p, k] = here
    for i in range(count):
        if free[i] and drawn[i] != exchanges - 1:
            row[i] = -1
    return ends, row
