"""Frames as a file holds them, in its own order and before anything is checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray
from mesolith.errors import EmptyFileError, MissingExtraError

Frame = NDArray[Any]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FrameSource:
    """Frames of one panel in the order of the file.

    Parameters
    ----------
    place
        File, or first file and folder, as an error names it.
    shape
        (slow, fast) of a frame, px.
    dtype
        Type of the counts.
    count
        Number of frames.
    read
        ``read(k)``: frame k as a fresh or read-only array [slow, fast].
    omega
        Angle at which each frame starts and ends, rad, shape (count, 2), as the file states
        it; None where it states none. A rotation that runs backwards ends below its start.
    panel
        Name of the panel in the file; "" where it has none.
    floor
        Counts up to this were set to zero when the file was written; 0 where all were kept.
    saturation
        Counts from which on a pixel is saturated; None where the file does not say.
    mask
        True where a pixel cannot be used, shape (slow, fast); None where the file has none.
    listed
        ``listed(k)``: rows, columns and counts of the pixels of frame k that are not zero, for
        files that hold such lists; else None.
    read_into
        ``read_into(k, out)``: frame k straight into an array of its shape and type, contiguous,
        for files that need no unpacking; else None.
    """

    place: str
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    count: int
    read: Callable[[int], Frame]
    omega: FloatArray | None = None
    panel: str = ""
    floor: float = 0.0
    saturation: float | None = None
    mask: BoolArray | None = None
    listed: Callable[[int], tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] | None = None
    read_into: Callable[[int, Frame], None] | None = None


def not_empty(path: Path) -> None:
    """Raise ``EmptyFileError`` for a file without a single byte."""
    if path.stat().st_size == 0:
        raise EmptyFileError(
            "the file is empty", where=str(path), remedy="Copy it again from the detector's disk."
        )


def edges_from_starts(start: FloatArray, step: float | None = None) -> FloatArray:
    """Start and end of each frame, shape (n, 2), from its start; each turns as far as most do."""
    if step is None:
        step = float(np.median(np.diff(start))) if len(start) > 1 else 0.0
    return np.column_stack([start, start + step])


def missing_frames_extra(what: str, where: str) -> MissingExtraError:
    """The error for a file that only the extra ``frames`` can read."""
    return MissingExtraError(
        f"{what} needs the extra frames", where=where, remedy='pip install "mesolith[frames]"'
    )
