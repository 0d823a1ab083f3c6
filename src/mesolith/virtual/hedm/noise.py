"""Counts without spots: tables from which background and read noise are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, xlogy
from scipy.stats import norm

from mesolith.errors import InvalidValueError
from mesolith.virtual.arrays import FloatArray, IntArray
from mesolith.virtual.hedm._kernels_frames import CELLS, TAIL

_LEVELS = 200
_BEYOND = 9.0  # standard deviations that the tables reach


@dataclass(frozen=True, slots=True)
class NoiseTables:
    """Distribution of a pixel's counts for each of some levels of the background.

    ``level`` (slow, fast) is the level of each pixel; ``mean`` (levels,) its expected counts;
    ``table``, ``cumulative`` and ``lowest`` are as the drawing kernel takes them.
    """

    level: NDArray[np.uint8]
    mean: FloatArray
    table: NDArray[np.int16]
    cumulative: FloatArray
    lowest: IntArray


def noise_tables(background: FloatArray, read_noise: float) -> NoiseTables:
    """Tables for expected counts ``background`` (slow, fast) and a read noise in counts.

    Expected counts below 150 are met within 1.3 % of counts + 1 by their level.
    """
    if not (np.isfinite(background).all() and background.min() >= 0.0 and read_noise >= 0.0):
        raise InvalidValueError("background and read noise of a virtual panel must be at least 0")
    # even steps of log(counts + 1)
    scale = np.log1p(background)
    low, high = float(scale.min()), float(scale.max())
    step = max((high - low) / (_LEVELS - 1), 1e-9)
    level = np.rint((scale - low) / step).astype(np.uint8)
    mean = np.expm1(low + step * np.arange(int(level.max()) + 1))
    spread = np.sqrt(mean + read_noise**2)
    lowest = np.floor(mean - _BEYOND * spread - 3.0).astype(np.int64)
    width = int(np.ceil((mean + _BEYOND * spread + 6.0 - lowest).max())) + 1
    cumulative = np.stack(
        [_cumulative(m, read_noise, start, width) for m, start in zip(mean, lowest, strict=True)]
    )
    edge = np.arange(CELLS + 1) / CELLS
    table = np.empty((len(mean), CELLS), dtype=np.int16)
    for k, line in enumerate(cumulative):
        first = np.searchsorted(line, edge, side="right")
        alone = first[:-1] == np.searchsorted(line, edge[1:], side="left")
        table[k] = np.where(alone, first[:-1] + lowest[k], TAIL)
    return NoiseTables(level, mean, table, cumulative, lowest)


def _cumulative(mean: float, read_noise: float, lowest: int, width: int) -> FloatArray:
    """P(counts <= value) for ``width`` values from ``lowest`` on; counts are rounded."""
    photons = np.arange(0, int(mean + 12.0 * np.sqrt(mean + 1.0)) + 20)
    log_chance = xlogy(photons, mean) - mean - gammaln(photons + 1.0)
    chance = np.exp(log_chance)
    value = lowest + np.arange(width)
    away = value[:, None] + 0.5 - photons
    below = norm.cdf(away / read_noise) if read_noise > 0.0 else (away > 0.0).astype(np.float64)
    line = below @ chance
    line[-1] = 1.0
    return np.asarray(line)
