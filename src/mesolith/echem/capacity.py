"""Step echem.capacity: plated capacity of a cell, and how far it is from what a device needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mesolith.axes import FloatArray
from mesolith.echem.whole_cell import area_of, area_remarks, scaling_mode, whole_cell_of
from mesolith.errors import InvalidValueError
from mesolith.io.record_file import read_record, write_record
from mesolith.pipeline.work import Remark, Work, write_remarks
from mesolith.records.cycling import HalfCycles
from mesolith.records.plating import CriticalCurrent, DeviceTargets, PlatedCapacity
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


def compute(work: Work) -> None:
    """Write the `PlatedCapacity` of the cell, device targets beside it, with remarks."""
    cell, area = whole_cell_of(work), area_of(work.settings)
    half = cell.cycling.half_cycles
    assert half is not None
    thickness = work.settings.get("conditions.lithium_thickness_um")
    # bare lithium-free current collectors start with nothing to pass
    reservoir = float(thickness) if thickness is not None and float(thickness) > 0.0 else None
    found = plated_capacity(
        half,
        area_m2=area.square_metre,
        area_se_m2=area.standard_error,
        current_gain_se=float(work.settings["echem.current_gain_se"]),
        lithium_thickness_um=reservoir,
        failure=read_record(work.source("echem.critical_current").record_file, CriticalCurrent),
        states=cell.state,
    )
    write_record(work.folder / "record.h5", found)
    remarks: list[Remark] = []
    if len(found.half_cycle):
        remarks += area_remarks(work.settings, "values per area")
    if len(found.half_cycle) and reservoir is None:
        text = (
            "conditions.lithium_thickness_um gives no lithium reservoir: what share of it passes "
            "in a half cycle is unknown"
        )
        remarks.append(Remark("note", "plated capacity", text))
    write_remarks(work.folder, remarks)


def plated_capacity(
    half_cycles: HalfCycles,
    *,
    area_m2: float | None,
    area_se_m2: float = 0.0,
    current_gain_se: float = 0.0,
    lithium_thickness_um: float | None = None,
    failure: CriticalCurrent | None = None,
    states: Sequence[str] | None = None,
) -> PlatedCapacity:
    """Areal and cumulative plated capacity of each half cycle, and the sum before failure.

    Parameters
    ----------
    half_cycles
        All half cycles of the cell, in order of time.
    area_m2, area_se_m2
        Area and its standard error, m2. None: values per area are NaN.
    current_gain_se
        Relative standard error of the cycler's current.
    lithium_thickness_um
        Thickness of one electrode as built, um: its lithium is the reservoir.
    failure
        Where the cell shorted, from `critical_current` on the same half cycles; "unclear" is no
        failure. None: it did not.
    states
        Name of the state that holds each half cycle.

    Raises `InvalidValueError` where area or thickness is not above zero.
    """
    if area_m2 is not None and not area_m2 > 0.0:
        raise InvalidValueError(f"an area of {area_m2:g} m2", remedy="Correct cell.area_mm2.")
    if lithium_thickness_um is not None and not lithium_thickness_um > 0.0:
        raise InvalidValueError(
            f"a lithium thickness of {lithium_thickness_um:g} um",
            remedy="Correct conditions.lithium_thickness_um, or leave it out.",
        )
    area = float("nan") if area_m2 is None else area_m2
    charge = np.abs(half_cycles.charge)
    areal, density = charge / area, np.abs(half_cycles.current) / area
    reservoir = np.nan
    if lithium_thickness_um is not None:
        reservoir = lithium_thickness_um * CHARGE_OF_LITHIUM
    failed, passed = -1, float(np.sum(charge))
    if failure is not None and failure.kind in ("hard", "soft"):
        failed, passed = failure.half_cycle, failure.charge
    by_area = 0.0 if area_m2 is None else area_se_m2 / area_m2
    values: dict[str, FloatArray | float] = {
        "current_density": density,
        "areal": areal,
        "cumulative": np.cumsum(areal),
        "fraction_passed": areal / reservoir,
        "before_failure": passed / area,
    }
    found = PlatedCapacity(
        half_cycle=np.arange(len(charge)),
        state=("",) * len(charge) if states is None else tuple(states),
        charge=charge,
        failed_in=failed,
        charge_before_failure=passed,
        relative_se=float(np.hypot(by_area, current_gain_se)),
        common_modes=(
            *scaling_mode("area", by_area, {name: -value for name, value in values.items()}),
            *scaling_mode("current gain", current_gain_se, values | {"charge": charge}),
        ),
        **values,  # type: ignore[arg-type]
    )
    return replace(found, targets=_as_record(device_targets(found)))


def _as_record(targets: tuple[Target, ...]) -> DeviceTargets:
    words = {True: "met", False: "not met", None: "open"}
    return DeviceTargets(
        name=tuple(t.name for t in targets),
        unit=tuple(t.unit for t in targets),
        target=np.array([t.target for t in targets]),
        reached=np.array([t.reached for t in targets]),
        reached_se=np.array([t.standard_error for t in targets]),
        verdict=tuple(words[t.met] for t in targets),
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
