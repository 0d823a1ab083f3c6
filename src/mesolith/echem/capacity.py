"""Plated capacity of a cell, and how far it is from what a device needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.errors import InvalidValueError
from mesolith.records.cycling import HalfCycles
from mesolith.records.plating import CriticalCurrent, PlatedCapacity
from mesolith.units import to_internal

FARADAY = 96485.33212  # C/mol
_LITHIUM_MOLAR_VOLUME = 13.02e-6  # m3/mol at room temperature
CHARGE_OF_LITHIUM = FARADAY / _LITHIUM_MOLAR_VOLUME * 1e-6  # C/m2 of 1 um of lithium


@dataclass(frozen=True, slots=True)
class Target:
    """One device target beside what the cell reached, both in ``unit``; the target is exceeded
    or not, None where nothing tells."""

    name: str
    unit: str
    target: float
    reached: float
    standard_error: float
    met: bool | None


# Hatzell et al. 2020, in the internal units of `PlatedCapacity`
_TARGETS = (
    ("plated before failure", "mAh/cm2", 10.0),
    ("current density", "mA/cm2", 3.0),
    ("plated per cycle", "mAh/cm2", 3.0),
    ("share of the lithium passed per cycle", "percent", 80.0),
)


def plated_capacity(
    half_cycles: HalfCycles,
    *,
    area_m2: float,
    area_se_m2: float = 0.0,
    current_gain_se: float = 0.0,
    lithium_thickness_um: float | None = None,
    failure: CriticalCurrent | None = None,
) -> PlatedCapacity:
    """Areal and cumulative plated capacity of each half cycle, and the sum before failure.

    Parameters
    ----------
    half_cycles
        All half cycles of the cell, in order of time.
    area_m2, area_se_m2
        Area and its standard error, m2.
    current_gain_se
        Relative standard error of the cycler's current.
    lithium_thickness_um
        Thickness of one electrode as built, um: its lithium is the reservoir.
    failure
        Where the cell shorted, from `critical_current` on the same half cycles; "unclear" is no
        failure. None: it did not.

    Raises `InvalidValueError` where area or thickness is not above zero.
    """
    if not area_m2 > 0.0:
        raise InvalidValueError(f"an area of {area_m2:g} m2", remedy="Correct cell.area_mm2.")
    if lithium_thickness_um is not None and not lithium_thickness_um > 0.0:
        raise InvalidValueError(
            f"a lithium thickness of {lithium_thickness_um:g} um",
            remedy="Correct conditions.lithium_thickness_um, or leave it out.",
        )
    areal = np.abs(half_cycles.charge) / area_m2
    cumulative = np.cumsum(areal)
    reservoir = np.nan
    if lithium_thickness_um is not None:
        reservoir = lithium_thickness_um * CHARGE_OF_LITHIUM
    failed = -1
    plated = float(cumulative[-1]) if len(cumulative) else 0.0
    if failure is not None and failure.kind in ("hard", "soft"):
        failed, plated = failure.half_cycle, failure.charge / area_m2
    return PlatedCapacity(
        half_cycle=np.arange(len(areal)),
        current_density=np.abs(half_cycles.current) / area_m2,
        areal=areal,
        cumulative=cumulative,
        fraction_passed=areal / reservoir,
        failed_in=failed,
        before_failure=plated,
        relative_se=float(np.hypot(area_se_m2 / area_m2, current_gain_se)),
    )


def device_targets(capacity: PlatedCapacity) -> tuple[Target, ...]:
    """What the cell reached beside the device targets of Hatzell et al. 2020.

    More than 10 mAh/cm2 plated before failure, 3 mA/cm2, 3 mAh/cm2 and 80 % of the lithium
    passed per cycle (10.1021/acsenergylett.9b02668). Half cycles count up to the failing one,
    which is left out. A target within two standard errors of the value is neither met nor missed:
    None; so is "plated before failure" below the target while the cell still lives.
    """
    good = slice(None) if capacity.failed_in < 0 else slice(0, capacity.failed_in)
    values = (
        capacity.before_failure / to_internal(1.0, "mAh/cm2"),
        _largest(capacity.current_density[good] / to_internal(1.0, "mA/cm2")),
        _largest(capacity.areal[good] / to_internal(1.0, "mAh/cm2")),
        100.0 * _largest(capacity.fraction_passed[good]),
    )
    found = []
    for (name, unit, target), value in zip(_TARGETS, values, strict=True):
        error = abs(value) * capacity.relative_se
        open_end = name == _TARGETS[0][0] and capacity.failed_in < 0 and value <= target
        told = np.isfinite(value) and abs(value - target) >= 2.0 * error and not open_end
        met = bool(value > target) if told else None
        found.append(Target(name, unit, target, float(value), float(error), met))
    return tuple(found)


def _largest(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(np.max(known)) if len(known) else float("nan")
