"""EC-Lab binary records (.mpr) of BioLogic cyclers.

A file is a row of modules (settings, data, log, loops), each with a name, a length and a version.
The data module lists the numbers of its columns and then the rows, packed. EC-Lab's text export
adds columns computed from these; the ones the analysis needs are computed here the same way.
Unlike the text, the file states its start as a day number: no date is ambiguous. EC-Lab counts
oxidation at the working electrode positive; the area in the settings is a default and not read.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import (
    ContradictionError,
    EmptyFileError,
    FileFormatError,
    InvalidValueError,
    MissingColumnError,
    TruncatedFileError,
)
from mesolith.io.biologic_columns import FLAGS, STORED
from mesolith.io.cycler_columns import columns_by_role
from mesolith.io.cycler_table import CyclerTable, table_from_values
from mesolith.io.finding import Finding
from mesolith.io.timestamps import DateOrder

MAGIC = b"BIO-LOGIC MODULAR FILE"
_FIRST_MODULE = 52
_NEW_HEAD = 0xFFFFFFFF
_ROWS_AT = {0: 100, 2: 405, 3: 406, 10: 1007, 11: 1007}  # start of the rows by data version
_START_AT = (585, 465, 469, 473)  # places of the start in the log, by the version of EC-Lab
_ABSURD = 1e15
_DAY_ZERO = datetime(1899, 12, 30)
_AGAIN = "Copy the file again, or export it from EC-Lab as text (.mpt)."


@dataclass(frozen=True, slots=True)
class MprFile:
    """What an .mpr holds.

    ``columns`` by their names in EC-Lab's text export, shape (rows,) each, flags taken apart;
    ``unknown`` the numbers of columns whose meaning is not known; ``start`` naive local time;
    ``loops`` first rows of the loops, empty where the file has none; ``missing`` the number of
    rows that the file states and does not hold.
    """

    columns: dict[str, NDArray[Any]]
    unknown: tuple[int, ...]
    start: datetime | None
    loops: IntArray
    missing: int


@dataclass(frozen=True, slots=True)
class _Module:
    version: int
    date: bytes
    data: bytes
    length: int


def read_mpr(
    path: Path, *, date_order: DateOrder | None = None, allow_partial: bool = False
) -> CyclerTable:
    """Record of one .mpr file, in EC-Lab's sign.

    ``date_order`` is not needed: the file states its start as a day number. With
    ``allow_partial`` the rows of a file that is cut short are read. Raises named errors with
    file and remedy (see `read_mpr_columns` and `table_from_values`).
    """
    found = read_mpr_columns(path, allow_partial=allow_partial)
    columns = {**found.columns, **_derived(found.columns)}
    names = list(columns)
    roles = columns_by_role(names, path, line=0)
    values = {
        role: np.asarray(columns[names[column.position]], dtype=np.float64) * column.factor
        for role, column in roles.items()
    }
    if "time" not in values:
        raise MissingColumnError(
            f"no column of time among: {', '.join(names)}", where=str(path), remedy=_AGAIN
        )
    absurd = [role for role, column in values.items() if np.any(np.abs(column) > _ABSURD)]
    if absurd:
        raise InvalidValueError(
            f"column {names[roles[absurd[0]].position]!r} holds a number beyond {_ABSURD:g}",
            where=str(path),
            remedy=_AGAIN,
        )
    findings = []
    if found.unknown:
        text = f"columns of unknown meaning are left out: {', '.join(map(str, found.unknown))}"
        findings.append(Finding("note", path.name, text))
    rows = len(values["time"])
    if found.missing:
        text = f"cut short: {rows} of {rows + found.missing} rows are there"
        findings.append(Finding("gap", path.name, text))
    return table_from_values(
        values,
        names=names,
        path=path,
        line=np.arange(1, rows + 1),
        start=found.start,
        time=values["time"],
        positive_plates="counter",
        findings=tuple(findings),
    )


def read_mpr_columns(path: Path, *, allow_partial: bool = False) -> MprFile:
    """Columns of one .mpr file as stored.

    Raises
    ------
    EmptyFileError, FileFormatError
        No .mpr, no data module, no rows, or columns of unknown size.
    TruncatedFileError
        The file ends within a module.
    ContradictionError
        Rows and columns do not fill the data module.
    """
    modules = _modules(path, allow_partial)
    data = modules.get("VMP data")
    if data is None:
        raise FileFormatError("the file has no data module", where=str(path), remedy=_AGAIN)
    rows, numbers, at = _head(data, path)
    if rows == 0:
        raise EmptyFileError(
            "the record has no rows",
            where=str(path),
            remedy="The technique did not run; remove the file from cell.toml.",
        )
    width = (data.length - at) // rows
    if width == 0 or at + rows * width != data.length:
        raise ContradictionError(
            f"{rows} rows do not fill the {data.length - at} bytes of the data module",
            where=str(path),
            remedy=_AGAIN,
        )
    layout, unknown = _layout(numbers, width, path)
    whole = min(rows, max(len(data.data) - at, 0) // width)
    if whole == 0:
        raise TruncatedFileError("no row is there", where=str(path), remedy=_AGAIN)
    table = np.frombuffer(data.data, dtype=layout, count=whole, offset=at)
    columns: dict[str, NDArray[Any]] = {}
    for number in numbers:
        if number in FLAGS:
            name, bits, shift = FLAGS[number]
            columns[name] = (table["flags"] & bits) >> shift
        elif number in STORED:
            columns.setdefault(STORED[number].name, table[f"column {number}"].copy())
    loops = np.zeros(0, dtype=np.int64)
    if "VMP loop" in modules:
        loops = _loops(modules["VMP loop"].data, rows)
    start = _start(modules.get("VMP LOG"), modules.get("VMP Set"))
    return MprFile(columns, unknown, start, loops, rows - whole)


def _modules(path: Path, allow_partial: bool) -> dict[str, _Module]:
    """Modules by their short name."""
    raw = path.read_bytes()
    where = str(path)
    if not raw:
        raise EmptyFileError("the file is empty", where=where, remedy=_AGAIN)
    if not raw.startswith(MAGIC):
        raise FileFormatError("the file is no BioLogic .mpr", where=where, remedy=_AGAIN)
    found: dict[str, _Module] = {}
    at = _FIRST_MODULE
    while at < len(raw):
        if raw[at : at + 6] != b"MODULE" and raw[at : at + 6] != b"MODULE"[: len(raw) - at]:
            raise FileFormatError(f"no module begins at byte {at}", where=where, remedy=_AGAIN)
        name = raw[at + 6 : at + 16].decode("latin-1").strip()
        new = raw[at + 41 : at + 45] == struct.pack("<I", _NEW_HEAD)
        head = at + (65 if new else 57)
        if head > len(raw):
            raise _cut(f"the module at byte {at} has no whole header", where)
        if new:
            _, length, _, version = struct.unpack_from("<4I", raw, at + 41)
        else:
            length, version = struct.unpack_from("<2I", raw, at + 41)
        if head + length > len(raw) and not (allow_partial and name == "VMP data"):
            raise _cut(f"the module {name!r} has {len(raw) - head} of {length} bytes", where)
        found[name] = _Module(version, raw[head - 8 : head], raw[head : head + length], length)
        at = head + length
    return found


def _cut(problem: str, where: str) -> TruncatedFileError:
    return TruncatedFileError(
        problem,
        where=where,
        remedy=f"The file looks cut short. {_AGAIN} Use --allow-partial to analyse the rows that "
        "are there; the gap is recorded.",
    )


def _head(data: _Module, path: Path) -> tuple[int, tuple[int, ...], int]:
    """Number of rows, numbers of the columns, and where the rows begin.

    Columns are counted in one byte, since EC-Lab 11.50 in two; their numbers take one byte in the
    oldest version and two in all others.
    """
    if data.version not in _ROWS_AT:
        raise FileFormatError(
            f"data version {data.version} is not known (known: "
            f"{', '.join(map(str, sorted(_ROWS_AT)))})",
            where=str(path),
            remedy="Export the record from EC-Lab as text (.mpt).",
        )
    at = _ROWS_AT[data.version]
    if len(data.data) < at:
        raise _cut(f"the head of the data module has {len(data.data)} of {at} bytes", str(path))
    rows, count = struct.unpack_from("<IB", data.data, 0)
    kind, first = ("B", 5) if data.version == 0 else ("H", 5 if data.version < 10 else 6)
    if first + count * struct.calcsize(kind) > at:
        raise FileFormatError(
            f"the data module lists {count} columns, more than its head can hold",
            where=str(path),
            remedy=_AGAIN,
        )
    numbers = struct.unpack_from(f"<{count}{kind}", data.data, first)
    if count == 0 or len(set(numbers)) < count:
        raise FileFormatError(
            "the data module lists no columns, or one of them twice",
            where=str(path),
            remedy=_AGAIN,
        )
    return rows, numbers, at


def _layout(
    numbers: tuple[int, ...], width: int, path: Path
) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Type of one row of ``width`` bytes, and the numbers that are not known.

    The size of a single unknown column follows from the rest; several are taken as 4 bytes each
    where that fills the row.
    """
    unknown = tuple(n for n in numbers if n not in STORED and n not in FLAGS)
    flags = 1 if any(n in FLAGS for n in numbers) else 0
    stored = sum(np.dtype(STORED[n].dtype).itemsize for n in numbers if n in STORED)
    rest = width - flags - stored
    size = rest // len(unknown) if unknown else 0
    fits = rest == size * len(unknown) and (not unknown or size > 0)
    if not fits or (len(unknown) > 1 and size != 4):
        what = f"columns {', '.join(map(str, unknown))}" if unknown else "the known columns"
        raise FileFormatError(
            f"{what} and a row of {width} bytes: the sizes of the columns are not known",
            where=str(path),
            remedy="Export the record from EC-Lab as text (.mpt).",
        )
    fields: list[tuple[str, str]] = []
    for number in numbers:
        if number in FLAGS:
            if not any(name == "flags" for name, _ in fields):
                fields.append(("flags", "u1"))
        elif number in STORED:
            fields.append((f"column {number}", STORED[number].dtype))
        else:
            fields.append((f"column {number}", f"V{size}"))
    return np.dtype(fields), unknown


