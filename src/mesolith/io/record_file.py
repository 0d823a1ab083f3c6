"""Records in HDF5: the form in which the store keeps them and cell.nxs carries them.

The same record gives the same bytes. Every data set has units, long_name, axes and the name of
its error field as attributes.
"""

from __future__ import annotations

import dataclasses
import typing
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np

from mesolith.errors import FileFormatError
from mesolith.records.field import CommonMode, Quantity, Record, quantities

R = TypeVar("R", bound=Record)
_COMPRESS_ABOVE = 65536


def write_record(path: Path, record: Record) -> None:
    """Write one record as a new HDF5 file."""
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        write_group(file, record)


def read_record(path: Path, kind: type[R]) -> R:
    """Read the record of that type from a file made by `write_record`."""
    with h5py.File(path, "r") as file:
        return read_group(file, kind)


def write_group(group: Any, record: Record) -> None:
    """Write a record's fields into an HDF5 group."""
    group.attrs["record"] = f"{type(record).__module__}:{type(record).__qualname__}"
    declared = quantities(type(record))
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if value is None:
            continue
        if field.name in declared:
            _write_quantity(group, field.name, value, declared[field.name])
        elif isinstance(value, Record):
            write_group(group.create_group(field.name), value)
        elif isinstance(value, tuple):
            holder = group.create_group(field.name)
            for k, item in enumerate(value):
                child = holder.create_group(f"{k:04d}")
                if isinstance(item, CommonMode):
                    _write_mode(child, item)
                else:
                    write_group(child, item)


def read_group(group: Any, kind: type[R]) -> R:
    """Record of that type from an HDF5 group made by `write_group`."""
    named = group.attrs.get("record")
    wanted = f"{kind.__module__}:{kind.__qualname__}"
    if named != wanted:
        raise FileFormatError(
            f"{group.name} holds {named!r}, expected {wanted!r}", where=str(group.file.filename)
        )
    declared = quantities(kind)
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        if field.name not in group:
            if field.name in declared or field.default is dataclasses.MISSING:
                values[field.name] = None
            continue
        item = group[field.name]
        if field.name in declared:
            values[field.name] = _read_quantity(item, declared[field.name])
            continue
        inner = _inner_type(hints[field.name])
        if field.name in group and typing.get_origin(hints[field.name]) is tuple:
            values[field.name] = tuple(
                _read_mode(item[k]) if inner is CommonMode else read_group(item[k], inner)
                for k in sorted(item)
            )
        else:
            values[field.name] = read_group(item, inner)
    return kind(**values)


def _inner_type(hint: Any) -> Any:
    """The record type inside ``X``, ``X | None`` or ``tuple[X, ...]``."""
    arguments = [a for a in typing.get_args(hint) if a not in (type(None), Ellipsis)]
    return arguments[0] if arguments else hint


def _write_quantity(group: Any, name: str, value: Any, declared: Quantity) -> None:
    if declared.dtype == "str":
        texts = value if isinstance(value, tuple) else (value,)
        encoded = [text.encode("utf-8") for text in texts]
        width = max((len(text) for text in encoded), default=1) or 1
        array = np.array(encoded if isinstance(value, tuple) else encoded[0], dtype=f"S{width}")
        data = group.create_dataset(name, data=array)
    else:
        array = np.asarray(value)
        options: dict[str, Any] = {}
        if array.nbytes > _COMPRESS_ABOVE:
            options = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
        data = group.create_dataset(name, data=array, **options)
    data.attrs["units"] = declared.unit
    data.attrs["long_name"] = declared.label
    if declared.axes:
        data.attrs["axes_system"] = declared.axes
    if declared.error:
        data.attrs["uncertainty_field"] = declared.error
    if declared.components:
        data.attrs["components"] = " ".join(declared.components)


def _read_quantity(data: Any, declared: Quantity) -> Any:
    if declared.dtype == "str":
        value = data[()]
        if declared.shape:
            return tuple(bytes(text).decode("utf-8") for text in value)
        return bytes(value).decode("utf-8")
    array = data[()]
    if declared.shape:
        array.flags.writeable = False
    return array


def _write_mode(group: Any, mode: CommonMode) -> None:
    group.attrs["name"] = mode.name
    group.attrs["sigma"] = mode.sigma
    group.attrs["units"] = mode.unit
    for name, values in mode.derivatives.items():
        _options = (
            {"compression": "gzip", "compression_opts": 1, "shuffle": True}
            if values.nbytes > _COMPRESS_ABOVE
            else {}
        )
        group.create_dataset(name, data=values, **_options)


def _read_mode(group: Any) -> CommonMode:
    return CommonMode(
        name=str(group.attrs["name"]),
        sigma=float(group.attrs["sigma"]),
        unit=str(group.attrs["units"]),
        derivatives={name: group[name][()] for name in sorted(group)},
    )
