"""Write a cycler record as Battery Data Format: CSV with the format's own names and units."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.units import from_internal

COLUMNS = ("Test Time / s", "Voltage / V", "Current / A", "Unix Time / s", "Step Index / 1")
PRESSURE = "Applied Pressure / Pa"


def write_bdf(
    path: Path,
    *,
    time: FloatArray,
    voltage: FloatArray,
    current: FloatArray,
    step: IntArray | None = None,
    pressure: FloatArray | None = None,
) -> None:
    """Write rows of one record; reading them gives the same numbers to the last bit.

    Parameters
    ----------
    time
        Seconds since 1970 UTC, shape (n,); the format's test time counts from the first row.
    voltage, current
        V and A, in the sign that is wanted in the file, shape (n,); NaN leaves a cell empty.
    step
        Step numbers, shape (n,); -1 leaves a cell empty. None: no such column.
    pressure
        Pressure on the stack, MPa, shape (n,); it is written in Pa and reads back to one part in
        1e15. None: no such column.

    Raises ``InvalidValueError`` where a time is missing.
    """
    time = np.asarray(time, dtype=np.float64)
    if time.size == 0 or not np.isfinite(time).all():
        raise InvalidValueError(
            "the record has no rows or rows without a time",
            where=str(path),
            remedy="Write only rows with a time.",
        )
    columns = [time - time[0], voltage, current, time]
    names = list(COLUMNS[:4] if step is None else COLUMNS)
    names += [] if pressure is None else [PRESSURE]
    lines = [",".join(names)]
    for k in range(len(time)):
        cells = [_cell(float(column[k])) for column in columns]
        if step is not None:
            cells.append("" if step[k] < 0 else str(int(step[k])))
        if pressure is not None:
            cells.append(_cell(float(from_internal(float(pressure[k]), "Pa"))))
        lines.append(",".join(cells))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _cell(value: float) -> str:
    return "" if np.isnan(value) else repr(value)
