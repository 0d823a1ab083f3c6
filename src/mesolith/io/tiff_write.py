"""Frames as TIFF files, one a frame: 16-bit grey values, not compressed (TIFF 6.0, baseline)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mesolith.errors import InvalidValueError

_HEADER = struct.Struct("<2sHI")
_ENTRY = struct.Struct("<HHII")
_SHORT, _LONG = 3, 4


def write_tiff(path: Path, frame: NDArray[np.uint16]) -> None:
    """Write one frame (slow, fast) of counts; row 0 comes first.

    Raises ``InvalidValueError`` for anything but a two-dimensional array of 16-bit numbers.
    """
    if frame.ndim != 2 or frame.dtype != np.uint16:
        raise InvalidValueError(
            f"a frame of {frame.ndim} dimensions and type {frame.dtype} is no 16-bit picture",
            where=str(path),
            remedy="Round and clip the counts to uint16 first.",
        )
    rows, columns = frame.shape
    counts = np.ascontiguousarray(frame, dtype="<u2").tobytes()
    # width, height, bits, no compression, 0 is black, offset, one sample, rows and bytes of it
    entries = [
        (256, _LONG, columns),
        (257, _LONG, rows),
        (258, _SHORT, 16),
        (259, _SHORT, 1),
        (262, _SHORT, 1),
        (273, _LONG, _HEADER.size),
        (277, _SHORT, 1),
        (278, _LONG, rows),
        (279, _LONG, len(counts)),
    ]
    with path.open("wb") as file:
        file.write(_HEADER.pack(b"II", 42, _HEADER.size + len(counts)))
        file.write(counts)
        file.write(struct.pack("<H", len(entries)))
        for tag, kind, value in entries:
            file.write(_ENTRY.pack(tag, kind, 1, value))
        file.write(struct.pack("<I", 0))


def write_tiff_frames(
    folder: Path, name: str, frames: Iterable[NDArray[np.uint16]], *, first: int = 0
) -> list[Path]:
    """Write ``NAME_000000.tif`` and so on, counted from ``first``; returns the paths."""
    paths = []
    for number, frame in enumerate(frames, first):
        paths.append(folder / f"{name}_{number:06d}.tif")
        write_tiff(paths[-1], frame)
    return paths
