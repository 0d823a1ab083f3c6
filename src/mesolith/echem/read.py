"""Step echem.read: the cycler record of one state from its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.echem import TECHNIQUE
from mesolith.echem.half_cycles import Points, half_cycles_from_points
from mesolith.echem.join import Gauge, Part, cycling_from_parts
from mesolith.echem.spectrum_formats import READERS as SPECTRUM_READERS
from mesolith.echem.sweeps import sweep_numbers
from mesolith.errors import ClockError, EmptyFileError, SettingsError, UnknownFormatError
from mesolith.io.biologic_binary import read_mpr
from mesolith.io.biologic_text import read_mpt
from mesolith.io.cycler_table import CyclerTable
from mesolith.io.delimited import read_delimited
from mesolith.io.finding import Finding
from mesolith.io.gamry import read_gamry
from mesolith.io.recognise import recognise
from mesolith.io.record_file import write_record
from mesolith.io.spectrum import Spectrum
from mesolith.io.timestamps import DateOrder, seconds_from_moment, zone_shift
from mesolith.io.zplot import read_zplot
from mesolith.pipeline.technique import load
from mesolith.pipeline.work import Remark, Work, write_remarks
from mesolith.records.cycling import Cycling, Impedance

_TABLES: dict[str, Callable[..., CyclerTable]] = {
    "mpt": read_mpt,
    "mpr": read_mpr,
    "gamry": read_gamry,
    "delimited": read_delimited,
}


# what lies beside EC-Lab's records and holds none
_NO_RECORDS = {
    b"EC-LAB SETTING FILE": "a file of settings (.mps)",
    b"VMP EXPERIMENT LOOP INDEXES": "a list of loops (_LOOP.txt)",
}


@dataclass(frozen=True, slots=True)
class _Clock:
    """How a file's times become seconds since 1970."""

    zone: str | None
    offset: float
    date_order: DateOrder | None
    started: datetime | None


def compute(work: Work) -> None:
    """Read the files of one state into one `Cycling`, with remarks."""
    findings: list[Finding] = []
    parts = [_part(source.path, work.settings, findings) for source in work.inputs["raw"]]
    cycling = cycling_from_parts(parts)
    findings += _sign_findings(parts) + _pressure_findings(parts, cycling)
    write_record(work.folder / "record.h5", cycling)
    write_remarks(work.folder, [Remark(*finding) for finding in findings])


def _part(path: Path, settings: Mapping[str, Any], findings: list[Finding]) -> Part:
    """One file, its times in UTC and its signs those of plating on the working electrode."""
    options = settings.get("state.cycling") or {}
    clock = _clock(settings, options)
    name = options.get("format") or _recognised(path)
    if name == "zplot" or name in SPECTRUM_READERS:
        sweep = read_zplot(path) if name == "zplot" else load(SPECTRUM_READERS[name])(path)
        if name == "bare-spectrum":
            text = "the columns are taken as frequency (Hz), Re Z and Im Z (ohm): none is named"
            findings.append(Finding("assumed", path.name, text))
        return _spectrum(path, sweep, clock, findings)
    read = _TABLES[name]
    partial = bool(settings.get("run.allow_partial", False))
    table = read(path, date_order=clock.date_order, allow_partial=partial)
    findings += table.findings
    if table.pressure_only:
        seconds = _utc_seconds(table, clock, path, findings)
        return Part(path, gauge=Gauge(seconds, table.pressure))
    sign = _plating_sign(settings, table, path, findings)
    seconds = _utc_seconds(table, clock, path, findings)
    impedance = _impedance(table, seconds, path, findings)
    if table.spectra_only:
        return Part(path, impedance=impedance)
    points = Points(
        time=seconds,
        current=sign * table.current,
        voltage=sign * table.voltage,
        step=table.step,
        switched=table.step_changes,
        set_current=table.set_current,
        sweep=table.frequency > 0.0,
    )
    half_cycles = half_cycles_from_points(
        points, current_share=float(settings["echem.current_share"])
    )
    return Part(
        path,
        points=points,
        half_cycles=half_cycles,
        impedance=impedance,
        pressure=table.pressure if np.isfinite(table.pressure).any() else None,
    )


def _recognised(path: Path) -> str:
    known = [load(dotted) for dotted in TECHNIQUE.formats]
    found = recognise(path, known)
    if found:
        return str(found[0][0].name)
    if path.stat().st_size == 0:
        raise EmptyFileError(
            "the file is empty", where=str(path), remedy="Export the record again."
        )
    with path.open("rb") as file:
        head = file.read(64)
    for start, what in _NO_RECORDS.items():
        if head.upper().startswith(start):
            raise UnknownFormatError(
                f"{what} of EC-Lab, not a record",
                where=str(path),
                remedy="List the .mpr or .mpt of the run instead.",
            )
    raise UnknownFormatError(
        "no reader of cycler records knows this content",
        where=str(path),
        remedy=f"Known: {', '.join(form.title for form in known)}. A delimited text needs a line "
        'of column names with units, such as "time/s,Ewe/V,I/mA".',
    )


def _clock(settings: Mapping[str, Any], options: Mapping[str, Any]) -> _Clock:
    cycler = settings.get("clock.cycler") or {}
    started = options.get("started")
    if isinstance(started, str):
        started = datetime.fromisoformat(started)
    return _Clock(
        zone=cycler.get("zone"),
        offset=float(cycler.get("offset_s") or 0.0),
        date_order=options.get("date_order"),
        started=started,
    )


