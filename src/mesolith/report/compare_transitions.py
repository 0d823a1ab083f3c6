"""Initial against final stress of the spots of several cells, by direction of the current."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mesolith.link.pooled_directions import PooledDirections, pooled_directions
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.style import BLUE, INK, ORANGE, RED, axes_mm, house_style, letter, new_figure
from mesolith.records.transitions import DirectionSeparation, Transitions
from mesolith.report.compare_states import DIXIT, marker_of

_STRESSES = (("hydrostatic", "hydrostatic stress"), ("von_mises", "von Mises stress"))
_DIRECTIONS = ((1, RED, "direction 1"), (-1, BLUE, "direction 2"))
_REMOVED = ", mean removed"
_LEVEL = 0.05


def draw(cells: Sequence[Cell]) -> Drawing | None:
    """Points of all cells pooled, and each cell's effect; None with fewer than two cells."""
    found = [
        (k, cell[Transitions].separation) for k, cell in enumerate(cells) if Transitions in cell
    ]
    separations = [(k, own[0]) for k, own in found if own]
    if len(separations) < 2:
        return None
    pooled = pooled_directions([own for _, own in separations])
    with house_style():
        figure = new_figure(72.0)
        frames = [axes_mm(figure, left, 19, 45, 45) for left in (15, 73)]
        for k, (axes, (stress, label)) in enumerate(zip(frames, _STRESSES, strict=True)):
            _points(axes, separations, stress)
            axes.set_xlabel(f"initial {label} (MPa)")
            axes.set_ylabel(f"final {label} (MPa)")
            letter(axes, "ab"[k], left_mm=14.0)
        effects = axes_mm(figure, 143, 19, 35, 45)
        _effects(effects, separations, pooled)
        letter(effects, "c", left_mm=19.0)
        for k, _ in separations:
            face = "white" if k % 2 else INK
            frames[0].plot(
                [], [], marker_of(k), color=INK, markerfacecolor=face, label=cells[k].name
            )
        frames[0].plot([], [], "D", color=ORANGE, label="all cells")
        figure.legend(
            *frames[0].get_legend_handles_labels(), loc="lower center", ncols=4, columnspacing=1.5
        )
    return Drawing(
        figure=figure,
        caption=_caption(cells, separations, pooled),
        how=(
            "A point is one spot in one transition, in all cells alike; what is tested are "
            "transitions, since points of one transition share it. The effect is the mean change "
            "under direction 1 less that under direction 2, with the pellet's mean removed, so "
            "that a drift of the state cannot make it; a finding survives with and without. For "
            "all cells together directions, or states, are exchanged within each cell, the larger "
            "p counts, corrected (Holm) for all questions."
        ),
        cite=(f"{DIXIT}, Fig. 7b-c",),
        table=_table(cells, separations, pooled),
    )


def _caption(
    cells: Sequence[Cell],
    found: Sequence[tuple[int, DirectionSeparation]],
    pooled: PooledDirections,
) -> str:
    told = [
        f"{cells[k].name}: {own.transitions} transitions, {own.spots} hot and {own.spots} cold "
        f"spots, {own.grains:,} grains followed: {_verdict(own)}"
        for k, own in found
    ]
    told.append(
        f"all together (diamonds): {pooled.transitions} transitions, {pooled.grains:,} grains: "
        f"{_verdict(pooled)}"
    )
    points = sum(own.initial.shape[1] * len(own.transition) * 2 for _, own in found)
    level = 100.0 * found[0][1].level
    return (
        "Stress of hot and cold neighbourhoods before and after each transition, cells pooled: (a) "
        f"hydrostatic, (b) von Mises, {points} points each. Colour is the direction of the "
        "current, the marker the cell; on the line nothing changed. (c) Change under direction 1 "
        f"less that under direction 2 of each cell, with {level:.0f} % intervals. "
        f"{'; '.join(told)}."
    )


def _verdict(own: DirectionSeparation | PooledDirections) -> str:
    if own.finding:
        return f"separation found for {' and '.join(own.finding)}".replace("von_mises", "von Mises")
    least = min(1.0, own.least * len(own.question))
    if least < _LEVEL:
        return "no separation found"
    return f"cannot be told (least p of so few transitions: {own.least:.2g}, corrected {least:.2g})"


