"""The whole cell at a glance: voltage, stress and charge, with the states marked alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.cell import Cell
from mesolith.records.cycling import Cycling
from mesolith.records.direct_current import under_direct_current
from mesolith.records.drawing import Drawing
from mesolith.records.style import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    RED,
    axes_mm,
    house_style,
    new_figure,
    wrapped,
)
from mesolith.report.charge import Charges, charge_in_words, charges_of
from mesolith.report.failure import Collapse, charge_after, first_collapse
from mesolith.report.state_stress import StateStress, state_stresses

_STRETCH = 500


def draw(cell: Cell) -> Drawing | None:
    """Columns are states; None where there is neither stress nor a voltage.

    Each state owns a column of equal width: its record of the cycler fills it from left to
    right, and what was measured in the state stands at its right edge.
    """
    stresses, charges = state_stresses(cell), charges_of(cell)
    voltages = {s.name: c for s, c in cell.having(Cycling) if len(c.time) > 1}
    if not stresses and not voltages:
        return None
    rows = [bool(voltages), bool(stresses), charges is not None]
    heights = [h for h, present in zip((30.0, 34.0, 22.0), rows, strict=True) if present]
    total = sum(heights) + 5.0 * (len(heights) - 1) + 11.0
    with house_style():
        figure = new_figure(total)
        top = total - 8.0
        panels = []
        for height in heights:
            panels.append(axes_mm(figure, 20, top - height, 158, height))
            top -= height + 5.0
        queue = iter(panels)
        if voltages:
            _voltage(next(queue), cell, voltages, first_collapse(cell))
        if stresses:
            _stress(next(queue), stresses)
        if charges is not None:
            _charge(next(queue), cell, charges)
        _columns(panels, cell, leading=cell.states[0].name in voltages)
    return Drawing(
        figure=figure,
        caption=_caption(cell, stresses, voltages, charges),
        how=(
            "Each state has a column; the record of the cycler that led to it fills the column "
            "from left to right, and values measured in the state stand at its right edge."
            + (" Gaps: rest or impedance." if voltages else "")
            + (" Mean and extremes as in the figure of stress by state." if stresses else "")
        ),
        cite=(),
    )


def _voltage(
    axes: Any, cell: Cell, voltages: dict[str, Cycling], collapse: Collapse | None
) -> None:
    for state in cell.states:
        cycling = voltages.get(state.name)
        if cycling is None:
            continue
        driven = np.where(under_direct_current(cycling), cycling.voltage * 1e3, np.nan)
        span = cycling.time[-1] - cycling.time[0]
        x, y = _thinned(
            state.index - 1.0 + 0.03 + 0.94 * (cycling.time - cycling.time[0]) / span,
            driven,
        )
        axes.plot(x, y, color=BLUE, linewidth=0.8)
        if collapse is not None and collapse.state == state.name:
            seconds = collapse.time - cycling.time[0]
            place = state.index - 1.0 + 0.03 + 0.94 * seconds / span
            axes.axvline(place, color=RED, linewidth=0.8, dashes=(2, 1.5))
            axes.annotate(
                "voltage collapses",
                (place, 0.98),
                xycoords=("data", "axes fraction"),
                xytext=(-3, 0),
                textcoords="offset points",
                ha="right",
                va="top",
                color=RED,
                fontsize=6.5,
            )
    axes.axhline(0.0, color=FAINT, linewidth=0.4, dashes=(4, 3), zorder=0)
    axes.set_ylabel("voltage (mV)")
    axes.margins(y=0.1)


def _thinned(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Smallest and largest of each stretch, so that no spike is lost; gaps stay gaps."""
    stretch = -(-len(x) // _STRETCH)
    if stretch <= 2:
        return x, y
    keep: list[int] = []
    for first in range(0, len(x), stretch):
        part = y[first : first + stretch]
        gaps = np.flatnonzero(~np.isfinite(part))
        chosen = {first + int(gaps[0])} if gaps.size else set()
        if gaps.size < len(part):
            chosen |= {first + int(np.nanargmin(part)), first + int(np.nanargmax(part))}
        keep += sorted(chosen)
    return x[keep], y[keep]


def _stress(axes: Any, stresses: list[StateStress]) -> None:
    x = np.array([s.index for s in stresses], dtype=np.float64)
    mean, error = np.array([(s.mean, s.mean_se) for s in stresses]).T
    for values, colour, label in (
        ([s.robust_high for s in stresses], RED, "99.5 % point, net of noise"),
        ([s.robust_low for s in stresses], BLUE, "0.5 % point, net of noise"),
    ):
        centre, lower, upper = np.array(values).T
        bars = np.abs(np.stack([centre - lower, upper - centre]))
        axes.plot(x, centre, color=colour, linewidth=0.5, alpha=0.6)
        axes.errorbar(
            x,
            centre,
            yerr=bars,
            fmt="o",
            color=colour,
            markersize=3.4,
            linewidth=0.8,
            capsize=2,
            label=label,
        )
    axes.plot(x, mean, color=INK, linewidth=0.5, alpha=0.6)
    axes.errorbar(
        x,
        mean,
        yerr=1.96 * error,
        fmt="s",
        color=INK,
        markersize=3,
        linewidth=0.8,
        capsize=2,
        label="mean, 95 %",
    )
    axes.axhline(0.0, color=FAINT, linewidth=0.4, dashes=(4, 3), zorder=0)
    axes.set_ylabel("hydrostatic\nstress (MPa)")
    _legend_above(axes)


def _charge(axes: Any, cell: Cell, charges: Charges) -> None:
    index = {state.name: state.index for state in cell.states}
    x = np.array([index[name] for name in charges.states])
    for values, colour, marker, label in (
        (charges.passed, ORANGE, "D", "passed, both directions"),
        (charges.net, GREEN, "o", "net, plating positive"),
    ):
        axes.plot(x, values, color=colour, marker=marker, markersize=3.2, label=label)
    axes.axhline(0.0, color=FAINT, linewidth=0.4, dashes=(4, 3), zorder=0)
    axes.set_ylabel(f"charge\n({charges.unit})")
    _legend_above(axes)


def _legend_above(axes: Any) -> None:
    """Legend in one line inside the upper edge, and room for it."""
    axes.margins(y=0.08)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.24 * (high - low))
    axes.legend(loc="upper left", borderaxespad=0.1, ncols=3, columnspacing=1.6)


