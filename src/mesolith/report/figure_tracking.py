"""How many grains were followed from each state to the next."""

from __future__ import annotations

import itertools

import numpy as np

from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.grains import GrainMap
from mesolith.records.style import BLUE, INK, ORANGE, RED, SKY, axes_mm, house_style, new_figure
from mesolith.records.tracking import Tracking

AMBIGUOUS = (0.05, 0.95)


def draw(cell: Cell) -> Drawing | None:
    """Tracked, ambiguous, lost and new grains per transition; None without tracking."""
    found = _transitions(cell)
    if not found:
        return None
    rows = {name: np.array([row[name] for _, row in found]) for name in found[0][1]}
    labels = [label for label, _ in found]
    height = 9.0 + 9.0 * len(found)
    with house_style():
        figure = new_figure(height + 20.0, 150.0)
        axes = axes_mm(figure, 42, 11, 104, height)
        place = np.arange(len(found))[::-1]
        likely = rows["tracked_sure"] + rows["tracked_ambiguous"]
        kept = likely + rows["tracked_improbable"]
        parts = [
            ("tracked", np.zeros_like(kept), rows["tracked_sure"], BLUE),
            ("ambiguous pair", rows["tracked_sure"], rows["tracked_ambiguous"], SKY),
            ("improbable pair", likely, rows["tracked_improbable"], RED),
            ("new", kept, rows["new"], "#c9c9c9"),
            ("lost", -rows["lost"], rows["lost"], ORANGE),
        ]
        if not np.any(rows["tracked_improbable"]):
            del parts[2]
        for label, left, width, colour in parts:
            axes.barh(place, width, left=left, height=0.56, color=colour, label=label, linewidth=0)
        error = rows["expected_right_se"]
        axes.errorbar(
            rows["expected_right"],
            place,
            xerr=error,
            fmt="|",
            color=INK,
            markersize=7,
            linewidth=0.8,
            capsize=2,
            label="pairs expected to be right",
        )
        for y, pairs, lost, new in zip(place, kept, rows["lost"], rows["new"], strict=True):
            axes.annotate(
                f"{pairs:,} tracked, {lost:,} lost, {new:,} new",
                (0.0, y),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                color="white",
                fontsize=6.5,
            )
        axes.set_yticks(place, labels)
        axes.tick_params(axis="y", length=0)
        axes.axvline(0.0, color=INK, linewidth=0.6)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("grains (lost to the left)")
        axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
        axes.margins(x=0.02)
        axes.set_ylim(-0.5, len(found) - 0.1)
        handles, names = axes.get_legend_handles_labels()
        order = [names.index(word) for word, *_ in (parts[-1], *parts[:-1])]
        order.append(names.index("pairs expected to be right"))
        axes.legend(
            [handles[k] for k in order],
            [names[k] for k in order],
            loc="lower left",
            bbox_to_anchor=(-0.36, 1.0),
            ncols=len(order),
            columnspacing=1.2,
            borderaxespad=0.0,
        )
    rules = sorted({str(row["rule"]) for _, row in found})
    return Drawing(
        figure=figure,
        caption=(
            "Grains followed from each state to the next: pairs, pairs between 5 and 95 % "
            "probable (ambiguous), less probable ones that the rule makes all the same "
            "(improbable), grains without a later partner (lost) and without an earlier one "
            "(new). The tick with its bar is the number of pairs expected to be right, with one "
            "standard error, from the pairs' own probabilities."
        ),
        how=(
            f"Rule: {', '.join(rules)}. The common rotation and shift of the sample between two "
            "states is found and removed first; pairs are one to one. A lost grain was not found "
            "again; that may be its own fading or the reduction's threshold."
        ),
        cite=(),
        table={"transition": np.array(labels, dtype=str), **rows},
    )


def _transitions(cell: Cell) -> list[tuple[str, dict[str, float | str]]]:
    states = [state for state in cell.states if GrainMap in state]
    found: list[tuple[str, dict[str, float | str]]] = []
    for before, after in itertools.pairwise(states):
        tracking = cell.pair(before.index, Tracking)
        if tracking is None:
            continue
        p = tracking.probability
        found.append(
            (
                f"{before.name} → {after.name}",
                {
                    "tracked_sure": int(np.sum(p >= AMBIGUOUS[1])),
                    "tracked_ambiguous": int(np.sum((p > AMBIGUOUS[0]) & (p < AMBIGUOUS[1]))),
                    "tracked_improbable": int(np.sum(p <= AMBIGUOUS[0])),
                    "lost": len(tracking.lost),
                    "new": len(tracking.new),
                    "expected_right": float(np.sum(p)),
                    "expected_right_se": float(np.sqrt(np.sum(p * (1.0 - p)))),
                    "motion_um": float(np.linalg.norm(tracking.translation)),
                    "rule": tracking.rule,
                },
            )
        )
    return found
