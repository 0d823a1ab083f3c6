"""Grain maps of MIDAS (Grains.csv): read by header, checked by content, and written.

In the file: O maps crystal to sample (row by row), X Y Z and GrainRadius in um, lattice in
angstrom and degrees, strain in microstrain. Eul is in degrees or radians by version and is
ignored; RMSErrorStrain is the residual of a fit, no standard error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import (
    ContradictionError,
    DuplicateError,
    EmptyFileError,
    FileFormatError,
    InvalidValueError,
    MissingColumnError,
    OrientationError,
    TruncatedFileError,
    UnitError,
)
from mesolith.io.finding import Finding
from mesolith.io.midas_header import MidasHeader, check_lattice_units, header_from_lines
from mesolith.io.midas_strain import check_strain_columns
from mesolith.io.midas_write import write_midas
from mesolith.numerics.rotations import quaternion_from_matrix
from mesolith.records.grains import GrainMap, Phases

__all__ = ["MidasGrains", "head_of_midas", "read_midas", "write_midas"]

_ORIENTATION = ("o11", "o12", "o13", "o21", "o22", "o23", "o31", "o32", "o33")
_LATTICE = ("a", "b", "c", "alpha", "beta", "gamma")
_NEEDED = ("grainid", *_ORIENTATION, "x", "y", "z", *_LATTICE, "grainradius", "confidence")
_STRAIN = tuple(f"{kind}{i}{j}" for kind in ("efab", "eken") for i in (1, 2, 3) for j in (1, 2, 3))
_DEGREE = math.pi / 180.0
# printed with six decimals O is orthogonal to 3e-6; ten times the default angular error is not
_ROUNDING = 1e-3
_ABSURD = 1e12  # no grain has such a number, and sums of their squares stay finite
_PARTIAL = "Use --allow-partial to go on without them; the gap is recorded."


@dataclass(frozen=True, slots=True)
class MidasGrains:
    """What a Grains.csv holds, and what was noticed while reading it."""

    grain_map: GrainMap
    global_position: float
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Cells as numbers, columns by name, and the line each row stands on."""

    values: dict[str, FloatArray]
    line: IntArray

    def stack(self, names: tuple[str, ...]) -> FloatArray:
        return np.stack([self.values[name] for name in names], axis=1)

    def keep(self, good: NDArray[np.bool_]) -> _Rows:
        return _Rows({name: column[good] for name, column in self.values.items()}, self.line[good])


def read_midas(
    path: Path,
    *,
    sigma_position: float = 20.0,
    sigma_orientation: float = 0.1 * _DEGREE,
    sigma_strain: float = 1e-4,
    error_source: str = "assumed",
    check_strain: bool = True,
    allow_partial: bool = False,
) -> MidasGrains:
    """Grains of one Grains.csv, any version, columns in any order.

    Parameters
    ----------
    sigma_position, sigma_orientation, sigma_strain
        Standard errors of each component (um, rad, 1): the format states none.
    error_source
        Where they come from: "assumed" or "given".
    check_strain
        Compare the strain columns with the lattice (see `check_strain_columns`).
    allow_partial
        Leave out rows that hold NaN, repeat an id or are cut short, and say so in a "gap".

    Raises
    ------
    EmptyFileError, FileFormatError, MissingColumnError, UnitError, TruncatedFileError,
    InvalidValueError, DuplicateError, OrientationError, ContradictionError
        Each with file, line and remedy.
    """
    findings: list[Finding] = []
    lines = _lines(path)
    header = header_from_lines(lines, path)
    rows = _rows(lines, header, path, allow_partial, findings)
    rows = _without_nan(rows, path, allow_partial, findings)
    rows = _without_repeats(rows, path, allow_partial, findings)
    phase = _phase_of_row(rows, header.phases, path)
    _check_ranges(rows, path)
    lattice = rows.stack(_LATTICE)
    reference = header.phases.lattice[phase]
    check_lattice_units(lattice, reference, str(path), rows.line)
    lattice[:, 3:] *= _DEGREE
    matrices = _proper_rotations(rows, path)
    orientation = quaternion_from_matrix(matrices)
    if check_strain and all(name in rows.values for name in _STRAIN):
        columns = rows.stack(_STRAIN).reshape(-1, 2, 3, 3)
        findings += check_strain_columns(columns, lattice, reference, matrices, path)
    if len(rows.line) == 1:
        text = "the file has one grain: no mean, no interval and no common motion can be computed"
        findings.append(Finding("warning", path.name, text))
    sigmas = np.repeat([sigma_position, sigma_orientation, sigma_strain], [3, 3, 6])
    grain_map = GrainMap(
        grain_id=rows.values["grainid"].astype(np.int64),
        position=rows.stack(("x", "y", "z")),
        orientation=orientation,
        lattice=lattice,
        radius=rows.values["grainradius"],
        completeness=rows.values["confidence"],
        phase=phase,
        phases=header.phases,
        covariance=np.tile(np.diag(sigmas**2), (len(phase), 1, 1)),
        error_source=error_source,
    )
    return MidasGrains(grain_map, header.global_position, tuple(findings))


