"""Grain maps of ImageD11: text (.map, .ubi) and HDF5, read and written.

The rows of a UBI are the lattice vectors a, b, c (angstrom) on sample axes, which are ours; a
translation is in um. A translation may be absent: that is unknown, not zero, and stays NaN until
somebody decides. Neither lattice, space group nor size of the grains is stated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mesolith.axes import (
    FloatArray,
    bases_from_house,
    bases_to_house,
    vectors_from_house,
    vectors_to_house,
)
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.errors import (
    EmptyFileError,
    FileFormatError,
    InvalidValueError,
    TruncatedFileError,
)
from mesolith.io.finding import Finding
from mesolith.io.grain_file import GrainErrors, GrainFile, split_basis
from mesolith.io.numbers import text_lines
from mesolith.numerics.rotations import matrix_from_quaternion
from mesolith.records.grains import GrainMap, Phases

if TYPE_CHECKING:
    import h5py

_ABSURD = 1e12
_PARTIAL = "Use --allow-partial to go on without them; the gap is recorded."


@dataclass(frozen=True, slots=True)
class UbiGrain:
    """One grain as ImageD11 states it.

    ``ubi`` (3, 3), rows a b c in angstrom; ``translation`` (3,) in um, None where the file has
    none; ``words`` the other lines about it (name, npks, Rod ...), key and text; ``place`` where
    it stands; ``number`` its name in an HDF5 file, its place in the list in a text.
    """

    ubi: FloatArray
    translation: FloatArray | None
    words: tuple[tuple[str, str], ...]
    place: str
    number: int


def read_ubi(path: Path) -> list[UbiGrain]:
    """Grains of a .map or .ubi text.

    Lines above the rows may say "#translation:", "#name" and more; without them any three rows
    of three numbers are a grain.

    Raises
    ------
    EmptyFileError, FileFormatError, TruncatedFileError, InvalidValueError
        Each with file, line and remedy.
    """
    lines = text_lines(path)
    if not any(line.strip() for line in lines):
        raise EmptyFileError("the file is empty", where=str(path), remedy="Save the grains again.")
    grains: list[UbiGrain] = []
    rows: list[list[float]] = []
    words: list[tuple[str, str]] = []
    translation: FloatArray | None = None
    first = 0
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text:
            continue
        where = f"{path}, line {number}"
        if text.startswith("#"):
            if rows:
                raise _cut(len(rows), where)
            key, value = _key(text)
            if key == "translation":
                translation = np.array(_three(value, where, "translation"))
            elif key != "UBI":
                words.append((key, value))
            continue
        first = number if not rows else first
        rows.append(_three(text, where, "row of the UBI"))
        if len(rows) == 3:
            place = f"{path}, line {first}"
            grains.append(UbiGrain(np.array(rows), translation, tuple(words), place, len(grains)))
            rows, words, translation = [], [], None
    if rows:
        raise _cut(len(rows), f"{path}, line {len(lines)}")
    if not grains:
        raise EmptyFileError(
            "the file lists no grains",
            where=str(path),
            remedy="Nothing was indexed or saved: leave this state's grains out of cell.toml.",
        )
    return grains


def head_of_ubi(path: Path) -> tuple[int, int]:
    """Number of grains, and of those without a translation, without reading their numbers."""
    lines = [line.strip() for line in text_lines(path)]
    placed = sum(1 for line in lines if line.startswith("#") and _key(line)[0] == "translation")
    grains = sum(1 for line in lines if line and not line.startswith("#")) // 3
    return grains, grains - placed


def write_ubi(path: Path, grains: Sequence[UbiGrain]) -> None:
    """Write a .map text; numbers are printed so that reading gives the same bits.

    A grain without a translation is written without one.
    """
    lines: list[str] = []
    for grain in grains:
        if grain.translation is not None:
            lines.append("#translation: " + _row(grain.translation))
        lines += [f"#{key} {value}" for key, value in grain.words]
        lines += ["#UBI:", *(_row(row) for row in grain.ubi), ""]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def read_grains_h5(path: Path) -> list[UbiGrain]:
    """Grains of an ImageD11 HDF5 file: groups with a data set ``ubi``, in order of their names.

    Raises `EmptyFileError`, `FileFormatError` or `InvalidValueError`, with data set and remedy.
    """
    import h5py

    found: list[UbiGrain] = []
    try:
        with h5py.File(path, "r") as file:
            for name, group in _groups(file):
                found.append(_grain(group, name, len(found), path))
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as problem:
        raise _no_hdf5(path, problem) from None
    if not found:
        raise EmptyFileError(
            "no group holds a data set ubi",
            where=str(path),
            remedy="Save the grains with ImageD11's write_grain_file_h5.",
        )
    grains = sorted(found, key=lambda grain: grain.number)
    if len({grain.number for grain in grains}) < len(grains):  # groups that share a number
        grains = [replace(grain, number=k) for k, grain in enumerate(grains)]
    return grains


def head_of_grains_h5(path: Path) -> tuple[int, int]:
    """Number of grains, and of those without a translation, without reading their numbers."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            placed = ["translation" in group for _, group in _groups(file)]
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as problem:
        raise _no_hdf5(path, problem) from None
    return len(placed), placed.count(False)


