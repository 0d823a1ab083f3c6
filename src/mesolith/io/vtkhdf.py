"""VTKHDF files with a time series of points, which ParaView opens as one animated data set.

Written after the VTKHDF specification 2.3 (PolyData with a Steps group): the points of all steps
stand one after the other, and offsets say where each step begins. Every point is a vertex cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError

_CELL_KINDS = ("Vertices", "Lines", "Polygons", "Strips")


@dataclass(frozen=True, slots=True)
class PointStep:
    """Points of one step: time value, positions (n, 3) and data by name, n rows each."""

    time: float
    position: FloatArray
    data: Mapping[str, NDArray[Any]]


def write_point_series(path: Path, steps: Sequence[PointStep]) -> None:
    """Write points with data, one step after the other, as one temporal VTKHDF PolyData.

    Raises ``InvalidValueError`` where there is no step, or where steps differ in their data.
    """
    if not steps:
        raise InvalidValueError("no step to write", where=str(path))
    names = list(steps[0].data)
    for step in steps:
        if list(step.data) != names:
            raise InvalidValueError(
                f"step {step.time:g} has the data {list(step.data)}, the first has {names}",
                where=str(path),
            )
    counts = np.array([len(step.position) for step in steps], dtype=np.int64)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        root = file.create_group("VTKHDF")
        root.attrs["Version"] = np.array([2, 3], dtype=np.int64)
        root.attrs["Type"] = np.bytes_("PolyData")
        root["Points"] = np.concatenate([step.position for step in steps]).astype(np.float32)
        root["NumberOfPoints"] = counts
        _write_vertices(root, counts)
        data = root.create_group("PointData")
        for name in names:
            joined = np.concatenate([np.asarray(step.data[name]) for step in steps])
            data[name] = joined.astype(np.float32) if joined.dtype.kind == "f" else joined
        _write_steps(root.create_group("Steps"), steps, first, names)


def _write_vertices(root: Any, counts: NDArray[np.int64]) -> None:
    """One vertex a point; within a step connectivity counts from zero, offsets have n + 1."""
    for kind in _CELL_KINDS:
        group = root.create_group(kind)
        filled = kind == "Vertices"
        own = counts if filled else np.zeros_like(counts)
        group["NumberOfCells"] = own
        group["NumberOfConnectivityIds"] = own
        group["Connectivity"] = np.concatenate([np.arange(n, dtype=np.int64) for n in own])
        group["Offsets"] = np.concatenate([np.arange(n + 1, dtype=np.int64) for n in own])


def _write_steps(
    group: Any, steps: Sequence[PointStep], first: NDArray[np.int64], names: list[str]
) -> None:
    n = len(steps)
    parts = np.arange(n, dtype=np.int64)
    group.attrs["NSteps"] = np.int64(n)
    group["Values"] = np.array([step.time for step in steps], dtype=np.float64)
    group["PartOffsets"] = parts
    group["NumberOfParts"] = np.ones(n, dtype=np.int64)
    group["PointOffsets"] = first
    # one column for each kind of cell: vertices, lines, polygons, strips
    vertices = np.zeros((n, len(_CELL_KINDS)), dtype=np.int64)
    vertices[:, 0] = first
    group["CellOffsets"] = vertices
    group["ConnectivityIdOffsets"] = vertices
    offsets = group.create_group("PointDataOffsets")
    for name in names:
        offsets[name] = first
