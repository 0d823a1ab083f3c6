"""Frames of GE detectors (.ge, .ge2, .ge3): a header of 8192 bytes, then raw 16-bit frames."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from struct import unpack_from

import numpy as np

from mesolith.errors import EmptyFileError, FileFormatError, TruncatedFileError
from mesolith.io.frame_source import Frame, FrameSource, not_empty

HEADER_BYTES = 8192
_MAGIC = b"ADEPT"
_SIDE = 2048
_SATURATION = 15800.0


def recognise_ge(path: Path, head: bytes) -> float:
    """1 with GE's own header, 0.6 with one of zeros before whole frames of 2048 x 2048."""
    if head.startswith(_MAGIC):
        return 1.0
    size = path.stat().st_size
    blank = len(head) >= HEADER_BYTES and not any(head[:HEADER_BYTES])
    return 0.6 if blank and size > HEADER_BYTES else 0.0


def open_ge(path: Path, *, allow_partial: bool = False) -> FrameSource:
    """Frames of one file, which states no angles.

    A header of zeros (Argonne's firmware after 2018) leaves rows and columns to be 2048 and the
    number of frames to be what the file holds.

    Raises
    ------
    EmptyFileError
        No byte, or no frame behind the header.
    FileFormatError
        The header claims other than 16 bits a pixel.
    TruncatedFileError
        The last frame is cut, or frames that the header counts are absent; with
        ``allow_partial`` the whole ones are read.
    """
    not_empty(path)
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
    rows, columns, counted, offset = _SIDE, _SIDE, 0, HEADER_BYTES
    if head.startswith(_MAGIC):
        if len(head) < 30:
            raise TruncatedFileError(
                f"{len(head)} bytes are less than a header",
                where=str(path),
                remedy="Copy it again from the detector's disk.",
            )
        standard, user = unpack_from("<L", head, 12)[0], unpack_from("<L", head, 18)[0]
        counted, rows, columns, bits = unpack_from("<4H", head, 22)
        offset = standard + user
        if bits != 16 or rows == 0 or columns == 0:
            raise FileFormatError(
                f"the header says {rows} x {columns} pixels of {bits} bits, expected 16 bits",
                where=str(path),
                remedy="Convert it to TIFF or HDF5 with the program that wrote it.",
            )
    size = rows * columns * 2
    whole, rest = divmod(max(path.stat().st_size - offset, 0), size)
    # the header counts modulo 65536, and some firmware leaves 0 or 1 in it
    if (rest or counted > max(whole, 1)) and not allow_partial:
        claimed = f", the header counts {counted}" if counted > 1 else ""
        raise TruncatedFileError(
            f"{whole} whole frames of {rows} x {columns} and {rest} bytes{claimed}",
            where=str(path),
            remedy="The file looks cut short: copy it again. --allow-partial reads the whole "
            "frames; the gap is recorded.",
        )
    if whole == 0:
        raise EmptyFileError(
            "no frame stands behind the header",
            where=str(path),
            remedy="Copy it again from the detector's disk.",
        )
    return FrameSource(
        place=str(path),
        shape=(rows, columns),
        dtype=np.dtype("<u2"),
        count=whole,
        read=partial(_read, path, offset, (rows, columns)),
        saturation=_SATURATION,
        read_into=partial(_read_into, path, offset),
    )


def write_ge(path: Path, frames: Iterable[Frame]) -> int:
    """Write frames (slow, fast) of counts as 16-bit integers; returns how many.

    The header is GE's own. Counts beyond 65535 or below 0 are clipped to these.
    """
    count = 0
    with path.open("wb") as file:
        file.write(bytes(HEADER_BYTES))
        rows = columns = 0
        for frame in frames:
            rows, columns = frame.shape
            file.write(np.clip(frame, 0, 65535).astype("<u2").tobytes())
            count += 1
        header = bytearray(HEADER_BYTES)
        header[: len(_MAGIC)] = _MAGIC
        header[12:16] = HEADER_BYTES.to_bytes(4, "little")
        for at, value in zip((22, 24, 26, 28), (count % 65536, rows, columns, 16), strict=True):
            header[at : at + 2] = value.to_bytes(2, "little")
        file.seek(0)
        file.write(header)
    return count


def _read(path: Path, offset: int, shape: tuple[int, int], frame: int) -> Frame:
    counts = np.empty(shape, dtype="<u2")
    _read_into(path, offset, frame, counts)
    return counts


def _read_into(path: Path, offset: int, frame: int, out: Frame) -> None:
    with path.open("rb", buffering=0) as file:
        file.seek(offset + frame * out.nbytes)
        room, got = out.data.cast("B"), 0
        while got < out.nbytes and (more := file.readinto(room[got:])):
            got += more
    if got < out.nbytes:
        raise TruncatedFileError(
            f"frame {frame} ends after {got // 2} of {out.size} pixels",
            where=str(path),
            remedy="The file became shorter while it was read: is it still being written?",
        )
