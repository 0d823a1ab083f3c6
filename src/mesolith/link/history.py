"""Step link.history: charge and times of the states, from cycler files or the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import ClockError, ContradictionError
from mesolith.io.record_file import read_record, write_record
from mesolith.link.clock import clock_evidence
from mesolith.link.protocol import Passed, charge_from_protocol
from mesolith.pipeline.work import Remark, Work, write_remarks
from mesolith.records.cycling import Cycling
from mesolith.records.history import History
from mesolith.units import to_internal

_TOLERANCE = 0.05  # between the charge of files and of the protocol: told
_FACTOR = 2.0  # beyond this one of them is of another cell, unit or area: refused
_WHERE = "charge history"


@dataclass(frozen=True, slots=True)
class StateRecord:
    """What one state's cycler record amounts to; times are seconds since 1970, NaN if unknown."""

    passed: Passed | None
    start: float = float("nan")
    end: float = float("nan")
    first_current: float = float("nan")
    last_current: float = float("nan")


def compute(work: Work) -> None:
    """Write the `History` of the cell, with remarks."""
    names = [str(entry["state"]) for entry in work.settings["state.after"]]
    after = [entry["value"] for entry in work.settings["state.after"]]
    records = [StateRecord(None) for _ in names]
    for source in work.inputs.get("echem.read", ()):
        cycling = read_record(source.record_file, Cycling)
        records[names.index(source.label)] = record_of_state(cycling)
    beamline = work.settings.get("clock.beamline") or {}
    moments = {str(e["state"]): e["value"] for e in work.settings["state.measured_at"]}
    offset = float(beamline.get("offset_s") or 0.0)
    measured_at = np.array([_seconds(moments.get(name), name) + offset for name in names])
    area = work.settings.get("cell.area_mm2")
    area_m2 = None if area is None else to_internal(float(area), "mm2") * 1e-12
    remarks: list[Remark] = []
    history = history_from_records(names, records, after, measured_at, area_m2, remarks)
    write_record(work.folder / "record.h5", history)
    write_remarks(work.folder, remarks)


def record_of_state(cycling: Cycling) -> StateRecord:
    """Charge and times of one state's record; no charge known from a file of spectra alone."""
    if len(cycling.time) == 0:
        return StateRecord(None)
    found = cycling.half_cycles
    start, end = float(cycling.time[0]), float(cycling.time[-1])
    if found is None or len(found.step) == 0:
        return StateRecord(Passed(0.0, 0.0, 0), start, end)
    passed = Passed(
        float(np.sum(found.charge)), float(np.sum(np.abs(found.charge))), len(found.step)
    )
    stops = found.start + found.duration
    return StateRecord(passed, start, end, float(found.start[0]), float(stops[-1]))


def history_from_records(
    names: list[str],
    records: list[StateRecord],
    after: list[Mapping[str, Any] | None],
    measured_at: FloatArray,
    area_m2: float | None,
    remarks: list[Remark],
) -> History:
    """History of the states; what a reader must know is added to ``remarks``.

    The charge of a state's files counts where there are any, else that of its ``after``. The
    first state without either has passed nothing.

    Raises
    ------
    ContradictionError
        States are listed in another order than their times, or the charge of the files and of
        the protocol have opposite signs or differ by more than a factor of two.
    """
    _check_order(names, records, measured_at)
    _clock_remark(records, measured_at, remarks)
    protocol = [
        None if table is None else charge_from_protocol(table, state=name)
        for name, table in zip(names, after, strict=True)
    ]
    charge, areal, sources, counts = [], [], [], []
    for k, name in enumerate(names):
        measured, planned = records[k].passed, protocol[k]
        if measured is not None and planned is not None:
            if measured.half_cycles == 0 and planned.half_cycles > 0:
                text = "its cycler files hold no half cycle: the charge is that of `after`"
                remarks.append(Remark("note", f"state {name!r}", text))
                measured = None
            else:
                _compare(name, measured, planned, area_m2, remarks)
        if measured is not None:
            sources.append("files")
            charge.append((measured.net, measured.total))
            areal.append(_scaled(measured, None if area_m2 is None else 1.0 / area_m2))
            counts.append(measured.half_cycles)
        elif planned is not None:
            sources.append("protocol")
            charge.append(_scaled(planned, area_m2))
            areal.append((planned.net, planned.total))
            counts.append(planned.half_cycles)
        else:
            passed = 0.0 if k == 0 else float("nan")
            sources.append("nothing")
            charge.append((passed, passed))
            areal.append((passed, passed))
            counts.append(0)
            if k > 0:
                text = (
                    f"nothing says what charge passed before state {name!r}: it has neither "
                    "cycler files nor `after`; charges from here on are unknown"
                )
                remarks.append(Remark("gap", _WHERE, text))
    if area_m2 is None and any(total > 0.0 for _, total in charge + areal):
        remarks.append(_no_area(records, protocol))
    sums = np.cumsum(np.array(charge).reshape(-1, 2), axis=0)
    areal_sums = np.cumsum(np.array(areal).reshape(-1, 2), axis=0)
    return History(
        state=tuple(names),
        half_cycles=np.cumsum(np.array(counts, dtype=np.int64)),
        net_charge=sums[:, 0],
        cumulative_charge=sums[:, 1],
        net_areal_charge=areal_sums[:, 0],
        cumulative_areal_charge=areal_sums[:, 1],
        source=tuple(sources),
        record_start=np.array([record.start for record in records]),
        record_end=np.array([record.end for record in records]),
        measured_at=measured_at,
    )


