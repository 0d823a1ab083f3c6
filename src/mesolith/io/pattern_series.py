"""Patterns of a scan: images without angles, one a point, read one at a time."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesolith.axes import IntArray
from mesolith.errors import ContradictionError, EmptyFileError
from mesolith.io.frame_source import Frame, FrameSource
from mesolith.io.frames import open_source, places_by_number

_NUMBERED = re.compile(r"^(.*?)(\d+)(\D*)$")


@dataclass(frozen=True, slots=True)
class PatternSeries:
    """Patterns in the order of measurement.

    ``source`` reads them; ``point`` (n,) is the place of each in the scan, from 0, absent ones
    counted. ``files`` are those of the patterns where each has its own, else the file or files
    that hold them all.
    """

    source: FrameSource
    point: IntArray
    files: tuple[Path, ...]

    def __len__(self) -> int:
        return self.source.count

    @property
    def shape(self) -> tuple[int, int]:
        """(slow, fast) of a pattern, px."""
        return self.source.shape

    def read(self, number: int) -> Frame:
        """Pattern ``number`` as the detector counted, [slow, fast]; raises as its format does."""
        return self.source.read(number)

    def place(self, number: int) -> str:
        """Where the pattern comes from, as errors name it."""
        if len(self.files) == len(self):
            return str(self.files[number])
        return f"{self.source.place}, pattern {number}"


def open_patterns(
    paths: Sequence[Path] | Path,
    *,
    shape: tuple[int, int] | None = None,
    dataset: str | None = None,
    allow_partial: bool = False,
) -> PatternSeries:
    """Patterns of a folder of numbered images, of listed images, or of stacks.

    TIFF, MCCD, EDF, CBF, JPEG 2000 and HDF5, recognised by content. Nothing but the first image
    of a folder is read before it is asked for.

    Parameters
    ----------
    paths
        A folder, a file, or files in the order of measurement.
    shape
        (slow, fast) of the panel that was calibrated, px.
    dataset
        Path of the stack in HDF5 files that hold several.
    allow_partial
        Go on where numbers are missing.

    Raises
    ------
    EmptyFileError
        No file, or no numbered one in the folder.
    ContradictionError
        Several series of images in the folder; images of another size than the calibration's.
    MissingFrameError, DuplicateError
        A number is missing or comes twice.
    UnknownFormatError, TruncatedFileError, FileFormatError, MissingExtraError
        From the format: see its module.
    """
    given = [paths] if isinstance(paths, Path) else list(paths)
    files = _numbered_files(given[0]) if len(given) == 1 and given[0].is_dir() else given
    if not files:
        raise EmptyFileError("no file is listed", where="patterns", remedy="List the images.")
    source = open_source(files, dataset=dataset, angles=False)
    if shape is not None and source.shape != shape:
        raise ContradictionError(
            f"the images have {source.shape[0]} x {source.shape[1]} pixels, the calibration "
            f"{shape[0]} x {shape[1]}",
            where=source.place,
            remedy="Give the calibration of this detector, binning and region.",
        )
    alone = source.count == len(files)
    point = places_by_number(files, allow_partial) if alone else np.arange(source.count)
    return PatternSeries(source, point, tuple(files))


def _numbered_files(folder: Path) -> list[Path]:
    """Files of a folder in the order of the last numbers in their names.

    They are one series: alike before the number and behind it.
    """
    series: dict[tuple[str, str], list[tuple[int, Path]]] = defaultdict(list)
    for path in folder.iterdir():
        match = _NUMBERED.match(path.name.removesuffix(path.suffix))
        if match is not None and not path.name.startswith(".") and path.is_file():
            series[match.group(1), match.group(3) + path.suffix].append((int(match.group(2)), path))
    if not series:
        raise EmptyFileError(
            "the folder holds no numbered image", where=str(folder), remedy="List the images."
        )
    if len(series) > 1:
        names = sorted(f"{before}...{behind}" for before, behind in series)
        raise ContradictionError(
            f"the folder holds {len(series)} series: {', '.join(names[:4])}",
            where=str(folder),
            remedy="List the images of one scan, for example with a pattern of their names.",
        )
    (found,) = series.values()
    return [path for _, path in sorted(found)]
