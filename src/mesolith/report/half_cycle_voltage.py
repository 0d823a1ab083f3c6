"""The magnitude of the voltage over half cycles, a short's part left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.cell import State
from mesolith.records.cycling import Cycling
from mesolith.report.failure import collapse_of, rows_of

_BLOCKS = 10


@dataclass(frozen=True, slots=True)
class HalfCycleVoltage:
    """Mean magnitude of the voltage (V) of each half cycle of a state, with standard errors.

    ``current`` is that of each half cycle (A, plating positive). Where the voltage collapsed in
    one, that one is taken up to the collapse, those after it are left out, and ``cut`` is true.
    """

    magnitude: FloatArray
    error: FloatArray
    current: FloatArray
    cut: bool

    def mean(self, *, sign: float | None = None) -> tuple[float, float, int]:
        """Mean over half cycles (of one direction where ``sign`` is given), error and number.

        The error is the larger of what the half cycles' own give and what their scatter gives;
        NaN where there is none.
        """
        chosen = np.ones(len(self.current), dtype=bool) if sign is None else self.current * sign > 0
        values, errors = self.magnitude[chosen], self.error[chosen]
        n = len(values)
        if not n:
            return float("nan"), float("nan"), 0
        own = float(np.sqrt(np.sum(errors**2))) / n
        scatter = float(np.std(values, ddof=1)) / np.sqrt(n) if n > 1 else 0.0
        return float(np.mean(values)), max(own, scatter), n


def half_cycle_voltage(state: State) -> HalfCycleVoltage | None:
    """From the state's record; None without half cycles."""
    if Cycling not in state:
        return None
    cycling = state[Cycling]
    half = cycling.half_cycles
    if half is None or not len(half.step):
        return None
    magnitude, error = np.abs(half.overpotential), np.array(half.overpotential_se)
    for k in range(len(half.step)):
        collapse = collapse_of(state.name, cycling, k)
        if collapse is None:
            continue
        before = cycling.voltage[rows_of(half, k).start : collapse.row]
        before = np.abs(before[np.isfinite(before)])
        magnitude[k], error[k] = float(np.mean(before)), _error_of_mean(before)
        kept = slice(0, k + 1)
        return HalfCycleVoltage(magnitude[kept], error[kept], half.current[kept], True)
    return HalfCycleVoltage(magnitude, error, half.current, False)


def _error_of_mean(values: FloatArray) -> float:
    """From the means of ten blocks: neighbours may be alike, and drift counts as error."""
    if len(values) < _BLOCKS:
        return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan
    means = [float(np.mean(block)) for block in np.array_split(values, _BLOCKS)]
    return float(np.std(means, ddof=1) / np.sqrt(_BLOCKS))
