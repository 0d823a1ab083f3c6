"""The most extreme grains of each state, net of noise and of grains that are none."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.extremes import StressExtremes
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


def draw(cell: Cell) -> Drawing | None:
    """Highest and lowest true stress by state, and the listed grains; None without extremes."""
    if StressExtremes not in cell or not cell[StressExtremes].state:
        return None
    found = cell[StressExtremes]
    table = _table(found)
    with house_style():
        figure = new_figure(86.0)
        left = axes_mm(figure, 17, 20, 90, 62)
        right = axes_mm(figure, 121, 20, 57, 62)
        _by_state(left, found)
        _shrunken(right, table)
        letter(left, "a", left_mm=15.0, up_mm=-1.0)
        letter(right, "b", left_mm=13.0, up_mm=-1.0)
        handles, names = left.get_legend_handles_labels()
        figure.legend(
            handles, names, loc="lower left", bbox_to_anchor=(0.07, 0.0), ncols=2, columnspacing=1.5
        )
    counts = ", ".join(f"{own.grains:,}" for own in found.extremes)
    listed = len(found.extremes[0].grain) // 2
    level = 100.0 * found.extremes[0].level
    taken = np.abs(table["measured_mpa"] - table["estimate_mpa"])
    real = 100.0 * float(np.mean(found.real_share))
    return Drawing(
        figure=figure,
        caption=(
            "Extreme grains of the hydrostatic stress, tension positive. (a) Highest and lowest "
            f"true stress among all real grains of a state with {level:.0f} % intervals; short "
            f"dashes are the {listed} highest and {listed} lowest grains as measured; the grey "
            "band ends where noise alone would carry the highest and the lowest of so many grains "
            "that are all alike. (b) The same listed grains: measured stress, and how much of it "
            "is probably noise, since high noise is what lifts a grain onto such a list: "
            f"{np.median(taken):.1f} MPa in the median, {taken.max():.1f} at most; what is left is "
            f"known to ±{np.median(table['estimate_mpa_se']):.0f} MPa (68 %). A grain is real with "
            f"{real:.1f} % on average. "
            f"Grains: {counts}."
        ),
        how=(
            "The distribution of the true stress is estimated from all grains with their noise "
            "known, by maximum likelihood, as a mixture of half-normals on both sides of the "
            "median; each grain's stress and the extreme of all follow from it. A grain that no "
            "neighbouring state holds counts with the probability that it is real. What shifts "
            "all grains of a state together (strain-free reference, drift) is not in the "
            "intervals."
        ),
        cite=(
            "Deconvolution: B. Efron, Biometrika 103, 1 (2016), 10.1093/biomet/asv068",
            "Form of the figure: M. B. Dixit et al., Nature Materials 21, 1298 (2022), Fig. 1c",
        ),
        table=table,
    )


def _by_state(axes: Any, found: StressExtremes) -> None:
    x = np.arange(len(found.state), dtype=np.float64)
    for k, own in zip(x, found.extremes, strict=True):
        axes.fill_between(
            [k - 0.34, k + 0.34],
            own.noise_lowest,
            own.noise_highest,
            color="#e4e4e4",
            linewidth=0,
            zorder=0,
            label="reach of noise alone" if k == 0 else None,
        )
        half = len(own.grain) // 2
        for rows, colour, label in (
            (slice(None, half), RED, f"{half} highest, measured"),
            (slice(half, None), BLUE, f"{half} lowest, measured"),
        ):
            axes.plot(
                np.full(half, k - 0.18),
                own.measured[rows],
                "_",
                color=colour,
                markersize=6,
                markeredgewidth=0.7,
                alpha=0.7,
                label=label if k == 0 else None,
            )
    for name, colour, marker, label in (
        ("highest", RED, "^", "highest true stress"),
        ("lowest", BLUE, "v", "lowest true stress"),
    ):
        value, low, high = (
            np.array([getattr(own, name + end) for own in found.extremes])
            for end in ("", "_low", "_high")
        )
        axes.plot(x + 0.08, value, color=colour, linewidth=0.5, alpha=0.6)
        axes.errorbar(
            x + 0.08,
            value,
            yerr=np.abs(np.stack([value - low, high - value])),
            fmt=marker,
            color=colour,
            markersize=4,
            linewidth=0.9,
            capsize=2,
            label=label,
        )
    axes.axhline(0.0, color=FAINT, linewidth=0.4, dashes=(4, 3), zorder=0)
    axes.set_ylabel("hydrostatic stress (MPa)")
    axes.set_xticks(x, wrapped(found.state, 11), fontsize=6.5)
    axes.set_xlim(-0.5, len(x) - 0.5)


def _shrunken(axes: Any, table: dict[str, Any]) -> None:
    measured, estimate = table["measured_mpa"], table["estimate_mpa"]
    for end, colour in (("high", RED), ("low", BLUE)):
        own = table["end"] == end
        axes.plot(
            measured[own],
            measured[own] - estimate[own],
            "o",
            color=colour,
            markersize=2.8,
            alpha=0.75,
        )
    axes.axhline(0.0, color=INK, linewidth=0.5, dashes=(4, 3), zorder=0)
    axes.set_xlabel("measured stress of a grain (MPa)")
    axes.set_ylabel("of it, share of noise (MPa)")


def _table(found: StressExtremes) -> dict[str, Any]:
    """One row a listed grain, with the extremes of its state beside it."""
    columns: dict[str, list[Any]] = {"state": [], "end": []}
    for state, share, own in zip(found.state, found.real_share, found.extremes, strict=True):
        count = len(own.grain)
        columns["state"] += [state] * count
        columns["end"] += ["high"] * (count // 2) + ["low"] * (count - count // 2)
        for name, values in (
            ("grain_id", own.grain),
            ("measured_mpa", own.measured),
            ("estimate_mpa", own.estimate),
            ("estimate_mpa_se", own.estimate_se),
            ("probability_real", own.real),
        ):
            columns.setdefault(name, []).extend(values.tolist())
        of_state = {
            f"state_{end}_mpa{tail}": getattr(own, f"{end}{part}")
            for end in ("highest", "lowest")
            for tail, part in (("", ""), ("_lower68", "_low"), ("_upper68", "_high"))
        }
        of_state |= {
            "state_noise_highest_mpa": own.noise_highest,
            "state_noise_lowest_mpa": own.noise_lowest,
            "state_spread_mpa": own.spread,
            "state_grains": own.grains,
            "state_real_share": float(share),
        }
        for name, value in of_state.items():
            columns.setdefault(name, []).extend([value] * count)
    return {name: np.array(values) for name, values in columns.items()}
