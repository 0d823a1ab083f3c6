"""Where the grains lie that carry stress: states in three dimensions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.hedm.grain_panel import PanelSize, draw_grains, points_for_um
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.grains import GrainMap
from mesolith.records.lives import motions_since_first
from mesolith.records.pellet import pellet_around
from mesolith.records.style import (
    axes_mm,
    diverging_map,
    house_style,
    letter,
    new_figure,
)

_ACROSS = 3
_WHAT = (
    "at their centres of mass, coloured by hydrostatic stress, tension positive. Area as the "
    "grain's own; grains are the more transparent the nearer they are to zero stress, because "
    "opaque ones would hide what is inside. The outline is the pellet, the axis z points to the "
    "working electrode."
)
_HOW = (
    "Orthographic view along azimuth -58 and elevation 24 degrees on sample axes, far grains "
    "drawn first. The motion of the sample between the states, which the tracking finds, is "
    "undone, so that all panels have the same axes."
)


def draw(cell: Cell) -> Drawing | None:
    """Grain maps of the first and last state that hold stress, coloured by hydrostatic stress."""
    shown = _states_with_stress(cell)
    shown = shown[:1] + shown[1:][-1:]
    if not shown:
        return None
    limit, pellets = _limit(shown), [pellet_around(cell, g.position) for _, g in shown]
    with house_style():
        alone = len(shown) == 1
        figure = new_figure(86.0, 108.0) if alone else new_figure(86.0)
        scale = min(points_for_um(pellet, _LARGE) for pellet in pellets)
        for k, (name, grains) in enumerate(shown):
            axes = axes_mm(figure, 1.0 + 82.0 * k, 1.0, _LARGE.width, _LARGE.height)
            draw_grains(axes, grains, _colours(grains, limit), pellets[k], scale, _LARGE)
            axes.set_title(f"{name} (n = {len(grains):,})", loc="center", pad=-6)
            if not alone:
                letter(axes, "ab"[k], left_mm=0.0, up_mm=-3.5)
        _colour_bar(axes_mm(figure, 90.0 if alone else 165.0, 15.0, 2.6, 48.0), limit)
    return Drawing(
        figure=figure,
        caption=(
            f"Grains of {' and '.join(name for name, _ in shown)} {_WHAT} "
            f"{_scale_words(shown, limit)}"
        ),
        how=(f"{_HOW} The 3-D view of this report turns them."),
        cite=("Form of the figure: M. B. Dixit et al., Nature Materials 21, 1298 (2022), Fig. 1d",),
        table=_table(shown),
    )


def draw_all(cell: Cell) -> Drawing | None:
    """Grain maps of all states on one scale of colour; None below three, which `draw` shows."""
    shown = _states_with_stress(cell)
    if len(shown) < 3:
        return None
    limit, pellets = _limit(shown), [pellet_around(cell, g.position) for _, g in shown]
    rows = -(-(len(shown) + 1) // _ACROSS)
    height = rows * (_SMALL.height + 4.0) + 1.0
    with house_style():
        figure = new_figure(height)
        scale = min(points_for_um(pellet, _SMALL) for pellet in pellets)
        for k, (name, grains) in enumerate(shown):
            row, column = divmod(k, _ACROSS)
            left = 1.0 + (_SMALL.width + 2.0) * column
            bottom = height - (row + 1) * (_SMALL.height + 4.0)
            axes = axes_mm(figure, left, bottom, _SMALL.width, _SMALL.height)
            draw_grains(
                axes, grains, _colours(grains, limit), pellets[k], scale, _SMALL, triad=k == 0
            )
            axes.set_title(f"{name} (n = {len(grains):,})", loc="center", pad=-2)
            letter(axes, chr(ord("a") + k % 26), left_mm=0.0, up_mm=-2.0)
        column = len(shown) % _ACROSS or _ACROSS - 1
        left = 1.0 + (_SMALL.width + 2.0) * column + 0.4 * _SMALL.width
        _colour_bar(axes_mm(figure, left, 12.0, 2.6, 26.0), limit)
    return Drawing(
        figure=figure,
        caption=f"Grains of every state {_WHAT} {_scale_words(shown, limit)}",
        how=_HOW,
        cite=("Form of the figure: M. B. Dixit et al., Nature Materials 21, 1298 (2022), Fig. S6",),
        table=_table(shown),
    )


def _states_with_stress(cell: Cell) -> list[tuple[str, GrainMap]]:
    """Maps with stresses in the order of the states, on the axes of the first state."""
    motions = motions_since_first(cell)
    return [
        (state.name, replace(grains, position=motions[state.index].undone(grains.position)))
        for state, grains in cell.having(GrainMap)
        if np.any(np.isfinite(_stress(grains)))
    ]


def _limit(shown: list[tuple[str, GrainMap]]) -> float:
    """End of the scale of colour, MPa."""
    stresses = np.concatenate([_stress(grains) for _, grains in shown])
    return float(np.nanpercentile(np.abs(stresses), 99.5)) or 1.0


def _scale_words(shown: list[tuple[str, GrainMap]], limit: float) -> str:
    states = "this state" if len(shown) == 1 else "both states" if len(shown) == 2 else "all states"
    counts = ", ".join(f"{len(grains):,}" for _, grains in shown)
    return (
        f"The scale ends at the 99.5 % point of {states} ({limit:.0f} MPa); one grain is known to "
        f"±{_typical_error(shown):.0f} MPa (68 %, random part). Grains: {counts}."
    )


def _stress(grains: GrainMap) -> FloatArray:
    stress = grains.stress_hydrostatic
    return np.full(len(grains), np.nan) if stress is None else stress


def _typical_error(shown: list[tuple[str, GrainMap]]) -> float:
    errors = [g.stress_hydrostatic_se for _, g in shown if g.stress_hydrostatic_se is not None]
    return float(np.nanmedian(np.concatenate(errors))) if errors else float("nan")


_LARGE = PanelSize(80.0, 78.0, 62.0)
_SMALL = PanelSize(58.0, 52.0, 42.0)


def _colours(grains: GrainMap, limit: float) -> FloatArray:
    stress = np.nan_to_num(_stress(grains))
    share = np.clip(np.abs(stress) / limit, 0.0, 1.0)
    colours = diverging_map()(0.5 + 0.5 * np.clip(stress / limit, -1.0, 1.0))
    # many quiet grains overlap: each is the fainter, so that the haze stays the same
    quiet = 0.10 * min(1.0, (3000.0 / len(grains)) ** 0.5)
    # few hide nothing
    quiet *= float(np.clip((100.0 / len(grains)) ** 0.5, 1.0, 4.0))
    colours[:, 3] = quiet + (0.95 - quiet) * share**1.2
    return np.asarray(colours)


def _colour_bar(axes: Any, limit: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    mappable = ScalarMappable(Normalize(-limit, limit), diverging_map())
    bar = axes.figure.colorbar(mappable, cax=axes, extend="both", extendfrac=0.04)
    bar.outline.set_linewidth(0.4)
    bar.ax.tick_params(width=0.5, size=2)
    bar.ax.set_title("hydrostatic\nstress (MPa)", fontsize=7, pad=21)
    for place, word, align in ((1.06, "tension", "bottom"), (-0.06, "compression", "top")):
        bar.ax.text(0.5, place, word, transform=bar.ax.transAxes, ha="center", va=align, fontsize=6)


def _table(shown: list[tuple[str, GrainMap]]) -> dict[str, Any]:
    maps = [grains for _, grains in shown]
    position = np.concatenate([grains.position for grains in maps])
    return {
        "state": np.concatenate([np.full(len(g), name) for name, g in shown]),
        "grain_id": np.concatenate([g.grain_id for g in maps]),
        "x_um": position[:, 0],
        "y_um": position[:, 1],
        "z_um": position[:, 2],
        "radius_um": np.concatenate([g.radius for g in maps]),
        "stress_hydrostatic_mpa": np.concatenate([_stress(g) for g in maps]),
    }
