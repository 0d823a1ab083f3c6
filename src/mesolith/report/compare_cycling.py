"""Plated capacity and critical current of several cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.plating import CriticalCurrent, PlatedCapacity
from mesolith.records.style import INK, axes_mm, house_style, letter, new_figure, wrapped
from mesolith.report.compare_states import colour_of, marker_of
from mesolith.units import from_internal

_Held = list[tuple[int, PlatedCapacity]]


def draw(cells: Sequence[Cell]) -> Drawing | None:
    """Capacity by half cycle, and critical current; None where fewer than two cells have one."""
    held = [(k, cell[PlatedCapacity]) for k, cell in enumerate(cells) if PlatedCapacity in cell]
    known = [(k, own) for k, own in held if np.any(np.isfinite(own.cumulative))]
    if len(known) < 2:
        return None
    currents = {k: cell[CriticalCurrent] for k, cell in enumerate(cells) if CriticalCurrent in cell}
    with house_style():
        figure = new_figure(70.0)
        left, right = axes_mm(figure, 16, 20, 92, 46), axes_mm(figure, 126, 20, 52, 46)
        _capacities(left, known)
        _critical(right, cells, known, currents)
        letter(left, "a", left_mm=14.0, up_mm=-1.0)
        letter(right, "b", left_mm=14.0, up_mm=-1.0)
        for k, _ in known:
            left.plot([], [], marker_of(k) + "-", color=colour_of(k), label=cells[k].name)
        left.plot([], [], "X", color=INK, label="failed in this half cycle")
        figure.legend(
            *left.get_legend_handles_labels(), loc="lower center", ncols=5, columnspacing=1.5
        )
    return Drawing(
        figure=figure,
        caption=_caption(cells, known, currents),
        how=(
            "Each half cycle plates on one electrode what it strips from the other, so capacities "
            "count without sign; what passes after a short is probably not lithium. The critical "
            "current lies above the highest current passed and not above the one that failed; a "
            "protocol of one current has none."
        ),
        cite=(),
        table=_table(cells, known, currents),
    )


def _caption(cells: Sequence[Cell], known: _Held, currents: dict[int, CriticalCurrent]) -> str:
    told = []
    for k, own in known:
        before = float(from_internal(own.before_failure, "mAh/cm2"))
        kind = f", short: {currents[k].kind}" if k in currents else ""
        ended = "before failure" if own.failed_in >= 0 else "so far, no failure seen"
        error = 100.0 * own.relative_se
        known_to = f" (±{error:.1g} %, 68 %)" if error > 0.0 else ""
        told.append(
            f"{cells[k].name}: {before:.3g} mAh/cm²{known_to} in {len(own.cumulative)} half "
            f"cycles {ended}{kind}"
        )
    return (
        "(a) Capacity plated up to the end of each half cycle. (b) Critical current density of "
        "stepped protocols with 68 % intervals; a bar alone is the bracket that a protocol "
        f"leaves, open above where nothing failed. {'; '.join(told)}."
    )


def _capacities(axes: Any, known: _Held) -> None:
    for k, own in known:
        # a little aside, so that cells of one protocol do not hide each other
        number = np.arange(1, len(own.cumulative) + 1) + 0.06 * (k - (len(known) - 1) / 2.0)
        capacity = from_internal(np.asarray(own.cumulative), "mAh/cm2")
        axes.plot(number, capacity, marker_of(k) + "-", color=colour_of(k), markersize=3)
        if own.failed_in >= 0:
            row = min(int(own.failed_in), len(number) - 1)
            axes.plot(number[row], capacity[row], "X", color=colour_of(k), markersize=6.5)
    axes.set_xlabel("half cycle")
    axes.set_ylabel("capacity plated (mAh/cm²)")
    axes.set_ylim(bottom=0.0)
    axes.xaxis.get_major_locator().set_params(integer=True)


def _critical(
    axes: Any, cells: Sequence[Cell], known: _Held, currents: dict[int, CriticalCurrent]
) -> None:
    for place, (k, _) in enumerate(known):
        if k not in currents:
            continue
        own = currents[k]
        value, se, lower, upper = (
            float(from_internal(x, "mA/cm2"))
            for x in (own.value, own.value_se, own.lower, own.upper)
        )
        colour = colour_of(k)
        if np.isfinite(value):
            axes.errorbar(
                place, value, yerr=se, fmt=marker_of(k), color=colour, markersize=4, capsize=2
            )
        elif np.isfinite(lower):
            top = upper if np.isfinite(upper) else lower
            axes.plot([place, place], [lower, top], color=colour, linewidth=3)
            if not np.isfinite(upper):
                axes.plot(place, lower, "^", color=colour, markersize=4)
    names = wrapped([cells[k].name for k, _ in known], 12)
    axes.set_xticks(range(len(known)), names, fontsize=6.5)
    axes.set_xlim(-0.6, len(known) - 0.4)
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel("critical current (mA/cm²)")


def _table(
    cells: Sequence[Cell], known: _Held, currents: dict[int, CriticalCurrent]
) -> dict[str, Any]:
    """One row a cell and half cycle, the cell's critical current beside it."""
    parts = []
    nan = float("nan")
    for k, own in known:
        count = len(own.cumulative)
        critical = currents.get(k)
        ends = [
            nan if critical is None else float(from_internal(getattr(critical, name), "mA/cm2"))
            for name in ("value", "value_se", "lower", "upper")
        ]
        parts.append(
            {
                "cell": np.array([cells[k].name] * count),
                "half_cycle": np.arange(1, count + 1),
                "capacity_mah_cm2": from_internal(np.asarray(own.areal), "mAh/cm2"),
                "cumulative_mah_cm2": from_internal(np.asarray(own.cumulative), "mAh/cm2"),
                "relative_se": np.full(count, own.relative_se),
                "failed": np.arange(count) == own.failed_in,
                "critical_current_density_ma_cm2": np.full(count, ends[0]),
                "critical_current_density_ma_cm2_se": np.full(count, ends[1]),
                "critical_current_density_above_ma_cm2": np.full(count, ends[2]),
                "critical_current_density_not_above_ma_cm2": np.full(count, ends[3]),
                "short_kind": np.array(["" if critical is None else critical.kind] * count),
            }
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
