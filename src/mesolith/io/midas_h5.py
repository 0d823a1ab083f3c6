"""Grain maps of MIDAS' consolidated HDF5: read by content, as its names are wrong; written.

grains/summary has the 47 columns of Grains.csv in that order; the attribute column_names of some
versions lists another order, and the named data sets below grains/grain_* were filled by those
wrong names. The order is therefore the one that the content allows. Units as in Grains.csv.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import (
    ContradictionError,
    DuplicateError,
    EmptyFileError,
    FileFormatError,
    InvalidValueError,
    MissingColumnError,
    OrientationError,
)
from mesolith.io.finding import Finding
from mesolith.io.grain_file import GrainErrors, GrainFile, one_phase
from mesolith.io.midas_header import check_lattice_units
from mesolith.io.midas_strain import check_strain_columns
from mesolith.io.midas_write import COLUMNS, midas_table
from mesolith.numerics.rotations import quaternion_from_matrix
from mesolith.records.grains import GrainMap, Phases

SUMMARY = "grains/summary"
_ALIASES = {"Radius": "GrainRadius", "Completeness": "Confidence"}
_ORIENTATION = tuple(f"O{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3))
_LATTICE = ("a", "b", "c", "alpha", "beta", "gamma")
_FABLE, _KENESEI = (
    tuple(f"{kind}{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3)) for kind in ("eFab", "eKen")
)
_ROUNDING = 1e-3
_SYMMETRY = 2e-3  # of the largest strain component: six decimals are far finer
_ABSURD = 1e12
_DEGREE = math.pi / 180.0


def read_midas_h5(
    path: Path,
    *,
    errors: GrainErrors | None = None,
    check_strain: bool = True,
    phases: Phases | None = None,
    allow_partial: bool = False,
) -> GrainFile:
    """Grains of a consolidated HDF5.

    Parameters
    ----------
    phases
        Where the file states no space group and lattice, or wrong ones.
    check_strain
        Compare the strain columns with the lattice (see `check_strain_columns`).
    allow_partial
        Leave out grains that hold NaN, and say so in a "gap".

    Raises
    ------
    EmptyFileError, FileFormatError, MissingColumnError, InvalidValueError, DuplicateError,
    UnitError, OrientationError
        Each with data set and remedy.
    ContradictionError
        No order of columns fits the content.
    """
    table, names, stated = _contents(path)
    phases = phases or stated
    place = f"{path}, /{SUMMARY}"
    if phases is None:
        raise MissingColumnError(
            "the file states no space group and lattice (/parameters)",
            where=str(path),
            remedy="Say space_group and lattice beside the files in cell.toml.",
        )
    findings: list[Finding] = []
    table = _without_nan(table, place, path, allow_partial, findings)
    order = _order(table, names, place, path, findings)
    columns = dict(zip(order, table.T, strict=True))

    def stack(wanted: Sequence[str]) -> FloatArray:
        return np.stack([columns[name] for name in wanted], axis=1)

    ids = columns["GrainID"].astype(np.int64)
    unique, counts = np.unique(ids, return_counts=True)
    if np.any(counts > 1):
        raise DuplicateError(
            f"grain ids occur more than once: {unique[counts > 1][:5].tolist()}",
            where=place,
            remedy="Several layers in one file need ids of their own: renumber them.",
        )
    lattice = stack(_LATTICE)
    phase = columns["PhaseNr"].astype(np.int64) - 1
    if np.any((phase < 0) | (phase >= len(phases.name))):
        raise ContradictionError(
            f"PhaseNr {int(phase.max()) + 1} where {len(phases.name)} phase is known",
            where=place,
            remedy="Export each phase to a file of its own.",
        )
    check_lattice_units(lattice, phases.lattice[phase], place)
    lattice[:, 3:] *= _DEGREE
    matrices = stack(_ORIENTATION).reshape(-1, 3, 3)
    if np.any(np.linalg.det(matrices) < 0.0):
        raise OrientationError(
            "orientation matrices are left-handed",
            where=f"{place}, row {int(np.argmin(np.linalg.det(matrices)))}",
            remedy="An axis is mirrored: check the detector's and the sample's axes in the "
            "reduction.",
        )
    orientation = quaternion_from_matrix(matrices, tolerance=_ROUNDING)
    if check_strain:
        strains = np.stack([stack(_FABLE), stack(_KENESEI)], axis=1).reshape(-1, 2, 3, 3)
        findings += check_strain_columns(strains, lattice, phases.lattice[phase], matrices, path)
    errors = errors or GrainErrors()
    grain_map = GrainMap(
        grain_id=ids,
        position=stack(("X", "Y", "Z")),
        orientation=orientation,
        lattice=lattice,
        radius=columns["GrainRadius"],
        completeness=columns["Confidence"],
        phase=phase,
        phases=phases,
        covariance=errors.covariance(len(ids)),
        error_source=errors.source,
    )
    return GrainFile(grain_map, tuple(findings))


def head_of_midas_h5(path: Path) -> tuple[int, Phases | None]:
    """Number of grains, and the phase that the file states."""
    table, _, phases = _contents(path)
    return len(table), phases


def write_midas_h5(path: Path, grain_map: GrainMap) -> None:
    """Write the grains of one phase as grains/summary, under right names.

    The columns are those of `write_midas` in full precision. Reading gives the same position,
    radius and completeness to the last bit, angles and orientation to round-off.
    """
    import h5py

    if len(grain_map.phases.name) != 1:
        raise InvalidValueError(
            f"the map has {len(grain_map.phases.name)} phases, the format states one",
            where=str(path),
            remedy="Write each phase to a file of its own.",
        )
    with h5py.File(path, "w") as file:
        grains = file.create_group("grains")
        grains["summary"] = midas_table(grain_map)
        grains.attrs["column_names"] = np.array(COLUMNS, dtype="S")
        lattice = grain_map.phases.lattice[0].copy()
        lattice[3:] /= _DEGREE
        file["parameters/SpaceGroup"] = float(grain_map.phases.space_group[0])
        file["parameters/LatticeParameter"] = lattice


def _contents(path: Path) -> tuple[FloatArray, tuple[str, ...], Phases | None]:
    """The table of grains, the names it claims, and the phase that /parameters states."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if SUMMARY not in file:
                raise FileFormatError(
                    f"no data set /{SUMMARY}",
                    where=str(path),
                    remedy="Give MIDAS' consolidated_Output.h5, or its Grains.csv.",
                )
            table = np.array(file[SUMMARY], dtype=np.float64)
            claimed = file["grains"].attrs.get("column_names", ())
            names = tuple(n.decode() if isinstance(n, bytes) else str(n) for n in claimed)
            phases = None
            if "parameters/SpaceGroup" in file and "parameters/LatticeParameter" in file:
                group = int(np.ravel(file["parameters/SpaceGroup"][()])[0])
                lattice = np.array(file["parameters/LatticeParameter"], dtype=np.float64)
                if lattice.shape == (6,) and 1 <= group <= 230:
                    check_lattice_units(lattice[None], None, f"{path}, /parameters")
                    lattice[3:] *= _DEGREE
                    phases = one_phase(group, lattice)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as problem:
        raise FileFormatError(
            f"the file is no readable HDF5: {problem}",
            where=str(path),
            remedy="Copy or export it again.",
        ) from None
    if table.size == 0:
        raise EmptyFileError(
            "the file lists no grains",
            where=f"{path}, /{SUMMARY}",
            remedy="Nothing was indexed: leave this state's grains out of cell.toml.",
        )
    if table.ndim != 2 or table.shape[1] != len(COLUMNS):
        raise FileFormatError(
            f"the table has the shape {table.shape}, {len(COLUMNS)} columns are expected",
            where=f"{path}, /{SUMMARY}",
            remedy="Give MIDAS' Grains.csv of the same run, which names its columns.",
        )
    return table, names, phases


