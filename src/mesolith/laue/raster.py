"""Which file of a state is which point of its raster, and the peaks of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from mesolith.axes import IntArray
from mesolith.errors import ContradictionError, MissingFrameError
from mesolith.records.laue_scan import (
    CURRENT_OFF,
    CURRENT_ON,
    CURRENT_UNKNOWN,
    LaueScan,
    raster_scan,
)

POINTS_A_PART = 250
_CURRENT = {"on": CURRENT_ON, "off": CURRENT_OFF, "unknown": CURRENT_UNKNOWN}


@dataclass(frozen=True, slots=True)
class Raster:
    """The raster of a state as cell.toml has it."""

    rows: int
    columns: int
    step_um: float
    current: str
    dataset: str | None

    @property
    def points(self) -> int:
        """Points of the whole raster."""
        return self.rows * self.columns

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """First row and the one behind the last of each part."""
        each = max(1, round(POINTS_A_PART / self.columns))
        return [(row, min(row + each, self.rows)) for row in range(0, self.rows, each)]


def raster_of(settings: Mapping[str, Any]) -> Raster:
    """The raster that "state.laue" tells."""
    told = settings["state.laue"]
    return Raster(**{field.name: told[field.name] for field in fields(Raster)})


def scan_of(raster: Raster, point: IntArray, *, name: str, allow_partial: bool) -> LaueScan:
    """Scan of the patterns at those places (n,) of the raster, counted from 0 row after row.

    Raises
    ------
    ContradictionError
        There are more patterns than points.
    MissingFrameError
        Points have no pattern and ``allow_partial`` is not given.
    """
    whole = raster_scan(
        rows=raster.rows,
        columns=raster.columns,
        step_um=raster.step_um,
        name=name,
        current=_CURRENT[raster.current],
    )
    if len(point) and point[-1] >= raster.points:
        raise ContradictionError(
            f"the files hold {int(point[-1]) + 1} patterns, the raster has {raster.rows} x "
            f"{raster.columns} = {raster.points} points",
            where=name,
            remedy="Correct rows and columns, or list the files of this scan alone.",
        )
    missing = np.setdiff1d(whole.pattern, point)
    if len(missing) and not allow_partial:
        row, column = divmod(int(missing[0]), raster.columns)
        raise MissingFrameError(
            f"{len(missing)} of {raster.points} points of the raster have no pattern; the first "
            f"is row {row}, column {column} (pattern {missing[0]} counted from 0)",
            where=name,
            remedy="Copy the missing files, or correct rows and columns. --allow-partial goes on; "
            "the gap is recorded.",
        )
    if not len(missing):
        return whole
    rows = ("pattern", "row", "column", "x", "y", "time", "current")
    return LaueScan(
        name=name,
        raster_rows=raster.rows,
        raster_columns=raster.columns,
        **{field: getattr(whole, field)[point] for field in rows},
    )


def rows_of_scan(scan: LaueScan, first: int, end: int) -> Iterator[int]:
    """Patterns of the rows from ``first`` to before ``end``, in order."""
    inside = (scan.row >= first) & (scan.row < end)
    yield from scan.pattern[inside].tolist()