def _start(log: _Module | None, settings: _Module | None) -> datetime | None:
    """Start of the acquisition: the day number in the log that falls on the settings' date."""
    if log is None or settings is None:
        return None
    digits = settings.date.decode("latin-1")
    try:
        month, day, year = (int(digits[k : k + 2]) for k in (0, 3, 6))
    except ValueError:
        return None
    for at in _START_AT:
        if len(log.data) < at + 8:
            continue
        days = struct.unpack_from("<d", log.data, at)[0]
        if not 20_000.0 < days < 100_000.0:
            continue
        moment = _DAY_ZERO + timedelta(milliseconds=round(days * 86_400_000.0))
        if (moment.month, moment.day, moment.year % 100) == (month, day, year):
            return moment
    return None


def _loops(data: bytes, rows: int) -> IntArray:
    """First rows of the loops; the module lists their number, then each first row and the end."""
    if len(data) < 8:
        return np.zeros(0, dtype=np.int64)
    count = struct.unpack_from("<I", data, 0)[0]
    if 4 * (count + 1) > len(data):
        return np.zeros(0, dtype=np.int64)
    first = np.frombuffer(data, dtype="<u4", count=count, offset=4).astype(np.int64)
    return first[first < rows]


def _derived(columns: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Columns that EC-Lab's text export computes and the analysis needs."""
    more: dict[str, NDArray[Any]] = {}
    if "Re(Z)/Ohm" not in columns and {"|Z|/Ohm", "Phase(Z)/deg"} <= set(columns):
        size = columns["|Z|/Ohm"].astype(np.float64)
        phase = np.radians(columns["Phase(Z)/deg"].astype(np.float64))
        more["Re(Z)/Ohm"], more["-Im(Z)/Ohm"] = size * np.cos(phase), -size * np.sin(phase)
    if not {"I/mA", "<I>/mA"} & set(columns) and {"dq/mA.h", "time/s"} <= set(columns):
        more["<I>/mA"] = _mean_current(columns["dq/mA.h"], columns["time/s"])
    if "control/V/mA" in columns and "mode" in columns:
        galvanostatic = columns["mode"] == 1
        more["control/mA"] = np.where(galvanostatic, columns["control/V/mA"], 0.0)
    if "cycle number" not in columns and "half cycle" in columns:
        more["cycle number"] = columns["half cycle"] // 2
    return more


def _mean_current(charge: FloatArray, time: FloatArray) -> FloatArray:
    """Charge since the row before over the time since then, mA; 0 at the first row."""
    current = np.zeros(len(charge))
    passed = np.diff(time) / 3600.0
    np.divide(charge[1:], passed, out=current[1:], where=passed > 0.0)
    return current
