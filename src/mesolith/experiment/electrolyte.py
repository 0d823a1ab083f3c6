"""The electrolyte of a cell.toml: a material that is known, a stiffness that is stable."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from mesolith.errors import UnitError
from mesolith.experiment.mistakes import Book, did_you_mean
from mesolith.experiment.places import KeyPath

CIF_SUFFIX = ".cif"
MATERIAL_KEYS = ("material", "second_phase")


def is_cif(material: str) -> bool:
    """Whether a material is meant as a file, not as a name of the library."""
    return material.lower().endswith(CIF_SUFFIX)


def check_material(material: str, folder: Path, path: KeyPath, book: Book) -> None:
    """Note a material that is neither in the library nor a CIF file that exists."""
    key = str(path[-1])
    if is_cif(material):
        if not (folder / material).is_file():
            book.value(
                path,
                f"{key}: the file {material} does not exist",
                f"The path is taken from {folder}.",
            )
        return
    from mesolith.materials.loader import library_names

    names = library_names()
    if material not in names:
        book.value(
            path,
            f"{key} = {material!r} is not in the library",
            did_you_mean(material, names, listing="It holds") + " A CIF file ends in .cif.",
        )


def check_stiffness(value: tuple[Any, ...], path: KeyPath, book: Book) -> None:
    """Note what makes a stiffness no stiffness: its form, its symmetry, its stability."""
    key = str(path[-1])
    rows = [list(row) if isinstance(row, tuple) else row for row in value]
    flat = [item for row in rows for item in (row if isinstance(row, list) else [row])]
    if any(isinstance(item, bool) or not isinstance(item, int | float) for item in flat):
        book.value(path, f"{key} must hold numbers only")
        return
    if len(rows) == 3 and not any(isinstance(row, list) for row in rows):
        c11, c12, c44 = flat
        if not (c44 > 0 and c11 > abs(c12) and c11 + 2 * c12 > 0):
            book.value(
                path,
                f"{key} = [{c11:g}, {c12:g}, {c44:g}] is no stable cubic crystal "
                "(c44 > 0, c11 > |c12|, c11 + 2 c12 > 0)",
                "The order is c11, c12, c44.",
            )
            return
        largest = c11
    elif len(rows) == 6 and all(isinstance(row, list) and len(row) == 6 for row in rows):
        if any(abs(rows[i][j] - rows[j][i]) > 1e-6 for i in range(6) for j in range(i)):
            book.value(path, f"{key} is not symmetric")
            return
        if not _positive_definite(rows):
            book.value(path, f"{key} is not positive definite: the crystal would be unstable")
            return
        largest = max(flat)
    else:
        book.value(
            path,
            f"{key} must be [c11, c12, c44] or six rows of six numbers",
        )
        return
    if not 1.0 <= largest <= 2_000.0:
        book.value(
            path,
            f"{key}: the largest entry is {largest:g} GPa, outside 1 to 2000 GPa",
            "Is it in GPa?",
            UnitError,
        )


def _positive_definite(rows: list[list[float]]) -> bool:
    """Whether a Cholesky factor exists."""
    factor = [[0.0] * 6 for _ in range(6)]
    for i in range(6):
        for j in range(i + 1):
            rest = rows[i][j] - sum(factor[i][k] * factor[j][k] for k in range(j))
            if i == j:
                if rest <= 0:
                    return False
                factor[i][i] = math.sqrt(rest)
            else:
                factor[i][j] = rest / factor[j][j]
    return True
