"""Where the grains lie that carry stress: states in three dimensions."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.grains import GrainMap
from mesolith.records.lives import motions_since_first
from mesolith.records.style import (
    FAINT,
    INK,
    MM_PER_INCH,
    axes_mm,
    diverging_map,
    house_style,
    letter,
    new_figure,
)

# seen from the side and a little from above, in rad
_AZIMUTH = np.deg2rad(-58.0)
_ELEVATION = np.deg2rad(24.0)
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
    limit, pellets = _limit(shown), [_pellet(cell, grains) for _, grains in shown]
    with house_style():
        figure = new_figure(86.0)
        scale = min(_scale(pellet, _LARGE) for pellet in pellets)
        for k, (name, grains) in enumerate(shown):
            axes = axes_mm(figure, 1.0 + 82.0 * k, 1.0, _LARGE.width, _LARGE.height)
            _panel(axes, grains, limit, pellets[k], scale, _LARGE)
            axes.set_title(f"{name} (n = {len(grains):,})", loc="center", pad=-6)
            letter(axes, "ab"[k], left_mm=0.0, up_mm=-3.5)
        _colour_bar(axes_mm(figure, 165.0, 15.0, 2.6, 48.0), limit)
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
    limit, pellets = _limit(shown), [_pellet(cell, grains) for _, grains in shown]
    rows = -(-(len(shown) + 1) // _ACROSS)
    height = rows * (_SMALL.height + 4.0) + 1.0
    with house_style():
        figure = new_figure(height)
        scale = min(_scale(pellet, _SMALL) for pellet in pellets)
        for k, (name, grains) in enumerate(shown):
            row, column = divmod(k, _ACROSS)
            left = 1.0 + (_SMALL.width + 2.0) * column
            bottom = height - (row + 1) * (_SMALL.height + 4.0)
            axes = axes_mm(figure, left, bottom, _SMALL.width, _SMALL.height)
            _panel(axes, grains, limit, pellets[k], scale, _SMALL, triad=k == 0)
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
        (
            state.name,
            dataclasses.replace(grains, position=motions[state.index].undone(grains.position)),
        )
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


@dataclass(frozen=True, slots=True)
class _Size:
    """Width and height of a panel, and how much of the height the pellet may fill, mm."""

    width: float
    height: float
    filled: float


_LARGE = _Size(80.0, 78.0, 62.0)
_SMALL = _Size(58.0, 52.0, 42.0)


@dataclass(frozen=True, slots=True)
class _Pellet:
    """Outline of the electrolyte: its middle on sample axes, diameter and height, um."""

    middle: FloatArray
    diameter: float
    height: float


def _pellet(cell: Cell, grains: GrainMap) -> _Pellet:
    """Diameter and height from cell.toml, else from the grains; the middle is the grains'."""
    low, high = grains.position.min(axis=0), grains.position.max(axis=0)
    middle = (low + high) / 2.0
    reach = float(np.linalg.norm((grains.position - middle)[:, :2], axis=1).max())
    diameter = float(cell.conditions.get("cell.diameter_um") or 2.0 * reach or 1.0)
    height = float(cell.conditions.get("cell.thickness_um") or high[2] - low[2])
    return _Pellet(middle, diameter, height)


def _project(points: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Horizontal and vertical coordinate on the page, and nearness to the eye."""
    ca, sa = np.cos(_AZIMUTH), np.sin(_AZIMUTH)
    ce, se = np.cos(_ELEVATION), np.sin(_ELEVATION)
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    forward = ca * x + sa * y
    return -sa * x + ca * y, ce * z - se * forward, ce * forward + se * z


def _scale(pellet: _Pellet, size: _Size) -> float:
    """Page points for one um such that the pellet fills a panel."""
    tall = pellet.height * np.cos(_ELEVATION) + pellet.diameter * np.sin(_ELEVATION)
    room = min(size.width / (1.12 * pellet.diameter), size.filled / (1.06 * tall))
    return float(room * 72.0 / MM_PER_INCH)


def _panel(
    axes: Any,
    grains: GrainMap,
    limit: float,
    pellet: _Pellet,
    scale: float,
    size: _Size,
    *,
    triad: bool = True,
) -> None:
    horizontal, vertical, near = _project(grains.position - pellet.middle)
    stress = np.nan_to_num(_stress(grains))
    share = np.clip(np.abs(stress) / limit, 0.0, 1.0)
    colours = diverging_map()(0.5 + 0.5 * np.clip(stress / limit, -1.0, 1.0))
    # many quiet grains overlap: each is the fainter, so that the haze stays the same
    quiet = 0.10 * min(1.0, (3000.0 / len(grains)) ** 0.5)
    colours[:, 3] = quiet + (0.95 - quiet) * share**1.2
    points = np.maximum(2.0 * grains.radius * scale, 1.2) ** 2
    order = np.argsort(near, kind="stable")
    _outline(axes, pellet, behind=True)
    axes.scatter(
        horizontal[order],
        vertical[order],
        s=points[order],
        c=colours[order],
        linewidths=0,
        rasterized=True,
    )
    _outline(axes, pellet, behind=False)
    width, height = (side * 72.0 / MM_PER_INCH / scale for side in (size.width, size.height))
    axes.set_xlim(-width / 2, width / 2)
    axes.set_ylim(-height * 0.55, height * 0.45)
    axes.set_axis_off()
    if triad:
        _triad(axes, pellet)


def _outline(axes: Any, pellet: _Pellet, *, behind: bool) -> None:
    angle = np.linspace(0.0, 2.0 * np.pi, 181)
    radius = pellet.diameter / 2.0
    ends = (-pellet.height / 2.0, pellet.height / 2.0)
    for z in ends:
        ring = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.full(181, z)])
        x, y, near = _project(ring)
        hidden = (near < _project(np.array([0.0, 0.0, z]))[2]) & (z == ends[0])
        mask = hidden if behind else ~hidden
        axes.plot(
            np.where(mask, x, np.nan),
            np.where(mask, y, np.nan),
            color=FAINT if behind else INK,
            linewidth=0.6,
        )
    if not behind:
        for side in (-radius, radius):
            edge = side * np.array([-np.sin(_AZIMUTH), np.cos(_AZIMUTH)])
            x, y, _ = _project(np.array([[*edge, z] for z in ends]))
            axes.plot(x, y, color=INK, linewidth=0.6)


def _triad(axes: Any, pellet: _Pellet) -> None:
    """Three short axes with a length beside the pellet's foot."""
    diameter = pellet.diameter
    length = _round_length(diameter / 6.0)
    x0, y0, _ = _project(np.array([0.0, 0.0, -pellet.height / 2.0]))
    left, bottom = float(x0) - 0.50 * diameter, float(y0) - 0.27 * diameter
    for name, axis in (("x", [1, 0, 0]), ("y", [0, 1, 0]), ("z", [0, 0, 1])):
        dx, dy, _ = _project(length * np.array(axis, dtype=float))
        axes.annotate(
            "",
            (left + dx, bottom + dy),
            (left, bottom),
            arrowprops={"arrowstyle": "-|>", "linewidth": 0.7, "color": INK, "mutation_scale": 5},
        )
        axes.text(left + 1.35 * dx, bottom + 1.25 * dy, name, ha="center", va="center")
    axes.text(left - 0.01 * diameter, bottom - 0.115 * diameter, f"{length:g} µm each", ha="left")


def _round_length(value: float) -> float:
    """Largest of 1, 2, 5 times a power of ten not above ``value``."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(step * power for step in (1.0, 2.0, 5.0) if step * power <= value * 1.0001))


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
