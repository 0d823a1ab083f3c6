"""Stress-flow pathways in the pellet, and where along the stack they lead."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.followed import FollowedGrains
from mesolith.records.pathways import Pathways, StressPathways
from mesolith.records.pellet import Pellet, pellet_around, scale_bar, side_view, top_view
from mesolith.records.style import BLUE, FAINT, INK, RED, axes_mm, house_style, letter, new_figure
from mesolith.report.intervals import LEVEL, Z68, Z95, draw_estimate, known
from mesolith.report.lettering import chance, fitted, plain

_COLOURS = {1: RED, -1: BLUE, 0: FAINT}
_NAMES = {1: "direction 1: plating", -1: "direction 2: stripping", 0: "no current"}
_GROUPS = {"cell": INK, "direction 1": RED, "direction 2": BLUE}
_RULES = {"grain": "from grain to grain, to a minimum", "cluster": "by clusters, to a mutual pair"}
_PANEL = 52.0  # mm, the widest that a view may be
_BACKGROUND = 800  # grains that show where the body is
_MOST, _TALLEST = 12, 236.0  # states whose means find room, and mm of the figure


def draw(cell: Cell) -> Drawing | None:
    """Pathways from above and from the side, and relaxation; None without pathways."""
    if FollowedGrains not in cell or Pathways not in cell:
        return None
    followed, rules = cell[FollowedGrains], cell[Pathways].rules
    if not rules or not len(followed):
        return None
    pellet = pellet_around(cell, followed.position)
    scale = min(_PANEL / pellet.diameter, 48.0 / pellet.height)
    top, side = scale * pellet.diameter, scale * pellet.height
    for most in range(_MOST, 0, -1):
        shown = _states_shown(len(followed.state), most)
        names = [fitted(followed.state[k], 30.0, size=6.5) for k in shown]
        pitches = [4.6] * len(rules[0].group) + [1.4 + 2.6 * (n.count("\n") + 1) for n in names]
        tall = sum(pitches)
        height = max(top + side + 16.0, len(rules) * (tall + 9.0) + 8.0) + 10.0
        if height <= _TALLEST:
            break
    with house_style():
        figure = new_figure(height)
        first = axes_mm(figure, 8.0, height - 6.0 - top, top, top)
        second = axes_mm(figure, 8.0, height - 9.0 - top - side, top, side)
        for axes, along in ((first, (0, 1)), (second, (0, 2))):
            outline = top_view(axes, pellet) if axes is first else side_view(axes, pellet)
            _paths(axes, followed, rules[0], pellet, along)
            outline.set_zorder(1)
        first.set_title("from above: x to the right, y upwards", loc="left", pad=3, fontsize=6.5)
        second.set_title("from the side: z upwards", loc="left", pad=-1, fontsize=6.5)
        scale_bar(second, pellet, below=4.0 / side)
        letter(first, "a", left_mm=6.0, up_mm=0.5)
        letter(second, "b", left_mm=6.0, up_mm=-1.5)
        upper = height - 7.0
        for k, found in enumerate(rules):
            axes = axes_mm(figure, 104.0, upper - tall, 56.0, tall)
            _relaxation(axes, found, shown, names, pitches)
            axes.set_title(_RULES.get(found.rule, found.rule), loc="left")
            letter(axes, "cdef"[k], left_mm=32.0, up_mm=0.5)
            upper -= tall + 9.0
            if k == len(rules) - 1:
                axes.set_xlabel("change of z over the height of the body")
            else:
                axes.tick_params(labelbottom=False)
        _share_limits(figure.axes[2:])
        _legend(figure, rules[0])
    return Drawing(
        figure=figure,
        caption=_caption(followed, rules),
        how=(
            "To a minimum: from a grain to the neighbour with the steepest fall of hydrostatic "
            "stress, and on until none is lower (main text of the paper). To a mutual pair: on "
            "stress averaged over neighbourhoods, along the steepest gradient of either sign, "
            "until two see it in each other (its supporting information). A path that starts near"
            " the top can only lead down; what the starts alone make of it is found by exchanging"
            " the stress of all other grains, and only what goes beyond is tested; paths near "
            "each other do not count as independent. Directions are compared with states as "
            "independent, not paths."
        ),
        cite=(
            "Form of the figure: M. B. Dixit et al., Nature Materials 21, 1298 (2022), Fig. 7d-e",
        ),
        table=_table(followed, rules),
    )


def _states_shown(states: int, most: int) -> list[int]:
    return list(range(states)) if states <= most else [*range(most - 1), states - 1]


def _paths(
    axes: Any,
    followed: FollowedGrains,
    found: StressPathways,
    pellet: Pellet,
    along: tuple[int, int],
) -> None:
    """A line from the first to the last grain of each path, a point at its end."""
    from matplotlib.collections import LineCollection

    place = (followed.position - pellet.middle)[:, along]
    others = place[:: max(1, len(place) // _BACKGROUND)]
    axes.scatter(*others.T, s=1.6, color=INK, alpha=0.13, linewidths=0, rasterized=True)
    for k, direction in enumerate(found.direction):
        colour = _COLOURS[int(direction)]
        start, end = place[found.start[:, k]], place[found.end[:, k]]
        axes.add_collection(
            LineCollection(
                list(np.stack([start, end], axis=1)),
                colors=colour,
                linewidths=0.6,
                alpha=0.7,
            )
        )
        axes.plot(*end.T, "o", mfc="white", mec=colour, mew=0.5, markersize=2.2, zorder=3)


def _relaxation(
    axes: Any,
    found: StressPathways,
    shown: list[int],
    names: list[str],
    pitches: list[float],
) -> None:
    rows = np.cumsum(pitches) - np.array(pitches) / 2.0
    groups = len(found.group)
    for g, group in enumerate(found.group):
        value, error = float(found.group_relaxation[g]), float(found.group_se[g])
        sure = bool(known(error, value))
        draw_estimate(
            axes,
            value,
            rows[g],
            half68=Z68 * error if sure else np.nan,
            half95=Z95 * error if sure else np.nan,
            colour=_GROUPS.get(group, INK),
            marker="s",
        )
        _expected(axes, value - float(found.group_excess[g]), rows[g])
        p = float(found.group_p_family[g])
        axes.text(
            1.03,
            rows[g],
            chance(p) if sure else "no interval",
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=6,
            color=INK if p < LEVEL else "#6d6d6d",
        )
    for place, k in enumerate(shown):
        value, error = float(found.relaxation[k]), float(found.relaxation_se[k])
        sure = bool(known(error, value))
        draw_estimate(
            axes,
            value,
            rows[groups + place],
            half68=Z68 * error if sure else np.nan,
            half95=Z95 * error if sure else np.nan,
            colour=_COLOURS[int(found.direction[k])],
            size=2.8,
        )
        _expected(axes, float(found.path_expected[:, k].mean()), rows[groups + place])
    axes.set_yticks(rows, [*found.group, *names], fontsize=6.5)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(sum(pitches), 0.0)
    axes.axhline(sum(pitches[:groups]), color=FAINT, linewidth=0.4, dashes=(3, 2))
    axes.axvline(0.0, color=FAINT, linewidth=0.5, zorder=0)


def _expected(axes: Any, value: float, row: float) -> None:
    axes.plot([value, value], [row - 1.5, row + 1.5], color="#444444", linewidth=1.1, zorder=5)


def _share_limits(panels: list[Any]) -> None:
    low = min(axes.get_xlim()[0] for axes in panels)
    high = max(axes.get_xlim()[1] for axes in panels)
    for axes in panels:
        axes.set_xlim(low, high)


def _legend(figure: Any, found: StressPathways) -> None:
    from matplotlib.lines import Line2D

    used = [sign for sign in (1, -1, 0) if np.any(found.direction == sign)]
    handles = [Line2D([], [], color=_COLOURS[sign], linewidth=1.4) for sign in used]
    names = [_NAMES[sign] for sign in used]
    handles += [
        Line2D([], [], marker="o", mfc="white", mec=INK, linestyle="none", markersize=3),
        Line2D([], [], color="#444444", marker="|", markersize=7, linestyle="none", mew=1.1),
    ]
    names += ["end of a path", "what the starts alone make"]
    figure.legend(
        handles,
        names,
        loc="lower center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=len(names),
        columnspacing=1.6,
    )


def _caption(followed: FollowedGrains, rules: tuple[StressPathways, ...]) -> str:
    first = rules[0]
    text = (
        f"Pathways of hydrostatic stress from the {first.paths} hottest of {len(followed):,} "
        f"followed grains of each state ({len(first.state)} states), first to last grain, "
        f"{_RULES.get(first.rule, first.rule)}, coloured by the current that led to the state "
        "(a, b). Change of z from the first to the last grain over the height of the body, "
        "positive towards the working electrode: mean of all states (cell), of either direction "
        "of the current, and of each state, with 68 % (thick) and 95 % (thin) intervals; "
        "p of what goes beyond the starts alone (ticks), corrected."
    )
    for found in rules:
        text += f" {_words(found)}"
    return text


def _words(found: StressPathways) -> str:
    rule = _RULES.get(found.rule, found.rule)
    rule = rule[0].upper() + rule[1:]
    sure = known(found.group_se, found.group_relaxation)
    if not np.any(sure):
        return f"{rule}: too few independent paths for an interval (open points)."
    cell = found.group.index("cell")
    beyond = plain(float(found.group_excess[cell]), 3)
    seen = [
        name
        for name, p, one in zip(found.group, found.group_p_family, sure, strict=True)
        if one and p < LEVEL
    ]
    verdict = f"beyond chance in {', '.join(seen)}" if seen else "no more than chance makes"
    text = (
        f"{rule}: the cell's mean goes {beyond} ± {Z95 * found.group_se[cell]:.3f} (95 %) beyond "
        f"the starts, {verdict}"
    )
    if np.isfinite(found.direction_p):
        text += (
            f"; direction 1 less direction 2: {plain(found.direction_effect, 3)}, "
            f"{chance(found.direction_p)}"
        )
        if found.direction_least >= LEVEL:
            used = int(np.count_nonzero(found.direction))
            text += f" ({used} states cannot give less than {found.direction_least:.2g})"
    return f"{text}."


def _table(followed: FollowedGrains, rules: tuple[StressPathways, ...]) -> dict[str, Any]:
    """One row a path; what holds for its state and for the groups is repeated."""
    table: dict[str, list[Any]] = {}
    for found in rules:
        groups = {
            f"{group.replace(' ', '_')}_{name}": float(values[g])
            for g, group in enumerate(found.group)
            for name, values in (
                ("relaxation", found.group_relaxation),
                ("beyond_starts", found.group_excess),
                ("relaxation_se", found.group_se),
                ("p", found.group_p),
                ("p_corrected", found.group_p_family),
            )
        }
        for k, state in enumerate(found.state):
            for path in range(found.paths):
                start, end = int(found.start[path, k]), int(found.end[path, k])
                row = {
                    "rule": found.rule,
                    "state": state,
                    "direction": int(found.direction[k]),
                    "path": path + 1,
                    **_ends(followed, start, end, k),
                    "steps": int(found.steps[path, k]),
                    "relaxation": found.path_relaxation[path, k],
                    "relaxation_of_start": found.path_expected[path, k],
                    "state_relaxation": found.relaxation[k],
                    "state_relaxation_se": found.relaxation_se[k],
                    **groups,
                }
                for name, value in row.items():
                    table.setdefault(name, []).append(value)
    return {name: np.array(values) for name, values in table.items()}


def _ends(followed: FollowedGrains, start: int, end: int, state: int) -> dict[str, float]:
    row = {}
    for word, grain in (("start", start), ("end", end)):
        for a, name in enumerate("xyz"):
            row[f"{word}_{name}_um"] = float(followed.position[grain, a])
        row[f"{word}_stress_mpa"] = float(followed.hydrostatic[grain, state])
    return row
