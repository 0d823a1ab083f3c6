"""Text tables: decoding, and cells as numbers, whatever the decimal mark."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import FileFormatError, TruncatedFileError

_NOTHING = {"", "nan", "na", "n/a", "null", "none", "-", "#nv", "xxx"}


def text_lines(path: Path) -> list[str]:
    """Lines of a text file: UTF-8 (with or without a byte-order mark), UTF-16 or latin-1."""
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace").splitlines()
    if b"\x00" in data:
        raise FileFormatError(
            "the file holds zero bytes: it is no text table",
            where=str(path),
            remedy="Export it as text; a binary file (.mpr, .xlsx) is not read here.",
        )
    try:
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return data.decode("latin-1").splitlines()


def number_from_text(text: str, *, decimal_comma: bool) -> float:
    """Value of one cell: NaN where it is empty; ``ValueError`` where it is no number.

    Blanks and apostrophes between thousands are taken out, and so is the dot where the decimal
    mark is a comma (1.234,5) or the comma where it is a dot (1,234.5).
    """
    text = text.strip().strip('"').strip()
    if text.lower() in _NOTHING:
        return float("nan")
    text = text.replace("\u00a0", "").replace("\u202f", "").replace("'", "").replace("\u2212", "-")
    if decimal_comma:
        text = text.replace(".", "").replace(",", ".") if "," in text else text
    elif "," in text and "." in text and text.rfind(",") < text.rfind("."):
        text = text.replace(",", "")
    return float(text)


def table_from_lines(
    body: list[tuple[int, str]],
    positions: list[int],
    *,
    separator: str,
    decimal_comma: bool,
    path: Path,
    columns: list[str],
) -> FloatArray:
    """Chosen columns of the rows as numbers, shape (rows, positions).

    ``body`` are (line number, line). An empty cell is NaN.

    Raises
    ------
    TruncatedFileError
        The last row has fewer cells than are needed.
    FileFormatError
        Another row has, or a cell is no number; line and column are named.
    """
    plain = not decimal_comma and not any('"' in line for _, line in body[:5])
    if plain:
        try:
            return np.loadtxt(
                [line for _, line in body],
                delimiter=separator,
                usecols=positions,
                ndmin=2,
                comments=None,
            )
        except ValueError:
            pass  # an empty or unusual cell: the way below reads or names it
    table = np.empty((len(body), len(positions)))
    for row, (number, line) in enumerate(body):
        cells = line.split(separator)
        for place, position in enumerate(positions):
            if position >= len(cells):
                raise _short(row == len(body) - 1, len(cells), position, path, number)
            try:
                table[row, place] = number_from_text(cells[position], decimal_comma=decimal_comma)
            except ValueError:
                raise FileFormatError(
                    f"column {columns[position]!r} holds {cells[position].strip()!r}, not a number",
                    where=f"{path}, line {number}",
                    remedy="Restore the value, or leave the cell empty where there is none.",
                ) from None
    return table


def _short(last: bool, cells: int, position: int, path: Path, number: int) -> FileFormatError:
    kind = TruncatedFileError if last else FileFormatError
    return kind(
        f"the row has {cells} cells, at least {position + 1} are expected"
        + ("; it is the last one: the file looks cut short" if last else ""),
        where=f"{path}, line {number}",
        remedy="Export the file again, or remove the row.",
    )
