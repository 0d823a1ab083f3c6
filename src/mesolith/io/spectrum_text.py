"""Impedance sweeps in the small formats of several programs: one sweep a file, read only.

| reader | file | columns |
|---|---|---|
| `read_dfr` | Eco Chemie .dfr | nine numbers a point, a line each: f, Z', -Z'', ... |
| `read_ivium` | Ivium .idf | rows Z', Z'', f below "primary_data" |
| `read_p00` | .P00 text | f, Z', -Z'', time ... below a line of names and a count |
| `read_i2b` | .i2b text | rows f, Z', Z'' below a count |
| `read_z60w` | Autolab's "Z60W Data File" | rows f, amplitude, bias, time, Z', Z'' |
| `read_bare` | numbers without names | rows f, Z', Z'' |
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import (
    EmptyFileError,
    FileFormatError,
    MissingColumnError,
    TruncatedFileError,
)
from mesolith.io.numbers import number_from_text, text_lines
from mesolith.io.spectrum import Spectrum, spectrum_from_columns
from mesolith.io.timestamps import moment_from_text

_AGAIN = "Export the sweep again."
_DFR_NUMBERS = 9
_BLANKS = re.compile(r"[;\s]+")


def read_dfr(path: Path) -> Spectrum:
    """Sweep of an Eco Chemie .dfr file; it states no times that belong to the points."""
    lines = [line.strip() for line in _text(path)]
    if not lines[0].upper().startswith("VERSION"):
        raise FileFormatError("the first line is not VERSION", where=str(path), remedy=_AGAIN)
    count = _count(lines, 1, path)
    numbers = [
        _number(lines[k], path, k + 1) for k in range(3, min(len(lines), 3 + _DFR_NUMBERS * count))
    ]
    if len(numbers) < _DFR_NUMBERS * count:
        raise _short(len(numbers) // _DFR_NUMBERS, count, path)
    table = np.array(numbers).reshape(count, _DFR_NUMBERS)
    columns = np.stack([table[:, 0], np.full(count, np.nan), table[:, 1], -table[:, 2]], axis=1)
    places = [4 + _DFR_NUMBERS * k for k in range(count)]
    return spectrum_from_columns(columns, places, path, start=None)


def read_ivium(path: Path) -> Spectrum:
    """Sweep of an Ivium .idf file, which mixes text and binary parts."""
    lines = [line.strip() for line in path.read_bytes().decode("latin-1").splitlines()]
    marks = [k for k, line in enumerate(lines) if line == "primary_data"]
    if len(marks) != 1:
        raise FileFormatError(
            f"{len(marks)} parts are called primary_data, one is expected",
            where=str(path),
            remedy="Save each sweep as a data file (.idf) of its own.",
        )
    at = marks[0] + 1
    width, count = _count(lines, at, path), _count(lines, at + 1, path)
    if width != 3:
        raise MissingColumnError(
            f"the points have {width} numbers, three are expected (Z', Z'', f)",
            where=f"{path}, line {at + 1}",
            remedy="Give an impedance sweep, or export the record as delimited text.",
        )
    table = _rows(lines, at + 2, count, (2, None, 0, 1), path)
    words = dict(line.split("=", 1) for line in lines[:at] if "=" in line)
    start = moment_from_text(words.get("starttime", ""))
    return spectrum_from_columns(table, _places(at + 2, count), path, start=start)


def read_p00(path: Path) -> Spectrum:
    """Sweep of a .P00 text."""
    lines = _text(path)
    at = next((k for k, line in enumerate(lines) if line.strip().startswith("f/Hz")), None)
    if at is None:
        raise FileFormatError("no line of names begins with f/Hz", where=str(path), remedy=_AGAIN)
    names = [name.strip() for name in lines[at].split("\t")]
    try:
        order = tuple(names.index(name) for name in ("f/Hz", "time/s", "Z'/Ohm", "-Z''/Ohm"))
    except ValueError:
        raise MissingColumnError(
            f"f/Hz, time/s, Z'/Ohm and -Z''/Ohm are expected among: {', '.join(names)}",
            where=f"{path}, line {at + 1}",
            remedy=_AGAIN,
        ) from None
    count = _count(lines, at + 1, path)
    table = _rows(lines, at + 2, count, order, path)
    table[:, 3] *= -1.0
    start = moment_from_text(lines[1].split(" - ")[0]) if at > 1 else None
    return spectrum_from_columns(table, _places(at + 2, count), path, start=start)


def read_i2b(path: Path) -> Spectrum:
    """Sweep of an .i2b text: any lines, a count, then as many rows of three numbers."""
    lines = _text(path)
    at = next((k for k, line in enumerate(lines) if re.fullmatch(r"\s*\d+\s*", line)), None)
    if at is None:
        raise FileFormatError("no line holds the count of points", where=str(path), remedy=_AGAIN)
    count = _count(lines, at, path)
    table = _rows(lines, at + 1, count, (0, None, 1, 2), path)
    return spectrum_from_columns(table, _places(at + 1, count), path, start=None)


def read_z60w(path: Path) -> Spectrum:
    """Sweep of Autolab's "Z60W Data File"."""
    lines = _text(path)
    at = next((k for k, line in enumerate(lines) if "freq" in line.lower()), None)
    if at is None or at == 0:
        raise FileFormatError("no line names Freq (Hz)", where=str(path), remedy=_AGAIN)
    count = _count(lines, at - 1, path)
    table = _rows(lines, at + 1, count, (0, 3, 4, 5), path)
    return spectrum_from_columns(table, _places(at + 1, count), path, start=None)


