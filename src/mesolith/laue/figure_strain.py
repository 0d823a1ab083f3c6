"""Deviatoric strain of one scan component by component, its size, and the width of the peaks."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray, six_from_tensor
from mesolith.laue.map import strain_along
from mesolith.laue.map_panel import (
    ROW,
    MapPanel,
    draw_panels,
    interface_of,
    interface_words,
    shown_maps,
)
from mesolith.records.cell import Cell, State
from mesolith.records.drawing import Drawing
from mesolith.records.laue_map import LaueMap
from mesolith.records.style import house_style, new_figure

_AXES = ("xx", "yy", "zz", "yz", "xz", "xy")
_SCALE = 1e3


def draw(cell: Cell) -> Drawing | None:
    """Strain maps of the last state; None where no state has a map."""
    shown = shown_maps(cell)
    return strain_drawing(*shown[-1]) if shown else None


def strain_drawing(state: State, grain_map: LaueMap) -> Drawing:
    """The six components on surface axes, the equivalent strain and the width of the peaks."""
    turned, surface = strain_on_surface(grain_map)
    six = six_from_tensor(turned)
    limit = _SCALE * _high(np.abs(six))
    interface, scan = interface_of(state), grain_map.scan
    panels = [
        MapPanel(f"e {_AXES[k]}", scan, _SCALE * six[:, k], "strain (10$^{-3}$)", -limit, limit,
                 True, interface)
        for k in range(6)
    ]  # fmt: skip
    equivalent, width = grain_map.strain_equivalent, grain_map.peak_width
    panels += [
        MapPanel("von Mises equivalent", scan, _SCALE * equivalent, "strain (10$^{-3}$)", 0.0,
                 _SCALE * _high(equivalent), interface=interface),
        MapPanel("peak width", scan, width, "standard deviation (px)",
                 float(np.nanquantile(width, 0.02)), _high(width), interface=interface),
    ]  # fmt: skip
    random, common = _errors(grain_map)
    with house_style():
        figure = new_figure(2.0 * ROW)
        draw_panels(figure, panels)
    where = "surface axes" if surface else "laboratory axes"
    return Drawing(
        figure=figure,
        caption=(
            f"{state.name}, {int((grain_map.grain >= 0).sum()):,} points: (a-f) deviatoric strain, "
            f"{where}, tension positive, (g) its equivalent sqrt(2/3 e:e), median "
            f"{np.nanmedian(equivalent):.1e}, and (h) the width of the peaks along their long "
            f"axis. Median standard error of a component at random {random:.1e}, common to all "
            f"points {common:.1e}." + interface_words([state])
        ),
        how=(
            "Orientation and strain are refined on the peaks of each pattern, each starting at "
            "the depth of its energy; turns of the lattice along the beam that neighbours show "
            "are taken out. X runs in the surface along the beam's projection, Z out of it. The "
            "common error is that of calibration and height; a pattern says nothing of the "
            "lattice's size. Colours are cut at the 98 % quantile."
        ),
        cite=(),
        table=_table(grain_map, six),
    )


def strain_on_surface(grain_map: LaueMap) -> tuple[FloatArray, bool]:
    """Strain (point, 3, 3) on the axes of the surface; as it is, and False, where none is known."""
    if not np.isfinite(grain_map.surface).all():
        return grain_map.strain, False
    axes = grain_map.surface_axes
    return np.asarray(axes @ grain_map.strain @ axes.T), True


def common_error(grain_map: LaueMap, direction: FloatArray) -> FloatArray:
    """Standard error (point,) of the strain along a direction (3,) from all common modes."""
    variance = np.zeros(len(grain_map))
    for mode in grain_map.common_modes:
        moved = np.einsum("i,nij,j->n", direction, mode.derivatives["strain"], direction)
        variance += (mode.sigma * moved) ** 2
    return np.asarray(np.sqrt(variance))


def _errors(grain_map: LaueMap) -> tuple[float, float]:
    """Median standard errors of the diagonal components, at random and common."""
    values = [
        (strain_along(grain_map, axis)[1], common_error(grain_map, axis)) for axis in np.eye(3)
    ]
    return tuple(float(np.nanmedian(np.concatenate(part))) for part in zip(*values, strict=True))  # type: ignore[return-value]


def _high(values: FloatArray) -> float:
    return float(np.nanquantile(values, 0.98))


def _table(grain_map: LaueMap, six: FloatArray) -> dict[str, np.ndarray]:
    axes = grain_map.surface_axes if np.isfinite(grain_map.surface).all() else np.eye(3)
    table: dict[str, np.ndarray] = {
        "x_um": grain_map.scan.x,
        "y_um": grain_map.scan.y,
        "grain": grain_map.grain,
        "status": grain_map.status,
    }
    table |= {f"strain_{name}": six[:, k] for k, name in enumerate(_AXES)}
    for k in range(3):
        table[f"strain_{_AXES[k]}_se"] = strain_along(grain_map, axes[k])[1]
        table[f"strain_{_AXES[k]}_common_se"] = common_error(grain_map, axes[k])
    return table | {
        "strain_equivalent": grain_map.strain_equivalent,
        "strain_equivalent_se": grain_map.strain_equivalent_se,
        "peak_width_px": grain_map.peak_width,
        "peak_width_px_se": grain_map.peak_width_se,
    }
