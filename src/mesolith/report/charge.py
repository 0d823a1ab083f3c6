"""Net and cumulative charge at each state, from the half cycles that were measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mesolith.records.cell import Cell
from mesolith.records.cycling import Cycling


@dataclass(frozen=True, slots=True)
class StateCharge:
    """Charge up to a state, C, plating positive; ``passed`` counts both directions alike.

    ``own`` is the net charge of the state's own record, None where it has none.
    """

    state: str
    net: float
    passed: float
    own: float | None


def charge_by_state(cell: Cell) -> list[StateCharge]:
    """Charge at each state, in order; empty where no half cycle was measured."""
    net = passed = 0.0
    found: list[StateCharge] = []
    measured = False
    for state in cell.states:
        own = None
        half = state[Cycling].half_cycles if Cycling in state else None
        if half is not None and len(half.charge):
            own = float(np.sum(half.charge))
            net += own
            passed += float(np.sum(np.abs(half.charge)))
            measured = True
        found.append(StateCharge(state.name, net, passed, own))
    return found if measured else []


def per_area(cell: Cell) -> tuple[float, str]:
    """Factor from C to what the report prints, with its unit: mAh/cm2 where the area is known."""
    area: Any = cell.conditions.get("cell.area_mm2")
    if area:
        return 1.0 / 3.6 / (float(area) / 100.0), "mAh/cm²"
    return 1.0 / 3.6, "mAh"
