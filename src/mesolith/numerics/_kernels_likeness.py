"""Products of weights by distance, the innermost loop of errors of weighted sums."""

from __future__ import annotations

import numpy as np
from numba import njit

from mesolith.axes import FloatArray, IntArray


@njit(nogil=True, cache=True)
def products_by_distance(
    position: FloatArray,
    rows: IntArray,
    counts: FloatArray,
    weights: FloatArray,
    width: float,
    bins: int,
) -> FloatArray:
    """Sum of w_i w_j^T over pairs by distance, shape (bins, groups, d, d).

    ``weights`` (n, groups, d). First partners are ``rows``, each counted ``counts`` times;
    second partners are all others. Bins are ``width`` wide, the last takes what lies beyond.
    """
    total, groups, size = weights.shape
    found = np.zeros((bins, groups, size, size))
    for r in range(len(rows)):
        i = rows[r]
        for j in range(total):
            if i == j:
                continue
            square = 0.0
            for c in range(position.shape[1]):
                square += (position[i, c] - position[j, c]) ** 2
            k = min(int(np.sqrt(square) / width), bins - 1)
            for g in range(groups):
                for a in range(size):
                    own = counts[r] * weights[i, g, a]
                    for b in range(size):
                        found[k, g, a, b] += own * weights[j, g, b]
    return found
