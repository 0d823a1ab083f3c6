"""How the grains lie: states in three dimensions in the colours of an inverse pole figure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray
from mesolith.hedm.grain_panel import PanelSize, draw_grains, points_for_um
from mesolith.numerics.rotations import matrix_from_quaternion
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.grains import GrainMap
from mesolith.records.inverse_pole_figure import (
    colours_of_directions,
    crystal_direction,
    is_cubic,
    standard_triangle,
    stereographic,
)
from mesolith.records.inverse_pole_key import draw_key, draw_triangle
from mesolith.records.lives import Motion, motions_since_first
from mesolith.records.pellet import pellet_around
from mesolith.records.style import axes_mm, house_style, letter, new_figure

Axis = Literal["x", "y", "z"]
_SIZE = PanelSize(66.0, 70.0, 52.0)
_OTHER = (0.75, 0.75, 0.75)  # of grains that are not cubic
_OPACITY = 0.85


@dataclass(frozen=True, slots=True)
class _Seen:
    """Grains of a state on the axes of the first, and which crystal direction lies along one."""

    name: str
    grains: GrainMap
    axis: Axis
    cubic: NDArray[np.bool_]
    direction: FloatArray
    colours: FloatArray


def draw(cell: Cell) -> Drawing | None:
    """Orientation maps of the first and last state along the axis that hedm.ipf_axis names, z.

    Of one state alone along a second axis, too.
    """
    return orientation_drawing(cell, cell.conditions.get("hedm.ipf_axis", "z"))


def orientation_drawing(cell: Cell, axis: Axis) -> Drawing | None:
    """Orientation maps for a sample axis of the first and the last state with cubic grains.

    Of one state alone a second sample axis is shown: x, or z where ``axis`` is x. None where no
    state holds a cubic grain.
    """
    motions = motions_since_first(cell)
    states = [
        (state, grains)
        for state, grains in cell.having(GrainMap)
        if np.any(_cubic(grains)) and np.any(grains.radius > 0.0)
    ]
    if not states:
        return None
    shown = [(*found, axis) for found in states[:1] + states[1:][-1:]]
    if len(shown) == 1:
        second: Axis = "z" if axis == "x" else "x"
        shown.append((*states[0], second))
    panels = [_seen(state.name, grains, motions[state.index], one) for state, grains, one in shown]
    one_state = len(states) == 1
    pellets = [pellet_around(cell, panel.grains.position) for panel in panels]
    with house_style():
        figure = new_figure(78.0)
        scale = min(points_for_um(pellet, _SIZE) for pellet in pellets)
        for k, panel in enumerate(panels):
            axes = axes_mm(figure, 1.0 + 68.0 * k, 1.0, _SIZE.width, _SIZE.height)
            rim = 0.25 * min(1.0, (500.0 / len(panel.grains)) ** 0.5)
            draw_grains(axes, panel.grains, panel.colours, pellets[k], scale, _SIZE, rim=rim)
            title = f"along {panel.axis}" if one_state else f"{panel.name}, along {panel.axis}"
            axes.set_title(f"{title} (n = {len(panel.grains):,})", loc="center", pad=-4)
            letter(axes, "ab"[k], left_mm=0.0, up_mm=-2.0)
        key = axes_mm(figure, 141.0, 43.0, 34.0, 28.0)
        draw_key(key)
        letter(key, "c", left_mm=3.0, up_mm=0.0)
        pole = axes_mm(figure, 141.0, 6.0, 34.0, 28.0)
        _poles(pole, panels[0])
        letter(pole, "d", left_mm=3.0, up_mm=0.0)
    along = " and ".join(dict.fromkeys(panel.axis for panel in panels))
    names = " and ".join(dict.fromkeys(panel.name for panel in panels))
    return Drawing(
        figure=figure,
        caption=(
            f"Grains of {names} at their centres of mass, area as the grain's own, coloured by "
            f"the crystal direction that lies along the sample's {along} (inverse pole figure; "
            "z points to the working electrode, the outline is the pellet). (c) Key of "
            f"the colours; (d) directions along {panels[0].axis} of the "
            f"{int(panels[0].cubic.sum()):,} cubic grains of {panels[0].name}: "
            f"{_texture_words(panels[0])}"
        ),
        how=(
            "Orthographic view along azimuth -58 and elevation 24 degrees, far grains drawn "
            "first; the motion of the sample between the states is undone. Directions are "
            "brought into the standard triangle of the Laue class m-3m and shown in "
            "stereographic projection. Red falls with the angle from 001, green and blue share "
            "the rest by the azimuth between 011 and 111. Grains of other classes are grey."
        ),
        cite=(),
        table=_table(panels),
    )


def _cubic(grains: GrainMap) -> NDArray[np.bool_]:
    cubic = np.array([is_cubic(int(group)) for group in grains.phases.space_group], dtype=np.bool_)
    return np.asarray(cubic[grains.phase])


def _seen(name: str, grains: GrainMap, motion: Motion, axis: Axis) -> _Seen:
    cubic = _cubic(grains)
    # the axis of the first state as it lies now
    now = motion.rotation @ np.eye(3)["xyz".index(axis)]
    direction = crystal_direction(matrix_from_quaternion(grains.orientation), now)
    colours = np.full((len(grains), 4), [*_OTHER, _OPACITY])
    colours[cubic, :3] = colours_of_directions(direction[cubic])
    moved = replace(grains, position=motion.undone(grains.position))
    return _Seen(name, moved, axis, cubic, standard_triangle(direction), colours)


def _texture_words(panel: _Seen) -> str:
    """How far the cubic grains are from lying at random, by their mean cosines."""
    # the sum of the fourth powers is 1 along 001, 1/3 along 111 and 3/5 on average at random
    fourth = (panel.direction[panel.cubic] ** 4).sum(axis=1)
    mean, error = float(fourth.mean()), float(np.std(fourth) / np.sqrt(len(fourth)))
    if len(fourth) < 20:
        return "too few to tell a texture."
    if abs(mean - 0.6) < 3.0 * error:
        return f"no texture is seen (mean x^4 + y^4 + z^4 {mean:.3f} ± {error:.3f}, 0.6 at random)."
    side = "001" if mean > 0.6 else "111"
    return f"drawn towards {side} (mean x^4 + y^4 + z^4 {mean:.3f} ± {error:.3f}, 0.6 at random)."


def _poles(axes: Any, panel: _Seen) -> None:
    draw_triangle(axes)
    places = stereographic(panel.direction[panel.cubic])
    axes.scatter(
        *places.T,
        s=float(np.clip(200.0 / len(places) ** 0.6, 0.8, 8.0)),
        c=panel.colours[panel.cubic, :3], linewidths=0, rasterized=True,
    )  # fmt: skip


def _table(panels: list[_Seen]) -> dict[str, Any]:
    position = np.concatenate([panel.grains.position for panel in panels])
    direction = np.concatenate(
        [np.where(panel.cubic[:, None], panel.direction, np.nan) for panel in panels]
    )
    return {
        "state": np.concatenate([np.full(len(p.grains), p.name) for p in panels]),
        "sample_axis": np.concatenate([np.full(len(p.grains), p.axis) for p in panels]),
        "grain_id": np.concatenate([panel.grains.grain_id for panel in panels]),
        "x_um": position[:, 0],
        "y_um": position[:, 1],
        "z_um": position[:, 2],
        "radius_um": np.concatenate([panel.grains.radius for panel in panels]),
        "direction_smallest": direction[:, 0],
        "direction_middle": direction[:, 1],
        "direction_largest": direction[:, 2],
    }
