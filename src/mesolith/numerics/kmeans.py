"""Lloyd's k-means with seeded starts; clusters come out in a fixed order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError

_ROUNDS = 300


@dataclass(frozen=True, slots=True)
class KMeans:
    """``centre`` (k, columns), ``label`` (n,), and the sum of squares within the clusters."""

    centre: FloatArray
    label: IntArray
    within: float


def k_means(
    values: FloatArray, clusters: int, *, order: int = -1, starts: int = 10, seed: int = 0
) -> KMeans:
    """Best of several seeded k-means++ starts, each run until no label changes (or 300 rounds).

    ``values`` (n, columns) are taken as they are: scale them first. Clusters are numbered by
    rising centre in column ``order``. Arthur and Vassilvitskii 2007 for the starts.
    """
    if not 1 <= clusters <= len(values):
        raise InvalidValueError(f"{len(values)} points make no {clusters} clusters")
    rng = np.random.default_rng(seed)
    best = min(
        (_lloyd(values, _spread_start(values, clusters, rng)) for _ in range(starts)),
        key=lambda found: found.within,
    )
    rank = np.argsort(best.centre[:, order], kind="stable")
    number = np.empty(clusters, dtype=np.int64)
    number[rank] = np.arange(clusters)
    return KMeans(best.centre[rank], number[best.label], best.within)


def _spread_start(values: FloatArray, clusters: int, rng: np.random.Generator) -> FloatArray:
    centres = [values[rng.integers(len(values))]]
    near = np.sum((values - centres[0]) ** 2, axis=1)
    for _ in range(1, clusters):
        total = near.sum()
        share = near / total if total > 0.0 else np.full(len(values), 1.0 / len(values))
        centres.append(values[rng.choice(len(values), p=share)])
        near = np.minimum(near, np.sum((values - centres[-1]) ** 2, axis=1))
    return np.array(centres)


def _lloyd(values: FloatArray, centre: FloatArray) -> KMeans:
    square = np.sum(values**2, axis=1)
    label = np.full(len(values), -1, dtype=np.int64)
    for _ in range(_ROUNDS):
        # the square of the point itself is the same for all centres
        far = np.sum(centre**2, axis=1) - 2.0 * values @ centre.T
        fresh = np.argmin(far, axis=1)
        if np.array_equal(fresh, label):
            break
        label = fresh
        count = np.bincount(label, minlength=len(centre))
        sums = np.zeros_like(centre)
        for c in range(values.shape[1]):
            sums[:, c] = np.bincount(label, weights=values[:, c], minlength=len(centre))
        # an empty cluster keeps its centre
        centre = np.where(count[:, None] > 0, sums / np.maximum(count, 1)[:, None], centre)
    within = float(np.sum(square + np.min(far, axis=1)))
    return KMeans(centre, label, within)