def _columns(panels: list[Any], cell: Cell, *, leading: bool) -> None:
    """Mark the states alike in all panels; a first state without a record needs no column."""
    names = [state.name for state in cell.states]
    for axes in panels:
        axes.set_xlim(-1.0 if leading else -0.62, len(names) - 1 + 0.15)
        for k in range(len(names)):
            axes.axvline(k, color="#d0d0d0", linewidth=0.6, zorder=-1)
        axes.set_xticks(range(len(names)), [])
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(axis="x", length=0)
    top = panels[0]
    for k, name in enumerate(wrapped(names, 16)):
        top.annotate(
            name,
            (k, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(4 if k == len(names) - 1 else 0, 6),
            textcoords="offset points",
            ha="right" if k == len(names) - 1 else "center",
            va="bottom",
            fontsize=7.5,
        )
        top.plot(
            [k],
            [1.03],
            "v",
            color=INK,
            markersize=4,
            clip_on=False,
            transform=top.get_xaxis_transform(),
        )


def _caption(
    cell: Cell,
    stresses: list[StateStress],
    voltages: dict[str, Cycling],
    charges: Charges | None,
) -> str:
    parts = []
    if voltages:
        points = sum(len(c.time) for c in voltages.values())
        parts.append(f"Voltage of the cell (n = {points:,} points), plating positive.")
    if stresses:
        counts = ", ".join(f"{s.grains:,}" for s in stresses)
        parts.append(
            "Hydrostatic stress: mean with its 95 % interval, common part included, and 0.5 and "
            f"99.5 % points net of noise with 68 % intervals (grains: {counts})."
        )
    if charges is not None:
        origins = ", ".join(dict.fromkeys(word for word in charges.source if word != "nothing"))
        parts.append(f"Charge from {origins}; no error of the current is stated.")
        collapse = first_collapse(cell)
        after = None if collapse is None else charge_after(cell, collapse)
        if after:
            parts.append(
                f"Of it, {charge_in_words(cell, after)} passed after the collapse of the voltage "
                "and is probably not lithium."
            )
    return " ".join(parts) + " Triangles mark where each state was measured."
