"""How the lattice lies along the surface's normal, in the colours of an inverse pole figure."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray
from mesolith.laue.map_panel import (
    PITCH,
    ROW,
    SIZE,
    MapPanel,
    counted_grains,
    draw_panels,
    interface_of,
    interface_words,
    shown_maps,
)
from mesolith.numerics.rotations import matrix_from_quaternion
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.inverse_pole_figure import (
    colours_of_directions,
    crystal_direction,
    is_cubic,
    standard_triangle,
)
from mesolith.records.inverse_pole_key import draw_key
from mesolith.records.laue_map import UNKNOWN, LaueMap
from mesolith.records.style import axes_mm, house_style, new_figure

_MOST = 3
_NO_BAR = 9.0  # mm that no bar takes


def draw(cell: Cell) -> Drawing | None:
    """Orientation maps of up to three states; None without a map of a cubic phase."""
    shown = [
        (state, grain_map)
        for state, grain_map in shown_maps(cell, _MOST)
        if is_cubic(int(grain_map.phases.space_group[0])) and np.isfinite(grain_map.surface).all()
    ]
    if not shown:
        return None
    directions = [_directions(grain_map) for _, grain_map in shown]
    panels = [
        MapPanel(state.name, grain_map.scan, colours_of_directions(direction), "",
                 interface=interface_of(state))
        for (state, grain_map), direction in zip(shown, directions, strict=True)
    ]  # fmt: skip
    with house_style():
        figure = new_figure(ROW - _NO_BAR, 52.0 + PITCH * len(panels))
        draw_panels(figure, panels, bottom=-_NO_BAR)
        draw_key(axes_mm(figure, 10.0 + PITCH * len(panels), 21.0 - _NO_BAR, 32.0, SIZE - 4.0))
    grains = " and ".join(f"{counted_grains(m)} in {state.name}" for state, m in shown)
    return Drawing(
        figure=figure,
        caption=(
            f"Orientation of the lattice at each point: {grains}. Colour is the crystal "
            "direction along the normal of the surface; X runs in the surface along the beam. "
            "Grey is where no grain was found." + interface_words([state for state, _ in shown])
        ),
        how=(
            "Of each pattern the brightest grain is shown. Directions are brought into the "
            "standard triangle of the Laue class m-3m: red falls with the angle from 001, green "
            "and blue share the rest by the azimuth between 011 and 111."
        ),
        cite=(),
        table={
            "state": np.concatenate([np.full(len(m), state.name) for state, m in shown]),
            "x_um": np.concatenate([m.scan.x for _, m in shown]),
            "y_um": np.concatenate([m.scan.y for _, m in shown]),
            "grain": np.concatenate([m.grain for _, m in shown]),
            **{
                f"direction_{word}": np.concatenate([d[:, k] for d in directions])
                for k, word in enumerate(("smallest", "middle", "largest"))
            },
        },
    )


def _directions(grain_map: LaueMap) -> FloatArray:
    """Crystal direction along the surface's normal (point, 3); NaN without a grain."""
    direction = np.full((len(grain_map), 3), np.nan)
    rows = np.flatnonzero(grain_map.grain != UNKNOWN)
    matrices = matrix_from_quaternion(grain_map.orientation[rows])
    direction[rows] = standard_triangle(crystal_direction(matrices, grain_map.surface))
    return direction
