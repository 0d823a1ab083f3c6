"""Where the grains of two polymorphs lie, and what stress those of the rare one carry."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.grains import GrainMap
from mesolith.records.lives import motions_since_first
from mesolith.records.pellet import (
    Pellet,
    draw_outline,
    draw_triad,
    pellet_around,
    projected,
    seen_height,
)
from mesolith.records.style import (
    FAINT,
    INK,
    MM_PER_INCH,
    RED,
    SKY,
    axes_mm,
    diverging_map,
    house_style,
    letter,
    new_figure,
)

_ACROSS = 3
_HOW = (
    "Orthographic view along azimuth -58 and elevation 24 degrees on sample axes. Points of the "
    "second phase have one and a half times the diameter that its grains would have. Where two "
    "phases share a lattice and spots were weighed, a grain is shown as undecided unless its "
    "probability is at least 0.99 and the log likelihood ratio 3 on its side."
)
Shown = list[tuple[str, GrainMap]]


def draw(cell: Cell) -> Drawing | None:
    """Grains of both phases in the first state that has both; None without one."""
    shown = _states_with_two_phases(cell)[:1]
    if not shown:
        return None
    ((name, grains),) = shown
    pellet = pellet_around(cell, grains.position)
    sides = ((1.0, None), (90.0, 1))
    with house_style():
        figure = new_figure(84.0)
        for k, (left, only) in enumerate(sides):
            axes = axes_mm(figure, left, 1.0, 84.0, 78.0)
            _panel(axes, grains, pellet, (84.0, 78.0), only=only, triad=k == 0)
            words = (f"{name}, all grains", f"{grains.phases.name[1]} alone")[k]
            axes.set_title(words, loc="center", pad=-6)
            letter(axes, "ab"[k], left_mm=0.0, up_mm=-3.5)
        _legend(figure, grains)
    return Drawing(
        figure=figure,
        caption=f"(a) Grains of {name} by phase, (b) those of {grains.phases.name[1]} alone, at "
        f"their centres of mass. {_count_words(name, grains)}",
        how=_HOW,
        cite=("Form of the figure: M. B. Dixit et al., Nature Materials 21, 1298 (2022), Fig. 3e",),
        table=_table(shown),
    )


def draw_all(cell: Cell) -> Drawing | None:
    """All states: grains of the second phase coloured by hydrostatic stress over the others."""
    shown = _states_with_two_phases(cell)
    if len(shown) < 2:
        return None
    limit = _limit(shown)
    rows = -(-(len(shown) + 1) // _ACROSS)
    height = rows * 56.0 + 1.0
    with house_style():
        figure = new_figure(height)
        for k, (name, grains) in enumerate(shown):
            row, column = divmod(k, _ACROSS)
            axes = axes_mm(figure, 1.0 + 60.0 * column, height - (row + 1) * 56.0, 58.0, 52.0)
            pellet = pellet_around(cell, grains.position)
            _panel(axes, grains, pellet, (58.0, 52.0), limit=limit, triad=k == 0)
            second = int(_seen_as(grains, 1).sum())
            axes.set_title(f"{name} ({second:,} of {len(grains):,})", loc="center", pad=-2)
            letter(axes, chr(ord("a") + k % 26), left_mm=0.0, up_mm=-2.0)
        left = 1.0 + 60.0 * (len(shown) % _ACROSS or _ACROSS - 1) + 22.0
        if np.isfinite(limit):
            _colour_bar(axes_mm(figure, left, 12.0, 2.6, 26.0), limit)
    scale = f", coloured by hydrostatic stress up to {limit:.0f} MPa" if np.isfinite(limit) else ""
    return Drawing(
        figure=figure,
        caption=(
            f"Grains of {shown[0][1].phases.name[0]} (light blue) and of "
            f"{shown[0][1].phases.name[1]} (larger points{scale}) in every state. "
            + " ".join(_count_words(name, grains) for name, grains in shown)
        ),
        how=f"{_HOW} The motion of the sample between the states is undone.",
        cite=("Form of the figure: M. B. Dixit et al., Nature Materials 21, 1298 (2022), Fig. S7",),
        table=_table(shown),
    )


def _states_with_two_phases(cell: Cell) -> Shown:
    """Maps that hold grains of two phases, in order, on the axes of the first state."""
    found = [
        (state, grains)
        for state, grains in cell.having(GrainMap)
        if len(grains.phases.name) > 1 and np.any(grains.phase == 1)
    ]
    if not found:
        return []
    motions = motions_since_first(cell)
    return [
        (
            state.name,
            dataclasses.replace(grains, position=motions[state.index].undone(grains.position)),
        )
        for state, grains in found
    ]


def _seen_as(grains: GrainMap, phase: int) -> NDArray[np.bool_]:
    """Grains decided to be of a phase."""
    own = grains.phase == phase
    return own if grains.phase_decided is None else own & grains.phase_decided


def _stress(grains: GrainMap) -> FloatArray:
    stress = grains.stress_hydrostatic
    return np.full(len(grains), np.nan) if stress is None else stress


def _limit(shown: Shown) -> float:
    """End of the scale of colour, MPa; NaN without a stress."""
    stresses = np.concatenate([_stress(grains)[_seen_as(grains, 1)] for _, grains in shown])
    stresses = np.abs(stresses[np.isfinite(stresses)])
    return float(np.percentile(stresses, 98.0)) or 1.0 if len(stresses) else float("nan")


def _panel(
    axes: Any,
    grains: GrainMap,
    pellet: Pellet,
    size: tuple[float, float],
    *,
    only: int | None = None,
    limit: float = float("nan"),
    triad: bool = True,
) -> None:
    scale = min(size[0] / (1.12 * pellet.diameter), 0.8 * size[1] / (1.06 * seen_height(pellet)))
    scale *= 72.0 / MM_PER_INCH
    horizontal, vertical, near = projected(grains.position - pellet.middle)
    wide = np.maximum(2.0 * grains.radius * scale, 1.2)
    draw_outline(axes, pellet, behind=True)
    first, second = _seen_as(grains, 0), _seen_as(grains, 1)
    faint = min(0.5, 0.5 * (1500.0 / len(grains)) ** 0.5)
    layers: list[tuple[NDArray[np.bool_], Any, float, float]] = []
    if only is None:
        layers += [(~(first | second), FAINT, 0.5 * faint, 1.0), (first, SKY, faint, 1.0)]
    stress = _stress(grains)
    colours = np.tile(np.array([0.835, 0.369, 0.0, 1.0]), (len(grains), 1))
    if np.isfinite(limit):
        colours = diverging_map()(0.5 + 0.5 * np.clip(np.nan_to_num(stress) / limit, -1.0, 1.0))
    layers.append((second, colours, 0.95, 1.5))
    for rows, colour, alpha, factor in layers:
        order = np.flatnonzero(rows)[np.argsort(near[rows], kind="stable")]
        axes.scatter(
            horizontal[order],
            vertical[order],
            s=(factor * wide[order]) ** 2,
            c=colour if isinstance(colour, str) else colour[order],
            alpha=alpha,
            # a rim parts a blue stress from the blue of the other phase
            linewidths=0.4 if rows is second else 0.0,
            edgecolors=INK,
            rasterized=True,
        )
    draw_outline(axes, pellet, behind=False)
    width, height = (side * 72.0 / MM_PER_INCH / scale for side in size)
    axes.set_xlim(-width / 2, width / 2)
    axes.set_ylim(-height * 0.55, height * 0.45)
    axes.set_axis_off()
    if triad:
        low = float(projected(np.array([0.0, 0.0, -pellet.height / 2.0]))[1])
        draw_triad(axes, pellet, -0.50 * pellet.diameter, low - 0.27 * pellet.diameter)


def _legend(figure: Any, grains: GrainMap) -> None:
    """Three words of colour at the foot of the figure."""
    axes = axes_mm(figure, 60.0, 1.0, 118.0, 5.0)
    axes.set_axis_off()
    names = [(SKY, grains.phases.name[0]), (RED, grains.phases.name[1]), (FAINT, "undecided")]
    for k, (colour, name) in enumerate(names if grains.phase_decided is not None else names[:2]):
        axes.scatter([0.36 * k + 0.01], [0.5], s=14, c=colour, linewidths=0)
        axes.text(0.36 * k + 0.03, 0.5, name, va="center", fontsize=7)
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(0.0, 1.0)


def _colour_bar(axes: Any, limit: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    mappable = ScalarMappable(Normalize(-limit, limit), diverging_map())
    bar = axes.figure.colorbar(mappable, cax=axes, extend="both", extendfrac=0.04)
    bar.outline.set_linewidth(0.4)
    bar.ax.tick_params(width=0.5, size=2)
    bar.ax.set_title("hydrostatic\nstress (MPa)", fontsize=7, pad=8)


def _count_words(name: str, grains: GrainMap) -> str:
    first, second = int(_seen_as(grains, 0).sum()), int(_seen_as(grains, 1).sum())
    one, other = grains.phases.name[:2]
    rest = len(grains) - first - second
    left = f", {rest:,} undecided" if grains.phase_decided is not None else ""
    return f"{name}: {first:,} {one}, {second:,} {other}{left}."


def _table(shown: Shown) -> dict[str, Any]:
    maps = [grains for _, grains in shown]
    position = np.concatenate([grains.position for grains in maps])
    return {
        "state": np.concatenate([np.full(len(g), name) for name, g in shown]),
        "grain_id": np.concatenate([g.grain_id for g in maps]),
        "x_um": position[:, 0],
        "y_um": position[:, 1],
        "z_um": position[:, 2],
        "radius_um": np.concatenate([g.radius for g in maps]),
        "phase": np.concatenate([np.array(g.phases.name)[g.phase] for g in maps]),
        "phase_probability": np.concatenate(
            [
                np.full(len(g), np.nan) if g.phase_probability is None else g.phase_probability
                for g in maps
            ]
        ),
        "stress_hydrostatic_mpa": np.concatenate([_stress(g) for g in maps]),
    }
