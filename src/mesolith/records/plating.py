"""What cycling did to a cell: resistance of half cycles, plated capacity, critical current."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mesolith.axes import FloatArray, IntArray
from mesolith.records.field import CommonMode, Record, quantity


@dataclass(frozen=True, slots=True)
class HalfCycleResistance(Record):
    """Resistance of each half cycle, and the course of its voltage, in order of time.

    NaN where the area or an ohmic resistance was not given, or rows are too few. The area's own
    error shifts all rows together: ``area_relative_se``, and the common mode "area". The error of
    an ohmic resistance is common to the half cycles that share a spectrum; it is part of
    ``remaining_overpotential_se``.
    """

    plot: ClassVar[tuple[str, str] | None] = ("resistance", "half_cycle")

    half_cycle: IntArray = quantity("half cycle, from 0", shape=("half_cycle",), dtype="int64")
    state: tuple[str, ...] = quantity(
        "state whose files hold it", shape=("half_cycle",), dtype="str"
    )
    start: FloatArray = quantity("start, seconds since 1970 UTC", unit="s", shape=("half_cycle",))
    current: FloatArray = quantity(
        "mean current, plating positive", unit="A", shape=("half_cycle",)
    )
    current_density: FloatArray = quantity(
        "mean current density, plating positive", unit="A/m2", shape=("half_cycle",)
    )
    resistance: FloatArray = quantity(
        "voltage over current", unit="ohm", shape=("half_cycle",), error="resistance_se"
    )
    resistance_se: FloatArray = quantity(
        "standard error of the resistance", unit="ohm", shape=("half_cycle",)
    )
    areal_resistance: FloatArray = quantity(
        "area-specific resistance",
        unit="ohm m2",
        shape=("half_cycle",),
        error="areal_resistance_se",
    )
    areal_resistance_se: FloatArray = quantity(
        "standard error of the area-specific resistance, area apart",
        unit="ohm m2",
        shape=("half_cycle",),
    )
    ohmic: FloatArray = quantity(
        "ohmic resistance, from a spectrum",
        unit="ohm",
        shape=("half_cycle",),
        error="ohmic_se",
    )
    ohmic_se: FloatArray = quantity(
        "standard error of the ohmic resistance", unit="ohm", shape=("half_cycle",)
    )
    ohmic_source: tuple[str, ...] = quantity(
        "spectrum and elements that the ohmic resistance is from, in words",
        shape=("half_cycle",),
        dtype="str",
    )
    remaining_overpotential: FloatArray = quantity(
        "mean voltage less the ohmic part",
        unit="V",
        shape=("half_cycle",),
        error="remaining_overpotential_se",
    )
    remaining_overpotential_se: FloatArray = quantity(
        "standard error of the voltage less the ohmic part", unit="V", shape=("half_cycle",)
    )
    spread: FloatArray = quantity(
        "standard deviation of the voltage, drift included",
        unit="V",
        shape=("half_cycle",),
        error="spread_se",
    )
    spread_se: FloatArray = quantity(
        "standard error of the standard deviation", unit="V", shape=("half_cycle",)
    )
    slope: FloatArray = quantity(
        "slope of the voltage's magnitude", unit="V/s", shape=("half_cycle",), error="slope_se"
    )
    slope_se: FloatArray = quantity(
        "standard error of the slope", unit="V/s", shape=("half_cycle",)
    )
    scatter: FloatArray = quantity(
        "standard deviation of the voltage about a parabola",
        unit="V",
        shape=("half_cycle",),
        error="scatter_se",
    )
    scatter_se: FloatArray = quantity(
        "standard error of the scatter", unit="V", shape=("half_cycle",)
    )
    area_relative_se: float = quantity("relative standard error of the area")
    common_modes: tuple[CommonMode, ...] = ()


@dataclass(frozen=True, slots=True)
class DeviceTargets(Record):
    """What the cell reached beside device targets; each row in its own ``unit``.

    ``verdict`` is "met", "not met" or "open": a target within two standard errors of the value,
    a value that nothing tells, or a sum that still grows.
    """

    name: tuple[str, ...] = quantity("target", shape=("target",), dtype="str")
    unit: tuple[str, ...] = quantity("unit of target and value", shape=("target",), dtype="str")
    target: FloatArray = quantity("to be exceeded, in its unit", shape=("target",))
    reached: FloatArray = quantity(
        "what the cell reached, in its unit", shape=("target",), error="reached_se"
    )
    reached_se: FloatArray = quantity("standard error, in its unit", shape=("target",))
    verdict: tuple[str, ...] = quantity("met, not met or open", shape=("target",), dtype="str")


@dataclass(frozen=True, slots=True)
class PlatedCapacity(Record):
    """Lithium plated half cycle by half cycle, per area.

    Each half cycle plates on one electrode what it strips from the other: capacities count
    without sign. ``failed_in`` is the half cycle in which the cell failed, -1 for none; what it
    passed before failing is ``before_failure``'s last share. The error of area and current gain
    shifts all together: ``relative_se``, and the common modes "area" and "current gain". Values
    per area are NaN where the area was not given.
    """

    plot: ClassVar[tuple[str, str] | None] = ("cumulative", "half_cycle")

    half_cycle: IntArray = quantity("half cycle, from 0", shape=("half_cycle",), dtype="int64")
    state: tuple[str, ...] = quantity(
        "state whose files hold it", shape=("half_cycle",), dtype="str"
    )
    charge: FloatArray = quantity(
        "charge passed in the half cycle, without sign", unit="C", shape=("half_cycle",)
    )
    current_density: FloatArray = quantity(
        "magnitude of the mean current density", unit="A/m2", shape=("half_cycle",)
    )
    areal: FloatArray = quantity(
        "capacity plated in the half cycle", unit="C/m2", shape=("half_cycle",)
    )
    cumulative: FloatArray = quantity(
        "capacity plated up to its end", unit="C/m2", shape=("half_cycle",)
    )
    fraction_passed: FloatArray = quantity(
        "share of the lithium reservoir passed, NaN where its thickness is unknown",
        shape=("half_cycle",),
    )
    failed_in: int = quantity("half cycle of failure, -1 for none", dtype="int64")
    before_failure: float = quantity("capacity plated before failure, or so far", unit="C/m2")
    charge_before_failure: float = quantity("charge passed before failure, or so far", unit="C")
    relative_se: float = quantity("relative standard error common to all capacities")
    targets: DeviceTargets | None = None
    common_modes: tuple[CommonMode, ...] = ()


@dataclass(frozen=True, slots=True)
class ShortSigns(Record):
    """What each half cycle shows that may be a short, one row a half cycle.

    NaN where there is nothing to compare with or too few rows. After a short the following half
    cycles are compared with shorted ones: they tell nothing more.
    """

    half_cycle: IntArray = quantity("half cycle, from 0", shape=("half_cycle",), dtype="int64")
    state: tuple[str, ...] = quantity(
        "state whose files hold it", shape=("half_cycle",), dtype="str"
    )
    current: FloatArray = quantity(
        "mean current, plating positive", unit="A", shape=("half_cycle",)
    )
    kind: tuple[str, ...] = quantity(
        "hard, soft, unclear or none, by this half cycle alone", shape=("half_cycle",), dtype="str"
    )
    level: FloatArray = quantity("median resistance", unit="ohm", shape=("half_cycle",))
    left: FloatArray = quantity(
        "resistance, as a share of the half cycle before in this direction", shape=("half_cycle",)
    )
    fall_left: FloatArray = quantity(
        "share of the resistance left after the sharpest fall", shape=("half_cycle",)
    )
    fall_certainty: FloatArray = quantity(
        "sharpest fall in units of its standard error", shape=("half_cycle",)
    )
    restlessness: FloatArray = quantity(
        "scatter over that of the half cycle before, current allowed for", shape=("half_cycle",)
    )
    words: tuple[str, ...] = quantity("what was seen", shape=("half_cycle",), dtype="str")


@dataclass(frozen=True, slots=True)
class CriticalCurrent(Record):
    """Critical current density of a stepped protocol, and what the verdict rests on.

    ``kind`` is "hard", "soft", "unclear" (the resistance fell and nothing tells a short from a
    better contact) or "none". The critical current lies above ``lower`` and not above ``upper``
    (inf where nothing failed); ``value`` and ``value_se`` are those of an even distribution
    between them, NaN where the bracket is open or the protocol has no rising steps.
    ``evidence`` says in words, one a line, what was seen; ``half_cycle`` is where, -1 for nowhere.
    Densities are NaN where the area was not given; its error shifts them together.
    """

    kind: str = quantity("hard, soft, unclear or none", dtype="str")
    half_cycle: int = quantity("half cycle of the short, -1 for none", dtype="int64")
    lower: float = quantity("highest current density passed before", unit="A/m2")
    upper: float = quantity("current density at which it happened", unit="A/m2")
    value: float = quantity("critical current density", unit="A/m2", error="value_se")
    value_se: float = quantity("standard error of the critical current density", unit="A/m2")
    area_relative_se: float = quantity("relative standard error of the area")
    charge: float = quantity("charge passed in all until then", unit="C")
    evidence: tuple[str, ...] = quantity("evidence, in words", shape=("evidence",), dtype="str")
    signs: ShortSigns | None = None
    common_modes: tuple[CommonMode, ...] = ()
