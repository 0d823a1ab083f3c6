"""Sum over the edges of a graph, the innermost loop of the exchange test."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mesolith.axes import FloatArray


@njit(nogil=True, cache=True)
def sum_over_edges(
    start: NDArray[np.int32],
    other: NDArray[np.int32],
    order: NDArray[np.int64],
    values: FloatArray,
) -> FloatArray:
    """Sum of values[order[i]] times values[order[j]] over edges i-j, shape (columns, columns).

    ``start`` and ``other`` are the row starts and column numbers of a sparse matrix.
    """
    count, columns = values.shape
    moved = np.empty((count, columns))
    for i in range(count):
        for c in range(columns):
            moved[i, c] = values[order[i], c]
    near = np.empty(columns)
    total = np.zeros((columns, columns))
    for i in range(count):
        near[:] = 0.0
        for e in range(start[i], start[i + 1]):
            j = other[e]
            for c in range(columns):
                near[c] += moved[j, c]
        for c in range(columns):
            for d in range(columns):
                total[c, d] += moved[i, c] * near[d]
    return total
