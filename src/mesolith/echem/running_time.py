"""The time with the cycler running: one axis for the records of all states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.cell import Cell
from mesolith.records.cycling import Cycling

_GAP = 0.02
_POINTS = 3000


@dataclass(frozen=True, slots=True)
class Run:
    """One state's record on the common axis of running time (h)."""

    name: str
    cycling: Cycling
    hours: FloatArray
    start: float
    end: float


def running_time(cell: Cell) -> list[Run]:
    """The records of the states one after the other, the time between them cut to a gap."""
    found = [(s.name, c) for s, c in cell.having(Cycling) if len(c.time) > 1]
    total = sum(float(c.time[-1] - c.time[0]) for _, c in found) / 3600.0
    runs, clock = [], 0.0
    for name, cycling in found:
        hours = clock + (cycling.time - cycling.time[0]) / 3600.0
        runs.append(Run(name, cycling, hours, clock, float(hours[-1])))
        clock = float(hours[-1]) + _GAP * total
    return runs


def thinned(hours: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Smallest and largest value of each of many short stretches; gaps stay gaps."""
    stretch = int(np.ceil(len(hours) / (_POINTS / 2)))
    if stretch <= 2:
        return hours, values
    keep: list[int] = []
    for first in range(0, len(hours), stretch):
        part = values[first : first + stretch]
        gaps = np.flatnonzero(~np.isfinite(part))
        chosen = {first + int(gaps[0])} if gaps.size else set()
        if gaps.size < len(part):
            chosen |= {first + int(np.nanargmin(part)), first + int(np.nanargmax(part))}
        keep += sorted(chosen)
    return hours[keep], values[keep]


def marks_of_states(cell: Cell, runs: list[Run]) -> list[tuple[float, str]]:
    """Where on the axis each state was measured: at the end of the record that led to it.

    A state without a record stands with the one before it, or at the start.
    """
    ends = {run.name: run.end for run in runs}
    marks: list[tuple[float, str]] = []
    for state in cell.states:
        place = ends.get(state.name, marks[-1][0] if marks else 0.0)
        if marks and marks[-1][0] == place:
            marks[-1] = (place, f"{marks[-1][1]}, {state.name}")
        else:
            marks.append((place, state.name))
    return marks
