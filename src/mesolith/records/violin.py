"""Violins with every value as a point, as the house draws them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.numerics.density import density_on_grid
from mesolith.records.style import INK

_BINS = 400
_FEWEST = 10  # values, of fewer a density says nothing


def draw_violins(
    axes: Any,
    values: Sequence[FloatArray],
    *,
    places: Sequence[float],
    colours: Sequence[str],
    half_width: float = 0.42,
) -> None:
    """Draw one violin for each sample, all with the same scale of width.

    Each value is a point; white is the median, the bar the middle half (25-75 %). Of fewer than
    ten values there are the points alone. The y axis is set to the range of all values with a
    margin. Samples (n,) hold no NaN and at least one value.
    """
    low = min(float(v.min()) for v in values)
    high = max(float(v.max()) for v in values)
    margin = 0.04 * (high - low) or 1.0
    grid = np.linspace(low - margin, high + margin, _BINS)
    densities = [density_on_grid(v, grid) for v in values]
    top = max(float(d.max()) for d in densities)
    slim = half_width / 0.42
    for v, density, place, colour in zip(values, densities, places, colours, strict=True):
        if len(v) < _FEWEST:
            axes.plot(np.full(len(v), place), v, "o", color=colour, markersize=3.0, alpha=0.8)
            continue
        width = half_width * density / top
        seen = (grid >= v.min() - margin / 2) & (grid <= v.max() + margin / 2)
        axes.fill_betweenx(
            grid[seen],
            place - width[seen],
            place + width[seen],
            color=colour,
            alpha=0.22,
            linewidth=0,
        )
        axes.plot(place - width[seen], grid[seen], color=colour, linewidth=0.6)
        axes.plot(place + width[seen], grid[seen], color=colour, linewidth=0.6)
        room = np.interp(v, grid, width)
        spread = np.maximum(room, 0.035 * slim)
        rank = np.argsort(np.argsort(v, kind="stable"), kind="stable")
        jitter = (2.0 * _even_fractions(len(v))[rank] - 1.0) * spread * 0.92
        axes.scatter(
            place + jitter,
            v,
            s=(2.4 if len(v) < 5000 else 1.2) * min(1.0, slim + 0.3),
            c=_inked(colour, room / slim, len(v)),
            linewidths=0,
            rasterized=True,
        )
        quarter, median, three = np.percentile(v, [25, 50, 75])
        bold = {"solid_capstyle": "butt"}
        thick = 0.4 + 0.6 * slim
        axes.plot([place] * 2, [quarter, three], color="white", linewidth=3.0 * thick, **bold)
        axes.plot([place] * 2, [quarter, three], color=INK, linewidth=1.6 * thick, **bold)
        axes.plot(
            place, median, "o", color="white", markeredgecolor=INK, markersize=3.4 * thick, mew=0.7
        )
    axes.set_ylim(grid[0], grid[-1])


def _inked(colour: str, room: FloatArray, n: int) -> FloatArray:
    """Colours of the points: full where they are few, faint where the violin is wide."""
    from matplotlib.colors import to_rgb

    faint = float(np.clip(450.0 / n, 0.04, 0.3))
    alpha = np.clip(0.8 * (0.03 / np.maximum(room, 1e-9)), faint, 0.8)
    return np.column_stack([np.tile(to_rgb(colour), (len(room), 1)), alpha])


def _even_fractions(n: int) -> FloatArray:
    """Fractions in (0, 1) that fill it evenly in any order: multiples of the golden ratio."""
    return np.asarray((0.5 + np.arange(n) * 0.6180339887498949) % 1.0)
