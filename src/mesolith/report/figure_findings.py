"""Every question that was put to the grains, with estimate, interval and verdict."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.field import Quantity
from mesolith.records.findings import FOUND, INDICATED, NOT_FOUND, UNTOLD, Findings
from mesolith.records.style import BLUE, FAINT, INK, RED, axes_mm, house_style, new_figure
from mesolith.report.intervals import interval_known
from mesolith.report.lettering import chance, fitted, thousands

COLOURS = {FOUND: RED, INDICATED: "#b07200", NOT_FOUND: BLUE, UNTOLD: "#8a8a8a"}
_RANK = {FOUND: 0, INDICATED: 1, NOT_FOUND: 2, UNTOLD: 3}
_MOST, _TALLEST = 9, 225.0  # rows of a subject, and mm of all
_LINE, _ROOM, _HEAD, _FOOT = 2.5, 1.2, 6.5, 4.6  # mm
_BAND = "#ececec"
_ENDING = re.compile(r": ([^:()]*(?:\([^)]*\))?)$")


@dataclass(frozen=True, slots=True)
class _Subject:
    """Rows of one subject that are shown, their labels, and what all their questions end on."""

    name: str
    ending: str
    rows: list[int]
    labels: list[str]
    asked: int

    @property
    def heights(self) -> list[float]:
        """Height of each row, mm."""
        return [_ROOM + _LINE * (label.count("\n") + 1) for label in self.labels]


def draw(cell: Cell) -> Drawing | None:
    """Estimates by subject; None without a question."""
    if Findings not in cell or not len(cell[Findings].question):
        return None
    findings = cell[Findings]
    most = _MOST
    subjects = _subjects(findings, most)
    while most > 1 and _height(subjects) > _TALLEST:
        most -= 1
        subjects = _subjects(findings, most)
    height = _height(subjects)
    with house_style():
        figure = new_figure(height)
        upper = height - 1.0
        for subject in subjects:
            upper -= _HEAD
            tall = sum(subject.heights)
            axes = axes_mm(figure, 72.0, upper - tall, 56.0, tall)
            _forest(axes, findings, subject)
            upper -= tall + _FOOT
        _legend(figure, findings)
    return Drawing(
        figure=figure,
        caption=_caption(findings, subjects),
        how=(
            "p (question alone), p within its subject and p over the whole table are corrected "
            "one after the other by Holm's method; the last is printed here. Found: below 5 % "
            "over the whole table. Indicated: only within its subject. Not found: nothing is "
            "claimed, neither an effect nor its absence beyond the interval. Cannot be told: so "
            "few independent parts or transitions cannot give 5 %, however large the effect. "
            "Grey: the size that would have been seen with a power of 80 % at 5 %, question "
            "alone."
        ),
        cite=(),
        table=_table(findings),
    )


def _subjects(findings: Findings, most: int) -> list[_Subject]:
    """At most so many rows of each subject, the surest first, in the order of the table."""
    found = []
    for name in dict.fromkeys(findings.subject):
        every = findings.rows(name)
        surest = sorted(every, key=lambda k: (_rank(findings, k), findings.p[k], k))
        rows = sorted(surest[:most])
        ending = _common_ending([findings.question[k] for k in every])
        labels = [_label(findings.question[k], ending) for k in rows]
        found.append(_Subject(name, ending, rows, labels, len(every)))
    return found


def _rank(findings: Findings, row: int) -> int:
    """Found before indicated before the rest."""
    return _RANK.get(findings.verdict[row], len(_RANK))


def _common_ending(questions: list[str]) -> str:
    """What most questions ask after their last colon, so that the heading can say it."""
    endings = Counter(found[1] for q in questions if (found := _ENDING.search(q)))
    if not endings:
        return ""
    ending, count = endings.most_common(1)[0]
    return ending if count > 1 else ""


def _label(question: str, ending: str) -> str:
    own = question.removesuffix(f": {ending}") if ending else question
    own = own.replace("hydrostatic stress", "hydrostatic").replace("von Mises stress", "von Mises")
    return fitted(own.replace(" to ", " → ").replace("→ a ", "to a "), 66.0, size=5.8)


def _height(subjects: list[_Subject]) -> float:
    return sum(sum(s.heights) + _HEAD + _FOOT for s in subjects) + 8.0


def _forest(axes: Any, findings: Findings, subject: _Subject) -> None:
    from matplotlib.ticker import MaxNLocator

    heights = np.array(subject.heights)
    places = np.cumsum(heights) - heights / 2.0
    ends = [0.0]
    for k, place, tall in zip(subject.rows, places, heights, strict=True):
        colour = COLOURS.get(findings.verdict[k], INK)
        value, low, high = (float(f[k]) for f in (findings.estimate, findings.low, findings.high))
        reach = float(findings.detectable[k])
        sure = interval_known(findings, k)
        if np.isfinite(reach) and sure:
            sides = [place - 0.42 * tall, place + 0.42 * tall]
            axes.fill_betweenx(sides, -reach, reach, color=_BAND, linewidth=0, zorder=0)
            ends += [-reach, reach]
        if sure:
            axes.plot([low, high], [place, place], color=colour, linewidth=1.4)
            ends += [low, high]
        face = colour if sure else "white"
        axes.plot([value], [place], "o", color=colour, mfc=face, markersize=3.2, zorder=3)
        ends.append(value)
        words = (
            f"{findings.verdict[k]}, {chance(float(findings.p_report[k]))}, "
            f"n = {findings.grains[k]:,}"
        )
        axes.text(
            1.02,
            place,
            words,
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=5.8,
            color=colour,
        )
    ends = [end for end in ends if np.isfinite(end)]
    room = 0.05 * (max(ends) - min(ends)) or 1.0
    axes.set_xlim(min(ends) - room, max(ends) + room)
    axes.set_ylim(float(heights.sum()), 0.0)
    axes.set_yticks(places, subject.labels, fontsize=5.8, linespacing=1.05)
    axes.tick_params(axis="y", length=0, pad=2)
    axes.tick_params(axis="x", labelsize=6, pad=1.5)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.axvline(0.0, color=FAINT, linewidth=0.5, zorder=1)
    unit = findings.unit[subject.rows[0]]
    heading = f"{subject.name}: {subject.ending}" if subject.ending else subject.name
    heading += "" if unit == "1" else f" ({unit})"
    axes.text(-70.0 / 56.0, 1.0, heading, transform=axes.transAxes, va="bottom", fontweight="bold")


def _legend(figure: Any, findings: Findings) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Line2D([], [], marker="o", color=colour, markersize=3.2) for colour in COLOURS.values()
    ]
    counted = _counted(findings)
    names = [f"{verdict} ({counted[verdict]})" for verdict in COLOURS]
    handles += [
        Line2D([], [], marker="o", mfc="white", color=INK, linestyle="none", markersize=3.2),
        Patch(facecolor=_BAND),
    ]
    names += ["no interval", "too small to be seen, power 80 %"]
    figure.legend(
        handles,
        names,
        loc="lower center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=len(names),
        columnspacing=1.2,
        handletextpad=0.5,
    )


def _counted(findings: Findings) -> dict[str, int]:
    """How many questions have each verdict."""
    counter = Counter(findings.verdict[k] for k in range(len(findings.question)))
    return {verdict: counter[verdict] for verdict in COLOURS}


def _caption(findings: Findings, subjects: list[_Subject]) -> str:
    count = len(findings.question)
    shown = sum(len(subject.rows) for subject in subjects)
    verdicts = ", ".join(
        f"{number} {verdict}" for verdict, number in _counted(findings).items() if number
    )
    text = (
        f"{count} questions to the grains of this cell ({thousands(findings.grains)} grains each; "
        f"n: grains it stands on): {verdicts}. Estimates with 68 % intervals; verdicts at a "
        f"level of 5 %, p corrected for all {count} questions (Holm)."
    )
    bare = sum(not interval_known(findings, k) for k in range(count))
    if bare:
        text += f" {bare} have no interval: too few parts of the pellet are independent."
    if shown < count:
        text += f" The {shown} surest by subject are drawn; the table holds all."
    return text


def _table(findings: Findings) -> dict[str, Any]:
    columns: dict[str, tuple[Quantity, Any]] = findings.columns("question")
    return {name: values for name, (_, values) in columns.items()}
