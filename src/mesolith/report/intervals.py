"""Intervals as the figures of statistics draw them: 68 % thick, 95 % thin, none open."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtrit

from mesolith.records.findings import Findings

Z68, Z95 = 0.9944578832097532, 1.959963984540054
LEVEL = 0.05
_LEAST = 1e-9  # an error this small against its value comes of one block and is none
_MOST_FREE = 1e6


def known(error: Any, value: Any) -> Any:
    """Where an error is one: finite and more than rounding. One block of grains gives none."""
    error, value = np.asarray(error, dtype=float), np.asarray(value, dtype=float)
    scale = np.where(np.isfinite(value), np.abs(value), 0.0)
    return np.isfinite(error) & (error > _LEAST * np.maximum(scale, 1e-3))


def interval_known(findings: Findings, row: int) -> bool:
    """Whether the estimate of a row has an interval: finite ends, wider apart than rounding."""
    half = 0.5 * float(findings.high[row] - findings.low[row])
    return bool(known(half, findings.estimate[row]))


def half_width(half: float, error: float, level: float, wanted: float) -> float:
    """Half width at the level ``wanted`` of an interval whose half width at ``level`` is known.

    The intervals are Student's: their width in standard errors tells the degrees of freedom.
    NaN where there is no error.
    """
    if not (np.isfinite(half) and error > 0.0):
        return float("nan")
    ratio, share = half / error, 0.5 * (1.0 + level)

    def excess(log_freedom: float) -> float:
        return float(stdtrit(np.exp(log_freedom), share)) - ratio

    low, high = np.log(0.2), np.log(_MOST_FREE)
    if excess(high) >= 0.0:
        freedom = _MOST_FREE
    else:
        freedom = float(np.exp(brentq(excess, low, high))) if excess(low) > 0.0 else 0.2
    return float(stdtrit(freedom, 0.5 * (1.0 + wanted))) * error


def draw_estimate(
    axes: Any,
    value: float,
    row: float,
    *,
    half68: float,
    half95: float,
    colour: str,
    marker: str = "o",
    size: float = 3.6,
) -> None:
    """A point with thick 68 % and thin 95 % bars along x; an open point where it has no error."""
    if known(half68, value):
        if known(half95, value):
            axes.plot([value - half95, value + half95], [row, row], color=colour, linewidth=0.7)
        ends = [value - half68, value + half68]
        axes.plot(ends, [row, row], color=colour, linewidth=2.0, solid_capstyle="butt")
        axes.plot([value], [row], marker, color=colour, markersize=size, zorder=4)
    else:
        axes.plot([value], [row], marker, color=colour, markersize=size, mfc="white", zorder=4)
