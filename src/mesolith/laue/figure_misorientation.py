"""How far the lattice turns within its grains: maps of the states, and how often by how much."""

from __future__ import annotations

from typing import Any

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
    shown_maps,
)
from mesolith.laue.profiles import histogram, map_blocks
from mesolith.records.cell import Cell, State
from mesolith.records.drawing import Drawing
from mesolith.records.laue_map import UNKNOWN, LaueMap
from mesolith.records.laue_profile import LaueHistogram
from mesolith.records.style import SERIES, axes_mm, house_style, letter, new_figure

_BINS = 24
_FEWEST_DEG = 1e-3


def draw(cell: Cell) -> Drawing | None:
    """Misorientation maps of up to four states; None where no state has a map with grains."""
    shown = shown_maps(cell)
    if not shown:
        return None
    angles = [np.rad2deg(grain_map.misorientation) for _, grain_map in shown]
    high = max(float(np.nanquantile(np.concatenate(angles), 0.98)), _FEWEST_DEG)
    panels = [
        MapPanel(state.name, grain_map.scan, angle, "angle to the grain's mean (°)", 0.0, high,
                 interface=interface_of(state))
        for (state, grain_map), angle in zip(shown, angles, strict=True)
    ]  # fmt: skip
    last, last_map = shown[-1]
    kernel = np.rad2deg(last_map.kernel_misorientation)
    below = [
        MapPanel(f"grains, {last.name}", last_map.scan, _grain_colours(last_map),
                 interface=interface_of(last)),
        MapPanel(f"to neighbours, {last.name}", last_map.scan, kernel, "mean angle (°)", 0.0,
                 max(float(np.nanquantile(kernel, 0.98)), _FEWEST_DEG),
                 interface=interface_of(last)),
    ]  # fmt: skip
    counts = _histograms(shown, angles, high)
    with house_style():
        figure = new_figure(2.0 * ROW)
        draw_panels(figure, panels, bottom=ROW)
        draw_panels(figure, below, first=chr(ord("a") + len(panels)))
        axes = axes_mm(figure, 14.0 + 2.0 * PITCH, 19.0, 2.0 * SIZE, SIZE)
        _draw_histograms(axes, counts)
        letter(axes, chr(ord("a") + len(panels) + 2), up_mm=0.5)
    return Drawing(
        figure=figure,
        caption=(
            "Angle between the lattice of each point and the mean of its grain (GROD): "
            + "; ".join(_words(state, counts[k]) for k, (state, _) in enumerate(shown))
            + f". Below: {counted_grains(last_map)} of {last.name}, the mean angle to "
            "neighbours in the same grain (KAM), and how often which angle occurs, with standard "
            "errors."
        ),
        how=(
            "Neighbours belong to one grain where they are misoriented by less than the threshold "
            "of [laue], equivalents of the lattice taken together. Noise alone gives angles of the "
            "size of their standard error, which the table holds. Errors of shares come from "
            "blocks of the map left out in turn (jackknife), since points side by side are not "
            "independent. Colours are cut at the 98 % quantile."
        ),
        cite=(),
        table={
            "state": np.concatenate([np.full(len(m), state.name) for state, m in shown]),
            "x_um": np.concatenate([m.scan.x for _, m in shown]),
            "y_um": np.concatenate([m.scan.y for _, m in shown]),
            "grain": np.concatenate([m.grain for _, m in shown]),
            "misorientation_deg": np.concatenate(angles),
            "misorientation_deg_se": np.rad2deg(
                np.concatenate([m.misorientation_se for _, m in shown])
            ),
            "kernel_misorientation_deg": np.rad2deg(
                np.concatenate([m.kernel_misorientation for _, m in shown])
            ),
        },
    )


def _grain_colours(grain_map: LaueMap) -> FloatArray:
    """A colour (point, 3) for each grain; NaN without one."""
    from matplotlib.colors import to_rgb

    palette = np.array([to_rgb(colour) for colour in SERIES])
    colours = np.full((len(grain_map), 3), np.nan)
    known = grain_map.grain != UNKNOWN
    place = np.searchsorted(np.sort(grain_map.grains.grain_id), grain_map.grain[known])
    # paler with each turn through the palette
    pale = 0.75 ** (place // len(palette))[:, None]
    colours[known] = 1.0 - pale * (1.0 - palette[place % len(palette)])
    return colours


def _histograms(
    shown: list[tuple[State, LaueMap]], angles: list[FloatArray], high: float
) -> list[LaueHistogram]:
    edges = np.linspace(0.0, 1.2 * high, _BINS + 1)
    return [
        histogram(angle, map_blocks(grain_map.scan), edges=edges, what="misorientation")
        for (_, grain_map), angle in zip(shown, angles, strict=True)
    ]


def _words(state: State, counted: LaueHistogram) -> str:
    return f"median {counted.median:.3f}° in {state.name} ({counted.points:,} points)"


def _draw_histograms(axes: Any, counts: list[LaueHistogram]) -> None:
    for k, counted in enumerate(counts):
        axes.stairs(counted.share, counted.edges, color=SERIES[k], linewidth=1.0)
        axes.errorbar(
            counted.middle, counted.share, counted.share_se,
            fmt="none", ecolor=SERIES[k], elinewidth=0.6,
        )  # fmt: skip
    axes.set_xlabel("angle to the grain's mean (°)")
    axes.set_ylabel("share of points")
    axes.set_ylim(bottom=0.0)
    axes.set_xlim(left=0.0)