def head_of_midas(path: Path) -> tuple[MidasHeader, int]:
    """Header and number of rows, without reading their numbers."""
    lines = _lines(path)
    header = header_from_lines(lines, path)
    body = lines[header.first_line - 1 :]
    return header, sum(1 for line in body if line.strip() and not line.startswith("%"))


def _lines(path: Path) -> list[str]:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if "\x00" in text:
        raise FileFormatError(
            "the file holds zero bytes: it is no text table",
            where=str(path),
            remedy="Give MIDAS' Grains.csv; if this is one, the disk or transfer damaged it.",
        )
    return text.splitlines(keepends=True)


def _rows(
    lines: list[str],
    header: MidasHeader,
    path: Path,
    allow_partial: bool,
    findings: list[Finding],
) -> _Rows:
    missing = [name for name in _NEEDED if name not in header.columns]
    if missing:
        raise MissingColumnError(
            f"columns are missing: {', '.join(missing)}",
            where=f"{path}, line {header.first_line - 1}",
            remedy="Export the grains again with all columns of MIDAS' ProcessGrains; their order "
            "does not matter.",
        )
    first = header.first_line
    body = [
        (first + k, line)
        for k, line in enumerate(lines[first - 1 :])
        if line.strip() and not line.startswith("%")
    ]
    body = _whole_rows(body, header, path, allow_partial, findings)
    if not body:
        raise EmptyFileError(
            "the file lists no grains",
            where=str(path),
            remedy="Nothing was indexed or exported: lower the completeness threshold of the "
            "indexing, or leave this state's grains out of cell.toml.",
        )
    wanted = [name for name in (*_NEEDED, *_STRAIN, "phasenr") if name in header.columns]
    positions = [header.columns.index(name) for name in wanted]
    numbers = np.array([number for number, _ in body], dtype=np.int64)
    try:
        table = np.loadtxt(
            [line for _, line in body],
            usecols=positions,
            delimiter=header.delimiter,
            ndmin=2,
            comments=None,
        )
    except ValueError:
        raise _unreadable(body, positions, wanted, header, path) from None
    return _Rows({name: table[:, k].copy() for k, name in enumerate(wanted)}, numbers)


