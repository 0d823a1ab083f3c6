"""Frames in picture files (TIFF, CBF, EDF, JPEG 2000), usually one a file, through fabio."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import ContradictionError, EmptyFileError, FileFormatError, TruncatedFileError
from mesolith.io.frame_source import (
    Frame,
    FrameSource,
    edges_from_starts,
    missing_frames_extra,
    not_empty,
)

_TIFF = (b"II*\x00", b"MM\x00*")
_JPEG_2000 = (b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
_JPEG_2000_END = b"\xff\xd9"
# boxes of notes may follow the picture
_JPEG_2000_TAIL = 4096
_CBF = re.compile(rb"^(?:###CBF|_array_data\.|data_[^\n]*\r?\n)")
_EDF = re.compile(rb"^\s*\{[^}]*?(?:HeaderID|EDF_|ByteOrder|Dim_1)", re.DOTALL)
_ANGLE = re.compile(r"Start_angle\s+([-+.\deE]+)")
_INCREMENT = re.compile(r"Angle_increment\s+([-+.\deE]+)")
# fabio's checksums are assertions, and each of its readers fails in its own way
_UNREADABLE = (
    *(OSError, ValueError, IndexError, RuntimeError, TypeError),
    *(KeyError, AttributeError, AssertionError),
)
_CUTOFF = re.compile(r"Count_cutoff\s+(\d+)")


def recognise_image(path: Path, head: bytes) -> float:
    """1 for the first bytes of TIFF, MCCD, CBF, EDF or JPEG 2000."""
    if head.startswith((*_TIFF, *_JPEG_2000)) or (_CBF.match(head) and b"CBF" in head[:4096]):
        return 1.0
    return 1.0 if _EDF.match(head) else 0.0


def open_images(paths: Sequence[Path], *, angles: bool = True) -> FrameSource:
    """Frames of picture files, in the order given; an EDF or TIFF may hold several.

    Angles are taken from the header where it states them: ``Start_angle`` and
    ``Angle_increment`` of CBF, the motor ``omega`` of EDF (the start of a frame). Without
    ``angles`` only the first header is read, and each file holds as many frames as the first.

    Raises
    ------
    MissingExtraError
        fabio is not installed.
    EmptyFileError
        A file without a byte.
    TruncatedFileError, FileFormatError
        A file that fabio cannot read.
    ContradictionError
        A frame of another size than the first.
    """
    import_fabio(str(paths[0]))
    index: list[tuple[Path, int]] = []
    omega: list[tuple[float, float] | None] = []
    first = _opened(paths[0])
    shape = (int(first.shape[-2]), int(first.shape[-1]))
    for path in paths:
        not_empty(path)
        # headers of one-frame files are read with the frames, unless they hold the angle
        picture = first if path == paths[0] else None
        if angles and (first.nframes > 1 or _omega_of(first.header) is not None):
            picture = _opened(path)
        frames = (picture or first).nframes
        for k in range(frames):
            index.append((path, k))
            header = picture.get_frame(k).header if picture is not None else {}
            omega.append(_omega_of(header))
    count_cutoff = _CUTOFF.search(_pilatus_text(first.header))
    counts = np.asarray(first.data)
    return FrameSource(
        place=str(paths[0]) if len(paths) == 1 else f"{paths[0]} ... {paths[-1].name}",
        shape=shape,
        dtype=counts.dtype,
        count=len(index),
        read=partial(_read, index, shape),
        omega=_edges(omega) if angles else None,
        saturation=float(count_cutoff.group(1)) if count_cutoff else None,
        mask=counts < 0 if counts.dtype.kind == "i" and np.any(counts < 0) else None,
    )


def import_fabio(where: str) -> Any:
    """The package fabio; ``MissingExtraError`` names the line that installs it."""
    try:
        import fabio
    except ImportError:
        raise missing_frames_extra("reading TIFF, CBF, EDF and JPEG 2000", where) from None
    return fabio


def _opened(path: Path) -> Any:
    not_empty(path)
    fabio = import_fabio(str(path))
    try:
        picture = fabio.open(str(path))
    except _UNREADABLE as error:
        raise _damaged(path, f"the picture cannot be read ({error})") from error
    if picture.data is None:
        raise _damaged(path, "the picture cannot be read")
    with path.open("rb") as file:
        if file.read(12).startswith(_JPEG_2000) and not _ends(path):
            raise _damaged(path, "the picture ends before its last mark")
    needed = picture.data.nbytes * picture.nframes
    # fabio fills what is cut off an EDF file with zeros
    if isinstance(picture, fabio.edfimage.EdfImage) and "COMPRESSION" not in {
        name.upper() for name in picture.header
    }:
        size = path.stat().st_size
        if path.suffix not in (".gz", ".bz2") and size < needed:
            raise _damaged(path, f"{size} of at least {needed} bytes are there")
    return picture


def _ends(path: Path) -> bool:
    """Whether a JPEG 2000 file holds the end of its codestream: decoders do without it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _JPEG_2000_TAIL))
        return _JPEG_2000_END in file.read()


def _damaged(path: Path, what: str) -> TruncatedFileError:
    return TruncatedFileError(
        what, where=str(path), remedy="The file looks cut short or damaged: copy it again."
    )


def _read(index: Sequence[tuple[Path, int]], shape: tuple[int, int], frame: int) -> Frame:
    path, k = index[frame]
    picture = _opened(path)
    try:
        counts = np.asarray(picture.data if k == 0 else picture.get_frame(k).data)
    except _UNREADABLE as error:
        raise _damaged(path, f"frame {k} of the file cannot be read ({error})") from error
    if counts.ndim != 2:
        raise FileFormatError(
            f"a frame has the shape {counts.shape}, expected one number a pixel",
            where=str(path),
            remedy="Colour pictures are no frames of a detector.",
        )
    if counts.shape != shape:
        raise ContradictionError(
            f"the frame has {counts.shape[0]} x {counts.shape[1]} pixels, the first one "
            f"{shape[0]} x {shape[1]}",
            where=str(path),
            remedy="List only the frames of one panel and one rotation.",
        )
    return counts


def _pilatus_text(header: Mapping[str, Any]) -> str:
    return str(header.get("_array_data.header_contents", ""))


def _omega_of(header: Mapping[str, Any]) -> tuple[float, float] | None:
    """Start and step in degrees, NaN for a step that is not stated; None without an angle."""
    text = _pilatus_text(header)
    start, step = _ANGLE.search(text), _INCREMENT.search(text)
    if start and step:
        return float(start.group(1)), float(step.group(1))
    names = str(header.get("motor_mne", "")).split()
    values = str(header.get("motor_pos", "")).split()
    motors = dict(zip(names, values, strict=False))
    for name in ("omega", "Omega"):
        value = header.get(name, motors.get(name))
        if value is not None:
            return float(value), float(header.get("OmegaStep", "nan"))
    return None


def _edges(stated: Sequence[tuple[float, float] | None]) -> FloatArray | None:
    angles = [angle for angle in stated if angle is not None]
    if len(angles) < len(stated):
        return None
    start, step = np.array(angles).T
    if np.isfinite(step).all():
        return np.deg2rad(np.column_stack([start, start + step]))
    return np.deg2rad(edges_from_starts(start))


def empty_series(where: str) -> EmptyFileError:
    """The error for a list without files."""
    return EmptyFileError(
        "no file is listed", where=where, remedy="List the frames of one panel and one rotation."
    )
