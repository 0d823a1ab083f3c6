"""The impedance sweeps of a cell one after the other, as its figures and tables take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.echem.half_cycle_axis import failure_of
from mesolith.records.cell import Cell
from mesolith.records.plating import HalfCycleResistance
from mesolith.records.spectra import ImpedanceFits


@dataclass(frozen=True, slots=True)
class Sweep:
    """One sweep: where it stands in the cell and in its state's record."""

    place: int
    state: str
    fits: ImpedanceFits
    row: int

    @property
    def number(self) -> int:
        """Its number in the record."""
        return int(self.fits.sweep[self.row])

    @property
    def points(self) -> IntArray:
        """Rows of its points."""
        return np.flatnonzero(self.fits.point_sweep == self.number)

    @property
    def arcs(self) -> IntArray:
        """Rows of its arcs."""
        return np.flatnonzero(self.fits.arc_sweep == self.number)

    @property
    def name(self) -> str:
        """State, and the sweep's number where the state has several."""
        more = f", sweep {self.row + 1}" if len(self.fits.sweep) > 1 else ""
        return f"{self.state}{more}"


def sweeps_of_cell(cell: Cell) -> list[Sweep]:
    """All sweeps with points, in the order of the states."""
    found: list[Sweep] = []
    for state, fits in cell.having(ImpedanceFits):
        for row in range(len(fits.sweep)):
            if np.any(fits.point_sweep == fits.sweep[row]):
                found.append(Sweep(len(found) + 1, state.name, fits, row))
    return found


def sweeps_after_short(cell: Cell, sweeps: list[Sweep]) -> list[int]:
    """Places of the sweeps measured after a hard or soft short began."""
    failure = failure_of(cell)
    if failure is None or failure.kind not in ("hard", "soft") or failure.signs is None:
        return []
    if HalfCycleResistance not in cell:
        return []
    began = float(cell[HalfCycleResistance].start[failure.half_cycle])
    order = [state.name for state in cell.states]
    shorted = order.index(failure.signs.state[failure.half_cycle])
    found = []
    for sweep in sweeps:
        time, state = float(sweep.fits.time[sweep.row]), order.index(sweep.state)
        if time > began or (np.isnan(time) and state >= shorted):
            found.append(sweep.place)
    return found


def table_of_sweeps(sweeps: list[Sweep]) -> dict[str, Any]:
    """One row an arc of a sweep; a sweep without a fit has one row without values."""
    rows: list[tuple[Sweep, int | None]] = []
    for sweep in sweeps:
        rows += [(sweep, int(arc)) for arc in sweep.arcs] or [(sweep, None)]

    def of_arc(name: str) -> FloatArray:
        return np.array(
            [np.nan if arc is None else float(getattr(s.fits, name)[arc]) for s, arc in rows]
        )

    def of_sweep(name: str) -> FloatArray:
        return np.array([float(getattr(s.fits, name)[s.row]) for s, _ in rows])

    areal = of_arc("arc_areal_resistance")
    return {
        "sweep": np.array([s.place for s, _ in rows]),
        "state": np.array([s.state for s, _ in rows]),
        "verdict": np.array([s.fits.verdict[s.row] for s, _ in rows]),
        "disagreement": of_sweep("disagreement"),
        "misfit": of_sweep("misfit"),
        "role": np.array(["" if arc is None else s.fits.arc_role[arc] for s, arc in rows]),
        "resistance_ohm": of_arc("arc_resistance"),
        "resistance_ohm_se": of_arc("arc_resistance_se"),
        "low68_ohm": of_arc("arc_low68"),
        "high68_ohm": of_arc("arc_high68"),
        "low95_ohm": of_arc("arc_low95"),
        "high95_ohm": of_arc("arc_high95"),
        "areal_resistance_ohm_cm2": areal * 1e4,
        "capacitance_farad": of_arc("arc_capacitance"),
        "capacitance_farad_se": of_arc("arc_capacitance_se"),
        "time_constant_s": of_arc("arc_time_constant"),
        "time_constant_s_se": of_arc("arc_time_constant_se"),
    }
