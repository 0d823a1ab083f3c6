"""Stress against state: the mean with its interval, and the extremes."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.followed import StressKind
from mesolith.records.style import (
    BLUE,
    FAINT,
    INK,
    RED,
    axes_mm,
    house_style,
    letter,
    new_figure,
    wrapped,
)
from mesolith.report.state_stress import StateStress, state_stresses

Z95 = 1.959964
HYDROSTATIC: StressKind = "hydrostatic"
VON_MISES: StressKind = "von_mises"
WORDS = {HYDROSTATIC: "hydrostatic", VON_MISES: "von Mises"}


_EXTREMES = (
    "(a) Mean by volume, smallest and largest grain with their own 95 % intervals, and the "
    "{points} net of noise with 68 % intervals; the grey band is how far noise alone would carry "
    "the most extreme of so many grains."
)
_NET_OF_LENGTH = (
    "A von Mises stress is a length, and noise lengthens it in every grain, by up to "
    "{most:.0f} MPa in the mean here. {how} The mean is weighted by volume. "
)
_DECONVOLVED = (
    "So the mean is that of the true stress whose distribution, lengthened by normal noise of the "
    "stated covariances, explains the measured ones best (Rice's distribution in five dimensions); "
    "its error is the scatter of simulated grains of the same volumes and errors."
)
_GRAIN_BY_GRAIN = (
    "With fewer than 30 grains, or without stated errors, what noise adds is taken off each grain "
    "from its own covariance ({states}); without a covariance nothing is."
)


def draw(cell: Cell) -> Drawing | None:
    """Hydrostatic mean, smallest and largest grain, robust extremes; None without stress."""
    found = state_stresses(cell)
    if not found:
        return None
    return Drawing(
        figure=_figure(found, HYDROSTATIC),
        caption=(
            "Hydrostatic stress by state, tension positive. "
            + _EXTREMES.format(points="0.5 and 99.5 % points")
            + " "
            "(b) The mean with 68 % (thick) and 95 % (thin) "
            "intervals, which hold the part that all grains share (strain-free reference, "
            f"load): up to {_shared_percent(found):.0f} % of the standard error here. "
            + _counts(found)
        ),
        how=(
            "The mean is weighted by volume. Its error holds the grains' own (noise, volumes) "
            "and what they share (strain-free reference, load, drift of the state); what the "
            "states share cancels in their differences. Robust extremes: quantiles with the "
            "widening by noise taken back as for a normal distribution. "
            "Absolute values hang on the strain-free reference, which the papers do not know; "
            "here it comes from mechanical equilibrium."
        ),
        cite=("Form of the figure: M. B. Dixit et al., Nature Materials 21, 1298 (2022), Fig. 1c",),
        table=stress_table(found, HYDROSTATIC),
        plot=("stress_hydrostatic_mean_mpa", "state_number", "stress_hydrostatic_mean_mpa_se"),
    )


def draw_von_mises(cell: Cell) -> Drawing | None:
    """The same of the von Mises stress, net of the length that noise adds."""
    found = state_stresses(cell, VON_MISES)
    if not found:
        return None
    most = max(s.mean_as_measured - s.mean for s in found)
    return Drawing(
        figure=_figure(found, VON_MISES),
        caption=(
            "Von Mises stress by state. "
            + _EXTREMES.format(points="99.5 % point")
            + " (b) The mean with 68 % (thick) and "
            "95 % (thin) intervals; " + _shared_in_words(found) + " " + _counts(found)
        ),
        how=(
            _NET_OF_LENGTH.format(most=most, how=_how_taken_off(found))
            + "The 99.5 % point is of stresses with the bias of each grain taken off. Smallest and "
            "largest grain are as measured; the smallest is what noise makes of none."
        ),
        cite=("Form of the figure: M. B. Dixit et al., Nature Materials 21, 1298 (2022), Fig. S5",),
        table=stress_table(found, VON_MISES)
        | {"stress_von_mises_mean_as_measured_mpa": np.array([s.mean_as_measured for s in found])},
        plot=("stress_von_mises_mean_mpa", "state_number", "stress_von_mises_mean_mpa_se"),
    )


def _figure(found: list[StateStress], kind: StressKind) -> Any:
    with house_style():
        figure = new_figure(78.0)
        left = axes_mm(figure, 17, 20, 84, 54)
        right = axes_mm(figure, 119, 20, 60, 54)
        draw_extremes(left, found, kind)
        draw_means(right, found, kind)
        letter(left, "a", left_mm=15.0, up_mm=-1.0)
        letter(right, "b", left_mm=14.0, up_mm=-1.0)
        handles, names = left.get_legend_handles_labels()
        figure.legend(
            handles, names, loc="lower left", bbox_to_anchor=(0.07, 0.0), ncols=2, columnspacing=1.5
        )
        handles, names = right.get_legend_handles_labels()
        figure.legend(handles, names, loc="lower right", bbox_to_anchor=(0.995, 0.0), ncols=1)
    return figure


def _shared_percent(found: list[StateStress]) -> float:
    return 100.0 * max(s.mean_common / s.mean_se if s.mean_se else 0.0 for s in found)


def _shared_in_words(found: list[StateStress]) -> str:
    percent = _shared_percent(found)
    if percent < 0.5:
        return (
            "what all grains share (strain-free reference, drift) is no part of their error here."
        )
    return (
        "the part that all grains share (strain-free reference, drift) is up to "
        f"{percent:.0f} % of the standard error here."
    )


def _counts(found: list[StateStress]) -> str:
    return f"Grains: {', '.join(f'{s.grains:,}' for s in found)}."


def _how_taken_off(found: list[StateStress]) -> str:
    by_grain = [s.state for s in found if not s.deconvolved]
    words = [_DECONVOLVED] if len(by_grain) < len(found) else []
    if by_grain:
        words.append(_GRAIN_BY_GRAIN.format(states=", ".join(by_grain)))
    return " ".join(words)


def draw_extremes(axes: Any, found: list[StateStress], kind: StressKind) -> None:
    """Mean, smallest and largest grain and robust extremes into the axes."""
    x = np.arange(len(found))
    mean = np.array([s.mean for s in found])
    reach = np.array([s.noise_reach for s in found])
    for k in x:
        axes.fill_between(
            [k - 0.32, k + 0.32],
            mean[k] - reach[k],
            mean[k] + reach[k],
            color="#e4e4e4",
            linewidth=0,
            zorder=0,
            label="reach of noise alone" if k == 0 else None,
        )
    for values, colour, marker, label in (
        ([s.high for s in found], RED, "^", "largest grain"),
        ([s.low for s in found], BLUE, "v", "smallest grain"),
    ):
        centre, error = np.array(values).T
        axes.plot(x, centre, color=colour, linewidth=0.5, alpha=0.6, zorder=1)
        axes.errorbar(
            x,
            centre,
            yerr=Z95 * error,
            fmt=marker,
            color=colour,
            markersize=4,
            linewidth=0.8,
            capsize=2,
            label=label,
        )
    robust = [([s.robust_high for s in found], RED, "99.5 % point net of noise")]
    if kind == HYDROSTATIC:
        robust.append(([s.robust_low for s in found], BLUE, "0.5 % point net of noise"))
    else:
        axes.set_ylim(bottom=0.0, top=1.08 * max(s.high[0] + Z95 * s.high[1] for s in found))
    for values3, colour, label in robust:
        centre, lower, upper = np.array(values3).T
        bars = np.abs(np.stack([centre - lower, upper - centre]))
        axes.plot(x + 0.16, centre, color=colour, linewidth=0.5, alpha=0.6, zorder=1)
        axes.errorbar(
            x + 0.16,
            centre,
            yerr=bars,
            fmt="o",
            color=colour,
            markerfacecolor="white",
            markersize=3.6,
            linewidth=0.8,
            capsize=2,
            label=label,
        )
    axes.errorbar(
        x,
        mean,
        yerr=[Z95 * s.mean_se for s in found],
        fmt="s-",
        color=INK,
        markersize=3,
        linewidth=0.8,
        capsize=2,
        label="mean",
    )
    if kind == HYDROSTATIC:
        axes.axhline(0.0, color=FAINT, linewidth=0.4, dashes=(4, 3), zorder=0)
    axes.set_ylabel(f"{WORDS[kind]} stress (MPa)")
    _label_states(axes, found)


def draw_means(axes: Any, found: list[StateStress], kind: StressKind) -> None:
    """The means alone, with 68 and 95 % intervals, into the axes."""
    x = np.arange(len(found))
    mean = np.array([s.mean for s in found])
    error = np.array([s.mean_se for s in found])
    random = np.array([s.mean_random for s in found])
    axes.plot(x, mean, color=INK, linewidth=0.5, alpha=0.6)
    axes.errorbar(
        x, mean, yerr=Z95 * error, fmt="none", ecolor=INK, linewidth=0.8, capsize=2, label="95 %"
    )
    axes.errorbar(x, mean, yerr=error, fmt="none", ecolor=INK, linewidth=2.6, label="68 %")
    axes.errorbar(
        x + 0.24,
        mean,
        yerr=random,
        fmt="none",
        ecolor=RED,
        linewidth=1.2,
        capsize=2,
        label="68 %, random part alone",
    )
    axes.plot(x, mean, "s", color="white", markeredgecolor=INK, markersize=3.4)
    if kind == HYDROSTATIC:
        axes.axhline(0.0, color=FAINT, linewidth=0.4, dashes=(4, 3), zorder=0)
    elif axes.get_ylim()[0] < 0.0:
        axes.set_ylim(bottom=0.0)
    axes.set_ylabel(f"mean {WORDS[kind]} stress (MPa)")
    _label_states(axes, found, width=8)


def _label_states(axes: Any, found: list[StateStress], width: int = 11) -> None:
    axes.set_xticks(range(len(found)), wrapped([s.state for s in found], width), fontsize=6.5)
    axes.set_xlim(-0.5, len(found) - 0.5)


def stress_table(found: list[StateStress], kind: StressKind) -> dict[str, Any]:
    """Columns of the plotted numbers, one row a state."""
    table: dict[str, Any] = {
        "state": np.array([s.state for s in found], dtype=str),
        "state_number": np.array([s.index for s in found]),
        "grains": np.array([s.grains for s in found]),
    }
    numbers = {
        "mean_mpa": [s.mean for s in found],
        "mean_mpa_se": [s.mean_se for s in found],
        "mean_mpa_random_se": [s.mean_random for s in found],
        "mean_mpa_common_se": [s.mean_common for s in found],
        "smallest_mpa": [s.low[0] for s in found],
        "smallest_mpa_se": [s.low[1] for s in found],
        "largest_mpa": [s.high[0] for s in found],
        "largest_mpa_se": [s.high[1] for s in found],
        "robust_low_mpa": [s.robust_low[0] for s in found],
        "robust_low_mpa_lower68": [s.robust_low[1] for s in found],
        "robust_low_mpa_upper68": [s.robust_low[2] for s in found],
        "robust_high_mpa": [s.robust_high[0] for s in found],
        "robust_high_mpa_lower68": [s.robust_high[1] for s in found],
        "robust_high_mpa_upper68": [s.robust_high[2] for s in found],
        "noise_reach_mpa": [s.noise_reach for s in found],
    }
    if kind == VON_MISES:
        numbers = {k: v for k, v in numbers.items() if not k.startswith("robust_low")}
    return table | {f"stress_{kind}_{k}": np.array(v) for k, v in numbers.items()}
