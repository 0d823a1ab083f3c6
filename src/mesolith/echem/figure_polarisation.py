"""Voltage and current against time with the states marked, and the impedance beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.echem.running_time import Run, marks_of_states, running_time, thinned
from mesolith.records.cell import Cell
from mesolith.records.cycling import Cycling, Impedance
from mesolith.records.direct_current import under_direct_current
from mesolith.records.drawing import Drawing
from mesolith.records.style import BLUE, FAINT, INK, RED, axes_mm, house_style, letter, new_figure
from mesolith.units import from_internal

# frequencies (Hz) named in a Nyquist plot, as far as readings within a factor 1.5 stand apart
_NAMED = ((1e5, "100 kHz"), (1e2, "100 Hz"), (1.0, "1 Hz"), (1e3, "1 kHz"))
_NEAR, _APART = 0.4, 0.2


def draw(cell: Cell) -> Drawing | None:
    """Polarisation profile of the whole cell; with spectra in any state, a Nyquist plot."""
    runs = running_time(cell)
    area: Any = cell.conditions.get("cell.area_mm2")
    unit, factor = ("Ω cm²", float(area) / 100.0) if area else ("Ω", 1.0)
    spectra = [
        (state.name, _scaled(cycling.impedance, factor))
        for state, cycling in cell.having(Cycling)
        if cycling.impedance is not None and len(cycling.impedance.frequency)
    ]
    if not runs and not spectra:
        return None
    with house_style():
        figure = new_figure(84.0)
        wide = 104.0 if spectra else 162.0
        if runs:
            upper = axes_mm(figure, 15, 36, wide, 41)
            lower = axes_mm(figure, 15, 16, wide, 16)
            marks = marks_of_states(cell, runs)
            _voltage(upper, runs, marks)
            _current(lower, runs, marks)
            letter(upper, "a", left_mm=14.0, up_mm=2.0)
        if spectra:
            _impedance_panels(
                figure, spectra, 134.0 if runs else 15.0, "bc" if runs else "ab", unit
            )
    return Drawing(
        figure=figure,
        caption=_caption(runs, spectra),
        how=(
            "The time between the cycler's files is cut to a narrow gap, so the axis counts the "
            "time the cycler ran. Half cycles are cut by the cycler's step number; rest, "
            "switch-over points, and points below a share of the set current (90 % unless "
            "echem.current_share says otherwise) are excluded before mean "
            "and spread are taken. The standard error allows for correlated points."
        ),
        cite=(
            "Form of the figure: M. B. Dixit et al., Nature Materials 21, 1298 (2022), Fig. S3b-c",
        ),
        table=_table(runs),
    )


def _voltage(axes: Any, runs: list[Run], marks: list[tuple[float, str]]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    for run in runs:
        driven = under_direct_current(run.cycling)
        hours, values = thinned(run.hours, np.where(driven, run.cycling.voltage * 1e3, np.nan))
        axes.plot(hours, values, color=BLUE, linewidth=0.8)
        half = run.cycling.half_cycles
        if half is None:
            continue
        for k in range(len(half.step)):
            first = run.hours[min(int(half.first_row[k]), len(run.hours) - 1)]
            ends = [first, first + half.duration[k] / 3600.0]
            mean, spread = half.overpotential[k] * 1e3, half.overpotential_std[k] * 1e3
            axes.fill_between(
                ends, mean - spread, mean + spread, color=RED, alpha=0.20, linewidth=0
            )
            axes.plot(ends, [mean, mean], color=RED, linewidth=1.0)
    axes.axhline(0.0, color=INK, linewidth=0.4, dashes=(4, 3), zorder=0)
    axes.set_ylabel("voltage (mV)")
    axes.tick_params(labelbottom=False)
    axes.margins(x=0.015, y=0.08)
    for place, name in marks:
        axes.axvline(place, color=FAINT, linewidth=0.6, zorder=0)
        first = place == marks[0][0] and place < 0.1 * marks[-1][0]
        axes.annotate(
            name,
            (place, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-2 if first else 2, 6),
            textcoords="offset points",
            ha="left" if first else "right",
            va="bottom",
            fontsize=6.5,
        )
        axes.plot(
            [place],
            [1.02],
            marker="v",
            color=INK,
            markersize=4,
            transform=axes.get_xaxis_transform(),
            clip_on=False,
            linestyle="none",
        )
    axes.figure.legend(
        [
            Line2D([], [], color=BLUE),
            Line2D([], [], color=RED),
            Patch(color=RED, alpha=0.20, linewidth=0),
        ],
        ["measured", "mean of the half cycle", "± one standard deviation"],
        loc="lower left",
        bbox_to_anchor=(0.07, 0.0),
        ncols=3,
    )


def _current(axes: Any, runs: list[Run], marks: list[tuple[float, str]]) -> None:
    peak = max(float(np.nanmax(np.abs(run.cycling.current), initial=0.0)) for run in runs)
    unit, factor = ("mA", 1e3) if peak >= 1e-3 else ("µA", 1e6)
    for run in runs:
        driven = under_direct_current(run.cycling)
        hours, values = thinned(run.hours, np.where(driven, run.cycling.current * factor, np.nan))
        axes.plot(hours, values, color=INK, linewidth=0.8)
    for place, _ in marks:
        axes.axvline(place, color=FAINT, linewidth=0.6, zorder=0)
    axes.axhline(0.0, color=INK, linewidth=0.4, dashes=(4, 3), zorder=0)
    axes.set_ylabel(f"current ({unit})")
    axes.set_xlabel("time with the cycler running (h), plating positive")
    axes.margins(x=0.015, y=0.15)


def _impedance_panels(
    figure: Any, spectra: list[tuple[str, Impedance]], left: float, letters: str, unit: str
) -> None:
    """First and last spectrum together, and the smaller one enlarged where it is lost."""
    ends = _ends(spectra)
    styled = [(*entry, *look) for entry, look in zip(ends, ((BLUE, "o"), (RED, "s")), strict=False)]
    small = _lost(ends)
    upper = axes_mm(figure, left, 50, 44, 27)
    _nyquist(upper, styled, unit)
    letter(upper, letters[0], left_mm=11.0, up_mm=2.0)
    if small is None:
        upper.legend(loc="upper left", bbox_to_anchor=(-0.3, -0.62), borderaxespad=0.0)
        return
    upper.legend(loc="upper left", bbox_to_anchor=(0.0, 1.04), borderaxespad=0.0)
    upper.set_xlabel("")
    lower = axes_mm(figure, left, 16, 44, 22)
    _nyquist(lower, [styled[small]], unit)
    lower.set_title(f"{ends[small][0]} alone", fontsize=6.5, loc="left", pad=2)
    letter(lower, letters[1], left_mm=11.0, up_mm=0.0)


def _ends(spectra: list[tuple[str, Impedance]]) -> list[tuple[str, Impedance]]:
    return spectra if len(spectra) < 2 else [spectra[0], spectra[-1]]


def _lost(ends: list[tuple[str, Impedance]]) -> int | None:
    """Which of two spectra would be lost beside the other, and has a shape worth a panel."""
    if len(ends) < 2:
        return None
    sweeps = [_last_sweep(spectrum) for _, spectrum in ends]
    extents = [float(np.nanmax(real) - np.nanmin(real)) for real, _ in sweeps]
    small = int(np.argmin(extents))
    real, minus_imaginary = sweeps[small]
    has_shape = float(np.nanmax(minus_imaginary)) > 0.05 * float(np.nanmax(np.abs(real)))
    return small if extents[small] < 0.35 * max(extents) and has_shape else None


def _last_sweep(spectrum: Impedance) -> tuple[FloatArray, FloatArray]:
    last = spectrum.sweep == spectrum.sweep[-1]
    return spectrum.real[last], -spectrum.imaginary[last]


def _scaled(spectrum: Impedance, factor: float) -> Impedance:
    return replace(spectrum, real=spectrum.real * factor, imaginary=spectrum.imaginary * factor)


def _mark_decades(axes: Any, spectrum: Impedance, colour: str) -> None:
    """Name the readings nearest to a few frequencies where they stand apart."""
    last = spectrum.sweep == spectrum.sweep[-1]
    real, minus_imaginary = _last_sweep(spectrum)
    frequency = spectrum.frequency[last]
    extent = float(np.nanmax(real) - np.nanmin(real)) or 1.0
    placed: list[tuple[float, float]] = []
    for hertz, word in _NAMED:
        k = int(np.argmin(np.abs(np.log(frequency / hertz))))
        x, y = float(real[k]), float(minus_imaginary[k])
        near = any(np.hypot(x - u, y - v) < _APART * extent for u, v in placed)
        if near or abs(np.log(frequency[k] / hertz)) > _NEAR:
            continue
        placed.append((x, y))
        axes.plot([x], [y], "o", markersize=3.4, markerfacecolor="none", color=colour)
        axes.annotate(
            word, (x, y), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=5.5
        )


def _nyquist(axes: Any, styled: list[tuple[str, Impedance, str, str]], unit: str) -> None:
    for name, spectrum, colour, marker in styled:
        real, minus_imaginary = _last_sweep(spectrum)
        axes.plot(
            real,
            minus_imaginary,
            marker=marker,
            color=colour,
            markersize=1.8,
            linewidth=0.6,
            label=f"{name} (n = {len(real)}), Re Z up to {_three_digits(np.nanmax(real))} {unit}",
        )
    _mark_decades(axes, styled[0][1], styled[0][2])
    axes.set_xlabel(f"Re Z ({unit})")
    axes.set_ylabel(f"−Im Z ({unit})")
    axes.margins(0.06)
    axes.set_aspect("equal", adjustable="datalim")
    axes.locator_params(nbins=4)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,g}".replace("-", "−"))


def _three_digits(value: float) -> str:
    digits = int(np.floor(np.log10(value))) - 2 if value > 0.0 else 0
    return f"{round(value, -digits):,.{max(0, -digits)}f}"


def _caption(runs: list[Run], spectra: list[tuple[str, Impedance]]) -> str:
    parts = []
    if runs:
        points = sum(len(run.hours) for run in runs)
        halves = [h for run in runs if (h := run.cycling.half_cycles) is not None]
        count = sum(len(half.step) for half in halves)
        parts.append(
            f"Voltage and current (n = {points:,} points) against time; triangles and grey lines "
            "mark where a state was measured, after the record that led to it."
        )
        if count:
            parts.append(
                f"Orange: mean voltage of each half cycle (n = {count}) with one standard "
                "deviation of its points; the standard error of the mean is in "
                "tables/polarisation.csv. Gaps: the cycler was at rest or measured impedance."
            )
    if spectra:
        ends = spectra[0][0] if len(spectra) == 1 else f"{spectra[0][0]} and {spectra[-1][0]}"
        parts.append(
            f"Impedance of {ends}, last sweep of each"
            f"{'' if _lost(_ends(spectra)) is None else ', and the smaller one enlarged'}. The "
            "files give single readings, so no interval is drawn. Circles: readings near the "
            "frequencies named."
        )
    return " ".join(parts)


def _table(runs: list[Run]) -> dict[str, Any]:
    halves = [(run.name, half) for run in runs if (half := run.cycling.half_cycles) is not None]
    if not halves:
        return {}
    joined = {
        name: np.concatenate([getattr(half, name) for _, half in halves])
        for name in ("step", "duration", "current", "charge", "overpotential")
    }
    for name in ("overpotential_se", "overpotential_std"):
        joined[name] = np.concatenate([getattr(half, name) for _, half in halves])
    return {
        "state": np.concatenate([np.full(len(half.step), name) for name, half in halves]),
        "step": joined["step"],
        "duration_h": from_internal(joined["duration"], "h"),
        "current_ma": from_internal(joined["current"], "mA"),
        "charge_mah": from_internal(joined["charge"], "mAh"),
        "overpotential_mv": from_internal(joined["overpotential"], "mV"),
        "overpotential_mv_se": from_internal(joined["overpotential_se"], "mV"),
        "overpotential_mv_std": from_internal(joined["overpotential_std"], "mV"),
    }
