"""Gamry records (.DTA): several tables in one text, each with names and units of its own.

Gamry's Framework counts anodic current (oxidation at the working electrode) positive. The AREA
of the header is a default (1 cm2) and is not read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from mesolith.errors import (
    EmptyFileError,
    FileFormatError,
    MissingColumnError,
    TruncatedFileError,
)
from mesolith.io.cycler_columns import columns_by_role
from mesolith.io.cycler_table import CyclerTable, table_from_body
from mesolith.io.finding import Finding
from mesolith.io.numbers import text_lines
from mesolith.io.timestamps import DateOrder, Moment, moment_from_text

# names that mean something else elsewhere
_NAMES = {"T": "Time", "Idc": "Current", "Vdc": "Voltage", "Vf": "Voltage", "Im": "Current"}
_OPEN_CIRCUIT = "OCVCURVE"
_AGAIN = "Save the record again from Gamry's Framework."


@dataclass(frozen=True, slots=True)
class GamryTable:
    """One table: its name in the file, names and units of its columns, and numbered lines.

    ``count`` is the number of rows that the file states, None where it states none.
    """

    name: str
    columns: tuple[str, ...]
    units: tuple[str, ...]
    body: tuple[tuple[int, str], ...]
    line: int
    count: int | None


def read_gamry(
    path: Path, *, date_order: DateOrder | None = None, allow_partial: bool = False
) -> CyclerTable:
    """Record of one .DTA: its curves one after another, or its impedance sweep.

    The open-circuit curve that Gamry puts before a technique counts its time from another start
    and states no current; it is left out, with a finding, unless it is all there is to say.

    Raises
    ------
    EmptyFileError, FileFormatError, MissingColumnError, UnitError, ClockError,
    TruncatedFileError, ContradictionError
        Each with file, line and remedy.
    """
    tables, start = read_gamry_tables(path)
    chosen = [t for t in tables if t.name != _OPEN_CIRCUIT and t.body]
    if not chosen:
        raise EmptyFileError(
            "the file holds no table of a technique",
            where=str(path),
            remedy=f"The technique did not run, or the file is cut short. {_AGAIN}",
        )
    first = chosen[0]
    if any((t.columns, t.units) != (first.columns, first.units) for t in chosen):
        listed = ", ".join(t.name for t in chosen)
        raise FileFormatError(
            f"the tables {listed} have different columns",
            where=str(path),
            remedy="Save each technique to a file of its own.",
        )
    findings = [
        Finding("note", path.name, f"the table {t.name} ({len(t.body)} rows) is not used")
        for t in tables
        if t not in chosen
    ]
    body: list[tuple[int, str]] = []
    for table in chosen:
        if table.count is not None and len(table.body) < table.count:
            problem = f"{len(table.body)} of {table.count} rows of {table.name} are there"
            if not allow_partial:
                raise TruncatedFileError(
                    problem,
                    where=f"{path}, line {table.line}",
                    remedy=f"The file looks cut short. {_AGAIN} Use --allow-partial to analyse the "
                    "rows that are there; the gap is recorded.",
                )
            findings.append(Finding("gap", path.name, f"cut short: {problem}"))
        body += table.body
    names = [_NAMES.get(name, name) for name in first.columns]
    roles = columns_by_role(names, path, line=first.line, units=list(first.units))
    found = table_from_body(
        body,
        roles,
        names=names,
        separator="\t",
        decimal_comma=_decimal_comma(body),
        path=path,
        start=start,
        date_order=date_order,
        positive_plates="counter",
        allow_partial=allow_partial,
    )
    return replace(found, findings=(*findings, *found.findings))


def read_gamry_tables(path: Path) -> tuple[tuple[GamryTable, ...], Moment | None]:
    """All tables of a .DTA, in order, and the start that its DATE and TIME lines state.

    Raises `EmptyFileError`, `FileFormatError` or `TruncatedFileError`.
    """
    lines = text_lines(path)
    where = str(path)
    if not any(line.strip() for line in lines):
        raise EmptyFileError("the file is empty", where=where, remedy=_AGAIN)
    if lines[0].strip().lstrip("\ufeff").upper() != "EXPLAIN":
        raise FileFormatError("the first line is not EXPLAIN", where=where, remedy=_AGAIN)
    words: dict[str, str] = {}
    tables: list[GamryTable] = []
    at = 1
    while at < len(lines):
        cells = lines[at].split("\t")
        if len(cells) >= 2 and cells[1].strip().upper() == "TABLE":
            table, at = _table(lines, at, path)
            tables.append(table)
            continue
        if len(cells) >= 3 and cells[1].strip().upper() == "LABEL":
            words.setdefault(cells[0].strip().upper(), cells[2].strip())
        at += 1
    start = None
    if "DATE" in words and "TIME" in words:
        start = moment_from_text(f"{words['DATE'].replace('-', '/')} {words['TIME']}")
        start = start or moment_from_text(f"{words['DATE']} {words['TIME']}")
    return tuple(tables), start


def _table(lines: list[str], at: int, path: Path) -> tuple[GamryTable, int]:
    """The table whose heading stands at ``at``, and the line after it."""
    heading = [cell.strip() for cell in lines[at].split("\t")]
    if at + 2 >= len(lines):
        raise TruncatedFileError(
            f"the table {heading[0]} has no names and units",
            where=f"{path}, line {at + 1}",
            remedy=f"The file looks cut short. {_AGAIN}",
        )
    names = [cell.strip() for cell in lines[at + 1].split("\t")]
    units = [cell.strip().partition(" vs")[0] for cell in lines[at + 2].split("\t")]
    if "Pt" not in names:
        raise MissingColumnError(
            f"the table {heading[0]} names no column Pt among: {', '.join(names)}",
            where=f"{path}, line {at + 2}",
            remedy=_AGAIN,
        )
    last = at + 3
    while last < len(lines) and lines[last].startswith("\t") and lines[last].strip():
        last += 1
    stated = heading[2] if len(heading) > 2 else ""
    count = int(stated) if stated.isdecimal() and len(stated) < 10 else None
    body = tuple((k + 1, lines[k]) for k in range(at + 3, last))
    table = GamryTable(heading[0].upper(), tuple(names), tuple(units), body, at + 2, count)
    return table, last


def _decimal_comma(body: list[tuple[int, str]]) -> bool:
    return any("," in line for _, line in body[:20]) and not any(
        "." in line for _, line in body[:20]
    )