def read_bare(path: Path) -> Spectrum:
    """Rows of three numbers without names, taken as f (Hz), Re Z and Im Z (ohm).

    Nothing in such a file says so; it is read only where cell.toml names this format.
    """
    lines = _text(path)
    count = len([line for line in lines if line.strip()])
    table = _rows(lines, 0, count, (0, None, 1, 2), path)
    return spectrum_from_columns(table, _places(0, count), path, start=None)


def _text(path: Path) -> list[str]:
    lines = text_lines(path)
    if not any(line.strip() for line in lines):
        raise EmptyFileError("the file is empty", where=str(path), remedy=_AGAIN)
    return lines


def _count(lines: list[str], at: int, path: Path) -> int:
    text = lines[at].strip() if at < len(lines) else ""
    if not text.isdecimal() or len(text) > 9:
        raise FileFormatError(
            f"{text!r} where a count is expected", where=f"{path}, line {at + 1}", remedy=_AGAIN
        )
    return int(text)


def _number(text: str, path: Path, line: int) -> float:
    try:
        return number_from_text(text, decimal_comma="," in text)
    except ValueError:
        raise FileFormatError(
            f"{text.strip()!r} is no number", where=f"{path}, line {line}", remedy=_AGAIN
        ) from None


def _rows(
    lines: list[str], first: int, count: int, order: tuple[int | None, ...], path: Path
) -> FloatArray:
    """Columns in the given order (None: NaN) of ``count`` rows from line ``first`` on."""
    body = lines[first : first + count]
    if len(body) < count or any(not line.strip() for line in body):
        raise _short(sum(1 for line in body if line.strip()), count, path)
    table = np.full((count, len(order)), np.nan)
    needed = 1 + max(place for place in order if place is not None)
    for row, line in enumerate(body):
        cells = _BLANKS.split(line.strip())
        if len(cells) < needed:  # no blanks: commas part the numbers
            cells = line.strip().split(",")
        if len(cells) < needed:
            raise _short(row, count, path)
        for column, place in enumerate(order):
            if place is not None:
                table[row, column] = _number(cells[place], path, first + row + 1)
    return table


def _places(first: int, count: int) -> list[int]:
    return list(range(first + 1, first + 1 + count))


def _short(found: int, count: int, path: Path) -> TruncatedFileError:
    return TruncatedFileError(
        f"{found} of {count} points are there",
        where=str(path),
        remedy=f"The file looks cut short. {_AGAIN}",
    )
