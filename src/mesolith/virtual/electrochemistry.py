"""The cycler's record that belongs to a virtual cell: rests, half cycles, impedance, a short.

Sign of the files made here: positive current plates lithium on the working electrode. The cell
is symmetric, so its voltage is the overpotential. With the charge that has passed the interfaces
lose contact, the current focuses on the cell's hot spots and the voltage grows restless; in the
last half cycle a filament bridges the cell and the voltage falls to nearly nothing, unless the
plan forbids it. A planted soft short takes part of the resistance away and leaves the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from mesolith.virtual.arrays import FloatArray, IntArray
from mesolith.virtual.cell import VirtualCell

FIRST_MORNING = datetime(2025, 5, 14, 8, 0, 0)
ZONE = "Europe/Berlin"
UTC_OFFSET_H = 2
_REST_BEFORE_S = 600.0
_REST_AFTER_S = 1200.0
_INTERVAL_S = 30.0
_SCAN_S = 5400.0
_SETTLING_S = 40.0
_SOFT_FROM = 0.5  # share of its half cycle after which a soft short is there


@dataclass(frozen=True, slots=True)
class ProtocolStep:
    """A sequence of the protocol; its place in the protocol is the step number of its rows."""

    kind: Literal["Rest", "CC", "PEIS"]
    current: float = 0.0
    duration: float = 0.0
    interval: float = _INTERVAL_S


@dataclass(frozen=True, slots=True)
class CyclerRun:
    """One file's worth of record, current in ampere, voltage in volt, impedance in ohm.

    ``started`` is local time without a zone, ``time`` s since then. Rows of the impedance step
    have a ``frequency`` above zero (Hz).
    """

    started: datetime
    steps: tuple[ProtocolStep, ...]
    step: IntArray
    time: FloatArray
    voltage: FloatArray
    current: FloatArray
    frequency: FloatArray
    real: FloatArray
    imaginary: FloatArray

    @property
    def ended(self) -> datetime:
        """Local time of the last row."""
        return self.started + timedelta(seconds=float(self.time[-1]))

    @property
    def scanned(self) -> datetime:
        """Local time, in full minutes, at the middle of the grain map that follows."""
        middle = self.ended + timedelta(seconds=_SCAN_S / 2.0)
        return middle.replace(second=0, microsecond=0)

    @property
    def sweep(self) -> slice:
        """Rows of the impedance sweep."""
        rows = np.flatnonzero(self.frequency > 0.0)
        return slice(int(rows[0]), int(rows[-1]) + 1)


@dataclass(frozen=True, slots=True)
class Circuit:
    """Resistance (ohm) and capacitance (F) of bulk, grain boundaries and both interfaces."""

    resistance: tuple[float, float, float]
    capacitance: tuple[float, float, float]
    exponent: tuple[float, float, float] = (1.0, 0.93, 0.85)
    short: float = math.inf

    @property
    def direct(self) -> float:
        """Resistance at zero frequency, ohm."""
        total = sum(self.resistance)
        return total if math.isinf(self.short) else 1.0 / (1.0 / total + 1.0 / self.short)

    def impedance(self, frequency: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.complex128]]:
        """Complex impedance (ohm): three depressed arcs in series, the short beside them."""
        omega = 2.0j * math.pi * frequency
        total = np.zeros(len(frequency), dtype=np.complex128)
        for r, c, n in zip(self.resistance, self.capacitance, self.exponent, strict=True):
            total += r / (1.0 + (omega * r * c) ** n)
        return total if math.isinf(self.short) else 1.0 / (1.0 / total + 1.0 / self.short)


def circuit_of(cell: VirtualCell, state: int) -> Circuit:
    """Equivalent circuit of a state, with the short that it has by then."""
    area = cell.plan.area_mm2 * 1e-2  # cm2
    thickness = cell.plan.thickness_um * 1e-4  # cm
    worn = _wear(cell, state)
    bulk = thickness / 1.1e-3 / area
    boundary = 0.35 * bulk
    interface = 2.0 * (14.0 + 22.0 * worn) / area
    short = math.inf
    if cell.plan.hard_short and worn >= 1.0:
        short = 0.03 * (bulk + boundary)
    elif 0 < cell.plan.planted.soft_short <= state:
        left = cell.plan.planted.soft_short_left
        short = (bulk + boundary + interface) * left / (1.0 - left)
    return Circuit(
        resistance=(bulk, boundary, interface),
        capacitance=(
            45.0 * 8.854e-14 * area / thickness,
            1.2e-9 * area / thickness,
            4.0e-6 * area,
        ),
        short=short,
    )


def cycler_runs(cell: VirtualCell) -> tuple[CyclerRun, ...]:
    """One run before each state's scan: rest, half cycle (none before the first), rest, sweep.

    The half cycle passes ``plan.current_ma_cm2`` times the face of the pellet for
    ``plan.half_cycle_h``; the current read back is right to 0.05 %.
    """
    rng = np.random.default_rng([cell.seed, 0xEC])
    gain = 1.0 + 2e-4 * float(rng.standard_normal())
    runs: list[CyclerRun] = []
    started = FIRST_MORNING
    for state in range(len(cell.plan.states)):
        runs.append(_run(cell, state, started, gain, rng))
        pause = timedelta(seconds=_SCAN_S + 600.0)
        started = (runs[-1].ended + pause).replace(second=0, microsecond=0)
    return tuple(runs)


def _run(
    cell: VirtualCell, state: int, started: datetime, gain: float, rng: np.random.Generator
) -> CyclerRun:
    plan = cell.plan
    set_current = plan.current_ma_cm2 * plan.area_mm2 * 1e-5  # mA/cm2 times mm2 in ampere
    steps = [ProtocolStep("Rest", duration=_REST_BEFORE_S)]
    if state > 0:
        sign = plan.states[state].net - plan.states[state - 1].net
        steps.append(ProtocolStep("CC", sign * set_current, plan.half_cycle_h * 3600.0))
        steps.append(ProtocolStep("Rest", duration=_REST_AFTER_S))
    steps.append(ProtocolStep("PEIS"))

    columns: list[FloatArray] = []
    clock = 0.0
    for number, step in enumerate(steps):
        if step.kind == "PEIS":
            columns.append(sweep_rows(circuit_of(cell, state), clock, number, rng))
            continue
        since = np.linspace(0.0, step.duration, 1 + round(step.duration / step.interval))
        rows = np.zeros((len(since), 7))
        rows[:, 0] = number
        rows[:, 1] = clock + since
        rows[:, 2] = 2e-5 * rng.standard_normal(len(since))
        if step.kind == "CC":
            read = gain * (1.0 + 1e-4 * rng.standard_normal(len(since)))
            rows[:, 3] = step.current * read
            resistance = _resistance_while_cycling(cell, state, since, rng)
            rows[:, 2] += step.current * resistance * _scatter(cell, state, len(since))
        columns.append(rows)
        clock += step.duration
    return record_of(started, steps, columns)


def record_of(
    started: datetime, steps: Sequence[ProtocolStep], columns: Sequence[FloatArray]
) -> CyclerRun:
    """Record of blocks of rows: step, time, voltage, current, frequency, real, imaginary."""
    table = np.concatenate(columns)
    return CyclerRun(
        started=started,
        steps=tuple(steps),
        step=table[:, 0].astype(np.int64),
        time=table[:, 1].copy(),
        voltage=table[:, 2].copy(),
        current=table[:, 3].copy(),
        frequency=table[:, 4].copy(),
        real=table[:, 5].copy(),
        imaginary=table[:, 6].copy(),
    )


def _resistance_while_cycling(
    cell: VirtualCell, state: int, since: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Voltage over current (ohm) along a half cycle, shape of ``since`` (s)."""
    before, after = circuit_of(cell, state - 1), circuit_of(cell, state)
    share = since / since[-1]
    start, end = sum(before.resistance), sum(after.resistance)
    worn = _wear(cell, state - 1) + share / max(1, _most(cell))
    focus = min(2.0, float(np.max(cell.electrodes.height, initial=0.5)))
    restless = 0.004 + 0.05 * focus * worn**1.5
    wander = _wandering(len(since), 12.0, rng)
    resistance = _course(start, end, since) * (1.0 + restless * wander)
    soft = cell.plan.planted.soft_short
    if 0 < soft <= state:
        resistance[share >= (_SOFT_FROM if soft == state else 0.0)] *= (
            cell.plan.planted.soft_short_left
        )
    if not (cell.plan.hard_short and _wear(cell, state) >= 1.0):
        return np.asarray(resistance)
    broken = 0.82 + 0.04 * float(rng.random())
    spikes = (share > broken - 0.12) & (rng.random(len(since)) < 0.06)
    resistance[spikes] *= rng.uniform(0.3, 0.8, int(spikes.sum()))
    bridged = share >= broken
    resistance[bridged] = after.direct * (1.0 + 0.08 * wander[bridged])
    return np.asarray(resistance)


