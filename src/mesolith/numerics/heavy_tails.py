"""Errors with heavier tails than the normal distribution: Student's t, of known variance.

Which tails a measurement has is seen in repeated measurements of what does not change. Errors of
several components are taken as independent, each of the same freedom: their sum is then normal
with a variance that is itself drawn, and a few classes of that variance serve for a density.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np

from mesolith.axes import FloatArray

NORMAL = float("inf")
_FREEDOMS = (2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 12.0, 20.0, 40.0)
_DRAWS = 60_000
_EDGES = np.linspace(np.log(0.05), np.log(30.0), 65)
_GAIN = 4.0  # of log-likelihood, before tails are believed
_CLASSES = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.96, 0.985, 0.995, 0.999, 1.0])
_SEED = 33


def student_errors(rng: np.random.Generator, shape: tuple[int, ...], freedom: float) -> FloatArray:
    """Numbers of variance 1: Student's t of that freedom (above 2), normal where it is infinite."""
    if not np.isfinite(freedom):
        return rng.standard_normal(shape)
    return np.asarray(rng.standard_t(freedom, shape) * np.sqrt(1.0 - 2.0 / freedom))


def freedom_of_differences(lengths: Sequence[FloatArray]) -> float:
    """Freedom of the errors behind repeated measurements of vectors, by maximum likelihood.

    Each array holds the lengths of differences between two measurements of the same 3-vectors,
    of any scale of its own: only the shape of their distribution counts. Infinite (normal) where
    tails explain the lengths no better, or where there are fewer than 30.
    """
    gain = np.zeros(len(_FREEDOMS))
    for own in lengths:
        known = own[np.isfinite(own) & (own > 0.0)]
        if len(known) < 30:
            continue
        counts = _histogram(known)
        normal = _log_share(NORMAL)
        gain += [float(counts @ (_log_share(freedom) - normal)) for freedom in _FREEDOMS]
    best = int(np.argmax(gain))
    return _FREEDOMS[best] if gain[best] > _GAIN else NORMAL


def variance_classes(freedom: float, components: int) -> tuple[FloatArray, FloatArray]:
    """Shares (sum 1) of classes of the mean variance of so many errors, and its root in each.

    The mean square of the roots is 1. One class where errors are normal.
    """
    if not np.isfinite(freedom):
        return np.ones(1), np.ones(1)
    return _variance_classes(freedom, components)


@cache
def _variance_classes(freedom: float, components: int) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(_SEED)
    squares = (freedom - 2.0) / rng.chisquare(freedom, (_DRAWS, components))
    mean = np.sort(squares.mean(axis=1))
    ends = np.round(_CLASSES * _DRAWS).astype(int)
    share = np.diff(_CLASSES)
    variance = np.array([mean[a:b].mean() for a, b in pairwise(ends)])
    # the rarest class holds what the draws may have missed
    variance[-1] = (1.0 - share[:-1] @ variance[:-1]) / share[-1]
    return share, np.sqrt(np.maximum(variance, 0.0))


@cache
def _log_share(freedom: float) -> FloatArray:
    rng = np.random.default_rng(_SEED)
    errors = student_errors(rng, (2, _DRAWS, 3), freedom)
    counts = _histogram(np.sqrt(np.sum((errors[0] - errors[1]) ** 2, axis=1)))
    return np.asarray(np.log((counts + 0.5) / (counts + 0.5).sum()))


def _histogram(lengths: FloatArray) -> FloatArray:
    place = np.searchsorted(_EDGES, np.log(lengths / np.median(lengths)))
    return np.bincount(place, minlength=len(_EDGES) + 1).astype(np.float64)
