"""Intervals as the figures of statistics draw them, and numbers as their texts print them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtrit

from mesolith.axes import FloatArray

Z68, Z95 = 0.9944578832097532, 1.959963984540054
LEVEL = 0.05
_LEAST = 1e-9  # an error this small against its value comes of one block and is none
_MOST_FREE = 1e6


def known(error: Any, value: Any) -> Any:
    """Where an error is one: finite and more than rounding. One block of grains gives none."""
    error, value = np.asarray(error, dtype=float), np.asarray(value, dtype=float)
    scale = np.where(np.isfinite(value), np.abs(value), 0.0)
    return np.isfinite(error) & (error > _LEAST * np.maximum(scale, 1e-3))


def has_interval(low: float, high: float, estimate: float) -> bool:
    """Whether the ends of a 68 % interval are ones: finite, and wider than rounding."""
    return bool(known(0.5 * (high - low), estimate))


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


def broken(name: str, width: int) -> str:
    """A name broken into lines of so many characters, long words too."""
    return "\n".join(textwrap.wrap(name, width)) or name


def broken_all(names: Sequence[str], width: int) -> list[str]:
    """Names broken into lines."""
    return [broken(name, width) for name in names]


def signed(value: float, digits: int = 1) -> str:
    """A number with its sign and a real minus."""
    return f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", "−")


def plain(value: float, digits: int = 1) -> str:
    """A number with a real minus."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def chance(p: float) -> str:
    """A corrected p-value for a figure: "p = 0.04", "p < 0.001"."""
    if not np.isfinite(p):
        return "no p"
    return "p < 0.001" if p < 1e-3 else f"p = {p:.2g}" if p < 0.995 else "p = 1"


def range_of(values: FloatArray | Sequence[float], digits: int = 0) -> str:
    """ "12" where all are equal, else "12 to 15"."""
    low, high = (plain(float(end), digits) for end in (np.min(values), np.max(values)))
    return low if low == high else f"{low} to {high}"


def thousands(values: Any) -> str:
    """Counts as "1,234" or "1,234 to 2,345"."""
    low, high = f"{int(np.min(values)):,}", f"{int(np.max(values)):,}"
    return low if low == high else f"{low} to {high}"
