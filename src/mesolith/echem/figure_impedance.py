"""Impedance cycle by cycle: spectra with their fits, what the fits miss, and the elements."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from mesolith.echem.half_cycle_axis import BAND, logarithmic
from mesolith.echem.measured_sweeps import (
    Sweep,
    sweeps_after_short,
    sweeps_of_cell,
    table_of_sweeps,
)
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.style import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    RED,
    axes_mm,
    house_style,
    letter,
    new_figure,
)

_SHOWN = 4  # spectra in the Nyquist plot
_LOOK = ((BLUE, "o"), (GREEN, "^"), (PURPLE, "D"), (RED, "s"))
_ROLES = {
    "series": (FAINT, "o", "in series"),
    "bulk": (BLUE, "s", "bulk"),
    "grain boundary": (GREEN, "^", "grain boundary"),
    "interface": (RED, "D", "interface"),
    "unknown": (PURPLE, "v", "arc of unknown role"),
}
_VERDICTS = {"valid": GREEN, "unclear": ORANGE, "violated": RED}
_WIDE = 20.0
_NAMED = 14
_NYQUIST_MM = (70.0, 42.0)
_NAME_MM = 3.4


def draw(cell: Cell) -> Drawing | None:
    """Nyquist plot with fits, residuals, elements by sweep and the Kramers-Kronig verdicts."""
    sweeps = sweeps_of_cell(cell)
    if not sweeps:
        return None
    area: Any = cell.conditions.get("cell.area_mm2")
    unit, factor = ("Ω cm²", float(area) / 100.0) if area else ("Ω", 1.0)
    shown = _chosen(sweeps)
    shorted = sweeps_after_short(cell, sweeps)
    with house_style():
        figure = new_figure(142.0)
        nyquist = axes_mm(figure, 18, 92, *_NYQUIST_MM)
        _nyquist(nyquist, shown, unit, factor)
        letter(nyquist, "a", left_mm=15.0, up_mm=1.0)
        rest = axes_mm(figure, 106, 115, 68, 19)
        doubt = axes_mm(figure, 106, 92, 68, 19)
        _residuals(rest, doubt, shown)
        letter(rest, "b", left_mm=14.0, up_mm=1.0)
        elements = axes_mm(figure, 18, 42, 156, 33)
        _elements(elements, sweeps, unit, factor)
        letter(elements, "c", left_mm=15.0, up_mm=1.0)
        verdicts = axes_mm(figure, 18, 22, 156, 15)
        _verdicts(verdicts, sweeps, 100.0 * sweeps[0].fits.tolerance)
        letter(verdicts, "d", left_mm=15.0, up_mm=0.5)
        for axes in (elements, verdicts):
            _sweep_axis(axes, sweeps, labelled=axes is verdicts)
            for place in shorted:
                axes.axvspan(place - 0.5, place + 0.5, color=BAND, linewidth=0.0, zorder=-1)
        _legend(figure, sweeps, shorted)
    return Drawing(
        figure=figure,
        caption=_caption(sweeps, shown, shorted, unit),
        how=(
            f"Circuit: {_circuits(sweeps)}; {sweeps[0].fits.circuit_choice}. Weighted least "
            "squares on real and imaginary part; the errors come from the residuals and are "
            "lengthened where neighbouring residuals agree in sign. An arc's role is told by its "
            "capacitance, brought to a thickness over area of 1/cm: up to 2e-11 F bulk, 3e-8 F "
            "grain boundary, above interface; an order of magnitude, no proof. What answers "
            "faster than the highest frequency, such as the bulk of a thin pellet, is part of "
            "the resistance in series. The Kramers-Kronig test asks whether one chain of "
            "relaxations describes both parts."
        ),
        cite=(
            "Kramers-Kronig test: B. A. Boukamp 1995, 10.1149/1.2044210",
            "Roles: J. T. S. Irvine et al. 1990, 10.1002/adma.19900020304",
            "Capacitance of an arc: C. H. Hsu, F. Mansfeld 2001, 10.5006/1.3280607",
        ),
        table=table_of_sweeps(sweeps),
    )


def _chosen(sweeps: list[Sweep]) -> list[Sweep]:
    places = np.unique(np.round(np.linspace(0, len(sweeps) - 1, _SHOWN)).astype(int))
    return [sweeps[k] for k in places]


def _nyquist(axes: Any, shown: list[Sweep], unit: str, factor: float) -> None:
    for sweep, (colour, marker) in zip(shown, _looks(len(shown)), strict=True):
        fits, rows = sweep.fits, sweep.points
        valid = fits.verdict[sweep.row] != "violated"
        axes.plot(
            fits.point_real[rows] * factor,
            fits.point_minus_imaginary[rows] * factor,
            marker=marker,
            markersize=2.4,
            linestyle="none",
            color=colour,
            markerfacecolor=colour if valid else "white",
            label=sweep.name,
        )
        axes.plot(
            fits.point_fit_real[rows] * factor,
            fits.point_fit_minus_imaginary[rows] * factor,
            color=colour,
            linewidth=0.8,
        )
    axes.set_xlabel(f"Re Z ({unit})")
    axes.set_ylabel(f"−Im Z ({unit})")
    _equal_scales(axes, shown, factor)
    axes.locator_params(nbins=5)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,g}".replace("-", "−"))
    axes.legend(loc="upper left", borderaxespad=0.0, handletextpad=0.2)


def _equal_scales(axes: Any, shown: list[Sweep], factor: float) -> None:
    """Limits of one scale in both directions, with room for the names above the spectra."""
    real = np.concatenate([s.fits.point_real[s.points] for s in shown]) * factor
    minus = np.concatenate([s.fits.point_minus_imaginary[s.points] for s in shown]) * factor
    width, height = _NYQUIST_MM
    low, high = min(0.0, float(minus.min())), float(minus.max())
    span = float(real.max()) - min(0.0, float(real.min()))
    room = height - _NAME_MM * len(shown) - 2.0
    scale = max(1.1 * span / width, 1.1 * (high - low) / room)
    middle = float(real.max()) - 0.5 * span
    axes.set_xlim(middle - 0.5 * scale * width, middle + 0.5 * scale * width)
    bottom = low - 0.05 * scale * height
    axes.set_ylim(bottom, bottom + scale * height)


def _looks(count: int) -> tuple[tuple[str, str], ...]:
    return _LOOK if count == len(_LOOK) else (*_LOOK[: count - 1], _LOOK[-1])


def _residuals(upper: Any, lower: Any, shown: list[Sweep]) -> None:
    """Residuals of the circuit (above) and of the Kramers-Kronig chain, per cent of |Z|."""
    for sweep, (colour, _) in zip(shown, _looks(len(shown)), strict=True):
        fits, rows = sweep.fits, sweep.points
        f = fits.point_frequency[rows]
        size = np.hypot(fits.point_real[rows], fits.point_minus_imaginary[rows])
        real = (fits.point_real[rows] - fits.point_fit_real[rows]) / size
        minus = fits.point_minus_imaginary[rows] - fits.point_fit_minus_imaginary[rows]
        for axes, parts in (
            (upper, (real, -minus / size)),
            (lower, (fits.point_kk_real[rows], fits.point_kk_imaginary[rows])),
        ):
            for values, face in zip(parts, (colour, "white"), strict=True):
                axes.plot(
                    f,
                    100.0 * values,
                    marker="o",
                    markersize=1.8,
                    markeredgewidth=0.5,
                    markerfacecolor=face,
                    linewidth=0.4,
                    color=colour,
                )
    for axes, words in ((upper, "circuit"), (lower, "Kramers-Kronig")):
        axes.set_xscale("log")
        axes.axhline(0.0, color=INK, linewidth=0.4, dashes=(4, 3), zorder=0)
        axes.set_ylabel("residual (%)")
        axes.set_title(words, fontsize=6.5, loc="right", pad=1)
        axes.locator_params(axis="y", nbins=4)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "−"))
    lower.set_xlim(upper.get_xlim())
    upper.tick_params(labelbottom=False)
    lower.set_xlabel("frequency (Hz)")


def _elements(axes: Any, sweeps: list[Sweep], unit: str, factor: float) -> None:
    """Resistance by role: 68 % thick, 95 % thin; open where Kramers-Kronig speaks against it."""
    values = []
    for sweep in sweeps:
        fits = sweep.fits
        valid = fits.verdict[sweep.row] != "violated"
        drawn: list[str] = []
        for arc in sweep.arcs:
            colour, marker, _ = _ROLES[fits.arc_role[arc]]
            value = float(fits.arc_resistance[arc]) * factor
            ends95 = [fits.arc_low95[arc] * factor, fits.arc_high95[arc] * factor]
            ends68 = [fits.arc_low68[arc] * factor, fits.arc_high68[arc] * factor]
            role = fits.arc_role[arc]
            at = sweep.place + _shift(role) + 0.09 * drawn.count(role)
            drawn.append(role)
            axes.plot([at, at], ends95, color=colour, linewidth=0.7, zorder=1)
            axes.plot([at, at], ends68, color=colour, linewidth=1.8, zorder=1)
            axes.plot(
                [at],
                [value],
                marker=marker,
                color=colour,
                markerfacecolor=colour if valid else "white",
                zorder=2,
            )
            values.append(value)
    if values and max(values) > _WIDE * min(values) > 0.0:
        logarithmic(axes, 0.5 * min(values), 2.0 * max(values))
    elif values:
        axes.set_ylim(0.0, 1.2 * max(values))
        axes.locator_params(axis="y", nbins=5)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.set_ylabel(f"resistance ({unit})")


def _shift(role: str) -> float:
    return 0.12 * (list(_ROLES).index(role) - 2)


def _verdicts(axes: Any, sweeps: list[Sweep], tolerance: float) -> None:
    disagreement = np.array([100.0 * s.fits.disagreement[s.row] for s in sweeps])
    verdict = np.array([s.fits.verdict[s.row] for s in sweeps])
    place = np.array([s.place for s in sweeps])
    for word, colour in _VERDICTS.items():
        rows = (verdict == word) & np.isfinite(disagreement)
        axes.plot(
            place[rows],
            disagreement[rows],
            marker="o" if word != "violated" else "X",
            color=colour,
            linestyle="none",
        )
    axes.axhline(tolerance, color=INK, linewidth=0.6, dashes=(4, 2))
    known = disagreement[np.isfinite(disagreement)]
    axes.set_ylim(-0.1 * tolerance, 1.3 * max(tolerance, float(known.max(initial=0.0))))
    axes.locator_params(axis="y", nbins=3)
    axes.set_ylabel("disagree (%)")


def _sweep_axis(axes: Any, sweeps: list[Sweep], *, labelled: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(0.4, len(sweeps) + 0.6)
    axes.tick_params(labelbottom=labelled)
    if len(sweeps) <= _NAMED and len({s.state for s in sweeps}) == len(sweeps):
        from mesolith.records.style import wrapped

        axes.set_xticks([s.place for s in sweeps], wrapped([s.state for s in sweeps]))
        return
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
    if labelled:
        axes.set_xlabel("sweep, in order")
    for before, after in pairwise(sweeps):
        if before.state != after.state:
            axes.axvline(after.place - 0.5, color=FAINT, linewidth=0.5, zorder=0)


def _legend(figure: Any, sweeps: list[Sweep], shorted: list[int]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    roles = {role for s in sweeps for role in (s.fits.arc_role[k] for k in s.arcs)}
    found: list[tuple[Any, str]] = []
    for role, (colour, marker, word) in _ROLES.items():
        if role in roles:
            handle = Line2D([], [], color=colour, marker=marker, linestyle="none")
            found.append((handle, f"c: {word}"))
    verdicts = {s.fits.verdict[s.row] for s in sweeps}
    for word, colour in _VERDICTS.items():
        if word in verdicts:
            marker = "o" if word != "violated" else "X"
            handle = Line2D([], [], color=colour, marker=marker, linestyle="none")
            found.append((handle, f"d: {word}"))
    found.append((Line2D([], [], color=INK, linewidth=0.6, dashes=(4, 2)), "d: tolerance"))
    if shorted:
        found.append((Patch(color=BAND, linewidth=0.0), "after a short"))
    handles, names = [h for h, _ in found], [n for _, n in found]
    figure.legend(handles, names, loc="lower left", bbox_to_anchor=(0.07, 0.0), ncols=5)


def _circuits(sweeps: list[Sweep]) -> str:
    by_text: dict[str, list[str]] = {}
    for sweep in sweeps:
        states = by_text.setdefault(sweep.fits.circuit or "none", [])
        if sweep.state not in states:
            states.append(sweep.state)
    if len(by_text) == 1:
        return next(iter(by_text))
    return "; ".join(f"{text} in {', '.join(states)}" for text, states in by_text.items())


def _caption(sweeps: list[Sweep], shown: list[Sweep], shorted: list[int], unit: str) -> str:
    count = len(sweeps)
    fitted = [s for s in sweeps if s.fits.fitted[s.row]]
    violated = sum(1 for s in sweeps if s.fits.verdict[s.row] == "violated")
    unclear = sum(1 for s in sweeps if s.fits.verdict[s.row] == "unclear")
    points = sum(len(s.points) for s in sweeps)
    noun = "sweep" if count == 1 else "sweeps"
    few = f"{len(shown)} of them" if len(shown) < count else "all of them"
    text = (
        f"n = {count} {noun}, {points:,} frequencies in all. a, measured points and fitted "
        f"circuits (lines) of {few}. b, what the circuit and a chain of relaxations (Kramers and "
        "Kronig) miss, relative to |Z|; filled: real part, open: imaginary part. c, resistances "
        f"of the circuit with 68 % (thick) and 95 % (thin) intervals{_area_words(unit)}, "
        f"n = {len(fitted)} fits. d, disagreement of real and imaginary part, noise taken off. "
    )
    if violated:
        text += (
            f"{violated} of {count} sweeps fail the Kramers-Kronig test (open symbols in a and c): "
            "the cell changed while they ran or answered nonlinearly, and their elements are no "
            "result. "
        )
    if unclear:
        text += f"{unclear} are too few or too noisy to be judged. "
    if not violated and not unclear:
        text += "All pass the Kramers-Kronig test. " if count > 1 else "It passes the test. "
    missing = count - len(fitted)
    if missing:
        text += f"{missing} have no fit. "
    if shorted:
        text += (
            "Shaded: after a short; what is measured there is the short, and the roles say "
            "nothing. "
        )
    return text.strip()


def _area_words(unit: str) -> str:
    return ", the area's error apart" if unit != "Ω" else ""
