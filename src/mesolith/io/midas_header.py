"""The header of MIDAS' Grains.csv: counts, phases and the names of the columns."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import EmptyFileError, FileFormatError, UnitError
from mesolith.records.grains import Phases

_COUNT = re.compile(r"^%\s*NumGrains\s*:?\s*(\d+)", re.IGNORECASE | re.MULTILINE)
_GROUP = re.compile(r"^%\s*SpaceGroup\s*:?\s*(\d+)", re.IGNORECASE | re.MULTILINE)
_LATTICE = re.compile(r"^%\s*Lattice\s*(?:Parameters?|Constants?)\s*:?(.*)$", re.I | re.MULTILINE)
_PLACE = re.compile(r"^%\s*GlobalPosition\s*:?\s*([-+.\deE]+)", re.IGNORECASE | re.MULTILINE)
_NAMES = {
    "radius": "grainradius",
    "completeness": "confidence",
    "phase": "phasenr",
    "id": "grainid",
}


@dataclass(frozen=True, slots=True)
class MidasHeader:
    """What stands above the rows.

    ``columns`` are lower-case names without the percent sign; ``delimiter`` separates them;
    ``first_line`` is the line number (from 1) of the first row.
    """

    count: int | None
    phases: Phases
    global_position: float
    columns: tuple[str, ...]
    delimiter: str | None
    first_line: int


def header_from_lines(lines: list[str], path: Path) -> MidasHeader:
    """Header of a Grains.csv.

    Raises `EmptyFileError`, `FileFormatError` (no line of column names, no space group) or
    `UnitError` (no lattice parameter, or one that is not in angstrom and degrees).
    """
    where = str(path)
    if not any(line.strip() for line in lines):
        raise EmptyFileError("the file is empty", where=where, remedy="Export the grains again.")
    at = _line_of_names(lines)
    if at is None:
        raise FileFormatError(
            "no line of column names (GrainID, O11, ...) stands above the rows",
            where=where,
            remedy="Export the grains again with MIDAS' ProcessGrains, or restore that line.",
        )
    names = lines[at].lstrip("%\ufeff ").rstrip()
    delimiter = "\t" if "\t" in names else "," if "," in names else None
    columns = tuple(name.strip().lower() for name in names.split(delimiter))
    columns = tuple(_NAMES.get(name, name) for name in columns)
    text = "\n".join(lines[:at]).lstrip("\ufeff")
    count = _COUNT.search(text)
    place = _PLACE.search(text)
    return MidasHeader(
        count=None if count is None else int(count.group(1)),
        phases=_phases(text, where),
        global_position=0.0 if place is None else float(place.group(1)),
        columns=columns,
        delimiter=delimiter,
        first_line=at + 2,
    )


def _line_of_names(lines: list[str]) -> int | None:
    for k, line in enumerate(lines[:100]):
        words = set(re.split(r"[\s,]+", line.lstrip("%\ufeff ").strip().lower()))
        if len(words & {"grainid", "o11", "o12", "x", "y", "a", "b", "alpha"}) >= 4:
            return k
    return None


def _phases(text: str, where: str) -> Phases:
    groups = [int(group) for group in _GROUP.findall(text)]
    lattices = [_lattice(words, where) for words in _LATTICE.findall(text)]
    if not lattices:
        raise UnitError(
            "the header has no %Lattice Parameter line: nothing says what the strain refers to",
            where=where,
            remedy='Add it as MIDAS writes it: "%<tab>Lattice Parameter: 12.95 12.95 12.95 '
            '90 90 90" (angstrom, degrees).',
        )
    if not groups:
        raise FileFormatError(
            "the header has no %SpaceGroup line",
            where=where,
            remedy='Add it as MIDAS writes it: "%<tab>SpaceGroup:220".',
        )
    if len(groups) != len(lattices) or not all(1 <= group <= 230 for group in groups):
        raise FileFormatError(
            f"the header lists space groups {groups} and {len(lattices)} lattice parameters",
            where=where,
            remedy="Each phase needs one %SpaceGroup (1 to 230) and one %Lattice Parameter line.",
        )
    return Phases(
        name=tuple(f"space group {group}" for group in groups),
        space_group=np.array(groups, dtype=np.int64),
        lattice=np.array(lattices),
    )


def _lattice(words: str, where: str) -> FloatArray:
    try:
        values = np.array([float(word) for word in words.replace(",", " ").split()])
    except ValueError:
        values = np.empty(0)
    if values.shape != (6,):
        raise UnitError(
            f"%Lattice Parameter is {words.strip()!r}, expected six numbers",
            where=where,
            remedy="Write a b c in angstrom, then alpha beta gamma in degrees.",
        )
    check_lattice_units(values[None, :], None, where)
    values[3:] *= math.pi / 180.0
    return values


def check_lattice_units(
    lattice: FloatArray, reference: FloatArray | None, where: str, line: IntArray | None = None
) -> None:
    """Refuse lattice parameters whose magnitude is not that of angstrom and degrees.

    ``lattice`` has shape (n, 6), as in the file; ``reference`` (n, 6), where given, is what the
    header says of each row's phase, in angstrom and rad; ``line`` are line numbers.
    """
    length, angle = lattice[:, :3], lattice[:, 3:]
    at = where
    if np.all(angle < math.pi):
        raise UnitError(
            f"the lattice angles are near {np.median(angle):.4g}: radians, not degrees",
            where=at,
            remedy="Convert alpha, beta and gamma to degrees.",
        )
    if reference is None:
        if np.any(length < 1.5) or np.any(length > 500.0) or np.any((angle < 20) | (angle > 160)):
            raise UnitError(
                f"the lattice parameter {np.round(lattice[0], 6).tolist()} is not one in angstrom "
                "and degrees",
                where=at,
                remedy="Write a b c in angstrom (12.95, not 1.295 nm) and angles in degrees.",
            )
        return
    ratio = length / reference[:, :3]
    wrong = np.any(np.abs(ratio - 1.0) > 0.05, axis=1)
    wrong |= np.any(np.abs(angle * math.pi / 180.0 - reference[:, 3:]) > 0.05, axis=1)
    if np.any(wrong):
        first = int(np.flatnonzero(wrong)[0])
        row = "" if line is None else f", line {int(line[first])}"
        raise UnitError(
            f"{int(wrong.sum())} of {len(wrong)} grains differ from the %Lattice Parameter of "
            f"their phase by more than 5 % (here {np.round(lattice[first], 4).tolist()}, "
            f"ratio {ratio[first, 0]:.4g})",
            where=f"{at}{row}",
            remedy="A unit other than angstrom and degrees, another material's header, or another "
            "phase number: correct the header or the columns.",
        )
