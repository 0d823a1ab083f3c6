"""Table of a virtual cell's true grains, one CSV file a state."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from mesolith.errors import EmptyFileError, FileFormatError, MissingColumnError
from mesolith.records.truth import TrueGrains

_COLUMNS = (
    "grain_id",
    "x_um",
    "y_um",
    "z_um",
    "radius_um",
    "stress_hydrostatic_mpa",
    "stress_von_mises_mpa",
    "found_id",
)


def truth_file(folder: Path, state: str) -> Path:
    """Where a virtual cell keeps the true grains of the state of that name."""
    return folder / f"grains_{state}.csv"


def read_truth(path: Path) -> TrueGrains:
    """True grains from a table with the columns of `_COLUMNS` in any order.

    Raises ``EmptyFileError``, ``MissingColumnError`` or ``FileFormatError`` with the line.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    if len(rows) < 2:
        raise EmptyFileError("holds no grains", where=str(path))
    missing = [name for name in _COLUMNS if name not in rows[0]]
    if missing:
        raise MissingColumnError(
            f"lacks {', '.join(missing)}",
            where=str(path),
            remedy=f"A table of true grains has {', '.join(_COLUMNS)}.",
        )
    place = [rows[0].index(name) for name in _COLUMNS]
    values = np.empty((len(rows) - 1, len(_COLUMNS)))
    for k, row in enumerate(rows[1:]):
        try:
            values[k] = [float(row[p]) for p in place]
        except (ValueError, IndexError):
            raise FileFormatError(
                f"cannot be read as numbers: {','.join(row)!r}", where=f"{path}:{k + 2}"
            ) from None
    return TrueGrains(
        grain_id=values[:, 0].astype(np.int64),
        found_id=values[:, 7].astype(np.int64),
        position=values[:, 1:4].copy(),
        radius=values[:, 4].copy(),
        stress_hydrostatic=values[:, 5].copy(),
        stress_von_mises=values[:, 6].copy(),
    )
