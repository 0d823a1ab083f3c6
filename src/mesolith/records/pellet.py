"""Outline of the electrolyte and its views: from above, from the side, and in three dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.cell import Cell
from mesolith.records.style import FAINT, INK

# seen from the side and a little from above, in rad
AZIMUTH = np.deg2rad(-58.0)
ELEVATION = np.deg2rad(24.0)
_ROOM = 1.06  # axes are so much wider than the pellet


@dataclass(frozen=True, slots=True)
class Pellet:
    """The electrolyte: its middle on sample axes (3,), its diameter and its height, um."""

    middle: FloatArray
    diameter: float
    height: float


def pellet_around(cell: Cell, position: FloatArray) -> Pellet:
    """Diameter and height from cell.toml, else from the grains; the middle is the grains'."""
    low, high = position.min(axis=0), position.max(axis=0)
    middle = (low + high) / 2.0
    reach = float(np.linalg.norm((position - middle)[:, :2], axis=1).max())
    diameter = float(cell.conditions.get("cell.diameter_um") or 2.0 * reach or 1.0)
    height = float(cell.conditions.get("cell.thickness_um") or high[2] - low[2] or 1.0)
    return Pellet(middle, diameter, height)


def top_view(axes: Any, pellet: Pellet) -> Any:
    """Circle of the pellet seen along z, x to the right and y upwards, um from its middle."""
    from matplotlib.patches import Circle

    return _outlined(
        axes, Circle((0.0, 0.0), pellet.diameter / 2.0), pellet.diameter, pellet.diameter
    )


def side_view(axes: Any, pellet: Pellet) -> Any:
    """Rectangle of the pellet seen along y, x to the right and z upwards, um from its middle."""
    from matplotlib.patches import Rectangle

    corner = (-pellet.diameter / 2.0, -pellet.height / 2.0)
    return _outlined(
        axes, Rectangle(corner, pellet.diameter, pellet.height), pellet.diameter, pellet.height
    )


def scale_bar(axes: Any, pellet: Pellet, *, below: float) -> None:
    """A bar of a round length, so far below the lower edge of the axes (share of its height)."""
    length = round_length(pellet.diameter / 4.0)
    left = -pellet.diameter / 2.0
    transform = axes.get_xaxis_transform()
    axes.plot(
        [left, left + length],
        [-below, -below],
        color=INK,
        linewidth=1.2,
        clip_on=False,
        transform=transform,
        solid_capstyle="butt",
    )
    axes.annotate(
        f"{length:g} µm",
        (left + length, -below),
        xycoords=transform,
        xytext=(3, 0),
        textcoords="offset points",
        va="center",
        fontsize=6.5,
    )


def projected(points: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Horizontal and vertical coordinate in the oblique view, and nearness to the eye."""
    ca, sa = np.cos(AZIMUTH), np.sin(AZIMUTH)
    ce, se = np.cos(ELEVATION), np.sin(ELEVATION)
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    forward = ca * x + sa * y
    return -sa * x + ca * y, ce * z - se * forward, ce * forward + se * z


def oblique_view(axes: Any, pellet: Pellet) -> None:
    """Outline in the oblique view, with the three axes beside its foot; axes are equal."""
    draw_outline(axes, pellet, behind=True)
    draw_outline(axes, pellet, behind=False)
    tall = seen_height(pellet)
    _bare(axes, 1.1 * pellet.diameter, 1.2 * tall)
    draw_triad(axes, pellet, -0.53 * pellet.diameter, -0.52 * tall)


def seen_height(pellet: Pellet) -> float:
    """Height of the pellet on the page in the oblique view, um."""
    return float(pellet.height * np.cos(ELEVATION) + pellet.diameter * np.sin(ELEVATION))


def draw_outline(axes: Any, pellet: Pellet, *, behind: bool) -> None:
    """Those edges in the oblique view that lie behind what is inside, or those before it."""
    angle = np.linspace(0.0, 2.0 * np.pi, 181)
    radius, half = pellet.diameter / 2.0, pellet.height / 2.0
    for z in (-half, half):
        ring = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.full(181, z)])
        x, y, near = projected(ring)
        hidden = (near < projected(np.array([0.0, 0.0, z]))[2]) & (z < 0.0)
        shown = hidden if behind else ~hidden
        colour = FAINT if behind else INK
        axes.plot(np.where(shown, x, np.nan), np.where(shown, y, np.nan), color=colour, lw=0.6)
    if not behind:
        for side in (-radius, radius):
            edge = side * np.array([-np.sin(AZIMUTH), np.cos(AZIMUTH)])
            x, y, _ = projected(np.array([[*edge, z] for z in (-half, half)]))
            axes.plot(x, y, color=INK, linewidth=0.6)


def draw_triad(axes: Any, pellet: Pellet, left: float, bottom: float) -> None:
    """Three short axes of one length in the oblique view, their foot at a place of the page."""
    size = max(pellet.diameter, 1.35 * seen_height(pellet))
    length = round_length(size / 6.0)
    for name, axis in (("x", [1, 0, 0]), ("y", [0, 1, 0]), ("z", [0, 0, 1])):
        dx, dy, _ = projected(length * np.array(axis, dtype=float))
        axes.annotate(
            "",
            (left + dx, bottom + dy),
            (left, bottom),
            arrowprops={"arrowstyle": "-|>", "linewidth": 0.7, "color": INK, "mutation_scale": 5},
        )
        axes.text(left + 1.4 * dx, bottom + 1.25 * dy, name, ha="center", va="center")
    axes.text(left, bottom - 0.055 * size, f"{length:g} µm each", ha="left", va="top")


def round_length(value: float) -> float:
    """Largest of 1, 2, 5 times a power of ten not above ``value``."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(step * power for step in (1.0, 2.0, 5.0) if step * power <= value * 1.0001))


def _outlined(axes: Any, shape: Any, width: float, height: float) -> Any:
    shape.set(facecolor="none", edgecolor=INK, linewidth=0.6, zorder=5)
    axes.add_patch(shape)
    _bare(axes, width, height)
    return shape


def _bare(axes: Any, width: float, height: float) -> None:
    axes.set_xlim(-_ROOM * width / 2.0, _ROOM * width / 2.0)
    axes.set_ylim(-_ROOM * height / 2.0, _ROOM * height / 2.0)
    axes.set_aspect("equal")
    axes.set_axis_off()
