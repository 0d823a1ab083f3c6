"""A raster of white-beam patterns: where each was taken, when, and whether current flowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import DuplicateError, InvalidValueError
from mesolith.records.field import Record, quantity

CURRENT_OFF, CURRENT_ON, CURRENT_UNKNOWN = 0, 1, -1


@dataclass(frozen=True, slots=True)
class LaueScan(Record):
    """Points of one scan of a surface, one row each, in ascending order of row, then column.

    ``x`` and ``y`` are where the beam meets the surface, on its axes: X in the surface along the
    beam's projection, Z out of it, Y completes. ``row`` and ``column`` number the raster from 0;
    a place of the raster that has no point was not recorded. ``pattern`` is the number that the
    peaks of the point carry. ``time`` is in seconds of the cell's clock, NaN where unknown.
    ``current`` is 1 where current flowed while the pattern was taken, 0 where none did, -1 where
    nobody recorded it.
    """

    plot: ClassVar[tuple[str, str] | None] = ("time", "pattern")

    name: str = quantity("scan", dtype="str")
    raster_rows: int = quantity("rows of the raster", dtype="int64")
    raster_columns: int = quantity("columns of the raster", dtype="int64")
    pattern: IntArray = quantity("pattern", shape=("point",), dtype="int64")
    row: IntArray = quantity("row of the raster", shape=("point",), dtype="int64")
    column: IntArray = quantity("column of the raster", shape=("point",), dtype="int64")
    x: FloatArray = quantity("place along the surface's X", unit="um", shape=("point",))
    y: FloatArray = quantity("place along the surface's Y", unit="um", shape=("point",))
    time: FloatArray = quantity("time", unit="s", shape=("point",))
    current: IntArray = quantity("current on (1), off (0)", shape=("point",), dtype="int64")

    def _check(self) -> None:
        if not (np.all(np.isfinite(self.x)) and np.all(np.isfinite(self.y))):
            raise InvalidValueError(f"scan {self.name} has a point without a place")
        outside = (self.row < 0) | (self.row >= self.raster_rows)
        outside |= (self.column < 0) | (self.column >= self.raster_columns)
        if np.any(outside):
            at = int(np.flatnonzero(outside)[0])
            raise InvalidValueError(
                f"scan {self.name}: point {at} has row {self.row[at]}, column {self.column[at]}; "
                f"the raster has {self.raster_rows} rows and {self.raster_columns} columns",
                remedy="Give the raster its true size.",
            )
        step = np.diff(self.row * self.raster_columns + self.column)
        if np.any(step == 0):
            at = int(np.flatnonzero(step == 0)[0])
            raise DuplicateError(
                f"scan {self.name}: row {self.row[at]}, column {self.column[at]} has two points",
                remedy="Keep the point that counts.",
            )
        if np.any(step < 0):
            raise InvalidValueError(f"scan {self.name}: points are not ordered by row and column")
        if np.any(~np.isin(self.current, (CURRENT_OFF, CURRENT_ON, CURRENT_UNKNOWN))):
            raise InvalidValueError(f"scan {self.name}: current is 1, 0, or -1 where unknown")

    @property
    def grid(self) -> IntArray:
        """Row of this record for each place of the raster (rows, columns), -1 where none is."""
        grid = np.full((self.raster_rows, self.raster_columns), -1, dtype=np.int64)
        grid[self.row, self.column] = np.arange(len(self))
        return grid

    @property
    def recorded(self) -> NDArray[np.bool_]:
        """Which places of the raster (rows, columns) have a point."""
        return self.grid >= 0

    @property
    def pitch(self) -> tuple[float, float]:
        """Steps of the raster from row to row and from column to column, um."""
        grid_x, grid_y = self.on_raster(self.x), self.on_raster(self.y)
        steps = []
        for axis in (0, 1):
            both = np.hypot(np.diff(grid_x, axis=axis), np.diff(grid_y, axis=axis))
            known = both[np.isfinite(both)]
            steps.append(float(np.median(known)) if len(known) else np.nan)
        rows, columns = steps
        return (rows if np.isfinite(rows) else columns), (columns if np.isfinite(columns) else rows)

    def on_raster(self, values: FloatArray) -> FloatArray:
        """Values (point, ...) laid out on the raster (rows, columns, ...), NaN where none is."""
        values = np.asarray(values, dtype=np.float64)
        laid = np.full((self.raster_rows, self.raster_columns, *values.shape[1:]), np.nan)
        laid[self.row, self.column] = values
        return laid

    def __len__(self) -> int:
        return len(self.pattern)


def raster_scan(
    *,
    rows: int,
    columns: int,
    step_um: float,
    name: str = "scan",
    origin_um: tuple[float, float] = (0.0, 0.0),
    start_s: float = float("nan"),
    exposure_s: float = float("nan"),
    current: int = CURRENT_UNKNOWN,
) -> LaueScan:
    """Scan of a whole raster, row after row: columns along X, rows along Y, patterns from 0."""
    row, column = (part.ravel() for part in np.indices((rows, columns)))
    number = np.arange(rows * columns)
    return LaueScan(
        name=name,
        raster_rows=rows,
        raster_columns=columns,
        pattern=number,
        row=row,
        column=column,
        x=np.asarray(origin_um[0] + step_um * column, dtype=np.float64),
        y=np.asarray(origin_um[1] + step_um * row, dtype=np.float64),
        time=np.asarray(start_s + exposure_s * number, dtype=np.float64),
        current=np.full(len(number), current),
    )
