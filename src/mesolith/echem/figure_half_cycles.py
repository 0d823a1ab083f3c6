"""Half cycle by half cycle: how restless the voltage is, what resists, and how it drifts."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.echem.half_cycle_axis import (
    SHORT_WORDS,
    directions,
    failure_of,
    half_cycle_axis,
    logarithmic,
    mark_short,
    name_states,
    short_handle,
)
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.plating import CriticalCurrent, HalfCycleResistance
from mesolith.records.style import INK, axes_mm, house_style, letter, new_figure
from mesolith.units import from_internal

_WIDE_SCALE = 20.0  # beyond this ratio a logarithmic axis
_SHIFT = 0.14


def draw(cell: Cell) -> Drawing | None:
    """Standard deviation and scatter, resistance, and slope of every half cycle."""
    if HalfCycleResistance not in cell:
        return None
    found = cell[HalfCycleResistance]
    count = len(found.half_cycle)
    if count == 0:
        return None
    failure = failure_of(cell)
    with house_style():
        figure = new_figure(122.0)
        upper = axes_mm(figure, 16, 85, 158, 28)
        middle = axes_mm(figure, 16, 49, 158, 28)
        lower = axes_mm(figure, 16, 19, 158, 22)
        _restlessness(upper, found)
        unit = _resistance(middle, found)
        _slope(lower, found)
        name_states(upper, found.state)
        for axes, mark in ((upper, "a"), (middle, "b"), (lower, "c")):
            half_cycle_axis(axes, count, labelled=axes is lower)
            mark_short(axes, failure)
            letter(axes, mark, left_mm=14.0, up_mm=1.0)
        _legend(figure, found, failure)
    return Drawing(
        figure=figure,
        caption=_caption(found, failure, unit),
        how=(
            "Half cycles are cut by the cycler's step number, switch-over points left out. The "
            "scatter is the standard deviation about a parabola in time; the standard deviation "
            "counts the drift as well. The slope is that of a straight line, positive where the "
            "polarisation grows in either direction. All errors allow for correlated points. The "
            "ohmic part is that of the last spectrum before the half cycle that passes the "
            "Kramers-Kronig test: what is in series, bulk and grain boundaries."
        ),
        cite=("M. B. Dixit et al., Nature Materials 21, 1298 (2022), Fig. S20",),
        table=_table(found),
        plot=("standard_deviation_mv", "half_cycle", "standard_deviation_mv_se"),
    )


def _restlessness(axes: Any, found: HalfCycleResistance) -> None:
    number = found.half_cycle + 1.0
    for rows, colour, marker, _ in directions(found.current):
        for values, errors, shift, filled in (
            (found.spread, found.spread_se, -_SHIFT, False),
            (found.scatter, found.scatter_se, _SHIFT, True),
        ):
            axes.errorbar(
                number[rows] + shift,
                values[rows] * 1e3,
                yerr=_within(values[rows], errors[rows]) * 1e3,
                fmt=marker,
                color=colour,
                markerfacecolor=colour if filled else "white",
                elinewidth=0.8,
            )
    _scale(axes, np.concatenate([found.spread, found.scatter]) * 1e3)
    axes.set_ylabel("deviation (mV)")


def _resistance(axes: Any, found: HalfCycleResistance) -> str:
    per_area = bool(np.any(np.isfinite(found.areal_resistance)))
    unit = "Ω cm²" if per_area else "Ω"
    values, errors, factor = _resistances(found)
    number = found.half_cycle + 1.0
    for rows, colour, marker, _ in directions(found.current):
        axes.errorbar(
            number[rows],
            values[rows],
            yerr=errors[rows],
            fmt=marker,
            color=colour,
            elinewidth=0.8,
        )
    known = np.isfinite(found.ohmic)
    if np.any(known):
        axes.hlines(
            found.ohmic[known] * factor,
            number[known] - 0.3,
            number[known] + 0.3,
            color=INK,
            linewidth=1.0,
        )
    axes.set_ylabel(f"resistance ({unit})")
    top, bottom = float(np.nanmax(values + errors)), float(np.nanmin(values - errors))
    axes.set_ylim(min(0.0, 1.1 * bottom), 1.15 * max(top, 0.0) or None)
    _thousands(axes)
    return unit


def _resistances(found: HalfCycleResistance) -> tuple[FloatArray, FloatArray, float]:
    """Resistance and error in ohm cm2 where an area is known, else ohm; factor from ohm."""
    if np.any(np.isfinite(found.areal_resistance)):
        values = np.asarray(from_internal(np.asarray(found.areal_resistance), "ohm cm2"))
        errors = np.asarray(from_internal(np.asarray(found.areal_resistance_se), "ohm cm2"))
        k = int(np.nanargmax(np.abs(found.resistance)))
        return values, errors, float(values[k] / found.resistance[k])
    return np.asarray(found.resistance), np.asarray(found.resistance_se), 1.0


def _slope(axes: Any, found: HalfCycleResistance) -> None:
    number = found.half_cycle + 1.0
    per_hour = 3600.0 * 1e3
    for rows, colour, marker, _ in directions(found.current):
        axes.errorbar(
            number[rows],
            found.slope[rows] * per_hour,
            yerr=found.slope_se[rows] * per_hour,
            fmt=marker,
            color=colour,
            elinewidth=0.8,
        )
    axes.axhline(0.0, color=INK, linewidth=0.4, dashes=(4, 3), zorder=0)
    axes.set_ylabel("slope (mV/h)")
    axes.margins(y=0.15)
    _thousands(axes)


def _within(values: FloatArray, errors: FloatArray) -> FloatArray:
    """Bars below and above that stay above zero on a logarithmic axis."""
    return np.stack([np.minimum(errors, 0.98 * values), errors])


def _scale(axes: Any, values: FloatArray) -> None:
    positive = values[np.isfinite(values) & (values > 0.0)]
    if len(positive) and positive.max() > _WIDE_SCALE * positive.min():
        logarithmic(axes, 0.6 * float(positive.min()), 1.5 * float(positive.max()))
    else:
        axes.set_ylim(0.0, 1.2 * float(positive.max(initial=0.0)) or None)
        axes.locator_params(axis="y", nbins=5, steps=[1, 2, 5, 10])
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _thousands(axes: Any) -> None:
    axes.locator_params(axis="y", nbins=5)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}".replace("-", "−"))


def _legend(figure: Any, found: HalfCycleResistance, failure: CriticalCurrent | None) -> None:
    from matplotlib.lines import Line2D

    handles, names = [], []
    for _, colour, marker, word in directions(found.current):
        handles.append(Line2D([], [], color=colour, marker=marker, linestyle="none"))
        names.append(word)
    for face, word in (("white", "a: standard deviation"), (INK, "a: scatter about a parabola")):
        handles.append(
            Line2D([], [], color=INK, marker="o", markerfacecolor=face, linestyle="none")
        )
        names.append(word)
    if np.any(np.isfinite(found.ohmic)):
        handles.append(Line2D([], [], color=INK))
        names.append("b: ohmic part")
    for handle, word in short_handle(failure):
        handles.append(handle)
        names.append(word)
    figure.legend(handles, names, loc="lower left", bbox_to_anchor=(0.07, 0.0), ncols=6)


def correlation_needed(count: int) -> float:
    """Correlation that so many points must show for a p-value of 5 %; NaN below three."""
    if count < 3:
        return float("nan")
    from scipy.special import stdtrit

    t = float(stdtrit(count - 2, 0.975))
    return t / float(np.sqrt(count - 2 + t**2))


def _caption(found: HalfCycleResistance, failure: CriticalCurrent | None, unit: str) -> str:
    count = len(found.half_cycle)
    noun = "half cycle" if count == 1 else "half cycles"
    text = (
        f"Electrochemical half of Fig. S20: n = {count} {noun}. a, standard deviation of the "
        "overpotential (open) and its scatter about a smooth course (filled). b, voltage over "
        f"current{' per area' if unit == 'Ω cm²' else ''}, with the ohmic part from impedance "
        "where there is a spectrum. c, slope of the magnitude of the voltage. Bars: 68 % "
        "intervals; "
    )
    if unit != "Ω cm²":
        text += "no area is given, so that nothing is stated per area. "
    elif found.area_relative_se > 0.0:
        text += (
            "the area's error moves all points of b together by "
            f"{100.0 * found.area_relative_se:.1f} %. "
        )
    else:
        text += "they hold no error of the area. "
    needed = correlation_needed(count)
    if np.isfinite(needed):
        text += (
            f"With {count} half cycles a correlation with anything, such as porosity, must exceed "
            f"|r| = {needed:.2f} to be more than chance (5 %). "
        )
    else:
        text += f"With {count} {noun} no correlation can be tested. "
    return text + _short_words(failure)


def _short_words(failure: CriticalCurrent | None) -> str:
    if failure is None or failure.kind not in SHORT_WORDS:
        return (
            "No half cycle shows a short. A soft short lowers the resistance and looks like an "
            "improvement: read b together with the scatter."
        )
    text = f"Shaded: half cycle {failure.half_cycle + 1}, {SHORT_WORDS[failure.kind]}. "
    if failure.kind == "unclear":
        return text + "A fall of the resistance may be a better contact or a soft short."
    return text + (
        "Its own values mix what was before and after. From there on a low resistance is the "
        "short's and no improvement"
        f"{': a soft short looks like one' if failure.kind == 'soft' else ''}."
    )


def _table(found: HalfCycleResistance) -> dict[str, Any]:
    values, errors, factor = _resistances(found)
    per_area = bool(np.any(np.isfinite(found.areal_resistance)))
    unit = "ohm_cm2" if per_area else "ohm"
    return {
        "half_cycle": found.half_cycle + 1,
        "state": np.array(found.state),
        "current_ma": from_internal(np.asarray(found.current), "mA"),
        "standard_deviation_mv": found.spread * 1e3,
        "standard_deviation_mv_se": found.spread_se * 1e3,
        "scatter_mv": found.scatter * 1e3,
        "scatter_mv_se": found.scatter_se * 1e3,
        f"resistance_{unit}": values,
        f"resistance_{unit}_se": errors,
        f"ohmic_{unit}": found.ohmic * factor,
        f"ohmic_{unit}_se": found.ohmic_se * factor,
        "overpotential_without_ohmic_mv": found.remaining_overpotential * 1e3,
        "overpotential_without_ohmic_mv_se": found.remaining_overpotential_se * 1e3,
        "slope_mv_h": found.slope * 3.6e6,
        "slope_mv_h_se": found.slope_se * 3.6e6,
    }
