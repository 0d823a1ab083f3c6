"""Cycler records as delimited text (CSV), whatever program wrote them.

Delimiter, decimal mark, encoding and columns are found from the content; names and units as in
`mesolith.io.cycler_columns`, those of the Battery Data Format among them.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

from mesolith.errors import EmptyFileError, FileFormatError
from mesolith.io.cycler_columns import columns_by_role, roles_of_names
from mesolith.io.cycler_table import CyclerTable, table_from_body
from mesolith.io.numbers import text_lines
from mesolith.io.timestamps import DateOrder, Moment, moment_from_text

_SEPARATORS = ("\t", ";", ",", "|")
_COMMA = re.compile(r"^[+-]?[\d.\u00a0\u202f ]*\d,\d+(?:[eE][+-]?\d+)?$")
_HEADER_REACH = 300
_START = re.compile(
    r"^\W*(?:start(?:ed)?(?: on| time| date)?|date|test start)\W*[:;,=\t]\W*(.+)$", re.I
)
# a tab inside a quoted cell would be mistaken for a separator once the quotes are gone
_JOINT = "\x1f"


def read_delimited(
    path: Path, *, date_order: DateOrder | None = None, allow_partial: bool = False
) -> CyclerTable:
    """Record of one delimited text file, in the file's own sign.

    Raises
    ------
    EmptyFileError, FileFormatError, MissingColumnError, UnitError, ClockError,
    TruncatedFileError, ContradictionError
        Each with file, line and remedy.
    """
    lines = text_lines(path)
    at, separator = header_of_delimited(lines, path)
    start = _start(lines[:at], separator)
    quoted = any('"' in line for line in lines[at : at + 5])
    if quoted:
        lines = lines[:at] + [
            _JOINT.join(cells) for cells in csv.reader(lines[at:], delimiter=separator)
        ]
        separator = _JOINT
    names = [name.strip() for name in lines[at].split(separator)]
    while names and not names[-1]:
        names.pop()
    body = [
        (at + 2 + k, line)
        for k, line in enumerate(lines[at + 1 :])
        if line.strip(_blank(separator))
    ]
    units = None
    if body and _is_unit_row(body[0][1].split(separator)):
        units = [cell.strip(" []()") for cell in body[0][1].split(separator)]
        body = body[1:]
    roles = columns_by_role(names, path, line=at + 1, units=units)
    cells = [cell.strip().strip('"') for _, line in body[:20] for cell in line.split(separator)]
    comma = separator != "," and any(_COMMA.match(cell) for cell in cells)
    return table_from_body(
        body,
        roles,
        names=names,
        separator=separator,
        decimal_comma=comma,
        path=path,
        start=start,
        date_order=date_order,
        positive_plates=None,
        allow_partial=allow_partial,
    )


def header_of_delimited(lines: list[str], path: Path) -> tuple[int, str]:
    """Index of the line of column names, and the separator.

    It is the first line with the most known columns, at least two.
    """
    if not any(line.strip() for line in lines):
        raise EmptyFileError("the file is empty", where=str(path), remedy="Export it again.")
    best, at, separator = 1, -1, ""
    for k, line in enumerate(lines[:_HEADER_REACH]):
        for candidate in _SEPARATORS:
            if candidate not in line:
                continue
            known = len(roles_of_names(_cells(line, candidate)))
            if known > best:
                best, at, separator = known, k, candidate
    if at < 0:
        raise FileFormatError(
            "no line of column names was found",
            where=str(path),
            remedy='Write one above the rows, such as "time/s,Ewe/V,I/mA" or '
            '"freq/Hz,Re(Z)/Ohm,-Im(Z)/Ohm".',
        )
    return at, separator


def _cells(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])


def _blank(separator: str) -> str:
    return f' \t\r\n"{separator}'


def _is_unit_row(cells: list[str]) -> bool:
    """Whether a row below the names holds units: no digit in it, and short words."""
    words = [cell.strip(' []()"') for cell in cells]
    return any(words) and all(len(w) <= 6 and not any(c.isdigit() for c in w) for w in words)


def _start(head: list[str], separator: str) -> Moment | None:
    """Start stated above the table, such as "Start time: 2024-05-03 14:00:00"."""
    for line in head:
        match = _START.match(line)
        if match:
            found = moment_from_text(match.group(1).strip(f' "{separator}'))
            if found is not None:
                return found
    return None
