"""LaueTools' results of indexing and refinement (.fit): read and written.

A file holds one block a grain: headings, the links between peaks and reflections, then matrices
and lists under headings of their own. Its axes are x along the beam and z up, as ours, and its
matrix UBB0 holds a*, b*, c* as columns (1/angstrom).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import EmptyFileError, FileFormatError, MissingColumnError
from mesolith.io.numbers import text_lines

_REMEDY = "Refine the grain again in LaueTools and save it, or remove its block."
_TITLES = ("#Strain and Orientation Refinement", "#CCD Geometry Refinement")


@dataclass(frozen=True, slots=True)
class LaueToolsGrain:
    """One block of a .fit file.

    ``head`` and ``tail`` are its lines before and behind the table, with their #; ``columns``
    the headings of the table and ``values`` (links, columns) its numbers.
    """

    head: tuple[str, ...]
    columns: tuple[str, ...]
    values: FloatArray
    tail: tuple[str, ...]

    def column(self, name: str) -> FloatArray:
        """One column of the table (links,)."""
        if name not in self.columns:
            raise MissingColumnError(
                f"the table has no column {name}; it has {', '.join(self.columns)}", remedy=_REMEDY
            )
        return self.values[:, self.columns.index(name)]

    @property
    def hkl(self) -> IntArray:
        """Indices (links, 3)."""
        return np.rint(np.stack([self.column(name) for name in "hkl"], axis=1)).astype(np.int64)

    @property
    def peak(self) -> IntArray:
        """Row of each linked peak in the list that was indexed."""
        return np.rint(self.column("spot_index")).astype(np.int64)

    @property
    def element(self) -> str:
        """LaueTools' name of the material."""
        return self._below("#Element")

    @property
    def mean_deviation(self) -> float:
        """Mean distance between peaks and where they should be, px."""
        for line in self.head:
            if line.startswith("#Mean Deviation(pixel):"):
                return float(line.split(":", 1)[1])
        raise MissingColumnError("the block states no mean deviation", remedy=_REMEDY)

    @property
    def reciprocal(self) -> FloatArray:
        """a*, b*, c* as columns, 1/angstrom, on axes x along the beam, z up; shape (3, 3)."""
        if any(line.startswith("#UBB0 matrix") for line in self.tail):
            return self.matrix("UBB0 matrix")
        return self.matrix("UB matrix") @ self.matrix("B0 matrix")

    def matrix(self, title: str) -> FloatArray:
        """Three rows of numbers below the heading that begins with ``title``; shape (3, 3)."""
        rows = self._rows(title, 3)
        try:
            numbers = [
                [
                    float(word)
                    for word in row.lstrip("#").replace("[", " ").replace("]", " ").split()
                ]
                for row in rows
            ]
        except ValueError:
            numbers = []
        if len(numbers) != 3 or any(len(row) != 3 for row in numbers):
            raise FileFormatError(f"{title!r} is no matrix of 3 x 3 numbers", remedy=_REMEDY)
        return np.array(numbers)

    def numbers(self, title: str) -> FloatArray:
        """The numbers on the line below the heading, as DetectorParameters or pixelsize."""
        text = self._rows(title, 1)[0].lstrip("#")
        for mark in "[](),":
            text = text.replace(mark, " ")
        try:
            return np.array([float(word) for word in text.split()])
        except ValueError:
            raise FileFormatError(f"{title!r} holds {text!r}, no numbers", remedy=_REMEDY) from None

    def _below(self, title: str) -> str:
        for k, line in enumerate(self.head[:-1]):
            if line.strip() == title:
                return self.head[k + 1].lstrip("#").strip()
        raise MissingColumnError(f"the block has no line {title}", remedy=_REMEDY)

    def _rows(self, title: str, count: int) -> tuple[str, ...]:
        for k, line in enumerate(self.tail):
            if line.startswith(f"#{title}"):
                return self.tail[k + 1 : k + 1 + count]
        raise MissingColumnError(f"the block has no {title}", remedy=_REMEDY)


def recognise_lauetools_fit(path: Path, head: bytes) -> float:
    """How surely the content is a .fit of LaueTools, 0 to 1."""
    return 1.0 if head.decode("utf-8", "replace").startswith(_TITLES) else 0.0


def read_lauetools_fit(path: Path) -> tuple[LaueToolsGrain, ...]:
    """The grains of a .fit file.

    Raises
    ------
    EmptyFileError, FileFormatError
        With file and line.
    """
    lines = text_lines(path)
    if not any(line.strip() for line in lines):
        raise EmptyFileError("the file is empty", where=str(path), remedy=_REMEDY)
    starts = [k for k, line in enumerate(lines) if line.startswith(_TITLES)]
    if not starts or any(line.strip() for line in lines[: starts[0]]):
        raise FileFormatError(
            "the first line is no title of LaueTools' refinement",
            where=f"{path}, line 1",
            remedy=_REMEDY,
        )
    if path.read_bytes().endswith(b"\n"):
        lines.append("")
    ends = [*starts[1:], len(lines)]
    return tuple(
        _block(path, start, lines[start:end]) for start, end in zip(starts, ends, strict=True)
    )


def write_lauetools_fit(path: Path, grains: tuple[LaueToolsGrain, ...]) -> None:
    """Write blocks as LaueTools does: six digits, one blank between; reads back as it was."""
    lines: list[str] = []
    for grain in grains:
        lines += grain.head
        for row in grain.values:
            lines.append(" ".join(_exact(float(value)) for value in row))
        lines += grain.tail
    path.write_text("\n".join(lines), encoding="utf-8", newline="\n")


def _block(path: Path, start: int, lines: list[str]) -> LaueToolsGrain:
    table = [k for k, line in enumerate(lines) if line.strip() and not line.startswith("#")]
    if not table:
        raise FileFormatError(
            "a block links no peak", where=f"{path}, line {start + 1}", remedy=_REMEDY
        )
    first, last = table[0], table[-1]
    columns = tuple(lines[first - 1].lstrip("#").split())
    if columns[:1] != ("spot_index",) or not {"h", "k", "l"} <= set(columns):
        raise FileFormatError(
            f"the headings of the table are {' '.join(columns)!r}",
            where=f"{path}, line {start + first}",
            remedy="They begin with spot_index and hold h, k and l.",
        )
    values = np.empty((last - first + 1, len(columns)))
    for k in range(first, last + 1):
        try:
            row = [float(word) for word in lines[k].split()]
        except ValueError:
            row = []
        if len(row) != len(columns) or not np.isfinite(row).all():
            raise FileFormatError(
                f"the row does not hold {len(columns)} numbers",
                where=f"{path}, line {start + k + 1}",
                remedy=_REMEDY,
            )
        values[k - first] = row
    return LaueToolsGrain(tuple(lines[:first]), columns, values, tuple(lines[last + 1 :]))


def _exact(value: float) -> str:
    text = f"{value:.6f}"
    return text if float(text) == value else repr(value)
