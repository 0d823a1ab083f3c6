"""Spots too close to be told apart: groups by neighbour search on a lattice of boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def root_of(parent: Any, k: int) -> int:
    """Representative of the group of k, shortening the way there."""
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = parent[k]
    return k


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def join_close(
    fast: Any,
    slow: Any,
    turn: Any,
    order: Any,
    start: Any,
    counts: Any,
    side: float,
    reach: float,
    share: float,
) -> Any:
    """Group label of each spot; two spots are joined where their distance is below 1 in units
    of ``reach`` px on the panel and ``share`` of the turn in omega.

    Places are at least 0 px; ``turn`` is omega as a share of the turn, 0 to 1. Spots lie in
    boxes of ``side`` px by ``side`` px by one part in ``counts[2]`` of the turn, no less than
    ``share``; ``order`` lists them box by box and ``start`` says where a box begins. The two
    ends of the turn are neighbours. Labels follow the first spot of each group.
    """
    n = len(fast)
    parent = np.arange(n)
    nf, ns, nw = counts[0], counts[1], counts[2]
    for i in range(n):
        f0, f1 = int(max(fast[i] - reach, 0.0) / side), min(int((fast[i] + reach) / side), nf - 1)
        s0, s1 = int(max(slow[i] - reach, 0.0) / side), min(int((slow[i] + reach) / side), ns - 1)
        here = min(int(turn[i] * nw), nw - 1)
        for later in range(2):
            for f in range(f0, f1 + 1):
                first = (((here + later) % nw) * nf + f) * ns
                for a in range(start[first + s0], start[first + s1 + 1]):
                    j = order[a]
                    if later == 0 and j <= i:
                        continue
                    w = abs(turn[i] - turn[j])
                    w = min(w, 1.0 - w) / share
                    x, y = (fast[i] - fast[j]) / reach, (slow[i] - slow[j]) / reach
                    if x * x + y * y + w * w < 1.0:
                        one, two = root_of(parent, i), root_of(parent, j)
                        parent[max(one, two)] = min(one, two)
    label = np.empty(n, dtype=np.int64)
    groups = 0
    for i in range(n):
        if parent[i] == i:
            label[i] = groups
            groups += 1
        else:
            label[i] = label[root_of(parent, i)]
    return label
