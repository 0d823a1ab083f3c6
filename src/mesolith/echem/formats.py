"""File formats of cycler records: recognised by content, described by their header."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from mesolith.errors import ClockError, MesolithError
from mesolith.pipeline.technique import Description, Format

if TYPE_CHECKING:
    from mesolith.io.cycler_table import CyclerTable
    from mesolith.io.spectrum import Spectrum

MPT = Format(
    name="mpt",
    title="EC-Lab text (.mpt)",
    suffixes=(".mpt",),
    recognise="mesolith.echem.formats:recognise_mpt",
    describe="mesolith.echem.formats:describe_mpt",
)
ZPLOT = Format(
    name="zplot",
    title="ZPlot spectrum (.z)",
    suffixes=(".z",),
    recognise="mesolith.echem.formats:recognise_zplot",
    describe="mesolith.echem.formats:describe_zplot",
)
DELIMITED = Format(
    name="delimited",
    title="cycler record as delimited text (CSV)",
    suffixes=(".csv", ".txt", ".tsv"),
    recognise="mesolith.echem.formats:recognise_delimited",
    describe="mesolith.echem.formats:describe_delimited",
)
MPR = Format(
    name="mpr",
    title="EC-Lab binary (.mpr)",
    suffixes=(".mpr",),
    recognise="mesolith.echem.formats:recognise_mpr",
    describe="mesolith.echem.formats:describe_mpr",
)
GAMRY = Format(
    name="gamry",
    title="Gamry record (.DTA)",
    suffixes=(".dta",),
    recognise="mesolith.echem.formats:recognise_gamry",
    describe="mesolith.echem.formats:describe_gamry",
)
_MPT = re.compile(rb"^(?:\xef\xbb\xbf)?EC-Lab ASCII FILE", re.IGNORECASE)
_ZPLOT = re.compile(rb"^(?:\xef\xbb\xbf)?\s*ZPLOT", re.IGNORECASE)
_GAMRY = re.compile(rb"^(?:\xef\xbb\xbf)?EXPLAIN\s*\r?\nTAG\t")


def recognise_mpt(path: Path, head: bytes) -> float:
    """1 where the first line is EC-Lab's."""
    return 1.0 if _MPT.match(head) else 0.0


def recognise_zplot(path: Path, head: bytes) -> float:
    """1 where the first line is ZPlot's."""
    return 1.0 if _ZPLOT.match(head) else 0.0


def recognise_delimited(path: Path, head: bytes) -> float:
    """Up to 0.7, by how many columns of a cycler a line of the head names."""
    from mesolith.io.cycler_columns import roles_of_names
    from mesolith.io.delimited import header_of_delimited

    utf16 = head[:2] in (b"\xff\xfe", b"\xfe\xff")
    others = (_MPT, _ZPLOT, _GAMRY)
    if any(other.match(head) for other in others) or (b"\x00" in head and not utf16):
        return 0.0
    lines = head.decode("utf-16" if utf16 else "latin-1", errors="replace").splitlines()
    try:
        at, separator = header_of_delimited(lines, path)
    except MesolithError:
        return 0.0
    roles = roles_of_names(lines[at].split(separator))
    timed = bool({"time", "date", "unix"} & roles)
    record = timed and bool({"voltage", "current", "pressure"} & roles)
    if not record and not {"frequency", "real"} <= roles:
        return 0.3 if {"voltage", "current"} <= roles else 0.0
    return min(0.7, 0.4 + 0.1 * len(roles))


def recognise_mpr(path: Path, head: bytes) -> float:
    """1 where the first bytes are those of a BioLogic file."""
    return 1.0 if head.startswith(b"BIO-LOGIC MODULAR FILE") else 0.0


def recognise_gamry(path: Path, head: bytes) -> float:
    """1 where the first lines are Gamry's."""
    return 1.0 if _GAMRY.match(head) else 0.0


def describe_mpr(path: Path) -> Description:
    """Start, end and rows of an EC-Lab binary."""
    from mesolith.io.biologic_binary import read_mpr

    return _described("mpr", path, read_mpr)


def describe_gamry(path: Path) -> Description:
    """Start, end and rows of a Gamry record."""
    from mesolith.io.gamry import read_gamry

    return _described("gamry", path, read_gamry)


def describe_mpt(path: Path) -> Description:
    """Start, end and rows of an EC-Lab text."""
    from mesolith.io.biologic_text import read_mpt

    return _described("mpt", path, read_mpt)


def describe_delimited(path: Path) -> Description:
    """Start, end and rows of a delimited record."""
    from mesolith.io.delimited import read_delimited

    return _described("delimited", path, read_delimited)


def describe_zplot(path: Path) -> Description:
    """Start and points of a spectrum."""
    from mesolith.io.zplot import read_zplot

    return described_spectrum("zplot", read_zplot(path), path)


def described_spectrum(name: str, sweep: Spectrum, path: Path) -> Description:
    """Start and points of one sweep."""
    facts: tuple[str, ...] = (f"{len(sweep.frequency)} frequencies",)
    start: str | None = None
    needs: tuple[tuple[str, str], ...] = ()
    if sweep.start is None:
        facts = (*facts, "states no date")
    else:
        try:
            start = sweep.start.resolve(None, where=str(path)).isoformat()
        except ClockError as problem:
            needs = (("date_order", problem.what),)
    rows = len(sweep.frequency)
    return Description(name, start=start, rows=rows, facts=facts, needs=needs)


def _described(name: str, path: Path, read: Callable[..., CyclerTable]) -> Description:
    """What the file states of itself, and what only cell.toml can say."""
    needs: list[tuple[str, str]] = []
    try:
        table = read(path)
        start = table.start
    except ClockError as problem:
        table = read(path, date_order="month-first")  # whatever else is wrong raises again
        start = None
        needs.append(("date_order", problem.what))
    rows = len(table.time)
    sweeps = int((table.frequency > 0.0).sum())
    facts = [f"{sweeps} impedance points"] if sweeps else []
    if start is None:
        if not needs:
            facts.append("states no date")
            if not table.spectra_only:
                needs.append(("started", "its times count from a start that it does not state"))
        return Description(name, rows=rows, facts=tuple(facts), needs=tuple(needs))
    first, last = (start + timedelta(seconds=float(t)) for t in (table.time[0], table.time[-1]))
    return Description(
        name, start=first.isoformat(), end=last.isoformat(), rows=rows, facts=tuple(facts)
    )