def resistance_course(
    start: float, end: float, since: FloatArray, restless: float, rng: np.random.Generator
) -> FloatArray:
    """Resistance (ohm) at ``since`` (s) that goes from start to end and wanders by a share."""
    wander = _wandering(len(since), 12.0, rng)
    return np.asarray(_course(start, end, since) * (1.0 + restless * wander))


def _course(start: float, end: float, since: FloatArray) -> FloatArray:
    """Resistance along a half cycle, interfaces charging first."""
    drift = start + (end - start) * (since / since[-1]) ** 2
    return np.asarray(drift * (1.0 - np.exp(-since / _SETTLING_S)))


def _scatter(cell: VirtualCell, state: int, count: int) -> FloatArray:
    """Factors (count,) about 1 of the planted scatter; its dice are thrown apart."""
    rng = np.random.default_rng([cell.seed, 0x5CA7, state])
    return 1.0 + cell.plan.planted.overpotential_scatter * rng.standard_normal(count)


def sweep_rows(circuit: Circuit, clock: float, number: int, rng: np.random.Generator) -> FloatArray:
    """Rows of an impedance sweep: 1 MHz to 0.1 Hz, seven points a decade, 0.2 % noise."""
    frequency = np.logspace(6.0, -1.0, 50)
    impedance = circuit.impedance(frequency)
    noise = rng.standard_normal((2, len(frequency)))
    impedance = impedance + 0.002 * np.abs(impedance) * (noise[0] + 1j * noise[1])
    rows = np.zeros((len(frequency), 7))
    rows[:, 0] = number
    rows[:, 1] = clock + np.cumsum(1.0 + 3.0 / frequency)
    rows[:, 2] = 2e-5 * rng.standard_normal(len(frequency))
    rows[:, 4] = frequency
    rows[:, 5] = impedance.real
    rows[:, 6] = impedance.imag
    return rows


def _wandering(count: int, memory: float, rng: np.random.Generator) -> FloatArray:
    """Noise of unit variance that forgets itself over ``memory`` points."""
    keep = math.exp(-1.0 / memory)
    kick = math.sqrt(1.0 - keep**2) * rng.standard_normal(count)
    value = float(rng.standard_normal())
    values = np.empty(count)
    for k in range(count):
        value = keep * value + kick[k]
        values[k] = value
    return values


def _most(cell: VirtualCell) -> int:
    return max(state.passed for state in cell.plan.states)


def _wear(cell: VirtualCell, state: int) -> float:
    """Share of the protocol that has passed: 0 in the pristine cell, 1 when it has failed."""
    return cell.plan.states[state].passed / max(1, _most(cell))
