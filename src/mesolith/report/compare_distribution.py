"""Violins of the grains' stresses by state, those of several cells beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.grains import GrainMap
from mesolith.records.style import INK, axes_mm, house_style, letter, new_figure, wrapped
from mesolith.records.violin import draw_violins
from mesolith.report.compare_states import (
    DIXIT,
    Columns,
    colour_of,
    columns_of,
    grains_in_words,
)

_PERCENT = (0.0, 0.5, 2.5, 25.0, 50.0, 75.0, 97.5, 99.5, 100.0)
_KINDS = (("hydrostatic", "hydrostatic stress (MPa)"), ("von_mises", "von Mises stress (MPa)"))
_Sample = tuple[int, str, FloatArray]


def draw(cells: Sequence[Cell]) -> Drawing | None:
    """Violins of both kinds of stress; None where fewer than two cells have stress."""
    samples = {kind: _samples(cells, kind) for kind, _ in _KINDS}
    if len({number for number, _, _ in samples["hydrostatic"]}) < 2:
        return None
    columns = columns_of(cells)
    with house_style():
        figure = new_figure(112.0)
        frames = [axes_mm(figure, 16, bottom, 162, 43) for bottom in (65, 14)]
        for k, (axes, (kind, label)) in enumerate(zip(frames, _KINDS, strict=True)):
            _violins(axes, samples[kind], columns)
            axes.set_ylabel(label)
            axes.set_xlim(-0.5, len(columns.names) - 0.5)
            axes.set_xticks(range(len(columns.names)), [])
            letter(axes, "ab"[k], left_mm=15.0, up_mm=-1.0)
        frames[0].axhline(0.0, color=INK, linewidth=0.4, dashes=(4, 3), zorder=0)
        frames[1].set_ylim(bottom=0.0)
        frames[1].set_xticks(range(len(columns.names)), wrapped(columns.names, 16))
        for k, cell in enumerate(cells):
            frames[0].plot([], [], color=colour_of(k), linewidth=3, label=cell.name)
        figure.legend(
            *frames[0].get_legend_handles_labels(),
            loc="lower center",
            ncols=min(len(cells), 4),
            columnspacing=1.5,
        )
    counts = [[len(v) for n, _, v in samples["hydrostatic"] if n == k] for k in range(len(cells))]
    return Drawing(
        figure=figure,
        caption=(
            "Stress of every grain by state, cells beside each other: (a) hydrostatic, tension "
            "positive; (b) von Mises. The width is the share of a cell's grains at that stress, "
            "the same scale in a panel; each point is a grain. White: median with the middle half "
            f"(25-75 %). {grains_in_words(cells, counts)}"
        ),
        how=(
            "Gaussian kernel estimates with Silverman's robust bandwidth of what was measured: "
            "noise widens a violin, and more grains reach farther. Cells with unlike errors or "
            "numbers of grains are compared by the tests below, which take noise out."
        ),
        cite=(
            f"{DIXIT}, Figs. 2, S19",
            "Bandwidth: B. W. Silverman, Density Estimation (Chapman and Hall, 1986)",
        ),
        table=_table(cells, samples),
    )


def _samples(cells: Sequence[Cell], kind: str) -> list[_Sample]:
    """Number of the cell, name of its state, and the known stresses."""
    found = []
    for number, cell in enumerate(cells):
        for state, grains in cell.having(GrainMap):
            stress = getattr(grains, f"stress_{kind}")
            if stress is not None and np.any(np.isfinite(stress)):
                found.append((number, state.name, stress[np.isfinite(stress)]))
    return found


def _violins(axes: Any, samples: Sequence[_Sample], columns: Columns) -> None:
    draw_violins(
        axes,
        [values for _, _, values in samples],
        places=[columns.place(number, state) for number, state, _ in samples],
        colours=[colour_of(number) for number, _, _ in samples],
        half_width=0.28 / columns.cells,
    )


def _table(cells: Sequence[Cell], samples: dict[str, list[_Sample]]) -> dict[str, Any]:
    """Percentiles, one row a cell and state."""
    rows = samples["hydrostatic"]
    table: dict[str, Any] = {
        "cell": np.array([cells[number].name for number, _, _ in rows]),
        "state": np.array([state for _, state, _ in rows]),
        "grains": np.array([len(values) for _, _, values in rows]),
    }
    for kind, own in samples.items():
        for percent in _PERCENT:
            column = f"stress_{kind}_p{percent:g}_mpa".replace(".", "_")
            table[column] = np.array([np.percentile(values, percent) for _, _, values in own])
    return table
