"""cell.nxs: a whole cell as NeXus HDF5, read back as the same cell.

    /                      NXroot, @default -> entry, @mesolith_format
      entry                NXentry, @default -> the first figure's curve, else a record
        sample             NXsample: conditions with their units
        figures/NAME       NXdata: the curves of the report
        states/00_NAME     NXcollection: one group a record, NXdata where it has a picture
        pairs/00           NXcollection: records between a state and the next
        cell               NXcollection: records of the cell as a whole
        remarks            NXcollection: what a reader must know
        provenance         NXcollection: JSON text

Records are written and read by their declarations; no technique is named here. The record type
comes from a group's attribute ``record``. The same cell gives the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mesolith.errors import FileFormatError, ResultVersionError
from mesolith.io.record_file import read_group, read_record, write_group
from mesolith.records.cell import Cell, Handle, State
from mesolith.records.drawing import Drawing
from mesolith.records.field import Record, quantities

FORMAT = 1
# endings of cell.toml's keys, the unit they state, and where NeXus has a name for the thing
_UNIT_ENDINGS = {
    "um": "um",
    "mm2": "mm^2",
    "mpa": "MPa",
    "c": "degC",
    "ma_cm2": "mA/cm^2",
    "h": "hour",
    "s": "s",
    "gpa": "GPa",
    "deg": "deg",
}
_NEXUS_NAMES = {
    "conditions.temperature_c": "temperature",
    "conditions.stack_pressure_mpa": "pressure",
    "cell.thickness_um": "thickness",
}


def write_cell(
    path: Path,
    cell: Cell,
    *,
    figures: Sequence[tuple[str, Drawing]] = (),
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write the cell, the curves of its figures and where everything came from.

    ``figures`` are (name, drawing) in order; those with a ``plot`` become NXdata groups, and the
    first of them is what viewers open on. Records are loaded one at a time.
    """
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        file.attrs["NX_class"] = "NXroot"
        file.attrs["mesolith_format"] = FORMAT
        file.attrs["default"] = "entry"
        entry = _group(file, "entry", "NXentry")
        entry["title"] = cell.name
        _write_sample(_group(entry, "sample", "NXsample"), cell)
        curve = _write_figures(entry, figures)
        picture = _write_records(entry, cell)
        _write_remarks(_group(entry, "remarks", "NXcollection"), cell)
        _group(entry, "provenance", "NXcollection")["json"] = _json(dict(provenance or {}))
        default = curve or picture
        if default:
            _set_default(entry, default)


def open_cell(path: Path) -> Cell:
    """The cell that `write_cell` wrote; records are read when they are asked for.

    Raises ``ResultVersionError`` for a file of a newer format and ``FileFormatError`` where the
    file is not a cell. A record whose package is not installed is left out and told as a gap.
    """
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        if not path.exists():
            raise FileFormatError("there is no such file", where=str(path)) from None
        raise FileFormatError(f"cannot be read as HDF5 ({error})", where=str(path)) from None
    with file:
        _check_format(file, path)
        entry = file["entry"]
        gaps: list[tuple[str, str, str]] = []
        states = tuple(_read_state(path, group, gaps) for group in _members(entry["states"]))
        pairs = {
            int(group.attrs["state"]): _handles(path, group, gaps)
            for group in _members(entry["pairs"])
        }
        return Cell(
            name=_text(entry["title"]),
            conditions=json.loads(_text(entry["sample/conditions_json"])),
            states=states,
            handles=_handles(path, entry["cell"], gaps),
            pairs=pairs,
            remarks=(*_read_remarks(entry["remarks"]), *gaps),
        )


def read_provenance(path: Path) -> dict[str, Any]:
    """What `write_cell` was given as provenance."""
    with h5py.File(path, "r") as file:
        _check_format(file, path)
        found = json.loads(_text(file["entry/provenance/json"]))
    return dict(found)


def _check_format(file: Any, path: Path) -> None:
    version = file.attrs.get("mesolith_format")
    if version is None:
        raise FileFormatError(
            "is HDF5, but not a cell written by mesolith",
            where=str(path),
            remedy="Open the cell.nxs of a result folder.",
        )
    if int(version) > FORMAT:
        raise ResultVersionError(
            f"was written in format {int(version)}; this version of mesolith knows formats up to "
            f"{FORMAT}",
            where=str(path),
            remedy="Update mesolith: pip install --upgrade mesolith",
        )


def _group(parent: Any, name: str, nexus_class: str) -> Any:
    group = parent.create_group(name, track_order=False)
    group.attrs["NX_class"] = nexus_class
    return group


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_") or "state"


def _write_sample(group: Any, cell: Cell) -> None:
    group["name"] = cell.name
    group["conditions_json"] = _json(dict(cell.conditions))
    for key, value in cell.conditions.items():
        if value is None:
            continue
        name = _NEXUS_NAMES.get(key, _slug(key))
        if name in group:
            continue
        if isinstance(value, bool | int | float | str):
            group[name] = value
        else:
            group[name] = _json(value)
        for ending, unit in _UNIT_ENDINGS.items():
            if key.endswith(f"_{ending}") and isinstance(value, int | float):
                group[name].attrs["units"] = unit
        group[name].attrs["long_name"] = key


