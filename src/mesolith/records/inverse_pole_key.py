"""The standard triangle of inverse pole figures as matplotlib draws it, empty or as a key."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesolith.records.inverse_pole_figure import (
    colours_of_directions,
    directions_from_places,
    triangle_outline,
)
from mesolith.records.style import INK

_KEY_PIXELS = 200


def draw_triangle(axes: Any) -> Any:
    """Draw the rim of the triangle with its corners named; the rim as a patch."""
    from matplotlib.patches import Polygon

    rim = Polygon(triangle_outline(), closed=True, facecolor="none", edgecolor=INK, linewidth=0.7)
    axes.add_patch(rim)
    for place, word, align in (
        ((0.0, -0.012), "001", "left"),
        ((0.4142, -0.012), "011", "right"),
        ((0.366, 0.376), "111", "center"),
    ):
        axes.text(*place, word, ha=align, va="bottom" if word == "111" else "top", fontsize=6.5)
    axes.set_xlim(-0.01, 0.43)
    axes.set_ylim(-0.05, 0.42)
    axes.set_aspect("equal")
    axes.set_axis_off()
    return rim


def draw_key(axes: Any) -> None:
    """Draw the triangle filled with the colours of its directions."""
    rim = draw_triangle(axes)
    width, height = np.sqrt(2.0) - 1.0, (np.sqrt(3.0) - 1.0) / 2.0
    grid = np.stack(
        np.meshgrid(np.linspace(0.0, width, _KEY_PIXELS), np.linspace(0.0, height, _KEY_PIXELS)),
        axis=-1,
    )
    picture = axes.imshow(
        colours_of_directions(directions_from_places(grid)),
        origin="lower", extent=(0.0, width, 0.0, height), interpolation="bilinear",
    )  # fmt: skip
    picture.set_clip_path(rim)