def _utc_seconds(
    table: CyclerTable, clock: _Clock, path: Path, findings: list[Finding]
) -> FloatArray:
    """Seconds since 1970 of each row; NaN for spectra of a file that states no date."""
    start = table.start or clock.started
    if start is None:
        if table.spectra_only:
            text = "the file states no date: its spectra have no time"
            findings.append(Finding("note", path.name, text))
            return np.full(len(table.time), np.nan)
        raise ClockError(
            "the file states no date: its times count from an unknown start",
            where=str(path),
            remedy="Say when it started, beside the files in cell.toml: "
            "cycling = { files = [...], started = 2024-05-03T12:00:00+02:00 }.",
        )
    where = str(path)
    first = seconds_from_moment(start, zone=clock.zone, offset=clock.offset, where=where)
    if table.wall_clock and clock.zone is not None:
        last = start + timedelta(seconds=float(table.time[-1]))
        if zone_shift(start, last, clock.zone) != 0.0:
            raise ClockError(
                "the rows state local dates across a change of summer time",
                where=where,
                remedy="Export the elapsed time with each row, or dates in UTC.",
            )
    return first + table.time


def _plating_sign(
    settings: Mapping[str, Any], table: CyclerTable, path: Path, findings: list[Finding]
) -> float:
    """1 where positive current plates on the working electrode, -1 on the counter electrode."""
    plates = settings.get("cell.plates_under_positive_current")
    if plates is None:
        plates = table.positive_plates
        if plates is None:
            raise SettingsError(
                "nothing says on which electrode lithium plates under positive current",
                where=str(path),
                remedy='Say [cell] plates_under_positive_current = "working" or "counter".',
            )
        text = (
            f"positive current is taken to plate on the {plates} electrode, the format's "
            "convention; cell.plates_under_positive_current is not given"
        )
        findings.append(Finding("assumed", path.name, text))
    return 1.0 if plates == "working" else -1.0


def _impedance(
    table: CyclerTable,
    seconds: FloatArray,
    path: Path,
    findings: list[Finding],
) -> Impedance | None:
    sweep = table.frequency > 0.0
    if not sweep.any():
        return None
    # a row without a frequency in the same step as sweeps: EC-Lab writes such rows into spectra
    stray = int((~sweep & np.isin(table.step, table.step[sweep])).sum())
    if stray:
        text = f"{stray} rows with frequency 0 are no part of the spectra"
        findings.append(Finding("note", path.name, text))
    complete = sweep & np.isfinite(table.real) & np.isfinite(table.imaginary)
    if complete.sum() < sweep.sum():
        lost = int(sweep.sum() - complete.sum())
        text = f"{lost} of {int(sweep.sum())} impedance points hold NaN and are left out"
        findings.append(Finding("gap", path.name, text))
    rows = np.flatnonzero(complete)
    mark = table.cycle[rows] + 1e6 * table.step[rows]
    return Impedance(
        sweep=sweep_numbers(table.frequency[rows], rows, mark),
        time=seconds[rows],
        frequency=table.frequency[rows],
        real=table.real[rows],
        imaginary=table.imaginary[rows],
    )


def _spectrum(path: Path, sweep: Spectrum, clock: _Clock, findings: list[Finding]) -> Part:
    if sweep.dropped:
        text = f"{sweep.dropped} rows with frequency 0 are no part of the spectra"
        findings.append(Finding("note", path.name, text))
    start = clock.started
    if sweep.start is not None:
        start = sweep.start.resolve(clock.date_order, where=str(path))
    if start is None:
        findings.append(
            Finding("note", path.name, "the file states no date: its spectra have no time")
        )
        seconds = np.full(len(sweep.time), np.nan)
    else:
        first = seconds_from_moment(start, zone=clock.zone, offset=clock.offset, where=str(path))
        seconds = first + sweep.time
    impedance = Impedance(
        sweep=np.zeros(len(sweep.frequency), dtype=np.int64),
        time=seconds,
        frequency=sweep.frequency,
        real=sweep.real,
        imaginary=sweep.imaginary,
    )
    return Part(path, impedance=impedance)


def _sign_findings(parts: list[Part]) -> list[Finding]:
    """A warning where voltage and current have opposite signs in most half cycles."""
    findings = []
    for part in parts:
        found = part.half_cycles
        if found is None or len(found.step) == 0:
            continue
        against = found.overpotential * found.current < 0.0
        if against.mean() > 0.5:
            text = (
                f"voltage and current have opposite signs in {int(against.sum())} of "
                f"{len(against)} half cycles: a symmetric cell takes up no power like that; one "
                "of the two columns has another sign convention, or the current has none"
            )
            findings.append(Finding("warning", part.path.name, text))
    return findings


def _pressure_findings(parts: list[Part], cycling: Cycling) -> list[Finding]:
    """A warning where a log of pressure does not meet the cycler's record."""
    gauges = [part for part in parts if part.gauge is not None]
    if not gauges or (cycling.pressure is not None and np.isfinite(cycling.pressure).any()):
        return []
    text = (
        "no reading of the pressure falls into the cycler's record: check both clocks "
        "(clock.cycler holds for this file as well)"
    )
    return [Finding("warning", part.path.name, text) for part in gauges]
