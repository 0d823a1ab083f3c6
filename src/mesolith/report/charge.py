"""Net and cumulative charge at each state in the unit that the report prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.cell import Cell
from mesolith.records.history import History
from mesolith.units import from_internal

AREAL, WHOLE = "mAh/cm²", "mAh"


@dataclass(frozen=True, slots=True)
class Charges:
    """Charge up to each state of the history; ``passed`` counts both directions alike.

    In mAh/cm2 where the area is known, else in mAh; NaN where nothing tells.
    """

    states: tuple[str, ...]
    net: FloatArray
    passed: FloatArray
    unit: str
    source: tuple[str, ...]

    def text(self, value: float) -> str:
        """The number with three digits of the largest charge: round-off stays unseen."""
        largest = float(np.nanmax(np.abs(self.passed), initial=0.0)) or 1.0
        digits = int(np.clip(2 - np.floor(np.log10(largest)), 0, 9))
        rounded = f"{value:.{digits}f}"
        return (rounded.lstrip("-") if float(rounded) == 0.0 else rounded).replace("-", "−")


def charges_of(cell: Cell) -> Charges | None:
    """Charges from the cell's history; None where it has none, or where nobody told any charge."""
    if History not in cell:
        return None
    history = cell[History]
    areal = bool(np.any(np.isfinite(history.cumulative_areal_charge)))
    if areal:
        net = from_internal(np.asarray(history.net_areal_charge), "mAh/cm2")
        passed = from_internal(np.asarray(history.cumulative_areal_charge), "mAh/cm2")
    else:
        net = from_internal(np.asarray(history.net_charge), "mAh")
        passed = from_internal(np.asarray(history.cumulative_charge), "mAh")
    if not np.any(np.nan_to_num(passed) > 0.0):
        return None
    return Charges(history.state, net, passed, AREAL if areal else WHOLE, history.source)


def charge_in_words(cell: Cell, coulomb: float) -> str:
    """A charge per area where cell.toml gives one, else as it is."""
    area: Any = cell.conditions.get("cell.area_mm2")
    if area:
        return f"{from_internal(coulomb, 'mAh') / (float(area) / 100.0):.2g} {AREAL}"
    return f"{from_internal(coulomb, 'mAh'):.2g} {WHOLE}"
