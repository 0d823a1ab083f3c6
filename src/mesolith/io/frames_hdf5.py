"""Frames as a stack in HDF5: NeXus, Eiger's data files, HEXRD's image series."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import ContradictionError, EmptyFileError, FileFormatError, TruncatedFileError
from mesolith.io.frame_source import (
    BoolArray,
    Frame,
    FrameSource,
    edges_from_starts,
    missing_frames_extra,
    not_empty,
)

_MAGIC = b"\x89HDF\r\n\x1a\n"
_NUMBERED = re.compile(r"^(.*?)(\d+)$")
_OMEGA = ("omega", "rotation_angle", "angles")
_SMALLEST = 16


def recognise_frame_stack(path: Path, head: bytes) -> float:
    """0.9 for an HDF5 file that holds a stack of pictures."""
    if not head.startswith(_MAGIC):
        return 0.0
    try:
        with h5py.File(path, "r") as file:
            return 0.9 if _stacks(file) else 0.0
    except OSError:
        return 0.3


def open_frame_stack(path: Path, *, dataset: str | None = None) -> FrameSource:
    """Frames of the stack in one file, with angles, bad pixels and saturation if it has them.

    The stack is ``dataset`` (frame, slow, fast), else the only one in the file; data sets
    ``data_000001``, ``data_000002`` ... of one group follow each other. Angles are a data set
    ``omega``, ``rotation_angle`` or ``angles``: one a frame (its start; the end is the next
    start, or stands in ``omega_end``), or start and end; degrees unless its units say rad.

    Raises
    ------
    EmptyFileError
        No byte, or a stack without frames.
    FileFormatError
        No stack, or several and no ``dataset``; a compression that nobody here knows.
    TruncatedFileError
        The file is cut, or has fewer frames than angles.
    ContradictionError
        More frames than angles.
    MissingExtraError
        The compression needs hdf5plugin.
    """
    not_empty(path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise TruncatedFileError(
            f"HDF5 cannot open it ({error})",
            where=str(path),
            remedy="The file looks cut short, or is still being written: copy it again.",
        ) from None
    stack = _chosen(file, dataset, path)
    first = file[stack[0]]
    for name in stack:
        _filters_known(file[name], path)
    lengths = [int(file[name].shape[0]) for name in stack]
    count = sum(lengths)
    if count == 0:
        raise EmptyFileError(
            "the stack holds no frame", where=f"{path}: {stack[0]}", remedy="Copy it again."
        )
    shape = (int(first.shape[1]), int(first.shape[2]))
    return FrameSource(
        place=f"{path}: {stack[0]}",
        shape=shape,
        dtype=first.dtype,
        count=count,
        read=partial(_read, file, stack, [0, *accumulate(lengths)], path),
        omega=_omega(file, count, path),
        saturation=_number(file, "saturation_value"),
        mask=_mask(file, shape),
    )


def write_frame_stack(path: Path, frames: Iterable[Frame], omega: FloatArray) -> None:
    """Write a NeXus stack: /entry/data/data and its angles; ``omega`` (n, 2) rad, in order."""
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        entry = file.create_group("entry")
        group = entry.create_group("data")
        for node, kind in ((file, "NXroot"), (entry, "NXentry"), (group, "NXdata")):
            node.attrs["NX_class"] = kind
        file.attrs["default"], entry.attrs["default"] = "entry", "data"
        group.attrs["signal"], group.attrs["axes"] = "data", ["omega", ".", "."]
        for name, column in zip(("omega", "omega_end"), np.rad2deg(omega).T, strict=True):
            group.create_dataset(name, data=column).attrs["units"] = "deg"
        stack = None
        for k, frame in enumerate(frames):
            if stack is None:
                size = (len(omega), *frame.shape)
                stack = group.create_dataset(
                    "data", size, frame.dtype, chunks=(1, *frame.shape), compression="lzf"
                )
            stack[k] = frame


def _stacks(file: Any) -> dict[str, list[str]]:
    """Stacks of pictures: name -> its data sets in order (one, or numbered ones)."""
    found: dict[str, list[str]] = {}

    def look(name: str, node: Any) -> None:
        if not isinstance(node, h5py.Dataset) or node.ndim != 3 or node.dtype.kind not in "uif":
            return
        if min(node.shape[1:]) < _SMALLEST:
            return
        numbered = _NUMBERED.match(name)
        key = f"{numbered.group(1)}{node.shape[1:]}" if numbered else name
        found.setdefault(key, []).append(name)

    for name, node in _walk(file):
        look(name, node)
    return {key: sorted(names) for key, names in found.items()}


def _walk(group: Any, before: str = "") -> Iterable[tuple[str, Any]]:
    """Every node by its path, through soft and external links, each file's own once."""
    for name in group:
        try:
            node = group[name]
        except KeyError:  # a link to a file that is not there
            continue
        path = f"{before}/{name}"
        if isinstance(node, h5py.Group):
            if path.count("/") < 8:
                yield from _walk(node, path)
        else:
            yield path, node


