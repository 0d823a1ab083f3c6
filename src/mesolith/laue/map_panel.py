"""Maps of a scanned surface side by side, each with its colour bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.cell import Cell, State
from mesolith.records.laue_map import LaueInterface, LaueMap
from mesolith.records.laue_scan import LaueScan
from mesolith.records.style import DIVERGING, INK, SEQUENTIAL, axes_mm, letter

ACROSS, PITCH, SIZE, ROW = 4, 44.0, 34.0, 57.0  # panels in a row; mm
_NOTHING = "#f4f4f4"


@dataclass(frozen=True, slots=True)
class MapPanel:
    """One map: values (point,) or colours (point, 3), and what its bar says.

    ``low`` and ``high`` bound the bar; both None where there is none. ``interface`` is drawn
    where it is known.
    """

    title: str
    scan: LaueScan
    values: FloatArray
    label: str = ""
    low: float | None = None
    high: float | None = None
    signed: bool = False
    interface: LaueInterface | None = None


def shown_maps(cell: Cell, most: int = ACROSS) -> list[tuple[State, LaueMap]]:
    """States with a map that has grains: all, or the first, the last and some between."""
    states = [state for state, grain_map in cell.having(LaueMap) if len(grain_map.grains)]
    rows = np.unique(np.linspace(0, len(states) - 1, most).round().astype(int))
    kept = states if len(states) <= most else [states[k] for k in rows]
    return [(state, state[LaueMap]) for state in kept]


def interface_of(state: State) -> LaueInterface | None:
    """The interface of a state, None where its map does not show one."""
    if LaueInterface not in state:
        return None
    interface = state[LaueInterface]
    return interface if len(interface) else None


def interface_words(states: Sequence[State]) -> str:
    """What a caption says of the dashed line; nothing where no state shows an interface."""
    if all(interface_of(state) is None for state in states):
        return ""
    return " The dashed line is the interface."


def counted_grains(grain_map: LaueMap) -> str:
    """How many grains a map has, in words."""
    count = len(grain_map.grains)
    return f"{count} grain" if count == 1 else f"{count} grains"


def draw_panels(
    figure: Any, panels: Sequence[MapPanel], *, bottom: float = 0.0, first: str = "a"
) -> None:
    """Draw up to four maps a row, the last row ``bottom`` mm above the lower rim of the figure."""
    rows = -(-len(panels) // ACROSS)
    for k, panel in enumerate(panels):
        row, column = divmod(k, ACROSS)
        low = bottom + ROW * (rows - 1 - row) + 19.0
        axes = axes_mm(figure, 10.0 + PITCH * column, low, SIZE, SIZE)
        picture = _draw(axes, panel)
        axes.set_xlabel("X (µm)", labelpad=0)
        if column == 0:
            axes.set_ylabel("Y (µm)", labelpad=1)
        letter(axes, chr(ord(first) + k), left_mm=8.0 if column == 0 else 4.0, up_mm=0.5)
        if panel.low is not None:
            bar = axes_mm(figure, 12.0 + PITCH * column, low - 10.5, SIZE - 4.0, 1.6)
            drawn = figure.colorbar(picture, cax=bar, orientation="horizontal")
            drawn.set_label(panel.label, labelpad=1)
            drawn.outline.set_linewidth(0.4)
            bar.xaxis.set_major_locator(_ticks())


def _draw(axes: Any, panel: MapPanel) -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    scan = panel.scan
    down, across = scan.pitch
    x, y = scan.on_raster(scan.x), scan.on_raster(scan.y)
    extent = (
        float(np.nanmin(x) - across / 2.0),
        float(np.nanmax(x) + across / 2.0),
        float(np.nanmin(y) - down / 2.0),
        float(np.nanmax(y) + down / 2.0),
    )
    laid = scan.on_raster(panel.values)
    if laid.ndim == 3:
        known = np.isfinite(laid[:, :, :1])
        laid = np.concatenate([np.nan_to_num(laid), known], axis=2)
    colours = DIVERGING if panel.signed else SEQUENTIAL
    axes.set_facecolor(_NOTHING)
    picture = axes.imshow(
        laid,
        origin="lower", extent=extent, interpolation="nearest", vmin=panel.low, vmax=panel.high,
        cmap=LinearSegmentedColormap.from_list("map", colours),
    )  # fmt: skip
    if panel.interface is not None:
        line, place = panel.interface.line, panel.interface.place
        one, two = (line, place) if panel.interface.along == "y" else (place, line)
        axes.plot(one, two, color=INK, linewidth=0.8, dashes=(3, 2))
    axes.set_xlim(*extent[:2])
    axes.set_ylim(*extent[2:])
    axes.set_title(panel.title, pad=2)
    axes.set_aspect("equal")
    return picture


def _ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(3)
