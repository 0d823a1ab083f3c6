"""How much of each grain was seen, and how sure each grain is."""

from __future__ import annotations

import numpy as np

from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.indexed import IndexedGrains
from mesolith.records.style import (
    BLUE,
    FAINT,
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
    """Completeness and likelihood of the grains of one layer, at least one."""
    complete = grains.completeness
    below = int((complete < PAPER).sum())
    with house_style():
        figure = new_figure(66.0)
        counts = axes_mm(figure, 13, 12, 74, 48)
        counts.hist(complete, bins=np.linspace(0.0, 1.0, 51).tolist(), color=BLUE)
        counts.axvline(PAPER, color=RED, linewidth=0.8, dashes=(4, 3))
        counts.set_xlim(0.0, 1.0)
        counts.set_xlabel("found share of the expected reflections")
        counts.set_ylabel("grains")
        counts.yaxis.get_major_locator().set_params(integer=True)
        letter(counts, "a", up_mm=-1.0)
        sure = axes_mm(figure, 104, 12, 74, 48)
        sure.scatter(
            complete,
            grains.likelihood,
            s=max(5.0, 30.0 / len(complete) ** 0.3),
            c=INK,
            alpha=0.5,
            linewidths=0,
            rasterized=True,
        )
        sure.axvline(PAPER, color=RED, linewidth=0.8, dashes=(4, 3))
        sure.axhline(0.0, color=FAINT, linewidth=0.5)
        sure.set_yscale("symlog", linthresh=30.0)
        sure.set_xlim(0.0, 1.0)
        sure.set_xlabel("found share of the expected reflections")
        sure.set_ylabel("log likelihood ratio")
        letter(sure, "b", up_mm=-1.0)
    low, middle, high = np.quantile(complete, [0.05, 0.5, 0.95])
    return Drawing(
        figure=figure,
        caption=(
            f"{len(grains):,} grains of {name}: (a) found share of the reflections that each must "
            f"show, median {middle:.2f}, 5 to 95 % of the grains {low:.2f} to {high:.2f}; (b) how "
            "much likelier the spots are with the grain than by chance, against that share. The "
            f"red line is the criterion of Dixit 2022; {below:,} grains lie below it, accepted "
            "by their likelihood."
        ),
        how=(
            "A reflection is expected where it meets a panel and the measured angles, away from "
            "the rotation axis. The likelihood weighs each found spot against the chance that its "
            "ring fills the place anyway, and each missing one against the share that is missed."
        ),
        cite=("Criterion: M. B. Dixit et al., Nature Materials 21, 1298 (2022)",),
        table={
            "grain_id": grains.grain_id,
            "completeness": complete,
            "expected": grains.expected,
            "spots": grains.spots,
            "likelihood": grains.likelihood,
        },
    )
