"""The axis of half cycles that several figures share: numbers, states, and where a short lies."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.cell import Cell
from mesolith.records.plating import CriticalCurrent
from mesolith.records.style import BLUE, FAINT, RED

PLATING, STRIPPING = (BLUE, "^", "plating"), (RED, "v", "stripping")
SHORT_WORDS = {"hard": "hard short", "soft": "soft short", "unclear": "unclear fall"}
BAND = "#f6e3c5"
_NAMED = 12  # states whose names fit above an axis
_WIDTH = 14  # letters of a state's name


def failure_of(cell: Cell) -> CriticalCurrent | None:
    """What the cell's critical current says; None where it was not computed."""
    if CriticalCurrent not in cell:
        return None
    return cell[CriticalCurrent]


def directions(current: FloatArray) -> list[tuple[Any, str, str, str]]:
    """(rows, colour, marker, word) of plating and of stripping, as far as there are any."""
    found = []
    for rows, (colour, marker, word) in (
        (current > 0.0, PLATING),
        (current < 0.0, STRIPPING),
    ):
        if np.any(rows):
            found.append((rows, colour, marker, word))
    return found


def half_cycle_axis(axes: Any, count: int, *, labelled: bool) -> None:
    """Whole numbers from 1, with room at both ends."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(0.4, count + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
    axes.tick_params(labelbottom=labelled)
    if labelled:
        axes.set_xlabel("half cycle")


def name_states(axes: Any, states: Sequence[str]) -> None:
    """Names of the states above the axes, and lines between their half cycles."""
    runs, first = [], 0
    for name, rows in groupby(states):
        size = len(list(rows))
        runs.append((name, first, size))
        first += size
    for name, start, size in runs:
        if start:
            axes.axvline(start + 0.5, color=FAINT, linewidth=0.5, zorder=0)
        if len(runs) <= _NAMED and any(states):
            text = name if len(name) <= _WIDTH else f"{name[: _WIDTH - 1]}…"
            axes.annotate(
                text,
                (start + 0.5 + 0.5 * size, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=6.5,
            )


def mark_short(axes: Any, failure: CriticalCurrent | None) -> None:
    """A band over the half cycle of a short, or of a fall that nobody can name."""
    if failure is not None and failure.kind in SHORT_WORDS:
        at = failure.half_cycle + 1
        axes.axvspan(at - 0.5, at + 0.5, color=BAND, linewidth=0.0, zorder=-1)


def short_handle(failure: CriticalCurrent | None) -> list[tuple[Any, str]]:
    """Handle and word of that band for a legend; nothing where there is none."""
    from matplotlib.patches import Patch

    if failure is None or failure.kind not in SHORT_WORDS:
        return []
    return [(Patch(color=BAND, linewidth=0.0), SHORT_WORDS[failure.kind])]


def logarithmic(axes: Any, low: float, high: float) -> None:
    """A logarithmic y axis from low to high whose ticks read as plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter

    subs = (1.0, 2.0, 5.0) if high < 50.0 * low else (1.0,)
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=8))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
