"""XMAS' results of indexing and strain refinement (.str).

One block a grain: a table of peaks, the lattice, the calibration, and the strained reciprocal
lattice on the axes of XMAS' sample. Two public readers are the source of the format; XMAS itself
is not public. It counts pixels from 1, and its indices have the other sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import EmptyFileError, FileFormatError, MissingColumnError
from mesolith.instrument.laue_angles import LaueDetector, lauetools_from_xmas, reciprocal_from_xmas
from mesolith.io.numbers import text_lines

_REMEDY = "Save the strain refinement again in XMAS, or remove the grain."
_COLUMNS = ("x(exp)", "y(exp)", "h", "k", "l")
_MM = 1000.0


@dataclass(frozen=True, slots=True)
class XmasGrain:
    """One grain of a .str file.

    ``columns`` are the headings of its table and ``values`` (peaks, columns) the numbers as they
    stand there. ``lattice`` is a b c (angstrom), alpha beta gamma (rad); ``detector`` as LaueTools
    and we count pixels. ``matrix`` (3, 3) holds a*, b*, c* as columns on XMAS' sample axes.
    """

    number: int
    columns: tuple[str, ...]
    values: FloatArray
    lattice: FloatArray
    detector: LaueDetector
    matrix: FloatArray

    def column(self, name: str) -> FloatArray:
        """One column of the table (peaks,)."""
        if name not in self.columns:
            raise MissingColumnError(
                f"the table has no column {name}; it has {', '.join(self.columns)}", remedy=_REMEDY
            )
        return self.values[:, self.columns.index(name)]

    @property
    def place(self) -> FloatArray:
        """Where the peaks are, (peaks, 2) fast and slow, px from 0."""
        return np.stack([self.column("x(exp)"), self.column("y(exp)")], axis=1) - 1.0

    @property
    def hkl(self) -> IntArray:
        """Indices (peaks, 3), in our sign."""
        seen = np.stack([self.column(name) for name in "hkl"], axis=1)
        return -np.rint(seen).astype(np.int64)

    def reciprocal(self, *, incidence: float) -> FloatArray:
        """a*, b*, c* as columns (3, 3) on laboratory axes; ``incidence`` of the beam, rad."""
        return reciprocal_from_xmas(self.matrix, incidence=incidence, beta=self.detector.beta)


def recognise_xmas(path: Path, head: bytes) -> float:
    """How surely the content is a .str of XMAS, 0 to 1."""
    lines = head.decode("utf-8", "replace").splitlines()
    grain = any(line.startswith("Grain no") for line in lines)
    return 1.0 if grain and any(line.split()[:2] == ["x(exp)", "y(exp)"] for line in lines) else 0.0


def read_xmas(path: Path) -> tuple[XmasGrain, ...]:
    """The grains of a .str file.

    Raises
    ------
    EmptyFileError, FileFormatError
        With file and line.
    """
    lines = text_lines(path)
    if not any(line.strip() for line in lines):
        raise EmptyFileError("the file is empty", where=str(path), remedy=_REMEDY)
    starts = [k for k, line in enumerate(lines) if line.startswith("Grain no")]
    if not starts:
        raise FileFormatError("no line begins with Grain no", where=str(path), remedy=_REMEDY)
    ends = [*starts[1:], len(lines)]
    detector: LaueDetector | None = None
    grains = []
    for start, end in zip(starts, ends, strict=True):
        block = _Block(path, start, lines[start:end])
        # the calibration stands with the first grain only, or with each
        detector = block.detector() or detector
        if detector is None:
            raise FileFormatError(
                "no calibration (dd, xcen, ycen; xbet, xgam)",
                where=f"{path}, line {start + 1}",
                remedy=_REMEDY,
            )
        grains.append(block.grain(detector))
    return tuple(grains)


@dataclass(frozen=True, slots=True)
class _Block:
    """The lines of one grain, the first being line ``start`` + 1 of the file."""

    path: Path
    start: int
    lines: list[str]

    def grain(self, detector: LaueDetector) -> XmasGrain:
        columns = tuple(self.lines[1].split()) if len(self.lines) > 1 else ()
        if columns[: len(_COLUMNS)] != _COLUMNS:
            raise self._wrong(1, f"the headings are {' '.join(columns[:5])!r}")
        last = self._line("latticeparameters")
        if last is None:
            raise self._wrong(0, "the grain has no latticeparameters")
        rows = [k for k in range(2, last) if self.lines[k].strip()]
        if not rows:
            raise self._wrong(1, "the grain has no peak")
        values = np.array([self._numbers(k, self.lines[k], len(columns)) for k in rows])
        lattice = self._numbers(last, self.lines[last].removeprefix("latticeparameters"), 6)
        lattice[3:] = np.deg2rad(lattice[3:])
        at = self._line("coordinates of a*")
        if at is None:
            raise self._wrong(0, "the grain has no coordinates of a*, b*, c*")
        matrix = [
            self._numbers(k, self.lines[k] if k < len(self.lines) else "", 3)
            for k in range(at + 1, at + 4)
        ]
        number = self._numbers(0, self.lines[0].removeprefix("Grain no").lstrip(" .:"), 1)[0]
        return XmasGrain(
            number=int(number),
            columns=columns,
            values=values,
            lattice=lattice,
            detector=detector,
            matrix=np.array(matrix).T,
        )

    def detector(self) -> LaueDetector | None:
        first, second = self._line("dd,"), self._line("xbet,")
        if first is None or second is None:
            return None
        distance, x_centre, y_centre = self._behind_colon(first, 3)
        beta, gamma = np.deg2rad(self._behind_colon(second, 2))
        return lauetools_from_xmas(
            LaueDetector(_MM * distance, x_centre, y_centre, float(beta), float(gamma))
        )

    def _behind_colon(self, k: int, count: int) -> FloatArray:
        return self._numbers(k, self.lines[k].replace(":", " ").replace(",", " "), count, last=True)

    def _line(self, title: str) -> int | None:
        return next((k for k, line in enumerate(self.lines) if line.startswith(title)), None)

    def _numbers(self, k: int, text: str, count: int, *, last: bool = False) -> FloatArray:
        """The first numbers of a text, or its last ones."""
        words = text.split()
        try:
            found = np.array([float(word) for word in (words[-count:] if last else words[:count])])
        except ValueError:
            found = np.empty(0)
        if len(found) != count or not np.isfinite(found).all():
            raise self._wrong(k, f"here should be {count} numbers")
        return found

    def _wrong(self, k: int, what: str) -> FileFormatError:
        return FileFormatError(
            what, where=f"{self.path}, line {self.start + k + 1}", remedy=_REMEDY
        )