def write_grains_h5(path: Path, grains: Sequence[UbiGrain], *, group: str = "grains") -> None:
    """Write an ImageD11 HDF5 file, one group a grain; reading it gives the same bits."""
    import h5py

    with h5py.File(path, "w", track_order=False) as file:
        parent = file.create_group(group)
        for grain in grains:
            child = parent.create_group(str(grain.number))
            child["ubi"] = np.asarray(grain.ubi, dtype=np.float64)
            if grain.translation is not None:
                child["translation"] = np.asarray(grain.translation, dtype=np.float64)
            for key, value in grain.words:
                child[key] = f"{value}\n"  # ImageD11 keeps the line's end


def grain_map_from_ubi(
    grains: Sequence[UbiGrain],
    path: Path,
    *,
    phases: Phases,
    radius: float,
    errors: GrainErrors | None = None,
    allow_partial: bool = False,
) -> GrainFile:
    """Grain map on the house's axes.

    ``phases`` and ``radius`` (um, taken for every grain) are not in the file. The completeness,
    which it does not state either, is 1 and marked as assumed.

    Raises
    ------
    InvalidValueError
        Grains have no translation: their place is unknown. With ``allow_partial`` they are left
        out and the gap is recorded.
    OrientationError
        As `split_basis`.
    """
    errors = errors or GrainErrors()
    text = (
        f"the file states no lattice, radius and completeness: {phases.name[0]}, {radius:g} um "
        "(given beside the files) and 1 are taken for every grain"
    )
    findings = [Finding("assumed", path.name, text)]
    placed = [grain for grain in grains if grain.translation is not None]
    lost = len(grains) - len(placed)
    if lost and not (allow_partial and placed):
        first = next(grain for grain in grains if grain.translation is None)
        raise InvalidValueError(
            f"{lost} of {len(grains)} grains state no translation: where they lie is unknown, "
            "which is not (0, 0, 0)",
            where=first.place,
            remedy=f"Refine their positions with ImageD11's makemap. {_PARTIAL}",
        )
    if lost:
        gap = f"{lost} of {len(grains)} grains state no translation and are left out"
        findings.append(Finding("gap", path.name, gap))
    n = len(placed)
    bases = bases_to_house(np.array([grain.ubi.T for grain in placed]), "imaged11")
    lattice, orientation = split_basis(bases, [grain.place for grain in placed])
    places = np.array([grain.translation for grain in placed], dtype=np.float64)
    grain_map = GrainMap(
        grain_id=np.array([grain.number for grain in placed]),
        position=vectors_to_house(places, "imaged11"),
        orientation=orientation,
        lattice=lattice,
        radius=np.full(n, float(radius)),
        completeness=np.ones(n),
        phase=np.zeros(n, dtype=np.int64),
        phases=phases,
        covariance=errors.covariance(n),
        error_source=errors.source,
    )
    return GrainFile(grain_map, tuple(findings))