def _chosen(file: Any, dataset: str | None, path: Path) -> list[str]:
    if dataset is not None:
        if dataset not in file or getattr(file[dataset], "ndim", 0) != 3:
            raise FileFormatError(
                f"{dataset} is no stack of frames in it",
                where=str(path),
                remedy=f"Stacks in the file: {', '.join(_stacks(file)) or 'none'}.",
            )
        return [dataset]
    stacks = _stacks(file)
    default = _default_signal(file)
    for names in stacks.values():
        if default in names:
            return names
    different = {file[names[0]].id.__hash__(): names for names in stacks.values()}
    if len(different) != 1:
        known = ", ".join(names[0] for names in stacks.values())
        raise FileFormatError(
            f"it holds {len(stacks)} stacks of frames{': ' if known else ''}{known}",
            where=str(path),
            remedy="Name the data set that holds the frames.",
        )
    return next(iter(stacks.values()))


def _default_signal(file: Any) -> str:
    """Path of the signal that NeXus' default attributes lead to; "" where they lead nowhere."""
    node, path = file, ""
    while "default" in node.attrs and str(node.attrs["default"]) in node:
        path += f"/{node.attrs['default']}"
        node = node[str(node.attrs["default"])]
    signal = str(node.attrs.get("signal", ""))
    return f"{path}/{signal}" if signal and signal in node else ""


def _filters_known(data: Any, path: Path) -> None:
    plist = data.id.get_create_plist()
    codes = [plist.get_filter(k)[0] for k in range(plist.get_nfilters())]
    if all(h5py.h5z.filter_avail(code) for code in codes):
        return
    try:
        import hdf5plugin  # noqa: F401 - registers its filters when imported
    except ImportError:
        raise missing_frames_extra("this compression", f"{path}: {data.name}") from None
    unknown = [code for code in codes if not h5py.h5z.filter_avail(code)]
    if unknown:
        raise FileFormatError(
            f"HDF5 filter {unknown[0]} is not known",
            where=f"{path}: {data.name}",
            remedy="Repack the file with gzip, lzf, bitshuffle or blosc.",
        )


def _read(file: Any, stack: list[str], begins: list[int], path: Path, frame: int) -> Frame:
    which = bisect_right(begins, frame) - 1
    try:
        return np.asarray(file[stack[which]][frame - begins[which]])
    except OSError as error:
        raise TruncatedFileError(
            f"frame {frame} cannot be read ({error})",
            where=f"{path}: {stack[which]}",
            remedy="The file looks cut short or damaged: copy it again.",
        ) from None


def _leaf(file: Any, wanted: str) -> Any:
    """First data set of that name, or None."""
    for name, node in _walk(file):
        if name.rsplit("/", 1)[1] == wanted:
            return node
    return None


def _omega(file: Any, count: int, path: Path) -> FloatArray | None:
    data = next((found for name in _OMEGA if (found := _leaf(file, name)) is not None), None)
    if data is None:
        return None
    values = np.asarray(data[()], dtype=np.float64)
    values = values.reshape(1) if values.ndim == 0 else values
    if len(values) < count and len(values) != 1:
        raise ContradictionError(
            f"it has {count} frames and {len(values)} angles",
            where=f"{path}: {data.name}",
            remedy="Correct the angles, or give omega by start and step.",
        )
    if len(values) not in (count, count + 1):
        if len(values) == 1:
            return None
        raise TruncatedFileError(
            f"it has {count} of {len(values)} frames",
            where=f"{path}: {data.name}",
            remedy="The stack looks cut short: copy it again.",
        )
    scale = 1.0 if str(data.attrs.get("units", "deg")).startswith("rad") else np.pi / 180.0
    end = _leaf(file, f"{data.name.rsplit('/', 1)[1]}_end")
    if values.ndim == 2:
        edges = values
    elif len(values) == count + 1:
        edges = np.column_stack([values[:-1], values[1:]])
    elif end is not None and end.shape == values.shape:
        edges = np.column_stack([values, np.asarray(end[()], dtype=np.float64)])
    else:
        edges = edges_from_starts(values)
    return scale * edges


def _number(file: Any, name: str) -> float | None:
    data = _leaf(file, name)
    return None if data is None else float(np.ravel(data[()])[0])


def _mask(file: Any, shape: tuple[int, int]) -> BoolArray | None:
    data = _leaf(file, "pixel_mask")
    if data is None or data.shape != shape:
        return None
    return np.asarray(data[()]) != 0
