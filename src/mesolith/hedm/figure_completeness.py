"""How much of each grain was seen, and how sure each grain is."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.indexed import IndexedGrains
from mesolith.records.style import (
    BLUE,
    INK,
    RED,
    axes_mm,
    house_style,
    letter,
    new_figure,
)

PAPER = 0.70


def draw(cell: Cell) -> Drawing | None:
    """Completeness of the first state that was indexed; None without a grain."""
    for state, grains in cell.having(IndexedGrains):
        if len(grains):
            return completeness_drawing(state.name, grains)
    return None


def completeness_drawing(name: str, grains: IndexedGrains) -> Drawing:
    """Completeness of the grains of one layer, at least one, against likelihood and size."""
    complete = grains.completeness
    below = int((complete < PAPER).sum())
    share = np.where(grains.volume_share > 0.0, grains.volume_share, np.nan)
    # of spheres of their volumes
    diameter = np.cbrt(share / np.nanmedian(share)) if np.isfinite(share).any() else share
    with house_style():
        figure = new_figure(62.0)
        places = [axes_mm(figure, 14 + 59 * k, 12, 46, 44) for k in range(3)]
        counts, sure, sizes = places
        counts.hist(complete, bins=np.linspace(0.0, 1.0, 41).tolist(), color=BLUE)
        counts.set_ylabel("grains")
        counts.yaxis.get_major_locator().set_params(integer=True)
        _points(sure, complete, grains.likelihood)
        sure.set_ylabel("log likelihood ratio")
        _points(sizes, complete, diameter)
        sizes.set_ylabel("diameter over the median's")
        for axes, word in zip(places, "abc", strict=True):
            axes.axvline(PAPER, color=RED, linewidth=0.8, dashes=(4, 3), zorder=0)
            axes.set_xlim(0.0, 1.02)
            axes.set_xticks([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
            axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
            axes.set_xlabel("found share of reflections")
            letter(axes, word, up_mm=0.0)
    low, middle, high = np.quantile(complete, [0.05, 0.5, 0.95])
    return Drawing(
        figure=figure,
        caption=(
            f"{len(grains):,} grains of {name}: (a) found share of the reflections that each must "
            f"show, median {middle:.2f}, 5 to 95 % of the grains {low:.2f} to {high:.2f}; (b) "
            "natural logarithm of how much likelier the spots are with the grain than by chance, "
            "and (c) diameter of a sphere of the grain's volume, against that share. The red "
            f"line is the criterion of Dixit 2022; {_below_words(below)}"
        ),
        how=(
            "A reflection is expected where it meets a panel and the measured angles, away from "
            "the rotation axis. The likelihood weighs each found spot against the chance that its "
            "ring fills the place anyway, and each missing one against the share that is missed. "
            "Volumes come from the counts of a grain's spots."
        ),
        cite=("Criterion: M. B. Dixit et al., Nature Materials 21, 1298 (2022)",),
        table={
            "grain_id": grains.grain_id,
            "completeness": complete,
            "expected": grains.expected,
            "spots": grains.spots,
            "likelihood": grains.likelihood,
            "diameter_over_median": diameter,
        },
    )


def _below_words(below: int) -> str:
    if not below:
        return "no grain lies below it."
    verb = "grain lies" if below == 1 else "grains lie"
    return f"{below:,} {verb} below it, accepted by likelihood."


def _points(axes: Any, complete: FloatArray, value: FloatArray) -> None:
    axes.scatter(
        *(complete, value),
        s=max(4.0, 30.0 / len(complete) ** 0.3), c=INK, alpha=0.4, linewidths=0, rasterized=True,
    )  # fmt: skip
