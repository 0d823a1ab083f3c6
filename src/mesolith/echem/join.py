"""The files of one state as one record of cycling."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.echem.half_cycles import Points
from mesolith.errors import ContradictionError, InvalidValueError
from mesolith.records.cycling import Cycling, HalfCycles, Impedance

_GAP, _SHORTEST_GAP = 10.0, 60.0  # of the usual distance of readings; s
_OVERLAP = 1.0  # s: files of one run may share the moment of the change


@dataclass(frozen=True, slots=True)
class Gauge:
    """A log of the pressure on the stack (MPa) against time (s, UTC), shape (n,)."""

    time: FloatArray
    pressure: FloatArray


@dataclass(frozen=True, slots=True)
class Part:
    """What one file holds, in UTC and with the signs of plating.

    ``pressure`` stands beside the rows of ``points``; a ``gauge`` is a file of its own.
    """

    path: Path
    points: Points | None = None
    half_cycles: HalfCycles | None = None
    impedance: Impedance | None = None
    pressure: FloatArray | None = None
    gauge: Gauge | None = None


def cycling_from_parts(parts: list[Part]) -> Cycling:
    """One record of all files, in the order of time.

    Raises ``ContradictionError`` where two files claim the same time, and `InvalidValueError`
    where a log of pressure has no record to stand beside.
    """
    timed = sorted(
        (part for part in parts if part.points is not None), key=lambda part: _span(part)[0]
    )
    for before, after in pairwise(timed):
        lap = _span(before)[1] - _span(after)[0]
        if lap > _OVERLAP:
            raise ContradictionError(
                f"it starts {lap:.0f} s before {before.path.name} ends: one cell has one current",
                where=str(after.path),
                remedy="Two channels, or the same record twice: list the files of this cell once.",
            )
    points = [part.points for part in timed if part.points is not None]
    time = _joined([p.time for p in points])
    return Cycling(
        time=time,
        current=_joined([p.current for p in points]),
        voltage=_joined([p.voltage for p in points]),
        step=_joined([p.step for p in points]).astype(np.int64),
        half_cycles=_half_cycles(timed),
        impedance=_impedance(parts),
        pressure=_pressure(timed, parts, time),
    )


def _pressure(timed: list[Part], parts: list[Part], time: FloatArray) -> FloatArray | None:
    """Pressure at each row: of the row's own file, else between the readings of the logs."""
    logs = [part for part in parts if part.gauge is not None]
    if not logs and all(part.pressure is None for part in timed):
        return None
    if len(time) == 0:
        raise InvalidValueError(
            "it holds a pressure, and no file of this state a voltage it could stand beside",
            where=str(logs[0].path),
            remedy="List it together with the cycler file of the same time.",
        )
    own: list[FloatArray] = []
    for part in timed:
        assert part.points is not None
        nothing = np.full(len(part.points.time), np.nan)
        own.append(nothing if part.pressure is None else part.pressure)
    found = np.concatenate(own)
    for part in logs:
        assert part.gauge is not None
        found = np.where(np.isfinite(found), found, between_readings(part.gauge, time))
    return found


def between_readings(gauge: Gauge, time: FloatArray) -> FloatArray:
    """Pressure at other times by straight lines between readings.

    NaN outside the log, and in its gaps: where readings lie further apart than ten times their
    usual distance and a minute.
    """
    good = np.isfinite(gauge.pressure)
    at, values = gauge.time[good], gauge.pressure[good]
    if len(at) < 2:
        return np.full(len(time), np.nan)
    found = np.interp(time, at, values, left=np.nan, right=np.nan)
    apart = np.diff(at)
    after = np.clip(np.searchsorted(at, time, side="right") - 1, 0, len(apart) - 1)
    gap = (time != at[after]) & (time != at[after + 1])
    gap &= apart[after] > max(_GAP * float(np.median(apart)), _SHORTEST_GAP)
    return np.where(gap, np.nan, found)


def _span(part: Part) -> tuple[float, float]:
    assert part.points is not None
    return float(part.points.time[0]), float(part.points.time[-1])


def _joined(arrays: list[Any]) -> Any:
    return np.concatenate(arrays) if arrays else np.empty(0)


def _half_cycles(timed: list[Part]) -> HalfCycles | None:
    found, offset = [], 0
    for part in timed:
        if part.half_cycles is not None and part.points is not None:
            shifted = part.half_cycles.first_row + offset
            found.append(replace(part.half_cycles, first_row=shifted))
            offset += len(part.points.time)
    return stacked(HalfCycles, found)


def _impedance(parts: list[Part]) -> Impedance | None:
    found, offset = [], 0
    spectra = [part.impedance for part in parts if part.impedance is not None]
    for spectrum in sorted(spectra, key=lambda s: np.nan_to_num(s.time[0], nan=np.inf)):
        found.append(replace(spectrum, sweep=spectrum.sweep + offset))
        offset = int(found[-1].sweep[-1]) + 1
    return stacked(Impedance, found)


def stacked(kind: Any, records: list[Any]) -> Any:
    """One record of rows from several of that kind; None where there are none."""
    if not records:
        return None
    return kind(
        **{
            field.name: np.concatenate([getattr(record, field.name) for record in records])
            for field in fields(kind)
        }
    )
