"""Rows of a cycler's text file as numbers in internal units, whatever program wrote them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import (
    ClockError,
    ContradictionError,
    EmptyFileError,
    InvalidValueError,
    MissingColumnError,
    TruncatedFileError,
    UnitError,
)
from mesolith.io.cycler_columns import Column
from mesolith.io.finding import Finding
from mesolith.io.numbers import table_from_lines
from mesolith.io.timestamps import DateOrder, Moment, common_order, moment_from_text

_CLOCK = re.compile(r"^\s*(?:(\d+)[d-]?\s+)?(\d+):(\d{2}):(\d{2}(?:[.,]\d+)?)\s*$")

_ABSURD = 1e15


@dataclass(frozen=True, slots=True)
class CyclerTable:
    """What a cycler's file holds, in its own sign.

    Row arrays have shape (n,): time (s since ``start``), voltage (V), current (A), step number
    (-1 where the file has none), step_changes (rows flagged by the cycler as the first of a step;
    None where the file has no such column), set_current (A, NaN
    where unknown), frequency (Hz, 0 outside sweeps), real and imaginary (ohm), cycle,
    pressure on the stack (MPa, NaN where the file has none).
    ``start`` is naive or aware, None where the file states no date. ``wall_clock`` says that the
    times were local dates row by row. ``spectra_only`` says that every row belongs to a sweep,
    ``pressure_only`` that the file holds the pressure and neither voltage nor current.
    """

    start: datetime | None
    time: FloatArray
    voltage: FloatArray
    current: FloatArray
    step: IntArray
    step_changes: NDArray[np.bool_] | None
    set_current: FloatArray
    frequency: FloatArray
    real: FloatArray
    imaginary: FloatArray
    cycle: FloatArray
    pressure: FloatArray
    line: IntArray
    wall_clock: bool
    spectra_only: bool
    pressure_only: bool
    positive_plates: str | None
    findings: tuple[Finding, ...]


def table_from_body(
    body: list[tuple[int, str]],
    roles: dict[str, Column],
    *,
    names: list[str],
    separator: str,
    decimal_comma: bool,
    path: Path,
    start: Moment | None,
    date_order: DateOrder | None,
    positive_plates: str | None,
    allow_partial: bool,
) -> CyclerTable:
    """Table from the numbered lines below the header.

    Raises
    ------
    EmptyFileError, MissingColumnError, TruncatedFileError, FileFormatError, ClockError,
    ContradictionError
        Each with file, line and remedy.
    """
    if not body:
        raise EmptyFileError(
            "the file has column names and no rows",
            where=str(path),
            remedy="Export the record again, or remove the file from cell.toml.",
        )
    _check_needed(roles, names, path)
    findings: list[Finding] = []
    numeric = {role: column for role, column in roles.items() if role != "date"}
    try:
        values = _values(body, numeric, names, separator, decimal_comma, path)
    except TruncatedFileError as problem:
        if not allow_partial or len(body) < 2:
            raise
        body = body[:-1]
        values = _values(body, numeric, names, separator, decimal_comma, path)
        findings.append(Finding("gap", path.name, f"last row left out: {problem.what}"))
    line = np.array([number for number, _ in body], dtype=np.int64)
    moment, time, wall_clock = _times(body, roles, values, separator, path, start, date_order)
    return table_from_values(
        values,
        names=names,
        path=path,
        line=line,
        start=moment,
        time=time,
        wall_clock=wall_clock,
        positive_plates=positive_plates,
        findings=tuple(findings),
        allow_partial=allow_partial,
    )


def table_from_values(
    values: dict[str, FloatArray],
    *,
    names: list[str],
    path: Path,
    line: IntArray,
    start: datetime | None,
    time: FloatArray,
    wall_clock: bool = False,
    positive_plates: str | None,
    findings: tuple[Finding, ...] = (),
    allow_partial: bool = False,
) -> CyclerTable:
    """Table from columns by role, in internal units, shape (n,) each.

    With ``allow_partial`` a record without a current is read, its current NaN and the gap told.
    Raises `MissingColumnError` (voltage or current of rows that are no sweep), `ClockError` or
    `ContradictionError` (times that are missing or run back).
    """
    n = len(time)
    frequency = np.nan_to_num(values.get("frequency", np.zeros(n)))
    spectra_only = bool(np.all(frequency > 0.0))
    pressure_only = "pressure" in values and not {"voltage", "current"} & set(values)
    pressure_only = pressure_only and not spectra_only
    needed = not spectra_only and not pressure_only
    if needed and ("voltage" not in values or "current" not in values):
        lacking = "voltage" if "voltage" not in values else "current"
        problem = f"no column of {lacking} among: {', '.join(names)}"
        if lacking == "voltage" or not allow_partial:
            raise MissingColumnError(
                problem,
                where=str(path),
                remedy='Export it with a name and unit such as "Ewe/V" and "I/mA".',
            )
        findings = (*findings, Finding("gap", path.name, problem))
    _check_order(time, line, path, spectra_only)
    nan = np.full(n, np.nan)
    step = np.nan_to_num(values["step"], nan=-1.0) if "step" in values else np.full(n, -1.0)
    changes = values.get("changes")
    return CyclerTable(
        start=start,
        time=time,
        voltage=values.get("voltage", nan),
        current=values.get("current", nan),
        step=step.astype(np.int64),
        step_changes=None if changes is None else changes > 0.5,
        set_current=_set_current(values, nan),
        frequency=frequency,
        real=values.get("real", nan),
        imaginary=values.get("imaginary", nan),
        cycle=values.get("cycle", np.zeros(n)),
        pressure=values.get("pressure", nan),
        line=line,
        wall_clock=wall_clock,
        spectra_only=spectra_only,
        pressure_only=pressure_only,
        positive_plates=positive_plates,
        findings=findings,
    )


def _check_needed(roles: dict[str, Column], names: list[str], path: Path) -> None:
    sweep = {"frequency", "real", "imaginary"} <= set(roles)
    if not sweep and not {"time", "date", "unix"} & set(roles):
        raise ClockError(
            f"the file has no times: no column of time or date among: {', '.join(names)}",
            where=str(path),
            remedy='Export the time with each row, such as "time/s".',
        )
    if not sweep and "frequency" in roles and not {"voltage", "current"} <= set(roles):
        raise MissingColumnError(
            "the spectrum has no Re Z or no Im Z",
            where=str(path),
            remedy='Export both, such as "Re(Z)/Ohm" and "-Im(Z)/Ohm".',
        )


def _values(
    body: list[tuple[int, str]],
    roles: dict[str, Column],
    names: list[str],
    separator: str,
    decimal_comma: bool,
    path: Path,
) -> dict[str, FloatArray]:
    if not roles:
        return {}
    table = table_from_lines(
        body,
        [column.position for column in roles.values()],
        separator=separator,
        decimal_comma=decimal_comma,
        path=path,
        columns=names,
    )
    absurd = np.abs(table) > _ABSURD
    if np.any(absurd):
        row, place = (int(index[0]) for index in np.nonzero(absurd))
        raise InvalidValueError(
            f"column {list(roles.values())[place].name!r} holds {table[row, place]:g}",
            where=f"{path}, line {body[row][0]}",
            remedy="Leave the cell empty where there is no value.",
        )
    return {role: table[:, k] * column.factor for k, (role, column) in enumerate(roles.items())}


def _times(
    body: list[tuple[int, str]],
    roles: dict[str, Column],
    values: dict[str, FloatArray],
    separator: str,
    path: Path,
    start: Moment | None,
    order: DateOrder | None,
) -> tuple[datetime | None, FloatArray, bool]:
    """Start, seconds since then, and whether they come from local dates row by row."""
    where = str(path)
    if "unix" in values:
        return datetime(1970, 1, 1, tzinfo=UTC), values["unix"], False
    date = roles.get("date")
    if date is None:
        moment = None if start is None else start.resolve(order, where=where)
        return moment, values.get("time", np.full(len(body), np.nan)), False
    cells = [line.split(separator)[date.position].strip().strip('"') for _, line in body]
    clock = [_CLOCK.match(cell) for cell in cells]
    if all(clock) and "time" not in values:
        seconds = np.array([_clock_seconds(match) for match in clock if match])
        return None if start is None else start.resolve(order, where=where), seconds, False
    if "time" in values and not moment_from_text(cells[0]):
        moment = None if start is None else start.resolve(order, where=where)
        return moment, values["time"], False
    moments = []
    for (number, _), cell in zip(body, cells, strict=True):
        found = moment_from_text(cell)
        if found is None:
            _refuse_plain_number(cell, date.name, f"{path}, line {number}")
            raise ClockError(
                f"column {date.name!r} holds {cell!r}, neither a date with its time nor h:min:s",
                where=f"{path}, line {number}",
                remedy='Write dates as 2024-05-03 14:00:00, or give "time/s".',
            )
        moments.append(found)
    chosen = order or common_order(moments)
    first = moments[0].resolve(chosen, where=f"{path}, line {body[0][0]}")
    if "time" in values:  # the elapsed time is finer than the date
        return first, values["time"] - values["time"][0], False
    stamps = [moment.resolve(chosen, where=where) for moment in moments]
    seconds = np.array([(stamp - first).total_seconds() for stamp in stamps])
    return first, seconds, first.tzinfo is None


def _refuse_plain_number(cell: str, name: str, where: str) -> None:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return
    raise UnitError(
        f"column {name!r} states no unit",
        where=where,
        remedy='Write the unit into its name, such as "time/s".',
    )


def _clock_seconds(match: re.Match[str]) -> float:
    days, hours, minutes, seconds = match.groups()
    whole = 24 * int(days or 0) + int(hours)
    return 3600.0 * whole + 60.0 * int(minutes) + float(seconds.replace(",", "."))


def _check_order(time: FloatArray, line: IntArray, path: Path, spectra_only: bool) -> None:
    if not spectra_only and not np.isfinite(time).all():
        bad = int(np.argmin(np.isfinite(time)))
        raise ClockError(
            f"{int((~np.isfinite(time)).sum())} of {len(time)} rows have no time",
            where=f"{path}, line {int(line[bad])}",
            remedy="Remove these rows or export the record again.",
        )
    back = np.diff(time) < -1e-6
    if np.any(back):
        at = int(np.argmax(back)) + 1
        raise ContradictionError(
            f"the time runs back from {time[at - 1]:.6g} to {time[at]:.6g} s",
            where=f"{path}, line {int(line[at])}",
            remedy="Two records in one file, or rows in another order: list them as files of "
            "their own.",
        )


def _set_current(values: dict[str, FloatArray], nan: FloatArray) -> FloatArray:
    """The current that was asked for; NaN where none was."""
    if "set" in values:
        found = values["set"]
    elif "mixed set" in values and "mode" in values:  # control/V/mA: mA where galvanostatic
        found = np.where(values["mode"] == 1.0, 1e-3 * values["mixed set"], np.nan)
    else:
        return nan
    return np.where(found == 0.0, np.nan, found)
