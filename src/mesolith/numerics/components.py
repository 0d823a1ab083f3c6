"""Which parts of an image are joined, and which of them reach from one end to the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]


def through_clusters(conducts: BoolArray, *, axis: int = 0, periodic: bool = False) -> BoolArray:
    """Voxels of the clusters that touch both ends of an axis.

    Parameters
    ----------
    conducts
        Voxels that belong to a cluster at all. Neighbours share a face; an edge or a corner does
        not join.
    axis
        Axis whose two ends must be touched.
    periodic
        Whether opposite sides (not the two ends) are neighbours.

    Returns
    -------
    through
        Same shape; a subset of ``conducts``.
    """
    from scipy import ndimage

    labels, count = ndimage.label(conducts)
    if count == 0:
        return np.zeros(conducts.shape, dtype=np.bool_)
    group = np.arange(count + 1)
    if periodic:
        group = _joined_across_sides(labels, count, axis)
    lower, upper = (np.take(labels, at, axis=axis).ravel() for at in (0, -1))
    touched = []
    for end in (lower, upper):
        found = np.zeros(count + 1, dtype=np.bool_)
        found[group[end[end > 0]]] = True
        touched.append(found)
    keep = (touched[0] & touched[1])[group]
    keep[0] = False
    return keep[labels]


def _joined_across_sides(labels: NDArray[Any], count: int, axis: int) -> NDArray[Any]:
    """Name of the cluster that each label belongs to once opposite sides are neighbours."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, second = [], []
    for side in range(labels.ndim):
        if side == axis:
            continue
        low, high = (np.take(labels, at, axis=side).ravel() for at in (0, -1))
        both = (low > 0) & (high > 0)
        first.append(low[both])
        second.append(high[both])
    pairs = (np.concatenate(first), np.concatenate(second))
    weight = np.ones(len(pairs[0]), dtype=np.int8)
    graph = coo_array((weight, pairs), shape=(count + 1, count + 1))
    return np.asarray(connected_components(graph, directed=False)[1])
