"""Spectra of ZPlot (.z): read and written."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from mesolith.axes import FloatArray
from mesolith.errors import EmptyFileError, FileFormatError, MissingColumnError
from mesolith.io.numbers import table_from_lines, text_lines
from mesolith.io.spectrum import Spectrum, spectrum_from_columns
from mesolith.io.timestamps import Moment, moment_from_text

_END = "end comments"


def read_zplot(path: Path) -> Spectrum:
    """Spectrum of a .z file; rows with f = 0 are dropped and counted.

    Raises `FileFormatError`, `EmptyFileError`, `MissingColumnError` or `InvalidValueError`.
    """
    lines = text_lines(path)
    end = next((k for k, line in enumerate(lines) if line.strip().lower() == _END), None)
    if end is None or not lines[0].lstrip("\ufeff").upper().startswith("ZPLOT"):
        raise FileFormatError(
            'no line "End Comments" after ZPLOT2 ASCII',
            where=str(path),
            remedy="Export the sweep again from ZPlot or ZView as text.",
        )
    names = next(
        (line for line in reversed(lines[:end]) if "freq" in line.lower()),
        "Freq(Hz)\tAmpl\tBias\tTime(Sec)\tZ'(a)\tZ''(b)\tGD\tErr\tRange",
    )
    separator = "\t" if "\t" in names else ","
    columns = [name.strip().lower() for name in names.split(separator)]
    body = [(end + 2 + k, line) for k, line in enumerate(lines[end + 1 :]) if line.strip()]
    if not body:
        raise EmptyFileError(
            "the sweep has no points", where=str(path), remedy="Export it again, or remove it."
        )
    comma = separator == "\t" and "," in body[0][1]
    at = {key: _column(columns, key, path) for key in ("freq", "time", "z'(", "z''(")}
    table = table_from_lines(
        body,
        list(at.values()),
        separator=separator,
        decimal_comma=comma,
        path=path,
        columns=columns,
    )
    numbers = [number for number, _ in body]
    return spectrum_from_columns(table, numbers, path, start=_start(lines[:end]))


def write_z(
    path: Path,
    *,
    started: datetime,
    time: FloatArray,
    frequency: FloatArray,
    real: FloatArray,
    imaginary: FloatArray,
) -> None:
    """Write one sweep as ZPlot does.

    ``started`` is local time without a zone; ``time`` s since then, ``frequency`` Hz, ``real``
    and ``imaginary`` ohm (Im Z), shape (n,); printed with seven digits.
    """
    head = [
        "ZPLOT2 ASCII",
        "  Measured Data, ZPlot:       3.2c",
        "  Experiment Type:            Sweep Frequency, Control Voltage",
        f"  Date:                       {started:%m-%d-%Y}",
        f"  Time:                       {started:%H:%M:%S}",
        "  Freq(Hz)\tAmpl\tBias\tTime(Sec)\tZ'(a)\tZ''(b)\tGD\tErr\tRange",
        "End Comments",
    ]
    rows = [
        f"{f:.6E}\t1.0000E-02\t0.0000E+00\t{t:.6E}\t{a:.6E}\t{b:.6E}\t0.0000E+00\t0\t3"
        for f, t, a, b in zip(frequency, time, real, imaginary, strict=True)
    ]
    path.write_bytes(("\r\n".join([*head, *rows]) + "\r\n").encode("ascii"))


def _column(columns: list[str], key: str, path: Path) -> int:
    for k, name in enumerate(columns):
        if name.startswith(key):
            return k
    raise MissingColumnError(
        f"no column {key!r} among {', '.join(columns)}",
        where=str(path),
        remedy="Export frequency, time, Z' and Z''.",
    )


def _start(head: list[str]) -> Moment | None:
    words: dict[str, str] = {}
    for line in head:
        key, colon, value = line.partition(":")
        if colon:
            words.setdefault(key.strip().lower(), value.strip())
    if "date" not in words or "time" not in words:
        return None
    return moment_from_text(f"{words['date']} {words['time']}")
