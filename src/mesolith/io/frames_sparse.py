"""Thresholded frames of HEXRD (frame-cache .npz): rows, columns and counts of what was left."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import EmptyFileError, FileFormatError, TruncatedFileError
from mesolith.io.frame_source import Frame, FrameSource, not_empty

_PROBED = 16


def recognise_frame_cache(path: Path, head: bytes) -> float:
    """1 for a zip with the members of a frame cache."""
    if not head.startswith(b"PK\x03\x04"):
        return 0.0
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except zipfile.BadZipFile:
        # cut short: the list of members stands at the end
        return 0.5 if b"_row.npy" in head else 0.0
    return 1.0 if {"nframes.npy", "shape.npy", "0_row.npy"} <= names else 0.0


def open_frame_cache(path: Path) -> FrameSource:
    """Frames of one file, with its angles; what was cut away is zero.

    The floor is the least count of sixteen frames spread over the file, less one.

    Raises
    ------
    EmptyFileError
        No byte, or no frame.
    FileFormatError
        A member is absent, or not what a frame cache has.
    TruncatedFileError
        The archive is cut, or has fewer frames than it counts.
    """
    not_empty(path)
    try:
        with zipfile.ZipFile(path):
            pass
        archive = np.load(path, allow_pickle=False)
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise TruncatedFileError(
            f"the archive cannot be opened ({error})",
            where=str(path),
            remedy="The file looks cut short: copy it again.",
        ) from None
    members = set(archive.files)
    if not {"nframes", "shape"} <= members:
        raise FileFormatError(
            f"it holds no {' and no '.join(sorted({'nframes', 'shape'} - members))}",
            where=str(path),
            remedy="Write the frame cache again with HEXRD.",
        )
    count = int(archive["nframes"])
    rows, columns = (int(side) for side in archive["shape"])
    if count == 0:
        raise EmptyFileError("it counts no frame", where=str(path), remedy="Write it again.")
    absent = [k for k in range(count) if f"{k}_data" not in members]
    if absent:
        raise TruncatedFileError(
            f"{len(absent)} of {count} frames are absent, the first is frame {absent[0]}",
            where=str(path),
            remedy="Write the frame cache again with HEXRD.",
        )
    probed = [archive[f"{k}_data"] for k in np.linspace(0, count - 1, _PROBED).astype(int)]
    least = min((int(counts.min()) for counts in probed if counts.size), default=1)
    kind = np.dtype(bytes(archive["dtype"]).decode()) if "dtype" in members else probed[0].dtype

    def listed(frame: int) -> tuple[Frame, Frame, Frame]:
        return archive[f"{frame}_row"], archive[f"{frame}_col"], archive[f"{frame}_data"]

    def read(frame: int) -> Frame:
        dense = np.zeros((rows, columns), dtype=kind)
        row, column, counts = listed(frame)
        dense[row, column] = counts
        return dense

    return FrameSource(
        place=str(path),
        shape=(rows, columns),
        dtype=kind,
        count=count,
        read=read,
        omega=_omega(archive, count, path),
        panel=str(archive["panel_id"]) if "panel_id" in members else "",
        floor=float(max(least - 1, 0)),
        listed=listed,
    )


def _omega(archive: Any, count: int, path: Path) -> FloatArray | None:
    if "omega" not in archive.files:
        return None
    omega = np.asarray(archive["omega"], dtype=np.float64)
    if omega.shape != (count, 2):
        raise TruncatedFileError(
            f"it has {count} frames and angles of shape {omega.shape}, expected ({count}, 2)",
            where=str(path),
            remedy="Write the frame cache again with HEXRD.",
        )
    return np.deg2rad(omega)


def write_frame_cache(
    path: Path, frames: Iterable[Frame], omega: FloatArray, *, threshold: float, panel: str = ""
) -> None:
    """Write frames as HEXRD does: counts above ``threshold``; ``omega`` (n, 2) rad, in order."""
    members: dict[str, Any] = {}
    count = 0
    for frame in frames:
        row, column = np.nonzero(frame > threshold)
        members[f"{count}_row"] = row.astype(np.uint16)
        members[f"{count}_col"] = column.astype(np.uint16)
        members[f"{count}_data"] = frame[row, column]
        members["shape"], members["dtype"] = np.array(frame.shape), np.bytes_(frame.dtype.name)
        count += 1
    members.update(nframes=np.array(count), omega=np.rad2deg(omega), panel_id=np.array(panel))
    np.savez_compressed(path, **members)
