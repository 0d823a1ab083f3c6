"""How firmly the spots of each grain say which of two polymorphs it is, beside mere counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesolith.hedm.phase_counts import PAPER_SHARE
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.phase_odds import PhaseOdds
from mesolith.records.style import (
    BLUE,
    FAINT,
    INK,
    RED,
    SKY,
    axes_mm,
    house_style,
    letter,
    new_figure,
)

_ENDS = 60.0  # of the log ratio in the picture


def draw(cell: Cell) -> Drawing | None:
    """Odds of the first state whose grains were weighed; None without one."""
    for state, odds in cell.having(PhaseOdds):
        if len(odds):
            return odds_drawing(state.name, odds)
    return None


def odds_drawing(name: str, odds: PhaseOdds) -> Drawing:
    """Log ratios, what they stand on, and how many grains fit the second phase where."""
    one, other = odds.phases.name
    of_one = odds.decided & (odds.phase == 0)
    of_other = odds.decided & (odds.phase == 1)
    undecided = ~odds.decided
    with house_style():
        figure = new_figure(62.0)
        _ratios(axes_mm(figure, 14, 12, 44, 43), odds)
        seen = axes_mm(figure, 75, 12, 42, 43)
        for rows, colour, text in (
            (undecided, FAINT, "undecided"),
            (of_one, BLUE, one),
            (of_other, RED, other),
        ):
            seen.scatter(
                np.maximum(odds.expected[rows], 0.02),
                odds.found[rows],
                s=max(5.0, 30.0 / len(odds) ** 0.3),
                c=colour,
                alpha=0.6,
                linewidths=0,
                rasterized=True,
                label=text,
            )
        seen.set_xscale("log")
        seen.set_yscale("symlog", linthresh=1.0)
        seen.set_ylim(-0.3, max(3.0, 1.4 * float(odds.found.max())))
        seen.yaxis.set_major_formatter("{x:g}")
        seen.set_xlabel(f"expected if {one}")
        seen.set_ylabel("telling reflections found")
        seen.legend(loc="upper left", handlelength=0.8, borderaxespad=0.0)
        letter(seen, "b", up_mm=1.0)
        _fits(axes_mm(figure, 135, 12, 43, 43), odds)
    families = ", ".join("{" + "".join(str(abs(i)) for i in hkl) + "}" for hkl in odds.family)
    return Drawing(
        figure=figure,
        caption=(
            f"{len(odds):,} grains of {name}: {int(of_one.sum()):,} decided as {one}, "
            f"{int(of_other.sum()):,} as {other}, {int(undecided.sum()):,} undecided; share of "
            f"{other} {100.0 * odds.share:.2g} ± {100.0 * odds.share_se:.1g} %. (a) Log likelihood "
            f"ratio of {one} against {other}, ends at ±{_ENDS:g}; (b) reflections that {other} "
            f"lacks: found against expected if the grain is {one} (below 0.02 drawn there); (c) "
            f"what fitting {other} and counting gives, by the lattice parameter it is given, the "
            "dashed line 1,000 of 30,000: the count follows the lattice parameter, not the phase."
        ),
        how=(
            f"Families that tell: {families}. Each is weighed by how often a spot of its predicted "
            "counts is listed and how often a stranger fills its place; with them go the "
            "intensities that both phases show and the lattice parameter. Undecided: probability "
            "below 0.99 or log ratio below 3."
        ),
        cite=("Counts: M. B. Dixit et al., Nature Materials 21, 1298 (2022), Figs. 3e, S7",),
        table={
            "grain_id": odds.grain_id,
            "phase": np.array(odds.phases.name)[odds.phase],
            "probability": odds.probability,
            "decided": odds.decided,
            "log_ratio": odds.log_ratio,
            "log_ratio_reflections": odds.log_ratio_reflections,
            "log_ratio_intensities": odds.log_ratio_intensities,
            "log_ratio_lattice": odds.log_ratio_lattice,
            "expected": odds.expected,
            "found": odds.found,
        },
    )


def _ratios(axes: Any, odds: PhaseOdds) -> None:
    edges = np.linspace(-_ENDS, _ENDS, 41)
    ratio = np.clip(odds.log_ratio, -_ENDS, _ENDS)
    parts = [
        ratio[~odds.decided],
        ratio[odds.decided & (odds.phase == 0)],
        ratio[odds.decided & (odds.phase == 1)],
    ]
    axes.hist(parts, bins=edges.tolist(), stacked=True, color=[FAINT, BLUE, RED])
    axes.axvline(0.0, color=INK, linewidth=0.5)
    axes.set_yscale("symlog", linthresh=1.0)
    axes.set_ylim(bottom=0.0)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("log likelihood ratio")
    axes.set_ylabel("grains")
    letter(axes, "a", up_mm=1.0)


def _fits(axes: Any, odds: PhaseOdds) -> None:
    share = odds.fits / len(odds)
    axes.plot(1e3 * odds.fit_offset, share, color=SKY, linewidth=1.2)
    axes.axhline(PAPER_SHARE, color=RED, linewidth=0.8, dashes=(4, 3))
    axes.set_ylim(0.0, 1.05)
    axes.set_xlabel("lattice parameter off by (10⁻³)")
    axes.set_ylabel(f"share of grains that fit {odds.phases.name[1]}", fontsize=6.5)
    letter(axes, "c", up_mm=1.0)
