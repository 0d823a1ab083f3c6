"""Stress by state of several cells in one frame: means, and the extremes net of noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.followed import StressKind
from mesolith.records.style import FAINT, axes_mm, house_style, letter, new_figure, wrapped
from mesolith.report.compare_states import (
    DIXIT,
    Columns,
    colour_of,
    columns_of,
    grains_in_words,
    marker_of,
)
from mesolith.report.figure_stress_by_state import HYDROSTATIC, VON_MISES, Z95, stress_table
from mesolith.report.state_stress import StateStress, state_stresses


def draw(cells: Sequence[Cell]) -> Drawing | None:
    """Hydrostatic and von Mises stress by state; None where fewer than two cells have stress."""
    hydrostatic = [state_stresses(cell) for cell in cells]
    von_mises = [state_stresses(cell, VON_MISES) for cell in cells]
    if sum(map(bool, hydrostatic)) < 2:
        return None
    columns = columns_of(cells)
    with house_style():
        figure = new_figure(118.0)
        frames = [
            axes_mm(figure, left, bottom, 73, 46) for bottom in (67, 14) for left in (16, 105)
        ]
        _extremes(frames[0], hydrostatic, columns, HYDROSTATIC)
        _extremes(frames[1], von_mises, columns, VON_MISES)
        _means(frames[2], hydrostatic, columns)
        _means(frames[3], von_mises, columns)
        words = ("hydrostatic stress", "von Mises stress")
        for k, axes in enumerate(frames):
            axes.set_ylabel(f"{'mean ' if k > 1 else ''}{words[k % 2]} (MPa)")
            labels = wrapped(columns.names, 11) if k > 1 else []
            axes.set_xticks(range(len(columns.names)), labels, fontsize=6.5)
            axes.set_xlim(-0.5, len(columns.names) - 0.5)
            letter(axes, "abcd"[k], left_mm=14.0, up_mm=-1.0)
        frames[0].axhline(0.0, color=FAINT, linewidth=0.4, dashes=(4, 3), zorder=0)
        frames[1].set_ylim(bottom=0.0)
        for k, cell in enumerate(cells):
            frames[2].plot([], [], marker_of(k), color=colour_of(k), label=cell.name)
        figure.legend(
            *frames[2].get_legend_handles_labels(),
            loc="lower center",
            ncols=min(len(cells), 4),
            columnspacing=1.5,
        )
    return Drawing(
        figure=figure,
        caption=(
            "Stress by state, cells beside each other: (a) hydrostatic, tension positive; (b) von "
            "Mises. Filled: mean by volume; open: 0.5 and 99.5 % points net of noise (of von "
            "Mises the upper one) with 68 % intervals; small triangles: smallest and largest "
            "grain as measured. (c, d) The means with 68 % (thick) and 95 % (thin) intervals, "
            "which are about the grains that were found. "
            + grains_in_words(cells, [[s.grains for s in own] for own in hydrostatic])
        ),
        how=(
            "As in each cell's own report. The mean hydrostatic stress follows from equilibrium "
            "under the stack pressure and is no result about the grains; what differs between "
            "cells are the spread and the extremes, which are tested below."
        ),
        cite=(f"{DIXIT}, Figs. 1c, S4, S5",),
        table=_table(cells, hydrostatic, von_mises),
    )


def _extremes(
    axes: Any, found: Sequence[list[StateStress]], columns: Columns, kind: StressKind
) -> None:
    """Means and extremes; the low end of a von Mises stress is what noise makes of none."""
    for k, own in enumerate(found):
        x = np.array([columns.place(k, s.state) for s in own])
        colour = colour_of(k)
        ends = [("high", "^", [s.robust_high for s in own])]
        if kind == HYDROSTATIC:
            ends.append(("low", "v", [s.robust_low for s in own]))
        for end, marker, robust in ends:
            grain = [getattr(s, end)[0] for s in own]
            axes.plot(x, grain, marker, color=colour, markersize=2.6, alpha=0.6)
            centre, lower, upper = np.array(robust).T.reshape(3, -1)
            axes.errorbar(
                x,
                centre,
                yerr=np.abs(np.stack([centre - lower, upper - centre])),
                fmt=marker_of(k),
                color=colour,
                markerfacecolor="white",
                markersize=3.4,
                linewidth=0.8,
                capsize=1.6,
            )
        axes.plot(x, [s.mean for s in own], marker_of(k), color=colour, markersize=3.2)


def _means(axes: Any, found: Sequence[list[StateStress]], columns: Columns) -> None:
    for k, own in enumerate(found):
        x = np.array([columns.place(k, s.state) for s in own])
        mean, error = (np.array([getattr(s, f) for s in own]) for f in ("mean", "mean_se"))
        colour = colour_of(k)
        axes.errorbar(
            x, mean, yerr=Z95 * error, fmt="none", ecolor=colour, linewidth=0.8, capsize=1.6
        )
        axes.errorbar(x, mean, yerr=error, fmt="none", ecolor=colour, linewidth=2.4)
        axes.plot(
            x, mean, marker_of(k), color="white", markeredgecolor=colour, markersize=3.4, mew=0.9
        )


def _table(
    cells: Sequence[Cell],
    hydrostatic: Sequence[list[StateStress]],
    von_mises: Sequence[list[StateStress]],
) -> dict[str, Any]:
    """One row a cell and state."""
    parts = []
    for cell, pressure, shear in zip(cells, hydrostatic, von_mises, strict=True):
        if pressure:
            own = stress_table(pressure, HYDROSTATIC)
            own |= stress_table(shear, VON_MISES)
            parts.append({"cell": np.array([cell.name] * len(pressure)), **own})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