def _without_nan(
    table: FloatArray, place: str, path: Path, allow_partial: bool, findings: list[Finding]
) -> FloatArray:
    bad = np.asarray(~(np.abs(table) < _ABSURD).all(axis=1))
    if not bad.any():
        return table
    problem = (
        f"{int(bad.sum())} of {len(bad)} grains hold NaN, infinity or a number beyond {_ABSURD:g}"
    )
    if not allow_partial or bad.all():
        raise InvalidValueError(
            problem,
            where=f"{place}, row {int(np.argmax(bad))}",
            remedy="Remove or refit these grains. Use --allow-partial to go on without them; the "
            "gap is recorded.",
        )
    findings.append(Finding("gap", path.name, f"{problem} and are left out"))
    return table[~bad]


def _order(
    table: FloatArray, names: tuple[str, ...], place: str, path: Path, findings: list[Finding]
) -> tuple[str, ...]:
    """The order of columns that the content allows: that of Grains.csv, or the claimed one."""
    claimed = tuple(_ALIASES.get(name, name) for name in names)
    known = set(COLUMNS) <= set(claimed)
    against = _contradictions(table, COLUMNS)
    if not against:
        if claimed and claimed != COLUMNS:
            wrong = _contradictions(table, claimed) if len(claimed) == table.shape[1] else []
            why = f" ({', '.join(wrong)})" if wrong else ""
            text = (
                f"its column names contradict the content{why}: read in the order of Grains.csv; "
                "the data sets under grains/grain_* were named the same way and are not used"
            )
            findings.append(Finding("note", path.name, text))
        return COLUMNS
    if known and len(claimed) == table.shape[1] and not _contradictions(table, claimed):
        return claimed
    raise ContradictionError(
        f"no known order of columns fits the content: in that of Grains.csv {', '.join(against)}",
        where=place,
        remedy="Give MIDAS' Grains.csv of the same run, which names its columns.",
    )


def _contradictions(table: FloatArray, order: tuple[str, ...]) -> list[str]:
    """What the content says against an order of columns, in words; empty where nothing does."""
    columns = dict(zip(order, table.T, strict=True))
    found = []

    def three_by_three(wanted: tuple[str, ...]) -> FloatArray | None:
        if not set(wanted) <= set(columns):
            return None
        return np.stack([columns[name] for name in wanted], axis=1).reshape(-1, 3, 3)

    matrices = three_by_three(_ORIENTATION)
    if matrices is not None:
        defect = np.abs(matrices @ matrices.swapaxes(1, 2) - np.eye(3)).max()
        if defect > _ROUNDING:
            found.append("the orientations are not orthogonal")
    for kind, wanted in (("eFab", _FABLE), ("eKen", _KENESEI)):
        strain = three_by_three(wanted)
        if strain is None:
            continue
        if np.abs(strain - strain.swapaxes(1, 2)).max() > _SYMMETRY * max(
            np.abs(strain).max(), 1.0
        ):
            found.append(f"{kind} is not symmetric")
    share = columns.get("Confidence")
    if share is not None and (share.min() < 0.0 or share.max() > 1.0 + 1e-6):
        found.append("the confidence is not between 0 and 1")
    ids = columns.get("GrainID")
    if ids is not None and np.any(ids != np.round(ids)):
        found.append("a grain's id is no integer")
    number = columns.get("PhaseNr")
    if number is not None and np.any((number < 1) | (number != np.round(number))):
        found.append("the phase is no number from 1")
    radius = columns.get("GrainRadius")
    if radius is not None and radius.min() <= 0.0:
        found.append("a radius is not positive")
    return found
