"""Initial against final stress of hot and cold neighbourhoods, by direction of the current."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.followed import FollowedGrains, StressKind
from mesolith.records.style import BLUE, FAINT, INK, RED, axes_mm, house_style, letter, new_figure
from mesolith.records.transitions import DirectionSeparation, Transitions
from mesolith.report.intervals import LEVEL, draw_estimate, half_width, known
from mesolith.report.lettering import chance, plain

COLOURS = {1: RED, -1: BLUE, 0: FAINT}
NAMES = {1: "direction 1: plating", -1: "direction 2: stripping", 0: "no current"}
_MARKERS = {"hot": "^", "cold": "v"}
_STRESSES: tuple[tuple[StressKind, str], ...] = (
    ("hydrostatic", "hydrostatic stress"),
    ("von_mises", "von Mises stress"),
)
_WAYS = ("as measured", "mean removed")
_SPOTS = ("hot", "cold", "hot and cold")


def draw(cell: Cell) -> Drawing | None:
    """Points and effects for both stresses; None with fewer than three transitions."""
    if FollowedGrains not in cell or Transitions not in cell:
        return None
    followed, transitions = cell[FollowedGrains], cell[Transitions]
    if not transitions.separation or not len(followed):
        return None
    found = transitions.separation[0]
    with house_style():
        figure = new_figure(111.0)
        for row, (stress, _) in enumerate(_STRESSES):
            for column, way in enumerate(_WAYS):
                left, bottom = 19.0 + 51.0 * column, 66.0 - 49.0 * row
                axes = axes_mm(figure, left, bottom, 38.0, 38.0)
                _points(axes, found, stress, _removed(followed, stress, way))
                if row == 0:
                    axes.set_title(way, loc="center", pad=4)
                if column == 0:
                    axes.set_ylabel(f"{_STRESSES[row][1]}\nafter (MPa)")
                axes.set_xlabel("before (MPa)" if row else "")
                letter(axes, "abcd"[2 * row + column], left_mm=9.0, up_mm=1.0)
        for row, (stress, words) in enumerate(_STRESSES):
            axes = axes_mm(figure, 130.0, 66.0 - 49.0 * row, 32.0, 38.0)
            _effects(axes, found, stress)
            axes.set_title(words, loc="left", pad=4)
            letter(axes, "ef"[row], left_mm=14.0, up_mm=1.0)
            if row:
                axes.set_xlabel("separation (MPa)")
        _legend(figure, found)
    return Drawing(
        figure=figure,
        caption=_caption(followed, found),
        how=(
            "Direction 1 plates lithium on the working electrode, direction 2 strips it. The "
            "separation is the mean change under direction 1 less that under direction 2, of the "
            "mean of all neighbourhoods, without what choosing them adds. Points of one "
            "transition are not independent; transitions are. A drift of distance, energy or "
            "temperature shifts all grains of a state alike and makes a separation as measured, "
            "but none with the pellet's mean removed: a finding survives both. p is the larger of "
            "two: transitions exchanged, and states exchanged."
        ),
        cite=(
            "Form of the figure: M. B. Dixit et al., Nature Materials 21, 1298 (2022), Fig. 7b-c",
        ),
        table=_table(followed, found),
    )


def _removed(followed: FollowedGrains, stress: StressKind, way: str) -> FloatArray:
    """What is taken from each state: the mean of all followed grains, or nothing."""
    values, _, _ = followed.stress(stress)
    mean = values.mean(axis=0)
    return mean if way == "mean removed" else np.zeros_like(mean)


def _points(axes: Any, found: DirectionSeparation, stress: str, removed: FloatArray) -> None:
    from matplotlib.ticker import MaxNLocator

    every = []
    for kind, marker in _MARKERS.items():
        own = found.point_set.index(f"{kind}, {stress}")
        before = found.initial[own] - removed[:-1]
        after = found.final[own] - removed[1:]
        for k, direction in enumerate(found.direction):
            colour = COLOURS[int(direction)]
            axes.plot(
                before[:, k],
                after[:, k],
                marker,
                color=colour,
                markersize=2.8,
                alpha=0.45,
                markeredgewidth=0,
            )
        for sign in (1, -1):
            chosen = found.direction == sign
            if np.any(chosen):
                axes.plot(
                    [before[:, chosen].mean()],
                    [after[:, chosen].mean()],
                    marker,
                    color=COLOURS[sign],
                    markersize=6.5,
                    markeredgecolor=INK,
                    markeredgewidth=0.8,
                    zorder=4,
                )
        every += [before.min(), before.max(), after.min(), after.max()]
    low, high = min(every), max(every)
    room = 0.06 * (high - low) or 1.0
    ends = (low - room, high + room)
    axes.plot(ends, ends, color=FAINT, linewidth=0.6, zorder=0)
    axes.set_xlim(*ends)
    axes.set_ylim(*ends)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4))


def _halves(found: DirectionSeparation, row: int) -> tuple[float, float]:
    """Half widths of the 68 % and the 95 % interval of an effect; NaN without an error."""
    error, effect = float(found.effect_se[row]), float(found.effect[row])
    if not bool(known(error, effect)):
        return float("nan"), float("nan")
    half = float(found.high[row]) - effect
    widths = [half_width(half, error, found.level, level) for level in (0.68, 0.95)]
    return widths[0], widths[1]


def _effects(axes: Any, found: DirectionSeparation, stress: str) -> None:
    ends = [0.0]
    for place, spots in enumerate(_SPOTS):
        for shift, way in ((-0.17, "as measured"), (0.17, "mean removed")):
            row = found.question.index(f"{spots}, {stress}, {way}")
            half68, half95 = _halves(found, row)
            value = float(found.effect[row])
            draw_estimate(
                axes,
                value,
                place + shift,
                half68=half68,
                half95=half95,
                colour=INK if way == "mean removed" else FAINT,
                size=3.2,
            )
            reach = float(np.nan_to_num(min(half95, 2.5 * half68)))
            ends += [value - reach, value + reach]
            axes.text(
                1.03,
                place + shift,
                chance(float(found.p_family[row])),
                transform=axes.get_yaxis_transform(),
                va="center",
                fontsize=6,
                color=INK if found.p_family[row] < LEVEL else "#6d6d6d",
            )
    room = 0.05 * (max(ends) - min(ends)) or 1.0
    axes.set_xlim(min(ends) - room, max(ends) + room)
    axes.set_ylim(len(_SPOTS) - 0.5, -0.5)
    axes.set_yticks(range(len(_SPOTS)), ["hot", "cold", "hot and\ncold"], fontsize=6.5)
    axes.tick_params(axis="y", length=0)
    axes.axvline(0.0, color=FAINT, linewidth=0.5, zorder=0)


def _legend(figure: Any, found: DirectionSeparation) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    used = [sign for sign in (1, -1, 0) if np.any(found.direction == sign)]
    handles: list[Any] = [Patch(color=COLOURS[sign]) for sign in used]
    names = [NAMES[sign] for sign in used]
    for kind, marker in _MARKERS.items():
        handles.append(Line2D([], [], marker=marker, color=FAINT, linestyle="none"))
        names.append(kind)
    handles += [
        Line2D([], [], marker="o", color="white", markeredgecolor=INK, linestyle="none"),
        Line2D([], [], color=FAINT, marker="o"),
        Line2D([], [], color=INK, marker="o"),
    ]
    names += ["mean of a direction", "as measured", "mean removed"]
    figure.legend(
        handles,
        names,
        loc="lower center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=len(names),
        columnspacing=1.0,
        handletextpad=0.4,
    )


def _caption(followed: FollowedGrains, found: DirectionSeparation) -> str:
    steps = "; ".join(
        f"{name.replace(' to ', ' → ')}: {NAMES[int(sign)].partition(':')[0]}"
        for name, sign in zip(found.transition, found.direction, strict=True)
    )
    effects = []
    for stress, words in _STRESSES:
        row = found.question.index(f"hot and cold, {stress}, mean removed")
        half = _halves(found, row)[1]
        interval = f" ± {half:.1f} (95 %)" if np.isfinite(half) else " (no interval)"
        effects.append(f"{words} {plain(float(found.effect[row]))}{interval} MPa")
    text = (
        f"Mean stress of single neighbourhoods, {found.spots} hot and {found.spots} cold of "
        f"{len(followed):,} followed grains, before and after each transition: as measured (a, c) "
        f"and with the mean of all followed grains removed from each state (b, d). ({steps}.) "
        "(e, f) Change under direction 1 less that under direction 2 with 68 % (thick) and 95 % "
        f"(thin) intervals, by {found.transitions} transitions; p corrected for "
        f"{len(found.question)} questions. Hot and cold together, mean removed: "
        f"{' and '.join(effects)}."
    )
    if found.least >= LEVEL:
        text += (
            f" {found.transitions} transitions cannot give a p-value below {found.least:.2g}, "
            "however clear the separation looks: they cannot reach 5 %."
        )
    elif found.finding:
        text += f" What survives both ways: {'; '.join(found.finding)}.".replace("_", " ")
    else:
        text += " No separation survives both ways at 5 %."
    return text


def _table(followed: FollowedGrains, found: DirectionSeparation) -> dict[str, Any]:
    """One row a neighbourhood, transition and way; the effect of its question is repeated."""
    table: dict[str, list[Any]] = {}
    for stress, _ in _STRESSES:
        for way in _WAYS:
            removed = _removed(followed, stress, way)
            for kind in _MARKERS:
                own = found.point_set.index(f"{kind}, {stress}")
                question = found.question.index(f"{kind}, {stress}, {way}")
                half68, half95 = _halves(found, question)
                for k, transition in enumerate(found.transition):
                    for spot in range(found.initial.shape[1]):
                        row = {
                            "stress": stress,
                            "way": way,
                            "kind": kind,
                            "transition": transition,
                            "direction": int(found.direction[k]),
                            "spot": spot + 1,
                            "before_mpa": found.initial[own, spot, k] - removed[k],
                            "after_mpa": found.final[own, spot, k] - removed[k + 1],
                            "separation_mpa": found.effect[question],
                            "separation_mpa_se": found.effect_se[question],
                            "separation_mpa_half68": half68,
                            "separation_mpa_half95": half95,
                            "p": found.p[question],
                            "p_corrected": found.p_family[question],
                            "p_least": found.least,
                            "grains": found.grains,
                        }
                        for name, value in row.items():
                            table.setdefault(name, []).append(value)
    return {name: np.array(values) for name, values in table.items()}
