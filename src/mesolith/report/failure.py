"""Signs of a short in the cycler's records: a voltage that collapses while the current goes on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.cell import Cell
from mesolith.records.cycling import Cycling, HalfCycles
from mesolith.records.history import History

_COLLAPSE = 0.5
_FEWEST_ROWS = 5


@dataclass(frozen=True, slots=True)
class Collapse:
    """Where the voltage fell to less than half and stayed there to the end of the half cycle.

    ``half_cycle`` counts within the state from 0; ``row`` is the first row of the cycler's record
    after the fall and ``time`` its time (s). ``hours`` counts from the start of the half cycle;
    ``before`` and ``after`` are the median magnitudes of the voltage (V) on both sides;
    ``charge`` (C) is what had passed in it by then.
    """

    state: str
    half_cycle: int
    row: int
    time: float
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
        for k in range(0 if half is None else len(half.step)):
            found = collapse_of(state.name, cycling, k)
            if found is not None:
                return found
    return None


def collapse_of(state: str, cycling: Cycling, k: int) -> Collapse | None:
    """Collapse of the voltage within half cycle ``k`` of a record; None where it holds."""
    rows = rows_of(_halves(cycling), k)
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
    return Collapse(
        state=state,
        half_cycle=k,
        row=rows.start + int(np.flatnonzero(good)[start]),
        time=float(time[start]),
        hours=float(time[start] - time[0]) / 3600.0,
        before=float(np.median(voltage[max(0, start - 20) : start])),
        after=float(np.median(voltage[start:])),
        charge=_charge(time[:start], np.abs(current[good][:start])),
    )


def rows_of(half: HalfCycles, k: int) -> slice:
    """Rows of the cycler's record that half cycle ``k`` takes."""
    return slice(int(half.first_row[k]), int(half.first_row[k] + half.rows[k]))


def _halves(cycling: Cycling) -> HalfCycles:
    half = cycling.half_cycles
    if half is None:
        raise IndexError("a record without half cycles has none to look at")
    return half


def _charge(time: FloatArray, current: FloatArray) -> float:
    return float(np.sum(0.5 * (current[1:] + current[:-1]) * np.diff(time)))


def charge_after(cell: Cell, collapse: Collapse) -> float | None:
    """Charge (C, both directions) that passed after the collapse, up to the last state.

    From the half cycles of the collapse's own state, and the history of the states after it.
    None where the history does not tell.
    """
    half = cell.state(collapse.state)[Cycling].half_cycles
    if half is None or History not in cell:
        return None
    own = np.abs(half.charge[collapse.half_cycle :])
    history = cell[History]
    at = history.state.index(collapse.state)
    later = float(history.cumulative_charge[-1] - history.cumulative_charge[at])
    rest = max(float(np.sum(own)) - collapse.charge, 0.0) + later
    return rest if np.isfinite(rest) else None


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
