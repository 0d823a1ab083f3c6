"""Stress of hot and cold neighbourhoods before and after each transition, and its change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.followed import FollowedGrains, StressKind
from mesolith.records.hotspots import HotSpots, SpotChanges
from mesolith.records.style import (
    BLUE,
    FAINT,
    INK,
    MM_PER_INCH,
    RED,
    axes_mm,
    house_style,
    letter,
    new_figure,
)
from mesolith.report.intervals import LEVEL, draw_estimate, half_width, known
from mesolith.report.lettering import chance, fitted, plain, thousands
from mesolith.report.spot_neighbourhoods import NeighbourhoodChange, neighbourhood_changes

_COLOURS = {"hot": RED, "cold": BLUE}
_WORDS = {"hydrostatic": "hydrostatic stress", "von_mises": "von Mises stress"}
_NUMBERS = {"hydrostatic": "Figs. 5b-c and S11-S14", "von_mises": "Figs. S15-S16"}
_MOST = 7  # transitions that find room
_BINS = 18
_ROW, _GAP, _TALLEST = 20.0, 3.0, 236.0  # mm
_GREY = "#6d6d6d"


def draw_hydrostatic(cell: Cell) -> Drawing | None:
    """Changes of hydrostatic stress; None where none was asked about."""
    return _draw(cell, "hydrostatic")


def draw_von_mises(cell: Cell) -> Drawing | None:
    """Changes of von Mises stress; None where none was asked about."""
    return _draw(cell, "von_mises")


def _draw(cell: Cell, quantity: StressKind) -> Drawing | None:
    if FollowedGrains not in cell or HotSpots not in cell:
        return None
    followed = cell[FollowedGrains]
    changes = cell[HotSpots].changes_of(chosen="anew", quantity=quantity)
    if changes is None or not len(followed):
        return None
    asked = neighbourhood_changes(followed, changes, quantity)
    if not asked:
        return None
    steps = list(dict.fromkeys((one.first, one.last) for one in asked))
    shown, heads, rooms = _fitting(steps)
    edges = _edges(asked)
    halves = [_halves(changes, one.row) for one in asked]
    with house_style():
        height = _height(rooms)
        figure = new_figure(height)
        upper = height - 6.0
        panels = []
        for k, step in enumerate(shown):
            bottom = upper - rooms[k] - _ROW
            upper = bottom - _GAP
            own = {one.kind: one for one in asked if (one.first, one.last) == step}
            axes = axes_mm(figure, 122.0, bottom, 40.0, _ROW)
            panels.append(axes)
            for place, kind in ((1.0, "hot"), (0.0, "cold")):
                if kind in own:
                    row = own[kind].row
                    _changed(axes, changes, row, place, kind, halves[asked.index(own[kind])])
            _change_axes(axes, last=k == len(shown) - 1)
            for left, kind in ((12.0, "hot"), (65.0, "cold")):
                if kind not in own:
                    continue
                axes = axes_mm(figure, left, bottom, 46.0, _ROW)
                _histogram(axes, own[kind], edges)
                if k == 0:
                    letter(axes, "ab"[kind == "cold"], left_mm=9.0, up_mm=rooms[0] - 0.8)
                    _heading(axes, f"{kind} neighbourhoods", _COLOURS[kind], rooms[0])
                if kind == "hot":
                    axes.set_ylabel("grains")
                    _heading(axes, heads[k], INK, 3.4, size=6.5)
                if k == len(shown) - 1:
                    axes.set_xlabel(f"{_WORDS[quantity]} (MPa)")
                else:
                    axes.tick_params(labelbottom=False)
        letter(panels[0], "c", left_mm=9.0, up_mm=rooms[0] - 0.8)
        _heading(panels[0], "change against the pellet", INK, rooms[0])
        _shared_limits(panels, changes, asked, shown)
        _legend(figure)
    return Drawing(
        figure=figure,
        caption=_caption(followed, changes, asked, quantity, len(steps) - len(shown)),
        how=(
            "The spots of a transition are chosen in its first state and the same grains are "
            "looked at in the second, as the paper does. A grain chosen for an extreme measured "
            "value owes part of it to noise and falls back in the next state without any change. "
            "That part is removed: random numbers of the size of the noise are added to choose "
            "and subtracted to judge, many times over. For p-values grains that are "
            "alike near each other do not count as independent; they are corrected (Holm) for "
            "all questions of one kind of stress."
        ),
        cite=(
            (
                "Form of the figure: M. B. Dixit et al., Nature Materials 21, 1298 (2022), "
                f"{_NUMBERS[quantity]}"
            ),
        ),
        table=_table(changes, asked, halves, edges),
    )


def _fitting(
    steps: list[tuple[str, str]],
) -> tuple[list[tuple[str, str]], list[str], list[float]]:
    """As many steps as a page holds, the last always; their names, and the room of each (mm)."""
    for most in range(min(len(steps), _MOST), 0, -1):
        shown = [*steps[: most - 1], steps[-1]]
        heads = [fitted(f"{first} → {last}", 102.0, size=6.5) for first, last in shown]
        rooms = [3.0 * (head.count("\n") + 1) + 3.4 for head in heads]
        if _height(rooms) <= _TALLEST:
            break
    return shown, heads, rooms


def _height(rooms: list[float]) -> float:
    return 6.0 + sum(rooms) + len(rooms) * (_ROW + _GAP) + 15.0


def _edges(asked: list[NeighbourhoodChange]) -> FloatArray:
    """Edges of the bins, common to all panels."""
    values = np.concatenate([part for one in asked for part in (one.before, one.after)])
    low, high = float(values.min()), float(values.max())
    room = 0.02 * (high - low) or 1.0
    return np.linspace(low - room, high + room, _BINS + 1)


def _counts(values: FloatArray, edges: FloatArray) -> Any:
    return np.histogram(values, edges)[0]


def _histogram(axes: Any, one: NeighbourhoodChange, edges: FloatArray) -> None:
    from matplotlib.ticker import MaxNLocator

    colour = _COLOURS[one.kind]
    grid = np.linspace(edges[0], edges[-1], 200)
    width = edges[1] - edges[0]
    styles = ((one.before, FAINT, "#e3e3e3"), (one.after, colour, None))
    tallest = 1.0
    for values, line, face in styles:
        counts = _counts(values, edges)
        if face is not None:
            axes.stairs(counts, edges, fill=True, color=face, linewidth=0)
        axes.stairs(counts, edges, color=line, linewidth=0.9)
        spread = float(values.std())
        if spread > 0.0:
            bell = np.exp(-0.5 * ((grid - values.mean()) / spread) ** 2) / spread
            bell *= len(values) * width / np.sqrt(2.0 * np.pi)
            dashes = (4, 1.5) if face is not None else (None, None)
            dark = INK if face is not None else colour
            axes.plot(grid, bell, color=dark, linewidth=0.8, dashes=dashes)
            tallest = max(tallest, float(bell.max()))
        tallest = max(tallest, float(counts.max()))
    axes.set_ylim(0.0, 1.12 * tallest)
    axes.set_xlim(edges[0], edges[-1])
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    words = f"{_fit(one.before)} → {_fit(one.after)}, n = {len(one.before):,}"
    axes.text(
        1.0, 1.02, words, transform=axes.transAxes, ha="right", va="bottom", fontsize=6, color=_GREY
    )


def _heading(axes: Any, text: str, colour: str, up: float, size: float = 7.5) -> None:
    """Text above axes, so many mm up, from their left edge."""
    axes.annotate(
        text,
        (0.0, 1.0),
        xycoords="axes fraction",
        xytext=(0.0, up * 72.0 / MM_PER_INCH),
        textcoords="offset points",
        va="bottom",
        fontsize=size,
        color=colour,
    )


def _change_axes(axes: Any, *, last: bool) -> None:
    axes.set_ylim(-0.6, 1.75)
    axes.set_yticks([1.0, 0.0], ["hot", "cold"])
    axes.tick_params(axis="y", length=0)
    axes.axvline(0.0, color=FAINT, linewidth=0.5, zorder=0)
    if last:
        axes.set_xlabel("change (MPa)")
    else:
        axes.tick_params(labelbottom=False)


def _fit(values: FloatArray) -> str:
    return f"{plain(float(values.mean()), 0)} ± {values.std():.0f}"


def _halves(changes: SpotChanges, row: int | None) -> tuple[float, float]:
    """Half widths of the 68 % and the 95 % interval of a change; NaN without an error."""
    if row is None:
        return float("nan"), float("nan")
    half = float(changes.high[row] - changes.change[row])
    error = float(changes.change_se[row])
    if not bool(known(error, changes.change[row])):
        return float("nan"), float("nan")
    widths = [half_width(half, error, changes.level, level) for level in (0.68, 0.95)]
    return widths[0], widths[1]


def _changed(
    axes: Any,
    changes: SpotChanges,
    row: int | None,
    place: float,
    kind: str,
    halves: tuple[float, float],
) -> None:
    if row is None:
        transform = axes.get_yaxis_transform()
        axes.text(1.04, place, "not judged", transform=transform, va="center", fontsize=6)
        return
    axes.plot([changes.naive[row]], [place + 0.3], "D", color=FAINT, markersize=3.2)
    value = float(changes.change[row])
    draw_estimate(axes, value, place, half68=halves[0], half95=halves[1], colour=_COLOURS[kind])
    told = chance(float(changes.p_family[row])) if np.isfinite(halves[0]) else "no interval"
    axes.text(
        1.04,
        place,
        f"{told}\nn = {changes.grains[row]:,}",
        transform=axes.get_yaxis_transform(),
        va="center",
        fontsize=6,
        linespacing=1.2,
        color=INK if changes.p_family[row] < LEVEL else _GREY,
    )


def _shared_limits(
    panels: list[Any],
    changes: SpotChanges,
    asked: list[NeighbourhoodChange],
    shown: list[tuple[str, str]],
) -> None:
    """One scale for all panels: points and 68 % intervals within, longer bars run out."""
    ends = [0.0]
    for one in asked:
        if (one.first, one.last) not in shown or one.row is None:
            continue
        half68, half95 = np.nan_to_num(_halves(changes, one.row))
        reach = min(half95, 4.0 * half68)
        value = float(changes.change[one.row])
        ends += [value - reach, value + reach, float(changes.naive[one.row])]
    room = 0.06 * (max(ends) - min(ends)) or 1.0
    for axes in panels:
        axes.set_xlim(min(ends) - room, max(ends) + room)


def _legend(figure: Any) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [
        (Patch(facecolor="#e3e3e3", edgecolor=FAINT), "earlier state"),
        (Line2D([], [], color=INK, dashes=(4, 1.5)), "its normal fit"),
        (Patch(facecolor="none", edgecolor=RED), "later state, same grains"),
        (Line2D([], [], color=RED), "its normal fit"),
        (Line2D([], [], marker="D", color=FAINT, linestyle="none"), "change as measured"),
        (Line2D([], [], marker="o", color=RED), "regression removed"),
    ]
    figure.legend(
        [handle for handle, _ in handles],
        [name for _, name in handles],
        loc="lower center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=6,
        columnspacing=1.4,
        handletextpad=0.5,
    )


def _caption(
    followed: FollowedGrains,
    changes: SpotChanges,
    asked: list[NeighbourhoodChange],
    quantity: str,
    left_out: int,
) -> str:
    judged = [one for one in asked if one.row is not None]
    told = [one for one in judged if np.isfinite(_halves(changes, one.row)[0])]
    sure = [one for one in told if changes.p_family[one.row] < LEVEL]
    text = (
        f"Neighbourhoods ({_rule(changes)}) of the {changes.spots} hottest (a) and coldest (b) of "
        f"{len(followed):,} followed grains by {_WORDS[quantity]}, chosen in the earlier state of "
        "each transition: the same grains in the earlier and the later state, with normal fits "
        f"(mean ± standard deviation in MPa; {thousands([len(o.before) for o in asked])} grains). "
        "(c) Change of their mean less that of all followed grains: as measured (grey), and with "
        "regression to the mean removed, with 68 % (thick) and 95 % (thin) intervals; "
        f"p corrected for {len(changes.question)} questions."
    )
    if sure:
        best = min(sure, key=lambda one: float(changes.p_family[one.row]))
        value, half = float(changes.change[best.row]), _halves(changes, best.row)[1]
        text += (
            f" {len(sure)} of {len(told)} changes {'is' if len(sure) == 1 else 'are'} more than "
            "chance makes at 5 %, most surely "
            f"{best.kind}, {best.first} to {best.last}: {plain(value)} ± {half:.1f} MPa (95 %)."
        )
    elif told:
        text += f" None of {len(told)} changes is more than chance makes at 5 %."
    if len(judged) < len(asked):
        text += (
            " Changes of cold neighbourhoods are not judged: a von Mises stress is a length, and "
            "the smallest ones are mostly noise."
        )
    if len(told) < len(judged):
        text += (
            f" {len(judged) - len(told)} changes have no interval (open points): too few "
            "neighbourhoods are independent, and nothing can be told of them."
        )
    if left_out > 0:
        text += f" {left_out} transitions are left out here and stand in the table."
    return text


def _rule(changes: SpotChanges) -> str:
    rules = {
        "radius": "twice the mean grain radius",
        "diameter": "twice the mean grain diameter",
        "grain": "the grain alone",
    }
    rule = rules.get(changes.neighbourhood)
    reach = f"{changes.reach:.0f} µm"
    return reach if rule is None else f"{rule}, {reach}" if changes.reach > 0.0 else rule


def _table(
    changes: SpotChanges,
    asked: list[NeighbourhoodChange],
    halves: list[tuple[float, float]],
    edges: FloatArray,
) -> dict[str, Any]:
    """One row a bin of a histogram; what holds for the whole panel is repeated in its rows."""
    bins = len(edges) - 1

    def repeated(values: list[Any]) -> Any:
        return np.repeat(np.array(values), bins)

    rows = [one.row for one in asked]
    table: dict[str, Any] = {
        "kind": repeated([one.kind for one in asked]),
        "earlier_state": repeated([one.first for one in asked]),
        "later_state": repeated([one.last for one in asked]),
        "bin_low_mpa": np.tile(edges[:-1], len(asked)),
        "bin_high_mpa": np.tile(edges[1:], len(asked)),
        "grains_earlier": np.concatenate([_counts(one.before, edges) for one in asked]),
        "grains_later": np.concatenate([_counts(one.after, edges) for one in asked]),
        "grains": repeated([len(one.before) for one in asked]),
    }
    by_panel: dict[str, Callable[[NeighbourhoodChange], float]] = {
        "mean_earlier_mpa": lambda one: float(one.before.mean()),
        "spread_earlier_mpa": lambda one: float(one.before.std()),
        "mean_later_mpa": lambda one: float(one.after.mean()),
        "spread_later_mpa": lambda one: float(one.after.std()),
    }
    table |= {name: repeated([of(one) for one in asked]) for name, of in by_panel.items()}
    for column, values in (
        ("change_as_measured_mpa", changes.naive),
        ("regression_mpa", changes.regression),
        ("change_mpa", changes.change),
        ("change_mpa_se", changes.change_se),
        ("p", changes.p),
        ("p_corrected", changes.p_family),
    ):
        table[column] = repeated([np.nan if row is None else float(values[row]) for row in rows])
    table["change_mpa_half68"] = repeated([pair[0] for pair in halves])
    table["change_mpa_half95"] = repeated([pair[1] for pair in halves])
    return table
