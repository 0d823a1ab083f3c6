"""Which points belong together: union-find over pairs of neighbours."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def joined(count, one, two):  # type: ignore[no-untyped-def]
    """Label (count,) of the set of each point; pairs (one[k], two[k]) are in one set.

    A label is the smallest member of its set, so that it hangs on no order of the pairs.
    """
    parent = np.arange(count)
    for k in range(len(one)):
        a = one[k]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        b = two[k]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        if a < b:
            parent[b] = a
        else:
            parent[a] = b
    for k in range(count):
        parent[k] = parent[parent[k]]
    return parent
