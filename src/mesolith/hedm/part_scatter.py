"""How far two parts of one grain differ, against the errors that are stated of them.

Differences hold the errors of both parts and what really differs within a grain. The first grow
with the stated errors, the second are taken not to, so both are told apart where stated errors
vary from pair to pair, as those of large and small parts do. A small part may really differ more,
and then counts as a larger error: what is said of the errors is an upper bound. A few pairs, of
parts that share their spots with others, are off by much more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from mesolith.axes import FloatArray

_TAILS = (1.0, 4.0, 16.0)  # how many times wider than the core the errors of some pairs are
_GUESS = (0.95, 0.04, 0.01)  # how many, before any pair is seen
_PRIOR = 50.0  # pairs that the guess counts as


@dataclass(frozen=True, slots=True)
class PartScatter:
    """Differences of parts: stated errors times ``scale``, and a real ``spread`` beside them.

    ``scale`` multiplies stated standard errors, ``spread`` is the standard deviation of each
    component's real difference, in its unit. ``scale_se`` and ``spread_se`` are
    their standard errors, infinite where the pairs do not tell. ``tails`` (3,) are shares of pairs
    whose errors are 1, 4 and 16 times as wide as that.
    """

    scale: float
    scale_se: float
    spread: float
    spread_se: float
    tails: FloatArray


def scatter_of_parts(
    difference: FloatArray,
    covariance: FloatArray,
    *,
    weight: FloatArray | None = None,
    guess: PartScatter,
) -> PartScatter:
    """What differences say, starting from ``guess``, which also counts a little.

    Parameters
    ----------
    difference
        Differences of one quantity between parts, (n, c).
    covariance
        Sums of the parts' stated covariances, (n, c, c).
    weight
        How sure each pair is one, (n,) in 0 to 1; None: 1.
    guess
        Its scale and spread are believed to a factor of two, as one pair among others.
    """
    weight = np.ones(len(difference)) if weight is None else weight
    stated, along = _along_axes(difference, covariance)
    usual = guess.spread

    def loss(logs: FloatArray) -> float:
        scale, spread = np.exp(logs[:2])
        each = np.log(_densities(along, stated, scale, spread) @ _shares(logs[2:]))
        far = (logs[:2] - np.log([guess.scale, usual])) / np.log(4.0)
        shares = _PRIOR * float(np.dot(_GUESS, np.log(_shares(logs[2:]))))
        return float(-np.dot(weight, each) - shares + 0.5 * np.sum(far**2))

    start = np.array([np.log(guess.scale), np.log(usual), *np.log(guess.tails[1:])])
    start[2:] -= np.log(guess.tails[0])
    best = minimize(loss, start, method="L-BFGS-B", bounds=[(s - 5.0, s + 5.0) for s in start])
    errors = _log_errors(loss, best.x)
    scale, spread = np.exp(best.x[:2])
    return PartScatter(
        float(scale),
        float(scale * errors[0]),
        float(spread),
        float(spread * errors[1]),
        _shares(best.x[2:]),
    )


def log_density(difference: FloatArray, covariance: FloatArray, scatter: PartScatter) -> FloatArray:
    """Logarithm (n,) of how likely each difference is between parts of one grain."""
    stated, along = _along_axes(difference, covariance)
    dense = _densities(along, stated, scatter.scale, scatter.spread) @ scatter.tails
    return np.asarray(np.log(np.maximum(dense, 1e-300)))


def first_scatter(spread: float) -> PartScatter:
    """What is believed before any pair is seen: stated errors that are true, and ``spread``."""
    return PartScatter(1.0, np.inf, spread, np.inf, np.array(_GUESS))


def _along_axes(
    difference: FloatArray, covariance: FloatArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Variances (n, c) along the principal axes of the stated errors, differences on them."""
    stated, axes = np.linalg.eigh(covariance)
    return np.maximum(stated, 0.0), np.einsum("nji,nj->ni", axes, difference)


def _densities(along: FloatArray, stated: FloatArray, scale: float, spread: float) -> FloatArray:
    """Density of each difference (n, tails) for each width of the tails."""
    found = np.empty((len(along), len(_TAILS)))
    for k, wide in enumerate(_TAILS):
        variance = (wide * scale) ** 2 * stated + spread**2
        log = -0.5 * (along**2 / variance + np.log(2.0 * np.pi * variance))
        found[:, k] = np.exp(np.maximum(log.sum(axis=1), -690.0))
    return found


def _shares(logs: FloatArray) -> FloatArray:
    """Shares of the tails from their logarithms over that of the core."""
    raw = np.exp(np.concatenate([[0.0], logs]))
    return np.asarray(raw / raw.sum())


def _log_errors(loss: Callable[[FloatArray], float], place: FloatArray) -> FloatArray:
    """Standard errors of the logarithms of scale and spread, from the loss's curvature."""
    step, n = 1e-2, len(place)
    curvature = np.empty((n, n))
    steps = step * np.eye(n)
    for i in range(n):
        for j in range(n):
            curvature[i, j] = (
                loss(place + steps[i] + steps[j])
                - loss(place + steps[i] - steps[j])
                - loss(place - steps[i] + steps[j])
                + loss(place - steps[i] - steps[j])
            ) / (4.0 * step**2)
    try:
        variance = np.diagonal(np.linalg.inv(curvature))[:2]
    except np.linalg.LinAlgError:
        return np.full(2, np.inf)
    return np.where(variance > 0.0, np.sqrt(np.abs(variance)), np.inf)