def _write_figures(entry: Any, figures: Sequence[tuple[str, Drawing]]) -> str | None:
    """Curves of the figures; path of the first, relative to the entry."""
    holder = _group(entry, "figures", "NXcollection")
    first = None
    for name, drawing in figures:
        if drawing.plot is None:
            continue
        signal, axis, error = drawing.plot
        group = _group(holder, _slug(name), "NXdata")
        for column, values in drawing.table.items():
            array = np.asarray(values)
            group[column] = array.astype("S") if array.dtype.kind == "U" else array
            for ending, unit in _UNIT_ENDINGS.items():
                if re.search(rf"_{ending}(_se)?$", column):
                    group[column].attrs["units"] = unit
        group[f"{signal}_errors"] = group[error]
        group.attrs["signal"] = signal
        group.attrs["axes"] = [axis]
        group["title"] = name.replace("_", " ")
        first = first or f"figures/{_slug(name)}"
    return first


def _write_records(entry: Any, cell: Cell) -> str | None:
    """All records; path of the first that has a picture, relative to the entry."""
    pictures: list[str] = []
    states = _group(entry, "states", "NXcollection")
    for state in cell.states:
        group = _group(states, f"{state.index:02d}_{_slug(state.name)}", "NXcollection")
        group["name"] = state.name
        group["protocol_json"] = _json(dict(state.protocol))
        pictures += _write_handles(group, state.handles)
    pairs = _group(entry, "pairs", "NXcollection")
    for index, handles in sorted(cell.pairs.items()):
        group = _group(pairs, f"{index:02d}", "NXcollection")
        group.attrs["state"] = index
        pictures += _write_handles(group, handles)
    pictures += _write_handles(_group(entry, "cell", "NXcollection"), cell.handles)
    return pictures[0].removeprefix("/entry/") if pictures else None


def _write_handles(holder: Any, handles: Mapping[type[Record], Handle]) -> list[str]:
    pictures = []
    for kind, handle in handles.items():
        group = holder.create_group(kind.__name__)
        stored = _stored_file(handle)
        if stored is None:
            write_group(group, handle())
        else:
            _copy_record(stored, group)
        picture = _picture(kind, group)
        group.attrs["NX_class"] = "NXdata" if picture else "NXcollection"
        if picture:
            group.attrs["signal"], group.attrs["axes"] = picture[0], [picture[1]]
            pictures.append(group.name)
    if pictures:
        holder.attrs["default"] = pictures[0].rsplit("/", 1)[1]
    return pictures


def _stored_file(handle: Handle) -> Path | None:
    """File behind a handle that only reads a stored record: it can be copied as it lies."""
    if isinstance(handle, partial) and handle.func is read_record:
        return Path(handle.args[0])
    return None


def _copy_record(path: Path, group: Any) -> None:
    """Copy a stored record without unpacking it: same content, a tenth of the time."""
    with h5py.File(path, "r") as file:
        for name in sorted(file):
            file.copy(file[name], group, name=name)
        group.attrs["record"] = file.attrs["record"]


def _picture(kind: type[Record], group: Any) -> tuple[str, str] | None:
    """Signal and axis of a record's default plot: its own choice, else its first two columns.

    Without a choice the first column must rise from row to row, as a time does.
    """
    columns = [
        name
        for name, declared in quantities(kind).items()
        if len(declared.shape) == 1 and declared.dtype in ("float64", "int64")
        if name in group and group[name].size > 1
    ]
    if kind.plot is not None:
        return kind.plot if set(kind.plot) <= set(columns) else None
    if len(columns) < 2 or group[columns[0]].shape != group[columns[1]].shape:
        return None
    rises = bool(np.all(np.diff(group[columns[0]][()]) > 0))
    return (columns[1], columns[0]) if rises else None


def _set_default(entry: Any, path: str) -> None:
    """Let each group on the way name the next, as the NeXus default chain wants it."""
    group = entry
    for name in path.split("/"):
        group.attrs["default"] = name
        group = group[name]


def _write_remarks(group: Any, cell: Cell) -> None:
    group["json"] = _json([list(remark) for remark in cell.remarks])


def _read_remarks(group: Any) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (str(level), str(where), str(text))
        for level, where, text in json.loads(_text(group["json"]))
    )


def _read_state(path: Path, group: Any, gaps: list[tuple[str, str, str]]) -> State:
    return State(
        name=_text(group["name"]),
        index=int(group.name.rsplit("/", 1)[1].split("_")[0]),
        protocol=json.loads(_text(group["protocol_json"])),
        handles=_handles(path, group, gaps),
    )


def _handles(
    path: Path, group: Any, gaps: list[tuple[str, str, str]]
) -> dict[type[Record], Handle]:
    found: dict[type[Record], Handle] = {}
    for child in _members(group):
        dotted = str(child.attrs["record"])
        kind = _record_type(dotted)
        if kind is None:
            gaps.append(
                ("gap", child.name, f"{dotted} is not installed; its values are not shown.")
            )
        else:
            found[kind] = partial(_load, path, child.name, kind)
    return found


def _load(path: Path, name: str, kind: type[Record]) -> Record:
    with h5py.File(path, "r") as file:
        return read_group(file[name], kind)


def _record_type(dotted: str) -> type[Record] | None:
    module, _, name = dotted.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError):
        return None
    return found if isinstance(found, type) and issubclass(found, Record) else None


def _members(group: Any) -> list[Any]:
    return [group[name] for name in sorted(group) if isinstance(group[name], h5py.Group)]


def _text(data: Any) -> str:
    return bytes(data[()]).decode("utf-8")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
