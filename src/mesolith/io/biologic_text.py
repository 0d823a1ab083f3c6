"""EC-Lab text (.mpt): points and impedance sweeps of BioLogic cyclers.

EC-Lab counts oxidation at the working electrode positive, states local times without a zone and
an electrode area that is a default; the area is not read.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mesolith.axes import IntArray
from mesolith.errors import EmptyFileError, FileFormatError, TruncatedFileError
from mesolith.io.biologic_write import MptStep, write_mpt
from mesolith.io.cycler_columns import columns_by_role
from mesolith.io.cycler_table import CyclerTable, table_from_body
from mesolith.io.numbers import text_lines
from mesolith.io.timestamps import DateOrder, Moment, moment_from_text

__all__ = ["MptStep", "header_of_mpt", "read_loops", "read_mpt", "write_mpt"]

_COUNT = re.compile(r"^Nb header lines\s*:\s*(\d+)", re.IGNORECASE)
_START = re.compile(r"^\s*Acquisition started on\s*:\s*(.*\S)\s*$", re.IGNORECASE)
_MARK = "EC-LAB ASCII FILE"
_LOOPS = "VMP EXPERIMENT LOOP INDEXES"


def read_mpt(
    path: Path, *, date_order: DateOrder | None = None, allow_partial: bool = False
) -> CyclerTable:
    """Record of one .mpt file.

    Column names and units are read from the file; decimal point and comma are both read.
    ``date_order`` settles a date such as 01/10/2024. Raises named errors with file, line and
    remedy (see `table_from_body`); a last row that is cut short is left out with
    ``allow_partial``.
    """
    lines = text_lines(path)
    count, start = header_of_mpt(lines, path)
    names = [name.strip() for name in lines[count - 1].rstrip("\t").split("\t")]
    roles = columns_by_role(names, path, line=count)
    body = [(count + 1 + k, line) for k, line in enumerate(lines[count:]) if line.strip()]
    comma = any("," in line and "." not in line for _, line in body[:3])
    return table_from_body(
        body,
        roles,
        names=names,
        separator="\t",
        decimal_comma=comma,
        path=path,
        start=start,
        date_order=date_order,
        positive_plates="counter",
        allow_partial=allow_partial,
    )


def read_loops(path: Path) -> IntArray:
    """Rows at which loops begin, from EC-Lab's ..._LOOP.txt, shape (n,).

    Where the last loop was complete, the number of rows stands at the end. Raises
    `FileFormatError`.
    """
    lines = [line.strip() for line in text_lines(path) if line.strip()]
    if (
        not lines
        or lines[0].upper() != _LOOPS
        or not all(row.isdecimal() and len(row) < 19 for row in lines[1:])
    ):
        raise FileFormatError(
            f"the file is no list of rows below {_LOOPS}",
            where=str(path),
            remedy="Export the record again from EC-Lab as text.",
        )
    return np.array([int(row) for row in lines[1:]], dtype=np.int64)


def header_of_mpt(lines: list[str], path: Path) -> tuple[int, Moment | None]:
    """Number of header lines (the last one names the columns) and the acquisition's start."""
    where = str(path)
    if not any(line.strip() for line in lines):
        raise EmptyFileError("the file is empty", where=where, remedy="Export it again.")
    if not lines[0].lstrip("\ufeff").upper().startswith(_MARK):
        raise FileFormatError(
            "the first line is not EC-Lab ASCII FILE",
            where=where,
            remedy="Export the record from EC-Lab as text, with its header.",
        )
    found = next((_COUNT.match(line) for line in lines[:5] if _COUNT.match(line)), None)
    if found is None:
        raise FileFormatError(
            'no line "Nb header lines" follows the first one',
            where=where,
            remedy="Export the record again from EC-Lab.",
        )
    count = int(found.group(1))
    if count > len(lines):
        raise TruncatedFileError(
            f"the file has {len(lines)} lines, its header alone {count}",
            where=where,
            remedy="The file looks cut short: copy or export it again.",
        )
    start = None
    for line in lines[:count]:
        match = _START.match(line)
        if match:
            start = moment_from_text(match.group(1))
            break
    return count, start
