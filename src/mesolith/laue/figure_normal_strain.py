"""Strain along the surface's normal, state after state, and how its size is distributed."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.laue.figure_strain import common_error
from mesolith.laue.interface import interface_distance
from mesolith.laue.map import strain_along
from mesolith.laue.map_panel import ROW, MapPanel, draw_panels, interface_of, shown_maps
from mesolith.laue.profiles import histogram, map_blocks
from mesolith.records.cell import Cell, State
from mesolith.records.drawing import Drawing
from mesolith.records.laue_map import LaueMap
from mesolith.records.style import INK, SERIES, axes_mm, house_style, letter, new_figure

_BINS = 20
_SCALE = 1e3
NEAR_UM = 30.0


def draw(cell: Cell) -> Drawing | None:
    """Maps of up to four states; None where no state has a map whose surface is known."""
    shown = [
        (state, grain_map)
        for state, grain_map in shown_maps(cell)
        if np.isfinite(grain_map.surface).all()
    ]
    if not shown:
        return None
    values, errors = zip(*(strain_along(m, m.surface) for _, m in shown), strict=True)
    common = [common_error(m, m.surface) for _, m in shown]
    limit = _SCALE * float(np.nanquantile(np.abs(np.concatenate(values)), 0.98))
    panels = [
        MapPanel(state.name, grain_map.scan, _SCALE * value, "strain (10$^{-3}$)", -limit, limit,
                 True, interface_of(state))
        for (state, grain_map), value in zip(shown, values, strict=True)
    ]  # fmt: skip
    near = [_near(state, grain_map) for state, grain_map in shown]
    with house_style():
        figure = new_figure(ROW + 46.0)
        draw_panels(figure, panels, bottom=46.0)
        zz, size = (axes_mm(figure, left, 11.0, 70.0, 30.0) for left in (14.0, 102.0))
        _distribution(zz, shown, [_SCALE * value for value in values], (-limit, limit))
        zz.axvline(0.0, color=INK, linewidth=0.5, dashes=(4, 3))
        zz.set_xlabel("strain along the surface's normal (10$^{-3}$)")
        top = _SCALE * max(float(np.nanquantile(part, 0.99)) for part in near)
        _distribution(size, shown, [_SCALE * part for part in near], (0.0, top))
        size.set_xlabel("equivalent strain near the interface (10$^{-3}$)")
        size.legend([state.name for state, _ in shown], loc="upper right")
        for axes, k in ((zz, 0), (size, 1)):
            letter(axes, chr(ord("a") + len(panels) + k), up_mm=0.0)
    means = "; ".join(
        f"{np.nanmean(value):+.2e} in {state.name}"
        for (state, _), value in zip(shown, values, strict=True)
    )
    return Drawing(
        figure=figure,
        caption=(
            f"Deviatoric strain along the surface's normal, tension positive; mean {means}, with "
            f"a common error of {np.nanmedian(np.concatenate(common)):.1e} that all states of one "
            "calibration share. Below: how often which strain occurs, and the equivalent strain "
            f"of points within {NEAR_UM:g} um of the interface (of all, where none was found)."
        ),
        how=(
            "Strains are those of the strain maps. Shares of points carry standard errors from "
            "blocks of the map left out in turn; the width of a distribution holds the noise of "
            "single points, whose standard error the table gives."
        ),
        cite=(),
        table={
            "state": np.concatenate([np.full(len(m), state.name) for state, m in shown]),
            "x_um": np.concatenate([m.scan.x for _, m in shown]),
            "y_um": np.concatenate([m.scan.y for _, m in shown]),
            "strain_normal": np.concatenate(values),
            "strain_normal_se": np.concatenate(errors),
            "strain_normal_common_se": np.concatenate(common),
            "strain_equivalent_near_interface": np.concatenate(near),
        },
    )


def _near(state: State, grain_map: LaueMap) -> FloatArray:
    """Equivalent strain (point,); NaN farther from the interface than ``NEAR_UM``."""
    interface = interface_of(state)
    if interface is None:
        return grain_map.strain_equivalent
    distance = interface_distance(interface, grain_map.scan.x, grain_map.scan.y)
    return np.where(distance <= NEAR_UM, grain_map.strain_equivalent, np.nan)


def _distribution(
    axes: Any,
    shown: list[tuple[State, LaueMap]],
    values: list[FloatArray],
    ends: tuple[float, float],
) -> None:
    edges = np.linspace(*ends, _BINS + 1)
    for k, ((_, grain_map), value) in enumerate(zip(shown, values, strict=True)):
        if not np.isfinite(value).any():
            continue
        counted = histogram(value, map_blocks(grain_map.scan), edges=edges, what="strain")
        axes.stairs(counted.share, counted.edges, color=SERIES[k], linewidth=1.0)
        axes.errorbar(
            counted.middle, counted.share, counted.share_se,
            fmt="none", ecolor=SERIES[k], elinewidth=0.6,
        )  # fmt: skip
    axes.set_ylabel("share of points")
    axes.set_xlim(*ends)
    axes.set_ylim(bottom=0.0)