def _whole_rows(
    body: list[tuple[int, str]],
    header: MidasHeader,
    path: Path,
    allow_partial: bool,
    findings: list[Finding],
) -> list[tuple[int, str]]:
    """Rows with all their cells; the count of the header against theirs."""
    width = len(header.columns)
    cells = [len(line.rstrip().split(header.delimiter)) for _, line in body]
    short = [k for k, n in enumerate(cells) if n < width]
    if body and not short and _last_cell_cut(body):
        short = [len(body) - 1]
    cut_short = short == [len(body) - 1] if short else False
    if short and not cut_short:
        line, _ = body[short[0]]
        problem = f"row has {cells[short[0]]} of {width} cells ({len(short)} such rows)"
        if not allow_partial:
            raise FileFormatError(
                problem, where=f"{path}, line {line}", remedy=f"Restore the rows. {_PARTIAL}"
            )
    body = [row for k, row in enumerate(body) if k not in set(short)]
    missing = (header.count or 0) - len(body)
    if header.count is not None and missing < 0:
        raise ContradictionError(
            f"the header counts {header.count} grains, the file has {len(body)} rows",
            where=str(path),
            remedy="Two files in one, or an edited one: export it again, or correct %NumGrains.",
        )
    if missing > 0 or cut_short:
        expected = len(body) + 1 if header.count is None else header.count
        problem = f"{len(body)} of {expected} grains are there" + (
            f"; line {header.first_line + len(body)} is cut short" if cut_short else ""
        )
        if header.count == expected and not body and not short:
            problem = f"the header counts {expected} grains, the file has no row"
        if not allow_partial:
            raise TruncatedFileError(
                problem,
                where=str(path),
                remedy="The file looks cut short: copy or export it again. Use --allow-partial to "
                "analyse the grains that are there; the gap is recorded.",
            )
        findings.append(Finding("gap", path.name, f"cut short: {problem}"))
    elif short:
        findings.append(Finding("gap", path.name, f"{len(short)} incomplete rows left out"))
    return body


def _last_cell_cut(body: list[tuple[int, str]]) -> bool:
    """Whether a file without a last line end also stops short of its usual decimals."""
    last = body[-1][1]
    if last.endswith(("\n", "\r")) or len(body) < 2:
        return False
    before = body[-2][1].split()[-1]
    end = last.split()[-1]
    return len(end.partition(".")[2]) < len(before.partition(".")[2])


def _unreadable(
    body: list[tuple[int, str]],
    positions: list[int],
    wanted: list[str],
    header: MidasHeader,
    path: Path,
) -> FileFormatError:
    """The error that names the first cell that is no number."""
    for number, line in body:
        cells = line.rstrip().split(header.delimiter)
        for position, name in zip(positions, wanted, strict=True):
            try:
                float(cells[position])
            except ValueError:
                return FileFormatError(
                    f"column {name} holds {cells[position]!r}, not a number",
                    where=f"{path}, line {number}",
                    remedy="Write numbers with a decimal point and nan where there is none.",
                )
    return FileFormatError("the rows are no table of numbers", where=str(path))


def _without_nan(rows: _Rows, path: Path, allow_partial: bool, findings: list[Finding]) -> _Rows:
    table = rows.stack(_NEEDED)
    bad = ~(np.abs(table) < _ABSURD)
    rejected = np.asarray(bad.any(axis=1))
    if not rejected.any():
        return rows
    first = int(np.argmax(rejected))
    columns = [name for name, wrong in zip(_NEEDED, bad[first], strict=True) if wrong]
    if not allow_partial or rejected.all():
        raise InvalidValueError(
            f"{int(rejected.sum())} of {len(rejected)} grains hold NaN, infinity or a number "
            f"beyond {_ABSURD:g} (first in {', '.join(columns)})",
            where=f"{path}, line {int(rows.line[first])}",
            remedy=f"Remove or refit these grains. {_PARTIAL}",
        )
    text = f"{int(rejected.sum())} of {len(rejected)} grains hold NaN and are left out"
    findings.append(Finding("gap", path.name, text))
    return rows.keep(~rejected)


def _without_repeats(
    rows: _Rows, path: Path, allow_partial: bool, findings: list[Finding]
) -> _Rows:
    ids = rows.values["grainid"]
    if np.any(ids != np.round(ids)):
        first = int(np.argmax(ids != np.round(ids)))
        raise InvalidValueError(
            f"GrainID {ids[first]} is no integer",
            where=f"{path}, line {int(rows.line[first])}",
            remedy="Check that the column names stand above their columns.",
        )
    _, first_of, counts = np.unique(ids, return_index=True, return_counts=True)
    repeats = len(ids) - len(first_of)
    if repeats == 0:
        return rows
    twice = ids[first_of[counts > 1]].astype(int)
    second = np.flatnonzero(ids == twice[0])[1]
    if not allow_partial:
        raise DuplicateError(
            f"{len(twice)} grain ids occur more than once: {', '.join(map(str, twice[:5]))}",
            where=f"{path}, line {int(rows.line[second])}",
            remedy="Several layers in one file need ids of their own: renumber them. "
            "Use --allow-partial to keep the first row of each id; the gap is recorded.",
        )
    text = f"{repeats} rows repeat the id of another grain and are left out"
    findings.append(Finding("gap", path.name, text))
    good = np.zeros(len(ids), dtype=np.bool_)
    good[first_of] = True
    return rows.keep(good)