def _seconds(moment: Any, state: str) -> float:
    if moment is None:
        return float("nan")
    found = moment if isinstance(moment, datetime) else datetime.fromisoformat(str(moment))
    if found.tzinfo is None:
        raise ClockError(
            f"measured_at = {found.isoformat()} has no offset from UTC",
            where=f"state {state!r}",
            remedy="Write it as 2024-05-03T12:00:00+02:00.",
        )
    return found.timestamp()


def _scaled(passed: Passed, factor: float | None) -> tuple[float, float]:
    """Net and total times the factor; NaN without one, unless nothing passed."""
    if factor is None:
        factor = 0.0 if passed.total == 0.0 else float("nan")
    return passed.net * factor, passed.total * factor


def _check_order(names: list[str], records: list[StateRecord], measured_at: FloatArray) -> None:
    """States are listed in the order of time: records among themselves, and scans."""
    start = np.array([record.start for record in records])
    for times, what in ((start, "its cycler files start"), (measured_at, "it was measured")):
        known = np.flatnonzero(np.isfinite(times))
        for before, later in pairwise(known.tolist()):
            if times[later] < times[before]:
                raise ContradictionError(
                    f"state {names[later]!r} is listed after {names[before]!r}, but {what} "
                    f"{times[before] - times[later]:.0f} s earlier ({_utc(times[later])} against "
                    f"{_utc(times[before])})",
                    where=f"states {names[before]!r} and {names[later]!r}",
                    remedy="Exchange the files of the two states, or the states, or correct "
                    "[clock] and measured_at.",
                )


def _utc(seconds: float) -> str:
    return f"{np.datetime64(int(seconds), 's')} UTC"


def _clock_remark(
    records: list[StateRecord], measured_at: FloatArray, remarks: list[Remark]
) -> None:
    """Offer an offset between the clocks where the scans do not fall into rests."""
    first = np.array([record.first_current for record in records])
    last = np.array([record.last_current for record in records])
    latest = np.fmax.accumulate(np.where(np.isfinite(last), last, -np.inf))
    following = np.append(np.where(np.isfinite(first), first, np.inf)[1:], np.inf)
    soonest = np.fmin.accumulate(following[::-1])[::-1]
    evidence = clock_evidence(
        measured_at,
        np.where(np.isfinite(latest), latest, np.nan),
        np.where(np.isfinite(soonest), soonest, np.nan),
    )
    if evidence is None or evidence.agrees:
        return
    if evidence.possible:
        text = (
            f"the {evidence.scans} times of measurement do not all fall into rests of the cycler "
            f"record; {evidence.smallest:+.0f} s added to the beamline's times would put them "
            f"there (anything from {evidence.earliest:+.0f} to {evidence.latest:+.0f} s). If its "
            "clock was off, say [clock] beamline = { offset_s = "
            f"{evidence.smallest:.0f} }}; nothing was changed"
        )
    else:
        text = (
            f"the {evidence.scans} times of measurement do not all fall into rests of the cycler "
            "record, and no single offset between the clocks puts them there: check measured_at, "
            "the time zones and which files belong to which state"
        )
    remarks.append(Remark("warning", "clock", text))


def _compare(
    name: str,
    measured: Passed,
    planned: Passed,
    area_m2: float | None,
    remarks: list[Remark],
) -> None:
    """Charge of the files (C) against that of the protocol (C/m2)."""
    where = f"state {name!r}"
    lopsided = abs(planned.net) > 0.5 * planned.total and abs(measured.net) > 0.5 * measured.total
    if lopsided and measured.net * planned.net < 0.0:
        raise ContradictionError(
            f"its cycler files {_direction(measured.net)}, `after` {_direction(planned.net)} the "
            "working electrode",
            where=where,
            remedy="Correct the sign of after.current_ma_cm2 (positive: plating on the working "
            "electrode) or cell.plates_under_positive_current.",
        )
    if planned.total == 0.0:
        if measured.total > 0.0:
            raise ContradictionError(
                f"its cycler files pass {measured.total / 3.6:.4g} mAh, `after` says that no "
                "current flowed",
                where=where,
                remedy="Correct after.current_ma_cm2, or leave `after` out.",
            )
        return
    if area_m2 is None:
        return
    ratio = measured.total / (planned.total * area_m2)
    words = (
        f"the cycler files pass {measured.total / 3.6:.4g} mAh, `after` and the area "
        f"{planned.total * area_m2 / 3.6:.4g} mAh: a ratio of {ratio:.3g}"
    )
    if not 1.0 / _FACTOR <= ratio <= _FACTOR:
        raise ContradictionError(
            words,
            where=where,
            remedy="Correct cell.area_mm2, after (mA/cm2, h) or the files of this state.",
        )
    if abs(ratio - 1.0) > _TOLERANCE:
        text = f"{words}; the files count"
        remarks.append(Remark("warning", where, text))


def _direction(net: float) -> str:
    return "plate" if net > 0.0 else "strip"


def _no_area(records: list[StateRecord], protocol: list[Passed | None]) -> Remark:
    text = "cell.area_mm2 is not given: charge and charge per area cannot be converted"
    implied = [
        record.passed.total / planned.total
        for record, planned in zip(records, protocol, strict=True)
        if record.passed is not None and planned is not None and record.passed.total > 0.0
    ]
    if implied:
        text += (
            f"; files and protocol together would mean {np.median(implied) * 1e6:.4g} mm2, which "
            "is not used"
        )
    return Remark("warning", _WHERE, text)