def ubi_from_grain_map(grain_map: GrainMap) -> list[UbiGrain]:
    """The grains as ImageD11 states them."""
    turned = matrix_from_quaternion(grain_map.orientation)
    bases = bases_from_house(turned @ basis_from_lattice(grain_map.lattice), "imaged11")
    places = vectors_from_house(grain_map.position, "imaged11")
    return [
        UbiGrain(basis.T.copy(), place, (), f"grain {number}", int(number))
        for basis, place, number in zip(bases, places, grain_map.grain_id, strict=True)
    ]


def read_parameters(path: Path) -> dict[str, float | str]:
    """Parameters of a .par or .prm text: one name and one value a line, numbers as numbers.

    ``None`` and empty values are left out. Raises `EmptyFileError`.
    """
    found: dict[str, float | str] = {}
    for line in text_lines(path):
        name, _, value = line.strip().partition(" ")
        if not name or name.startswith("#") or value.strip() in ("", "None"):
            continue
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = value.strip()
    if not found:
        raise EmptyFileError(
            "the file holds no parameters", where=str(path), remedy="Save them again."
        )
    return found


def _groups(file: h5py.File) -> Iterator[tuple[str, h5py.Group]]:
    """Groups with a data set ``ubi``, at the root or one group below, with their names."""
    parents = [file, *(item for item in file.values() if hasattr(item, "keys"))]
    for parent in parents:
        for name, item in parent.items():
            if hasattr(item, "keys") and "ubi" in item:
                yield name, item


def _no_hdf5(path: Path, problem: Exception) -> FileFormatError:
    return FileFormatError(
        f"the file is no readable HDF5: {problem}",
        where=str(path),
        remedy="Copy or save it again.",
    )


def _grain(group: h5py.Group, name: str, count: int, path: Path) -> UbiGrain:
    place = f"{path}, {group.name}"
    numbers: dict[str, FloatArray] = {}
    words: list[tuple[str, str]] = []
    for key in sorted(group):
        item = group[key]
        value = item[()] if hasattr(item, "dtype") else None
        if isinstance(value, bytes):
            words.append((key, value.decode().rstrip("\n")))
        elif key in ("ubi", "translation") and value is not None:
            numbers[key] = np.asarray(value, dtype=np.float64)
    ubi, translation = numbers["ubi"], numbers.get("translation")
    if ubi.shape != (3, 3) or not (np.abs(ubi) < _ABSURD).all():
        raise InvalidValueError(
            f"ubi has the shape {ubi.shape} or holds NaN; three rows of three numbers are expected",
            where=place,
            remedy="Remove the grain or save the file again.",
        )
    if translation is not None and (
        translation.shape != (3,) or not (np.abs(translation) < _ABSURD).all()
    ):
        raise InvalidValueError(
            "translation is not three numbers",
            where=place,
            remedy="Leave it out where it is unknown.",
        )
    number = int(name) if name.isdecimal() and len(name) < 10 else count
    return UbiGrain(ubi, translation, tuple(words), place, number)


def _key(text: str) -> tuple[str, str]:
    name, _, value = text.lstrip("#").strip().partition(" ")
    return name.rstrip(":"), value.strip()


def _three(text: str, where: str, what: str) -> list[float]:
    cells = text.replace(",", " ").split()
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        numbers = []
    if len(numbers) != 3:
        raise FileFormatError(
            f"the {what} is {text!r}, three numbers are expected",
            where=where,
            remedy="Save the grains again, or correct the line.",
        )
    if not (np.abs(numbers) < _ABSURD).all():
        raise InvalidValueError(
            f"the {what} holds NaN, infinity or a number beyond {_ABSURD:g}",
            where=where,
            remedy="Remove this grain.",
        )
    return numbers


def _cut(rows: int, where: str) -> FileFormatError:
    return TruncatedFileError(
        f"a UBI has {rows} of 3 rows",
        where=where,
        remedy="The file looks cut short: copy or save it again.",
    )


def _row(numbers: FloatArray) -> str:
    return " ".join(repr(float(number)) for number in numbers)