def _phase_of_row(rows: _Rows, phases: Phases, path: Path) -> IntArray:
    """Index of each row's phase; MIDAS counts from 1."""
    numbers = rows.values.get("phasenr")
    if numbers is None or len(phases.name) == 1:
        return np.zeros(len(rows.line), dtype=np.int64)
    wrong: NDArray[np.bool_] = (
        (numbers != np.round(numbers)) | (numbers < 1) | (numbers > len(phases.name))
    )
    if np.any(wrong):
        first = int(np.argmax(wrong))
        raise ContradictionError(
            f"PhaseNr {numbers[first]:g} where the header lists {len(phases.name)} phases",
            where=f"{path}, line {int(rows.line[first])}",
            remedy="Add the %SpaceGroup and %Lattice Parameter lines of every phase.",
        )
    return numbers.astype(np.int64) - 1


def _check_ranges(rows: _Rows, path: Path) -> None:
    wrong: NDArray[np.bool_]
    radius, share = rows.values["grainradius"], rows.values["confidence"]
    for wrong, problem, remedy in (
        (radius <= 0.0, "GrainRadius is not positive", "Check the column and its unit (um)."),
        (
            (share < 0.0) | (share > 1.0 + 1e-6),
            "Confidence is not between 0 and 1",
            "A share of found reflections is expected, not a percentage or another column.",
        ),
    ):
        if np.any(wrong):
            first = int(np.argmax(wrong))
            raise InvalidValueError(
                f"{problem} in {int(wrong.sum())} of {len(wrong)} grains",
                where=f"{path}, line {int(rows.line[first])}",
                remedy=remedy,
            )
    position = rows.stack(("x", "y", "z"))
    if len(position) >= 10:
        box = float(np.prod(np.ptp(position, axis=0) + 2.0 * np.median(radius)))
        filled = float(np.sum(4.0 / 3.0 * math.pi * radius**3))
        if filled > 100.0 * box or np.ptp(position) < 0.1 * np.median(radius):
            raise UnitError(
                f"the grains would fill {filled / box:.3g} times the box of their centres "
                f"(extent {np.ptp(position, axis=0).max():.4g}, radius {np.median(radius):.4g})",
                where=str(path),
                remedy="Positions and radii must both be in um: one of them is in mm or nm.",
            )


def _proper_rotations(rows: _Rows, path: Path) -> FloatArray:
    """Orientation matrices (n, 3, 3) made exactly orthogonal where rounding left them off."""
    matrices = rows.stack(_ORIENTATION).reshape(-1, 3, 3)
    identity = np.eye(3)
    defect = np.abs(matrices @ matrices.swapaxes(1, 2) - identity).max(axis=(1, 2))
    left: NDArray[np.bool_] = np.linalg.det(matrices) < 0.0
    wrong: NDArray[np.bool_]
    for wrong, problem, remedy in (
        (
            left,
            "orientation matrices are left-handed",
            "An axis is mirrored: check the detector's and the sample's axes in the reduction.",
        ),
        (
            defect > _ROUNDING,
            "orientation matrices are not orthogonal",
            "Check that O11 to O33 stand above their columns and were not edited or rounded.",
        ),
    ):
        if np.any(wrong):
            first = int(np.argmax(wrong))
            raise OrientationError(
                f"{int(wrong.sum())} of {len(wrong)} {problem} (first: O O^T is off by "
                f"{defect[first]:.2g}, determinant {np.linalg.det(matrices[first]):.4f})",
                where=f"{path}, line {int(rows.line[first])}",
                remedy=remedy,
            )
    for _ in range(3):  # Newton's iteration to the nearest rotation
        matrices = 1.5 * matrices - 0.5 * matrices @ matrices.swapaxes(1, 2) @ matrices
    return matrices
