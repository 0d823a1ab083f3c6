"""CSV tables from records and figures: RFC 4180, numbers that round-trip, errors beside values."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesolith.errors import InvalidValueError
from mesolith.records.field import CommonMode, Record, children, quantities

Columns = Mapping[str, NDArray[Any]]
_BLOCK = 8192


def write_table(path: Path, columns: Columns) -> None:
    """Write columns of equal length as a CSV file with one header row.

    Floats are written with the fewest digits that read back as the same number; NaN is an empty
    field. Lines end with CR LF, as RFC 4180 has it.
    """
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InvalidValueError(f"columns differ in length: {lengths}", where=str(path))
    texts = [_texts(np.asarray(values)) for values in columns.values()]
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(_line(list(columns)))
        rows = next(iter(lengths.values()), 0)
        for first in range(0, rows, _BLOCK):
            block = [column[first : first + _BLOCK] for column in texts]
            file.write("".join(",".join(row) + "\r\n" for row in zip(*block, strict=True)))


def read_table(path: Path) -> dict[str, NDArray[Any]]:
    """Columns of a table made by `write_table`: numbers where all fields are, else text."""
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file))
    columns: dict[str, NDArray[Any]] = {}
    for k, name in enumerate(header):
        words = [row[k] for row in rows]
        columns[name] = np.array(words)
        for kind in (int, float):
            try:
                columns[name] = np.array([kind(w) if w or kind is int else np.nan for w in words])
                break
            except ValueError:
                continue
    return columns


def record_tables(record: Record, name: str) -> dict[str, dict[str, NDArray[Any]]]:
    """Every table a record and the records inside it make, by file stem.

    A column's random standard error follows it as COLUMN_se; COLUMN_common_se is the part that
    all rows share, from the common modes added in squares. Of symmetric tensors the components
    below the diagonal are left out.
    """
    tables: dict[str, dict[str, NDArray[Any]]] = {}
    axes = dict.fromkeys(
        str(declared.shape[0])
        for field, declared in quantities(type(record)).items()
        if declared.shape and isinstance(declared.shape[0], str)
        if getattr(record, field) is not None
    )
    for k, axis in enumerate(axes):
        columns = _with_errors(record, axis)
        if columns:
            tables[name if k == 0 else f"{name}_{axis}"] = columns
    for field, child in children(record):
        inner = child if isinstance(child, tuple) else (child,)
        for k, item in enumerate(inner):
            if isinstance(item, Record):
                stem = f"{name}_{field}" + (f"_{k}" if isinstance(child, tuple) else "")
                tables.update(record_tables(item, stem))
    return tables


def write_record_tables(folder: Path, record: Record, name: str) -> list[Path]:
    """Write every table of a record as NAME.csv (NAME_FIELD.csv for records inside it)."""
    written = []
    for stem, columns in record_tables(record, name).items():
        path = folder / f"{file_stem(stem)}.csv"
        write_table(path, columns)
        written.append(path)
    return written


def file_stem(text: str) -> str:
    """Name fit for a file on any system: letters, digits, dot, hyphen, underscore."""
    return re.sub(r"[^\w.-]+", "_", text, flags=re.ASCII).strip("._") or "_"


def _with_errors(record: Record, axis: str) -> dict[str, NDArray[Any]]:
    declared = quantities(type(record))
    columns = record.columns(axis)
    names = {id(d): name for name, d in declared.items()}
    same_shape_errors = {
        d.error
        for name, d in declared.items()
        if d.error in declared and declared[d.error].shape == d.shape
    }
    found: dict[str, NDArray[Any]] = {}
    seen: dict[str, int] = {}
    for column, (quantity, values) in columns.items():
        field = names[id(quantity)]
        if field in same_shape_errors:
            continue
        k = seen[field] = seen.get(field, -1) + 1
        if k in _mirrored(getattr(record, field)):
            continue
        found[column] = values
        for word, sigma in (
            ("se", record.standard_error(field)),
            ("common_se", _common_error(record, field)),
        ):
            if sigma is not None:
                width = math.prod(sigma.shape[1:])  # -1 cannot tell it of a table without rows
                found[f"{column}_{word}"] = sigma.reshape(len(values), width)[:, k]
    return found


def _mirrored(values: Any) -> frozenset[int]:
    """Numbers of the components of symmetric tensors that repeat another one."""
    shape = np.shape(values)
    if (
        len(shape) != 3
        or shape[1] != shape[2]
        or not np.array_equal(values, np.swapaxes(values, 1, 2), equal_nan=True)
    ):
        return frozenset()
    return frozenset(i * shape[1] + j for i in range(shape[1]) for j in range(i))


def _common_error(record: Record, field: str) -> NDArray[np.float64] | None:
    shape = np.shape(getattr(record, field))
    modes = [
        item
        for _, child in children(record)
        if isinstance(child, tuple)
        for item in child
        if isinstance(item, CommonMode) and field in item.derivatives
    ]
    if not modes:
        return None
    squares = sum((mode.sigma * mode.derivatives[field]) ** 2 for mode in modes)
    return np.broadcast_to(np.sqrt(squares), shape)


def _texts(values: NDArray[Any]) -> list[str]:
    if values.size > 1 and values.dtype.kind == "f" and np.all(values == values[0]):
        return _texts(values[:1]) * len(values)
    if values.dtype.kind == "f":
        return ["" if x != x else repr(x) for x in values.tolist()]
    if values.dtype.kind in "iu":
        return [str(x) for x in values.tolist()]
    if values.dtype.kind == "b":
        return ["true" if x else "false" for x in values.tolist()]
    return [_quoted(str(x)) for x in values.tolist()]


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if re.search(r'[",\r\n]', text) else text


def _line(words: list[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(words)
    return buffer.getvalue()
