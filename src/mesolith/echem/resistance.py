"""Step echem.resistance: of half cycles per area, ohmic part, slope and scatter of the voltage.

A falling resistance looks like a better contact and may be a soft short: slope and scatter are
stated beside it, and neither is folded into the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.echem.ohmic import ohmic_of_half_cycles
from mesolith.echem.whole_cell import area_of, area_remarks, scaling_mode, whole_cell_of
from mesolith.errors import InvalidValueError
from mesolith.io.record_file import read_record, write_record
from mesolith.pipeline.work import Remark, Work, write_remarks
from mesolith.records.cycling import Cycling
from mesolith.records.plating import HalfCycleResistance
from mesolith.records.spectra import ImpedanceFits

_FEWEST = 8
_COURSE = 3  # a parabola in time is the cell's own polarisation


def compute(work: Work) -> None:
    """Write the `HalfCycleResistance` of all half cycles of the cell, with remarks."""
    cell, area = whole_cell_of(work), area_of(work.settings)
    half = cell.cycling.half_cycles
    assert half is not None
    fits = [
        (source.label, read_record(source.record_file, ImpedanceFits))
        for source in work.inputs.get("echem.impedance", ())
    ]
    ohmic = ohmic_of_half_cycles(
        fits,
        order=[str(entry["state"]) for entry in work.settings["state.after"]],
        states=cell.state,
        start=half.start,
    )
    found = resistance_of_half_cycles(
        cell.cycling,
        area_m2=area.square_metre,
        area_se_m2=area.standard_error,
        ohmic=ohmic.resistance,
        ohmic_se=ohmic.standard_error,
        ohmic_source=ohmic.source,
        states=cell.state,
    )
    write_record(work.folder / "record.h5", found)
    remarks: list[Remark] = []
    if len(found.half_cycle):
        remarks += area_remarks(work.settings, "values per area")
    without = int(np.sum(~np.isfinite(found.ohmic)))
    if without:
        text = (
            f"no valid spectrum tells an ohmic resistance for {without} of "
            f"{len(found.half_cycle)} half cycles: their overpotential is not freed of it"
        )
        remarks.append(Remark("note", "half cycles", text))
    write_remarks(work.folder, remarks)


@dataclass(frozen=True, slots=True)
class Course:
    """How a series runs, each with its error.

    Slope by time, scatter about a parabola, and ``spread``: standard deviation, drift included.
    """

    slope: float
    slope_se: float
    scatter: float
    scatter_se: float
    spread: float
    spread_se: float


def resistance_of_half_cycles(
    cycling: Cycling,
    *,
    area_m2: float | None,
    area_se_m2: float = 0.0,
    ohmic: FloatArray | float | None = None,
    ohmic_se: FloatArray | float = 0.0,
    ohmic_source: Sequence[str] | None = None,
    states: Sequence[str] | None = None,
) -> HalfCycleResistance:
    """Resistance, ohmic part, slope and detrended scatter of each half cycle.

    Parameters
    ----------
    cycling
        A record with half cycles; their rows give slope and scatter.
    area_m2, area_se_m2
        Area of the electrodes and its standard error, m2. The area's error shifts all half
        cycles together and is a common mode, not part of the standard errors. None: resistances
        per area are NaN.
    ohmic, ohmic_se
        Resistance from a spectrum (ohm), such as bulk and grain boundaries, one for all half
        cycles or one for each (NaN: unknown); the voltage less current times it is the
        overpotential of what is left. None: NaN.
    ohmic_source, states
        Where each half cycle's ohmic resistance comes from, and the state that holds it, in
        words.

    Raises `InvalidValueError` where the record has no half cycles or the area is not above zero.
    """
    half = cycling.half_cycles
    if half is None:
        raise InvalidValueError(
            "the record holds no half cycles: it has spectra alone",
            remedy="Give the cycler file of the half cycles.",
        )
    if area_m2 is not None and not area_m2 > 0.0:
        raise InvalidValueError(f"an area of {area_m2:g} m2", remedy="Correct cell.area_mm2.")
    courses = []
    for k in range(len(half.step)):
        rows = slice(int(half.first_row[k]), int(half.first_row[k] + half.rows[k]))
        courses.append(course_of_series(*_usable(cycling, rows)))
    area = float("nan") if area_m2 is None else area_m2
    resistance = half.overpotential / half.current
    resistance_se = half.overpotential_se / np.abs(half.current)
    count = len(half.step)
    drop = np.broadcast_to(np.nan if ohmic is None else ohmic, count)
    drop_se = np.where(np.isfinite(drop), np.broadcast_to(ohmic_se, count), np.nan)
    sign = np.sign(half.current)
    density = half.current / area
    relative = 0.0 if area_m2 is None else area_se_m2 / area_m2
    return HalfCycleResistance(
        half_cycle=np.arange(count),
        state=("",) * count if states is None else tuple(states),
        start=np.asarray(half.start),
        current=np.asarray(half.current),
        current_density=density,
        resistance=resistance,
        resistance_se=resistance_se,
        areal_resistance=resistance * area,
        areal_resistance_se=resistance_se * area,
        ohmic=drop,
        ohmic_se=drop_se,
        ohmic_source=("",) * count if ohmic_source is None else tuple(ohmic_source),
        remaining_overpotential=half.overpotential - half.current * drop,
        remaining_overpotential_se=np.hypot(half.overpotential_se, half.current * drop_se),
        spread=np.array([c.spread for c in courses]),
        spread_se=np.array([c.spread_se for c in courses]),
        # along the current: a growing polarisation has a positive slope in either direction
        slope=np.array([c.slope for c in courses]) * sign,
        slope_se=np.array([c.slope_se for c in courses]),
        scatter=np.array([c.scatter for c in courses]),
        scatter_se=np.array([c.scatter_se for c in courses]),
        area_relative_se=relative,
        common_modes=scaling_mode(
            "area", relative, {"current_density": -density, "areal_resistance": resistance * area}
        ),
    )


def _usable(cycling: Cycling, rows: slice) -> tuple[FloatArray, FloatArray]:
    time, voltage = cycling.time[rows], cycling.voltage[rows]
    good = np.isfinite(voltage) & np.isfinite(time)
    return time[good], voltage[good]


def course_of_series(time: FloatArray, values: FloatArray) -> Course:
    """Slope of a straight line, scatter about a parabola and standard deviation, with errors.

    The slope's error is that of independent scatter times sqrt((1 + r) / (1 - r)), r being the
    correlation of neighbours about the parabola, corrected for what the fit takes; the scatter's
    error follows from the fourth moment, so heavy tails lengthen it. The standard deviation
    (ddof 1) counts the drift; its error is that of the scatter and of the drift's two
    coefficients. NaN below 8 values.
    """
    n = len(values)
    if n < _FEWEST:
        nan = float("nan")
        return Course(nan, nan, nan, nan, nan, nan)
    centred = time - float(np.mean(time))
    span = float(np.max(np.abs(centred)))
    if span == 0.0:
        raise InvalidValueError("all rows of a half cycle have one time")
    basis, _ = np.linalg.qr(np.vander(centred / span, _COURSE, increasing=True))
    level = values - float(np.mean(values))
    rest = level - basis @ (basis.T @ level)
    variance = float(rest @ rest) / (n - _COURSE)
    r = _correlation(rest)
    slope = float(centred @ level / (centred @ centred))
    slope_se = np.sqrt(variance * (1.0 + r) / (1.0 - r) / float(centred @ centred))
    fourth = float(np.mean(rest**4)) - float(np.mean(rest**2)) ** 2
    squares = (1.0 + r**2) / (1.0 - r**2)  # of a first-order process: squares forget twice as fast
    scatter = np.sqrt(variance)
    scatter_se = np.sqrt(max(fourth, 0.0) * squares / n) / (2.0 * scatter) if scatter > 0.0 else 0.0
    spread = float(np.sqrt(level @ level / (n - 1)))
    drift = 2.0 * float(np.linalg.norm(basis[:, 1:].T @ level)) / n
    drift *= float(np.sqrt(variance * (1.0 + r) / (1.0 - r)))
    spread_se = (
        np.hypot(drift, 2.0 * scatter * scatter_se) / (2.0 * spread) if spread > 0.0 else 0.0
    )
    return Course(
        slope, float(slope_se), float(scatter), float(scatter_se), spread, float(spread_se)
    )


def _correlation(rest: FloatArray) -> float:
    """Correlation of neighbours, what a parabola takes from it given back, from 0 to 0.98."""
    power = float(rest @ rest)
    if power == 0.0:
        return 0.0
    n = len(rest)
    found = float(rest[1:] @ rest[:-1]) / power
    return float(np.clip((n * found + _COURSE) / max(n - _COURSE - 2, 1), 0.0, 0.98))
