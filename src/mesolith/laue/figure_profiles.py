"""What grows towards the interface, and what towards grain boundaries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.laue.interface import interface_distance
from mesolith.laue.map_panel import interface_of, shown_maps
from mesolith.laue.profiles import boundary_distance, map_blocks, profile
from mesolith.records.cell import Cell, State
from mesolith.records.drawing import Drawing
from mesolith.records.laue_map import UNKNOWN, LaueMap
from mesolith.records.laue_profile import LaueProfile
from mesolith.records.style import SERIES, axes_mm, house_style, letter, new_figure

_BINS = 14
_FEWEST = 3


@dataclass(frozen=True, slots=True)
class _Value:
    label: str
    what: str
    of: Callable[[LaueMap], FloatArray]


_VALUES = (
    _Value(
        "equivalent strain (10$^{-3}$)",
        "equivalent strain, 1e-3",
        lambda m: 1e3 * m.strain_equivalent,
    ),
    _Value("angle to the mean (°)", "misorientation, deg", lambda m: np.rad2deg(m.misorientation)),
    _Value("peak width (px)", "peak width, px", lambda m: m.peak_width),
)


def draw(cell: Cell) -> Drawing | None:
    """Profiles of up to four states; None where no map shows an interface or a boundary."""
    shown = shown_maps(cell)
    rows = [
        (name, measured)
        for name, measured in (
            ("the interface", [_to_interface(state, m) for state, m in shown]),
            ("grain boundaries", [boundary_distance(m) for _, m in shown]),
        )
        if any(distance is not None and np.isfinite(distance).any() for distance in measured)
    ]
    if not rows:
        return None
    points = sum(int((grain_map.grain != UNKNOWN).sum()) for _, grain_map in shown)
    made: list[tuple[str, LaueProfile]] = []
    with house_style():
        figure = new_figure(8.0 + 46.0 * len(rows))
        for row, (name, measured) in enumerate(rows):
            for column, value in enumerate(_VALUES):
                bottom = 11.0 + 46.0 * (len(rows) - 1 - row)
                axes = axes_mm(figure, 17.0 + 58.0 * column, bottom, 42.0, 33.0)
                found = _profiles(shown, measured, value, name)
                _draw(axes, found, [state.name for state, _ in shown])
                made += found
                axes.set_xlabel(f"distance from {name} (µm)")
                axes.set_ylabel(value.label)
                letter(axes, chr(ord("a") + len(_VALUES) * row + column), up_mm=0.0)
                if row == 0 and column == 0 and len(shown) > 1:
                    axes.legend(loc="best")
    return Drawing(
        figure=figure,
        caption=(
            f"Equivalent strain, angle to the grain's mean and peak width against the distance "
            f"from {' and from '.join(name for name, _ in rows)}; means of the points in bins of "
            f"distance, {points:,} points in {len(shown)} "
            f"{'state' if len(shown) == 1 else 'states'}, with standard errors where blocks of "
            "the map tell them."
        ),
        how=(
            "Distances from the interface follow its place on the nearest lines of the raster. "
            "Errors of means come from blocks of the map left out in turn (jackknife); they are "
            "not given where a bin has fewer than three blocks. The equivalent strain is less "
            "what noise adds to it."
        ),
        cite=(),
        table=_table(made),
    )


def _to_interface(state: State, grain_map: LaueMap) -> FloatArray | None:
    interface = interface_of(state)
    if interface is None:
        return None
    return interface_distance(interface, grain_map.scan.x, grain_map.scan.y)


def _profiles(
    shown: list[tuple[State, LaueMap]],
    measured: Sequence[FloatArray | None],
    value: _Value,
    name: str,
) -> list[tuple[str, LaueProfile]]:
    found = []
    for (state, grain_map), distance in zip(shown, measured, strict=True):
        if distance is None or not np.isfinite(distance).any():
            continue
        values = value.of(grain_map)
        far = float(np.max(distance[np.isfinite(distance) & np.isfinite(values)], initial=0.0))
        step = max(min(grain_map.scan.pitch), far / _BINS)
        edges = np.arange(0.0, far + 1.01 * step, step)
        blocks = map_blocks(grain_map.scan)
        found.append(
            (
                state.name,
                profile(values, distance, blocks, edges=edges, what=value.what, against=name),
            )
        )
    return found


def _draw(axes: Any, found: list[tuple[str, LaueProfile]], names: list[str]) -> None:
    for name, one in found:
        colour = SERIES[names.index(name)]
        rows = np.flatnonzero(one.points >= _FEWEST)
        error = one.mean_se[rows]
        axes.plot(one.distance[rows], one.mean[rows], "o-", color=colour, label=name, ms=2.5)
        axes.fill_between(
            one.distance[rows], one.mean[rows] - error, one.mean[rows] + error,
            color=colour, alpha=0.2, linewidth=0.0,
        )  # fmt: skip
    axes.set_xlim(left=0.0)


def _table(made: list[tuple[str, LaueProfile]]) -> dict[str, np.ndarray]:
    return {
        "state": np.concatenate([np.full(len(one), name) for name, one in made]),
        "what": np.concatenate([np.full(len(one), one.what) for _, one in made]),
        "distance_from": np.concatenate([np.full(len(one), one.against) for _, one in made]),
        "distance_um": np.concatenate([one.distance for _, one in made]),
        "mean": np.concatenate([one.mean for _, one in made]),
        "mean_se": np.concatenate([one.mean_se for _, one in made]),
        "spread": np.concatenate([one.spread for _, one in made]),
        "points": np.concatenate([one.points for _, one in made]),
    }
