"""The pressure on the stack against time beside the voltage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.echem.resistance import course_of_series
from mesolith.echem.running_time import Run, marks_of_states, running_time, thinned
from mesolith.records.cell import Cell
from mesolith.records.direct_current import under_direct_current
from mesolith.records.drawing import Drawing
from mesolith.records.style import BLUE, FAINT, INK, RED, axes_mm, house_style, letter, new_figure

_FEWEST = 8


@dataclass(frozen=True, slots=True)
class _Swing:
    """Pressure over one half cycle: mean and change from start to end (MPa), with its error."""

    state: str
    half_cycle: int
    current: float
    mean: float
    change: float
    change_se: float
    readings: int


def draw(cell: Cell) -> Drawing | None:
    """Voltage above, pressure below, on one axis of time; None where no file has a pressure."""
    runs = running_time(cell)
    pressed = [run for run in runs if _has_pressure(run)]
    if not pressed:
        return None
    swings = _swings(runs)
    with house_style():
        figure = new_figure(84.0)
        upper, lower = axes_mm(figure, 16, 46, 158, 29), axes_mm(figure, 16, 12, 158, 29)
        for run in runs:
            driven = under_direct_current(run.cycling)
            hours, values = thinned(run.hours, np.where(driven, run.cycling.voltage * 1e3, np.nan))
            upper.plot(hours, values, color=BLUE, linewidth=0.8)
        for run in pressed:
            hours, values = thinned(run.hours, np.asarray(run.cycling.pressure))
            lower.plot(hours, values, color=RED, linewidth=0.8)
        _dress(upper, lower, cell, runs)
        letter(upper, "a", left_mm=14.0, up_mm=2.0)
        letter(lower, "b", left_mm=14.0, up_mm=0.0)
    return Drawing(
        figure=figure,
        caption=_caption(pressed, swings),
        how=(
            "The pressure is that of a column beside the voltage, or of a log of its own, "
            "interpolated in straight lines to the times of the cycler's rows; gaps of the log "
            "stay gaps. The change over a half cycle is the slope of a straight line times the "
            "duration; its error allows for correlated readings, not for the gauge's calibration."
        ),
        cite=(
            "Form of the figure: K. B. Hatzell et al. 2020, 10.1021/acsenergylett.9b02668, Fig. 2",
        ),
        table=_table(swings),
    )


def _has_pressure(run: Run) -> bool:
    pressure = run.cycling.pressure
    return pressure is not None and bool(np.any(np.isfinite(pressure)))


def _swings(runs: list[Run]) -> list[_Swing]:
    found, number = [], 0
    for run in runs:
        half, pressure = run.cycling.half_cycles, run.cycling.pressure
        for k in range(0 if half is None else len(half.step)):
            number += 1
            if half is None or pressure is None:
                continue
            rows = slice(int(half.first_row[k]), int(half.first_row[k] + half.rows[k]))
            swing = _swing(run.cycling.time[rows], pressure[rows])
            if swing is not None:
                current = float(half.current[k])
                found.append(_Swing(run.name, number, current, *swing))
    return found


def _swing(time: FloatArray, pressure: FloatArray) -> tuple[float, float, float, int] | None:
    good = np.isfinite(pressure)
    if int(np.sum(good)) < _FEWEST:
        return None
    at, values = time[good], np.asarray(pressure[good])
    course, lasted = course_of_series(at, values), float(at[-1] - at[0])
    return float(np.mean(values)), course.slope * lasted, course.slope_se * lasted, len(values)


def _dress(upper: Any, lower: Any, cell: Cell, runs: list[Run]) -> None:
    marks = marks_of_states(cell, runs)
    upper.axhline(0.0, color=INK, linewidth=0.4, dashes=(4, 3), zorder=0)
    upper.set_ylabel("voltage (mV)")
    upper.tick_params(labelbottom=False)
    lower.set_ylabel("pressure (MPa)")
    lower.set_xlabel("time with the cycler running (h)")
    upper.margins(y=0.08)
    lower.margins(y=0.12)
    lasted = max(run.end for run in runs)
    for axes in (upper, lower):
        axes.set_xlim(-0.015 * lasted, 1.015 * lasted)
    for place, name in marks:
        first = place == marks[0][0] and place < 0.1 * marks[-1][0]
        for axes in (upper, lower):
            axes.axvline(place, color=FAINT, linewidth=0.6, zorder=0)
        upper.annotate(
            name,
            (place, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-2 if first else 2, 4),
            textcoords="offset points",
            ha="left" if first else "right",
            va="bottom",
            fontsize=6.5,
        )


def _caption(pressed: list[Run], swings: list[_Swing]) -> str:
    readings = sum(int(np.sum(np.isfinite(np.asarray(r.cycling.pressure)))) for r in pressed)
    text = (
        f"a, voltage under current. b, pressure on the stack (n = {readings:,} rows with a "
        "pressure). Grey lines: when a state was measured. "
    )
    if not swings:
        return text + "No half cycle has readings enough for a change of pressure."
    size = np.array([abs(s.change) for s in swings])
    k = int(np.argmax(size))
    return text + (
        f"Over {len(swings)} half cycles the pressure changes from start to end by "
        f"{np.median(size):.2g} MPa (median magnitude) and by {swings[k].change:+.2g} ± "
        f"{swings[k].change_se:.1g} MPa (68 %) at most, in half cycle {swings[k].half_cycle}; "
        "each is in tables/pressure.csv."
    ).replace("+-", "−").replace("-0.", "−0.")


def _table(swings: list[_Swing]) -> dict[str, Any]:
    if not swings:
        return {}
    return {
        "half_cycle": np.array([s.half_cycle for s in swings]),
        "state": np.array([s.state for s in swings]),
        "current_ma": np.array([s.current * 1e3 for s in swings]),
        "readings": np.array([s.readings for s in swings]),
        "pressure_mpa": np.array([s.mean for s in swings]),
        "change_mpa": np.array([s.change for s in swings]),
        "change_mpa_se": np.array([s.change_se for s in swings]),
    }
