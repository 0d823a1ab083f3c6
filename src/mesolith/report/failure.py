"""Signs of a short in the cycler's records: a voltage that collapses while the current goes on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.cell import Cell
from mesolith.records.cycling import Cycling

_COLLAPSE = 0.5
_FEWEST_ROWS = 5


@dataclass(frozen=True, slots=True)
class Collapse:
    """Where the voltage fell to less than half and stayed there to the end of the half cycle.

    ``hours`` counts from the start of the half cycle; ``before`` and ``after`` are the median
    magnitudes of the voltage (V) on both sides; ``charge`` (C) is what had passed in it by then.
    """

    state: str
    hours: float
    before: float
    after: float
    charge: float


@dataclass(frozen=True, slots=True)
class ImpedanceChange:
    """Largest real part (ohm) of the first and the last spectrum, with their states."""

    first_state: str
    last_state: str
    first: float
    last: float


def first_collapse(cell: Cell) -> Collapse | None:
    """The earliest collapse of the voltage under current; None where there is none."""
    for state, cycling in cell.having(Cycling):
        half = cycling.half_cycles
        if half is None:
            continue
        for k in range(len(half.step)):
            rows = slice(int(half.first_row[k]), int(half.first_row[k] + half.rows[k]))
            found = _collapse(cycling, rows)
            if found is not None:
                hours, before, after, charge = found
                return Collapse(state.name, hours, before, after, charge)
    return None


def _collapse(cycling: Cycling, rows: slice) -> tuple[float, float, float, float] | None:
    current = cycling.current[rows]
    good = np.isfinite(cycling.voltage[rows]) & np.isfinite(current)
    good &= np.abs(current) > 0.5 * np.nanmedian(np.abs(current))
    time, voltage = cycling.time[rows][good], np.abs(cycling.voltage[rows][good])
    if len(voltage) < 4 * _FEWEST_ROWS:
        return None
    low = voltage < _COLLAPSE * np.median(voltage[: len(voltage) // 2])
    start = int(len(low) - np.argmin(low[::-1])) if not low.all() else 0
    if len(low) - start < _FEWEST_ROWS or start < _FEWEST_ROWS:
        return None
    passed = _charge(time[:start], np.abs(current[good][:start]))
    return (
        float(time[start] - time[0]) / 3600.0,
        float(np.median(voltage[max(0, start - 20) : start])),
        float(np.median(voltage[start:])),
        passed,
    )


def _charge(time: FloatArray, current: FloatArray) -> float:
    return float(np.sum(0.5 * (current[1:] + current[:-1]) * np.diff(time)))


def impedance_change(cell: Cell) -> ImpedanceChange | None:
    """Largest real part of the last sweep in the first and the last state with spectra."""
    found = []
    for state, cycling in cell.having(Cycling):
        spectrum = cycling.impedance
        if spectrum is not None and len(spectrum.real):
            last = spectrum.sweep == spectrum.sweep[-1]
            found.append((state.name, float(np.nanmax(spectrum.real[last]))))
    if len(found) < 2:
        return None
    return ImpedanceChange(found[0][0], found[-1][0], found[0][1], found[-1][1])
