"""Grain lists of HEXRD (grains.out): read, written, and as a grain map.

HEXRD's sample axes: beam along -z, rotation about +y, mm. exp_map_c is the rotation crystal to
sample as axis times angle; V_s the left stretch on sample axes, so that the lattice vectors are
V R A0 (crystal axes x along a, z along c*). The off-diagonals of inv(V_s) stand in the file times
sqrt(2), those of ln(V_s) do not; the order of both is 11 22 33 23 13 12.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesolith.axes import (
    MANDEL,
    FloatArray,
    IntArray,
    bases_from_house,
    bases_to_house,
    six_from_tensor,
    tensor_from_six,
    vectors_from_house,
    vectors_to_house,
)
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.errors import (
    ContradictionError,
    DuplicateError,
    EmptyFileError,
    FileFormatError,
    InvalidValueError,
    TruncatedFileError,
)
from mesolith.io.finding import Finding
from mesolith.io.grain_file import GrainErrors, GrainFile, split_basis
from mesolith.io.numbers import text_lines
from mesolith.numerics.rotations import (
    matrix_from_quaternion,
    quaternion_from_matrix,
    quaternion_from_rotation_vector,
    rotation_vector_from_quaternion,
)
from mesolith.records.grains import GrainMap, Phases

WIDTH = 21
_MM = 1000.0
_ABSURD = 1e12
_LARGEST_STRETCH = 0.2
_AGREEMENT = 1e-4  # of ln V and inv V in one row; a factor sqrt(2) on a strain of 5e-4 is more
_HEADER = (
    *("grain ID", "completeness", "chi^2"),
    *(f"exp_map_c[{k}]" for k in range(3)),
    *(f"t_vec_c[{k}]" for k in range(3)),
    *("inv(V_s)[0,0]", "inv(V_s)[1,1]", "inv(V_s)[2,2]"),
    *("inv(V_s)[1,2]*sqrt(2)", "inv(V_s)[0,2]*sqrt(2)", "inv(V_s)[0,1]*sqrt(2)"),
    *("ln(V_s)[0,0]", "ln(V_s)[1,1]", "ln(V_s)[2,2]"),
    *("ln(V_s)[1,2]", "ln(V_s)[0,2]", "ln(V_s)[0,1]"),
)


@dataclass(frozen=True, slots=True)
class HexrdGrains:
    """The numbers of a grains.out as they stand there, on HEXRD's axes.

    ``exponential_map`` rad and ``translation`` mm, shape (n, 3); ``inverse_stretch`` six numbers
    with sqrt(2) on the last three, ``log_stretch`` six without, shape (n, 6); ``line`` the line
    each row stands on.
    """

    grain_id: IntArray
    completeness: FloatArray
    chi_square: FloatArray
    exponential_map: FloatArray
    translation: FloatArray
    inverse_stretch: FloatArray
    log_stretch: FloatArray
    line: IntArray


def read_hexrd(path: Path) -> HexrdGrains:
    """Numbers of a grains.out.

    Raises
    ------
    EmptyFileError, FileFormatError, TruncatedFileError, InvalidValueError, DuplicateError
        Each with file, line and remedy.
    ContradictionError
        inv(V_s) and ln(V_s) of a row are not those of one stretch.
    """
    lines = text_lines(path)
    where = str(path)
    if not any(line.strip() for line in lines):
        raise EmptyFileError("the file is empty", where=where, remedy="Export the grains again.")
    body = [
        (number, line.split())
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not body:
        raise EmptyFileError(
            "the file lists no grains",
            where=where,
            remedy="Nothing was indexed or exported: leave this state's grains out of cell.toml, "
            "or fit the grains again.",
        )
    table = _table(body, path)
    ids = table[:, 0]
    line = np.array([number for number, _ in body], dtype=np.int64)
    if np.any(ids != np.round(ids)):
        first = int(np.argmax(ids != np.round(ids)))
        raise FileFormatError(
            f"grain ID {ids[first]} is no integer",
            where=f"{path}, line {line[first]}",
            remedy="Export the grains again with HEXRD's fit-grains.",
        )
    _, counts = np.unique(ids, return_counts=True)
    if np.any(counts > 1):
        raise DuplicateError(
            f"{int((counts > 1).sum())} grain ids occur more than once",
            where=where,
            remedy="Several scans in one file need ids of their own: renumber them.",
        )
    grains = HexrdGrains(
        grain_id=ids.astype(np.int64),
        completeness=table[:, 1],
        chi_square=table[:, 2],
        exponential_map=table[:, 3:6],
        translation=table[:, 6:9],
        inverse_stretch=table[:, 9:15],
        log_stretch=table[:, 15:21],
        line=line,
    )
    _check(grains, path)
    return grains


def head_of_hexrd(path: Path) -> int:
    """Number of grains, without reading their numbers."""
    return sum(1 for line in text_lines(path) if line.strip() and not line.lstrip().startswith("#"))


def write_hexrd(path: Path, grains: HexrdGrains) -> None:
    """Write a grains.out as HEXRD does; reading it gives the same numbers to the last bit."""
    heads = [f"{name:<14s}" for name in _HEADER[1:3]] + [f"{name:<25s}" for name in _HEADER[3:]]
    lines = [f"# {_HEADER[0]:<12s}" + "".join(heads)]
    for k in range(len(grains.grain_id)):
        numbers = (
            *grains.exponential_map[k],
            *grains.translation[k],
            *grains.inverse_stretch[k],
            *grains.log_stretch[k],
        )
        # HEXRD prints six decimals here; more are kept where the number has them
        share = f"{grains.completeness[k]:f}"
        if float(share) != grains.completeness[k]:
            share = repr(float(grains.completeness[k]))
        chi = f"{grains.chi_square[k]:e}"
        if float(chi) != grains.chi_square[k]:
            chi = repr(float(grains.chi_square[k]))
        row = f"{int(grains.grain_id[k]):<14d}{f'{share} ':<14s}{f'{chi} ':<14s}"
        lines.append(row + "".join(f"{f'{value:.16e}':<25s}" for value in numbers))
    path.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


def grain_map_from_hexrd(
    grains: HexrdGrains,
    path: Path,
    *,
    phases: Phases,
    radius: float,
    errors: GrainErrors | None = None,
) -> GrainFile:
    """Grain map on the house's axes of what `read_hexrd` found in ``path``.

    The file names neither its material nor the size of its grains: ``phases`` holds the lattice
    that inv(V_s) refers to, ``radius`` (um) is taken for every grain.

    Raises
    ------
    InvalidValueError, OrientationError
        As `split_basis`.
    """
    errors = errors or GrainErrors()
    n = len(grains.grain_id)
    stretch = np.linalg.inv(tensor_from_six(grains.inverse_stretch / MANDEL))
    turn = matrix_from_quaternion(quaternion_from_rotation_vector(grains.exponential_map))
    bases = bases_to_house(stretch @ turn @ basis_from_lattice(phases.lattice[0]), "hexrd")
    lattice, orientation = split_basis(bases, [f"{path}, line {line}" for line in grains.line])
    findings = (
        Finding(
            "assumed",
            path.name,
            f"the file states neither lattice nor radius: {_words(phases)} and {radius:g} um "
            "for every grain are those given beside the files",
        ),
    )
    grain_map = GrainMap(
        grain_id=grains.grain_id,
        position=vectors_to_house(_MM * grains.translation, "hexrd"),
        orientation=orientation,
        lattice=lattice,
        radius=np.full(n, float(radius)),
        completeness=grains.completeness,
        phase=np.zeros(n, dtype=np.int64),
        phases=phases,
        covariance=errors.covariance(n),
        error_source=errors.source,
    )
    return GrainFile(grain_map, findings)


def hexrd_from_grain_map(grain_map: GrainMap, *, phase: int = 0) -> HexrdGrains:
    """The grains of one phase as HEXRD states them; chi^2, which a grain map lacks, is 0."""
    chosen = np.flatnonzero(grain_map.phase == phase)
    reference = basis_from_lattice(grain_map.phases.lattice[phase])
    turned = matrix_from_quaternion(grain_map.orientation[chosen])
    bases = turned @ basis_from_lattice(grain_map.lattice[chosen])
    gradient = bases_from_house(bases, "hexrd") @ np.linalg.inv(reference)
    # F = V R, polar: the singular values are the stretches
    left, stretches, right = np.linalg.svd(gradient)
    rotation = left @ right

    def with_eigenvalues(values: FloatArray) -> FloatArray:
        return six_from_tensor((left * values[:, None, :]) @ left.swapaxes(1, 2))

    return HexrdGrains(
        grain_id=grain_map.grain_id[chosen],
        completeness=grain_map.completeness[chosen],
        chi_square=np.zeros(len(chosen)),
        exponential_map=rotation_vector_from_quaternion(quaternion_from_matrix(rotation)),
        translation=vectors_from_house(grain_map.position[chosen], "hexrd") / _MM,
        inverse_stretch=with_eigenvalues(1.0 / stretches) * MANDEL,
        log_stretch=with_eigenvalues(np.log(stretches)),
        line=np.arange(2, 2 + len(chosen)),
    )


def _table(body: list[tuple[int, list[str]]], path: Path) -> FloatArray:
    table = np.empty((len(body), WIDTH))
    for row, (number, cells) in enumerate(body):
        if len(cells) != WIDTH:
            last = row == len(body) - 1 and len(cells) < WIDTH
            kind = TruncatedFileError if last else FileFormatError
            raise kind(
                f"the row has {len(cells)} of {WIDTH} numbers"
                + ("; it is the last one: the file looks cut short" if last else ""),
                where=f"{path}, line {number}",
                remedy="Copy or export the file again.",
            )
        for place, cell in enumerate(cells):
            try:
                table[row, place] = float(cell)
            except ValueError:
                raise FileFormatError(
                    f"column {_HEADER[place]} holds {cell!r}, not a number",
                    where=f"{path}, line {number}",
                    remedy="Restore the value, or remove the row.",
                ) from None
    bad = np.asarray(~(np.abs(table) < _ABSURD).all(axis=1))
    if bad.any():
        raise InvalidValueError(
            f"{int(bad.sum())} of {len(bad)} grains hold NaN, infinity or a number beyond "
            f"{_ABSURD:g}",
            where=f"{path}, line {body[int(np.argmax(bad))][0]}",
            remedy="Remove these grains or fit them again.",
        )
    return table


def _check(grains: HexrdGrains, path: Path) -> None:
    share = grains.completeness
    wrong = (share < 0.0) | (share > 1.0 + 1e-6)
    if wrong.any():
        first = int(np.argmax(wrong))
        raise InvalidValueError(
            f"the completeness {share[first]:g} is not between 0 and 1",
            where=f"{path}, line {grains.line[first]}",
            remedy="A share of found reflections is expected: check the columns.",
        )
    inverse = tensor_from_six(grains.inverse_stretch / MANDEL)
    values, vectors = np.linalg.eigh(inverse)
    odd = (np.abs(values - 1.0) > _LARGEST_STRETCH).any(axis=1)
    if odd.any():
        first = int(np.argmax(odd))
        raise InvalidValueError(
            f"inv(V_s) stretches by {values[first].min():.4g} to {values[first].max():.4g}",
            where=f"{path}, line {grains.line[first]}",
            remedy="A stretch near 1 is expected: check the columns and the fit.",
        )
    log = (vectors * -np.log(values)[:, None, :]) @ vectors.swapaxes(1, 2)
    off = np.abs(six_from_tensor(log) - grains.log_stretch).max(axis=1)
    size = np.abs(grains.log_stretch).max(axis=1)
    wrong = off > np.maximum(1e-9, _AGREEMENT * size)
    if wrong.any():
        first = int(np.argmax(wrong))
        raise ContradictionError(
            f"inv(V_s) and ln(V_s) of {int(wrong.sum())} of {len(wrong)} grains are not those of "
            f"one stretch (off by {off[first]:.2g})",
            where=f"{path}, line {grains.line[first]}",
            remedy="The off-diagonals of inv(V_s) stand in the file times sqrt(2), those of "
            "ln(V_s) do not; export the grains again from HEXRD.",
        )


def _words(phases: Phases) -> str:
    a, b, c = (f"{length:g}" for length in phases.lattice[0, :3])
    return f"the lattice {a} {b} {c} angstrom of {phases.name[0]}"
