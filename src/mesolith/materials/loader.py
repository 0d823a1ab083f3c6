"""Materials: from the library by name, or from a user's CIF and stiffness."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gemmi
import numpy as np

from mesolith.axes import FloatArray
from mesolith.crystal.elasticity import check_stiffness, cubic_stiffness
from mesolith.errors import FileFormatError, InputError, InvalidValueError
from mesolith.units import to_internal

_LIBRARY = Path(__file__).parent / "library"

_OWN_STIFFNESS = "Stiffness: electrolyte.stiffness_gpa"


@dataclass(frozen=True, slots=True)
class Material:
    """A crystalline material.

    ``lattice`` is a b c (angstrom), alpha beta gamma (rad); ``stiffness`` 6x6 Voigt in MPa on
    crystal axes, or None where nobody gave one; ``references`` are what to cite.
    """

    name: str
    formula: str
    space_group: int
    lattice: FloatArray
    stiffness: FloatArray | None
    references: tuple[str, ...]
    cif: Path


def library_names() -> tuple[str, ...]:
    """Names that `load_material` knows, sorted."""
    return tuple(sorted(path.stem for path in _LIBRARY.glob("*.toml")))


def library_files(name: str) -> tuple[Path, Path]:
    """The two files that say all about a library material: its constants and its CIF."""
    _, path = _library_entry(name)
    return _LIBRARY / f"{name}.toml", path


def load_material(
    name: str | Path, *, stiffness_gpa: Sequence[float] | Sequence[Sequence[float]] | None = None
) -> Material:
    """Material from the library, or from a CIF file.

    Parameters
    ----------
    name
        A library name such as "LLZTO-I-43d", or the path of a CIF file (anything that ends in
        ".cif").
    stiffness_gpa
        c11, c12, c44 of a cubic crystal, or six rows of six numbers (Voigt 11 22 33 23 13 12,
        crystal axes), in GPa; takes the place of the library's.

    Raises
    ------
    InputError
        No such name (the nearest is told) or file.
    FileFormatError
        The CIF has no lattice or space group, or one in a setting that is not the standard one.
    InvalidValueError
        The stiffness is not finite, symmetric and positive definite.
    """
    if str(name).lower().endswith(".cif"):
        path = Path(name)
        if not path.is_file():
            raise InputError("no such CIF file", where=str(path))
        entry: dict[str, object] = {}
    else:
        entry, path = _library_entry(str(name))
    formula, space_group, lattice = _read_cif(path)
    constants = stiffness_gpa if stiffness_gpa is not None else entry.get("stiffness_gpa")
    return Material(
        name=str(entry.get("name", path.stem)),
        formula=str(entry.get("formula", formula)),
        space_group=space_group,
        lattice=lattice,
        stiffness=None if constants is None else _stiffness(constants, space_group),
        references=_references(entry, own_stiffness=stiffness_gpa is not None),
        cif=path,
    )


def _library_entry(name: str) -> tuple[dict[str, object], Path]:
    path = _LIBRARY / f"{name}.toml"
    if name not in library_names():
        near = difflib.get_close_matches(name, library_names(), n=1, cutoff=0.4)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise InputError(
            f"no material is called {name!r}",
            remedy=f"{hint}Known: {', '.join(library_names())}; or give the path of a CIF file.",
        )
    entry = tomllib.loads(path.read_text(encoding="utf-8"))
    return entry, _LIBRARY / str(entry["cif"])


def _references(entry: dict[str, object], *, own_stiffness: bool) -> tuple[str, ...]:
    """What to cite; the library's source of a stiffness only where that stiffness is taken."""
    found = tuple(str(text) for text in _list(entry.get("references")))
    if own_stiffness:
        found = (*(text for text in found if not text.startswith("Stiffness")), _OWN_STIFFNESS)
    return found


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []


def _read_cif(path: Path) -> tuple[str, int, FloatArray]:
    where = str(path)
    try:
        block = gemmi.cif.read(str(path)).sole_block()
    except (ValueError, RuntimeError, OSError) as error:
        raise FileFormatError(
            f"cannot be read as a CIF: {error}", where=where, remedy="It must hold one data block."
        ) from error
    structure = gemmi.make_small_structure_from_block(block)
    cell = structure.cell
    if not cell.is_crystal():
        raise FileFormatError("has no unit cell (_cell_length_a ...)", where=where)
    group: gemmi.SpaceGroup | None = structure.spacegroup
    if group is None:
        number = block.find_value("_space_group_IT_number") or block.find_value(
            "_symmetry_Int_Tables_number"
        )
        known = number is not None and number.isdigit()
        group = gemmi.find_spacegroup_by_number(int(number)) if known else None
    if group is None:
        raise FileFormatError(
            "names no space group", where=where, remedy="Add _space_group_IT_number."
        )
    standard = gemmi.find_spacegroup_by_number(group.number)
    if _rotations(group) != _rotations(standard):
        raise FileFormatError(
            f"space group {group.xhm()} is in another setting than {standard.xhm()}",
            where=where,
            remedy="Transform the cell to the standard setting.",
        )
    angles = np.radians([cell.alpha, cell.beta, cell.gamma])
    formula = (block.find_value("_chemical_formula_sum") or "").strip("'\" ")
    return formula, int(group.number), np.array([cell.a, cell.b, cell.c, *angles])


def _rotations(group: gemmi.SpaceGroup) -> set[tuple[tuple[int, ...], ...]]:
    return {tuple(tuple(row) for row in op.rot) for op in group.operations().sym_ops}


def _stiffness(constants: object, space_group: int) -> FloatArray:
    try:
        values = np.asarray(constants, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape == (3,):
        if not 195 <= space_group <= 230:
            raise InvalidValueError(
                f"three elastic constants do not describe space group {space_group}",
                remedy="Only cubic crystals have three; give six rows of six numbers.",
            )
        values = cubic_stiffness(*(float(value) for value in values))
    check_stiffness(values)
    return to_internal(values, "GPa")
