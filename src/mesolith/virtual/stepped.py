"""The record of a stepped protocol on a pristine cell, with a critical current that is planted."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from mesolith.errors import InvalidValueError
from mesolith.virtual.arrays import FloatArray
from mesolith.virtual.cell import VirtualCell
from mesolith.virtual.electrochemistry import (
    FIRST_MORNING,
    CyclerRun,
    ProtocolStep,
    circuit_of,
    record_of,
    resistance_course,
    sweep_rows,
)


def stepped_run(
    cell: VirtualCell,
    *,
    critical_ma_cm2: float,
    left: float = 0.05,
    first_ma_cm2: float = 0.05,
    rise_ma_cm2: float = 0.05,
    steps: int = 20,
    half_cycle_h: float = 0.5,
    started: datetime = FIRST_MORNING,
) -> CyclerRun:
    """One record: at each of ``steps`` currents one half cycle of plating, one of stripping.

    In the first half cycle whose current density exceeds ``critical_ma_cm2`` a filament crosses
    after a random time and leaves the share ``left`` of the resistance to the end: near 0 a hard
    short, above a half a soft one. An impedance sweep closes the record. The plan's own states
    and planted effects play no part. The same seed gives the same record.
    """
    if not (critical_ma_cm2 > 0.0 and first_ma_cm2 > 0.0 and rise_ma_cm2 > 0.0 and steps > 0):
        raise InvalidValueError("currents of a stepped protocol must be positive, and some")
    if not 0.0 < left < 1.0:
        raise InvalidValueError("a short leaves a share of the resistance within 0 and 1")
    rng = np.random.default_rng([cell.seed, 0x57E9])
    circuit = circuit_of(cell, 0)
    ampere = cell.plan.area_mm2 * 1e-5  # of 1 mA/cm2
    protocol = [ProtocolStep("Rest", duration=600.0)]
    densities = [0.0]
    for k in range(steps):
        for sign in (1.0, -1.0):
            densities.append(first_ma_cm2 + k * rise_ma_cm2)
            protocol.append(
                ProtocolStep("CC", sign * densities[-1] * ampere, half_cycle_h * 3600.0)
            )
    protocol.append(ProtocolStep("PEIS"))
    crossed = False
    columns: list[FloatArray] = []
    clock = 0.0
    for number, step in enumerate(protocol[:-1]):
        since = np.linspace(0.0, step.duration, 1 + round(step.duration / step.interval))
        rows = np.zeros((len(since), 7))
        rows[:, 0] = number
        rows[:, 1] = clock + since
        rows[:, 2] = 2e-5 * rng.standard_normal(len(since))
        if step.kind == "CC":
            resistance = resistance_course(circuit.direct, circuit.direct, since, 0.004, rng)
            if crossed:
                resistance *= left
            elif densities[number] > critical_ma_cm2:
                crossed = True
                resistance[since >= rng.uniform(0.3, 0.7) * step.duration] *= left
            rows[:, 3] = step.current * (1.0 + 1e-4 * rng.standard_normal(len(since)))
            rows[:, 2] += step.current * resistance
        columns.append(rows)
        clock += step.duration
    columns.append(sweep_rows(circuit, clock, len(protocol) - 1, rng))
    return record_of(started, protocol, columns)
