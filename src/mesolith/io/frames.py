"""Frames of any format that is known, recognised by content, as one series."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import TypeVar

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import (
    ContradictionError,
    DuplicateError,
    MissingFrameError,
    UnknownFormatError,
)
from mesolith.io.frame_series import FrameSeries, series_from_source
from mesolith.io.frame_source import BoolArray, Frame, FrameSource, not_empty
from mesolith.io.frames_ge import open_ge
from mesolith.io.frames_hdf5 import open_frame_stack
from mesolith.io.frames_image import empty_series, open_images
from mesolith.io.frames_sparse import open_frame_cache
from mesolith.io.recognise import recognise

Image = TypeVar("Image", FloatArray, BoolArray)
_ARRAY = b"\x93NUMPY"
_NUMBER = re.compile(r"(\d+)(?!.*\d)")


@dataclass(frozen=True, slots=True)
class FrameFormat:
    """A format of frames, as `mesolith.io.recognise.recognise` wants it."""

    name: str
    title: str
    recognise: str


FRAME_FORMATS = (
    FrameFormat("ge", "GE detector (.ge, .ge2, .ge3)", "mesolith.io.frames_ge:recognise_ge"),
    FrameFormat(
        "frame-cache",
        "HEXRD frame cache (.npz)",
        "mesolith.io.frames_sparse:recognise_frame_cache",
    ),
    FrameFormat(
        "stack", "HDF5 or NeXus stack (.h5)", "mesolith.io.frames_hdf5:recognise_frame_stack"
    ),
    FrameFormat(
        "image",
        "TIFF, CBF, EDF or JPEG 2000, one or more files",
        "mesolith.io.frames_image:recognise_image",
    ),
)


def open_frames(
    paths: Sequence[Path] | Path,
    *,
    omega_start: float | None = None,
    omega_step: float | None = None,
    dark: Path | FloatArray | None = None,
    mask: Path | BoolArray | None = None,
    saturation: float | None = None,
    panel: str | None = None,
    dataset: str | None = None,
    allow_partial: bool = False,
) -> FrameSeries:
    """Frames of one panel in one rotation, from one file or from several in order.

    Parameters
    ----------
    paths
        The file, or all files in the order of measurement. Their last numbers count up by one;
        a number left out is a missing file.
    omega_start, omega_step
        Start of the first frame and turn of each, rad, for formats that state no angles; a
        negative step runs backwards. Both or neither.
    dark
        Dark frames in any known format (averaged), or their mean (slow, fast), counts.
    mask
        Picture or NumPy array whose nonzero pixels cannot be used, (slow, fast).
    saturation
        Counts from which on a pixel is saturated, where the file does not say.
    panel
        Name of the panel, where the file has none.
    dataset
        Path of the stack in HDF5 files that hold several.
    allow_partial
        Read what is there of a truncated file, and go on with gaps.

    Raises
    ------
    UnknownFormatError, EmptyFileError, TruncatedFileError, FileFormatError, MissingExtraError
        From the format: see its module.
    MissingFrameError, DuplicateError, ContradictionError
        Frames missing or repeated by number or angle; dark or mask of another size.
    """
    files = [paths] if isinstance(paths, Path) else list(paths)
    if not files:
        raise empty_series("frames")
    places = places_by_number(files, allow_partial)
    sources = _sources(files, dataset, allow_partial)
    source = sources[0] if len(sources) == 1 else _chained(sources)
    omega = None
    if omega_start is not None and omega_step is not None:
        counts = [one.count for one in sources]
        if len(counts) < len(files):
            counts = [source.count // len(files)] * len(files)
        start = omega_start + omega_step * _turns(places, counts, allow_partial)
        omega = np.column_stack([start, start + omega_step])
    return series_from_source(
        source,
        omega=omega,
        dark=_of_size(read_dark(dark), source, dark, "dark") if isinstance(dark, Path) else dark,
        mask=_of_size(read_mask(mask), source, mask, "mask") if isinstance(mask, Path) else mask,
        saturation=saturation,
        panel=panel,
        allow_partial=allow_partial,
    )


def open_source(
    paths: Sequence[Path] | Path, *, dataset: str | None = None, angles: bool = True
) -> FrameSource:
    """Frames of files as these hold them, in their own order; raises as `open_frames` does.

    Without ``angles`` those of pictures are not looked for, and their headers are not read.
    """
    files = [paths] if isinstance(paths, Path) else list(paths)
    sources = _sources(files, dataset, False, angles)
    return sources[0] if len(sources) == 1 else _chained(sources)


def format_of(path: Path) -> str:
    """Name of the format that a file of frames has, by its content.

    Raises ``EmptyFileError`` for a file without a byte, ``UnknownFormatError`` where no reader
    of frames knows the content.
    """
    not_empty(path)
    found = recognise(path, FRAME_FORMATS)
    if not found:
        raise UnknownFormatError(
            "no reader of frames knows this content",
            where=str(path),
            remedy=f"Known: {', '.join(form.title for form in FRAME_FORMATS)}.",
        )
    return found[0][0].name


def read_dark(path: Path) -> FloatArray:
    """Mean of all frames of a file, counts, shape (slow, fast)."""
    (source,) = _sources([path], None, False)
    total = np.zeros(source.shape)
    for k in range(source.count):
        total += source.read(k)
    return total / source.count


def read_mask(path: Path) -> BoolArray:
    """True where the first frame of a file, or its array (.npy), is not zero; (slow, fast)."""
    with path.open("rb") as file:
        if file.read(len(_ARRAY)) == _ARRAY:
            return np.asarray(np.load(path, allow_pickle=False) != 0)
    (source,) = _sources([path], None, False)
    return np.asarray(source.read(0) != 0)


def _of_size(image: Image, source: FrameSource, path: Path, name: str) -> Image:
    """The image of a file; ``ContradictionError`` where it is not of the size of the frames."""
    if image.shape != source.shape:
        raise ContradictionError(
            f"this {name} has {image.shape[0]} x {image.shape[1]} pixels, the frames "
            f"{source.shape[0]} x {source.shape[1]}",
            where=str(path),
            remedy=f"Give the {name} of this detector and binning, that of {source.place}.",
        )
    return image


def _sources(
    files: Sequence[Path], dataset: str | None, allow_partial: bool, angles: bool = True
) -> list[FrameSource]:
    """One source a file; one for all where a file is a picture."""
    name = format_of(files[0])
    if name == "image":
        return [open_images(files, angles=angles)]
    if name == "ge":
        return [open_ge(path, allow_partial=allow_partial) for path in files]
    if name == "frame-cache":
        return [open_frame_cache(path) for path in files]
    return [open_frame_stack(path, dataset=dataset) for path in files]


def _turns(places: IntArray, counts: Sequence[int], allow_partial: bool) -> FloatArray:
    """How many frames were measured before each frame, those that are absent included.

    ``places`` (file,) counts files from 0, absent ones included. Files of one rotation hold
    equally many frames, so a shorter one that is read in part leaves its gap.
    """
    each = max(counts)
    complete = len(set(counts)) == 1 or not allow_partial
    if complete and places[-1] == len(places) - 1:
        return np.arange(sum(counts), dtype=np.float64)
    return np.concatenate(
        [place * each + np.arange(count) for place, count in zip(places, counts, strict=True)]
    ).astype(np.float64)


def _chained(sources: Sequence[FrameSource]) -> FrameSource:
    first = sources[0]
    for other in sources[1:]:
        if other.shape != first.shape or other.dtype != first.dtype:
            raise ContradictionError(
                f"its frames are {other.shape[0]} x {other.shape[1]} {other.dtype}, those of the "
                f"first file {first.shape[0]} x {first.shape[1]} {first.dtype}",
                where=other.place,
                remedy="List only the files of one panel and one rotation.",
            )
    begins = [0, *accumulate(source.count for source in sources)]

    def read(frame: int) -> Frame:
        which = int(np.searchsorted(begins, frame, side="right")) - 1
        return sources[which].read(frame - begins[which])

    def listed(frame: int) -> tuple[Frame, Frame, Frame]:
        which = int(np.searchsorted(begins, frame, side="right")) - 1
        lists = sources[which].listed
        assert lists is not None
        return lists(frame - begins[which])

    angles = [source.omega for source in sources if source.omega is not None]
    return replace(
        first,
        place=f"{first.place} ... {Path(sources[-1].place).name}",
        count=begins[-1],
        read=read,
        listed=None if first.listed is None else listed,
        omega=np.concatenate(angles) if len(angles) == len(sources) else None,
    )


def places_by_number(files: Sequence[Path], allow_partial: bool) -> IntArray:
    """Place of each file in the measurement, from 0, by the last numbers in the names.

    Files without numbers follow each other. Raises ``DuplicateError`` and ``MissingFrameError``.
    """
    found = [_NUMBER.search(path.stem) for path in files]
    numbers = np.array([int(match.group(1)) for match in found if match is not None])
    if len(numbers) < len(files):
        return np.arange(len(files))
    steps = np.diff(numbers)
    if np.any(steps <= 0):
        at = int(np.argmax(steps <= 0))
        raise DuplicateError(
            f"file number {numbers[at + 1]} follows {numbers[at]}",
            where=str(files[at + 1]),
            remedy="List each file once, in the order of measurement.",
        )
    if np.any(steps > 1) and not allow_partial:
        at = int(np.argmax(steps > 1))
        raise MissingFrameError(
            f"{int((steps - 1).sum())} files are missing: number {numbers[at + 1]} follows "
            f"{numbers[at]}",
            where=str(files[at + 1]),
            remedy="Copy the missing files. --allow-partial goes on; the gap is recorded.",
        )
    return numbers - numbers[0]