def _points(axes: Any, found: Sequence[tuple[int, DirectionSeparation]], stress: str) -> None:
    both = []
    for number, own in found:
        for row, name in enumerate(own.point_set):
            if not name.endswith(stress):
                continue
            for sign, colour, _ in _DIRECTIONS:
                x, y = (v[row][:, own.direction == sign].ravel() for v in (own.initial, own.final))
                axes.plot(
                    x,
                    y,
                    marker_of(number),
                    color=colour,
                    markersize=2.6,
                    alpha=0.7,
                    markeredgewidth=0.0,
                )
                both += [x, y]
    values = np.concatenate(both)
    low, high = float(values.min()), float(values.max())
    span = np.array([low, high]) + 0.05 * (high - low) * np.array([-1.0, 1.0])
    axes.plot(span, span, color=INK, linewidth=0.5, dashes=(4, 3), zorder=0)
    axes.set_xlim(*span)
    axes.set_ylim(*span)
    for height, (_, colour, label) in zip((0.94, 0.85), _DIRECTIONS, strict=True):
        axes.text(0.04, height, label, transform=axes.transAxes, color=colour, fontsize=6.5)


def _effects(
    axes: Any, found: Sequence[tuple[int, DirectionSeparation]], pooled: PooledDirections
) -> None:
    questions = [q for q in pooled.question if q.endswith(_REMOVED)]
    step = 0.7 / (len(found) + 1)
    for order, (number, own) in enumerate(found):
        rows = [own.question.index(q) for q in questions]
        y = -np.arange(len(rows)) - (order - len(found) / 2.0) * step
        effect = own.effect[rows]
        axes.errorbar(
            effect,
            y,
            xerr=np.stack([effect - own.low[rows], own.high[rows] - effect]),
            fmt=marker_of(number),
            color=INK,
            markerfacecolor="white" if number % 2 else INK,
            markersize=3.2,
            linewidth=0.8,
            capsize=1.6,
        )
    rows = [pooled.question.index(q) for q in questions]
    axes.errorbar(
        pooled.effect[rows],
        -np.arange(len(rows)) - 0.5 * len(found) * step,
        xerr=(pooled.high - pooled.low)[rows] / 2.0,
        fmt="D",
        color=ORANGE,
        markersize=3.4,
        linewidth=1.2,
        capsize=1.6,
    )
    axes.axvline(0.0, color=INK, linewidth=0.5, dashes=(4, 3), zorder=0)
    labels = [
        q.removesuffix(_REMOVED).replace("von_mises", "von Mises").replace(", ", "\n")
        for q in questions
    ]
    axes.set_yticks(-np.arange(len(questions)), labels, fontsize=6)
    axes.set_ylim(-len(questions) + 0.5, 0.5)
    axes.set_xlabel("effect (MPa)")


def _table(
    cells: Sequence[Cell],
    found: Sequence[tuple[int, DirectionSeparation]],
    pooled: PooledDirections,
) -> dict[str, Any]:
    """One row a point; the effect of its cell, and that of all cells, beside it."""
    columns: dict[str, list[Any]] = {}
    for number, own in found:
        for row, name in enumerate(own.point_set):
            spots, _, stress = name.partition(", ")
            effect = own.question.index(name + _REMOVED)
            all_of = pooled.question.index(name + _REMOVED)
            for t, transition in enumerate(own.transition):
                for spot in range(own.initial.shape[1]):
                    values = {
                        "cell": cells[number].name,
                        "spots": spots,
                        "stress": stress,
                        "transition": transition,
                        "direction": int(own.direction[t]),
                        "spot": spot,
                        "initial_mpa": float(own.initial[row, spot, t]),
                        "final_mpa": float(own.final[row, spot, t]),
                        "effect_mpa": float(own.effect[effect]),
                        "effect_mpa_lower68": float(own.low[effect]),
                        "effect_mpa_upper68": float(own.high[effect]),
                        "p": float(own.p[effect]),
                        "p_family": float(own.p_family[effect]),
                        "all_cells_effect_mpa": float(pooled.effect[all_of]),
                        "all_cells_effect_mpa_lower68": float(pooled.low[all_of]),
                        "all_cells_effect_mpa_upper68": float(pooled.high[all_of]),
                        "all_cells_p": float(pooled.p[all_of]),
                        "all_cells_p_family": float(pooled.p_family[all_of]),
                    }
                    for column, value in values.items():
                        columns.setdefault(column, []).append(value)
    return {name: np.array(values) for name, values in columns.items()}
