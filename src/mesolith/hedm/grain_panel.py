"""Grains in the outline of the pellet, seen obliquely: what grain maps of any colour share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.grains import GrainMap
from mesolith.records.pellet import Pellet, draw_outline, draw_triad, projected, seen_height
from mesolith.records.style import INK, MM_PER_INCH


@dataclass(frozen=True, slots=True)
class PanelSize:
    """Width and height of a panel, and how much of the height the pellet may fill, mm."""

    width: float
    height: float
    filled: float


def points_for_um(pellet: Pellet, size: PanelSize) -> float:
    """Page points for one um such that the pellet fills a panel."""
    tall = seen_height(pellet)
    room = min(size.width / (1.12 * pellet.diameter), size.filled / (1.06 * tall))
    return float(room * 72.0 / MM_PER_INCH)


def draw_grains(
    axes: Any,
    grains: GrainMap,
    colours: FloatArray,
    pellet: Pellet,
    scale: float,
    size: PanelSize,
    *,
    triad: bool = True,
    rim: float = 0.0,
) -> None:
    """Discs of the grains' own areas at their centres of mass, far ones first.

    ``colours`` (n, 4) are red, green, blue and opacity, ``scale`` page points for one um,
    ``rim`` the width of each disc's edge in points.
    """
    horizontal, vertical, near = projected(grains.position - pellet.middle)
    points = np.maximum(2.0 * grains.radius * scale, 1.2) ** 2
    order = np.argsort(near, kind="stable")
    draw_outline(axes, pellet, behind=True)
    axes.scatter(
        horizontal[order],
        vertical[order],
        s=points[order],
        c=colours[order],
        edgecolors=INK,
        linewidths=rim,
        rasterized=True,
    )
    draw_outline(axes, pellet, behind=False)
    width, height = (side * 72.0 / MM_PER_INCH / scale for side in (size.width, size.height))
    axes.set_xlim(-width / 2, width / 2)
    axes.set_ylim(-height * 0.55, height * 0.45)
    axes.set_axis_off()
    if triad:
        low = float(projected(np.array([0.0, 0.0, -pellet.height / 2.0]))[1])
        if pellet.diameter < 0.55 * width:  # beside a slender pellet, below a flat one
            draw_triad(axes, pellet, -0.47 * width, low)
        else:
            draw_triad(axes, pellet, -0.50 * pellet.diameter, low - 0.27 * pellet.diameter)
