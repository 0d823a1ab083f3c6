"""What the cycler recorded around one state, and what one half cycle amounts to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mesolith.axes import FloatArray, IntArray
from mesolith.records.field import Record, quantity


@dataclass(frozen=True, slots=True)
class HalfCycles(Record):
    """Statistics of each galvanostatic half cycle, rest and switch-over points excluded."""

    step: IntArray = quantity("cycler step number (Ns)", shape=("half_cycle",), dtype="int64")
    first_row: IntArray = quantity("first row used", shape=("half_cycle",), dtype="int64")
    rows: IntArray = quantity("rows used", shape=("half_cycle",), dtype="int64")
    start: FloatArray = quantity("start, seconds since 1970 UTC", unit="s", shape=("half_cycle",))
    duration: FloatArray = quantity("duration", unit="s", shape=("half_cycle",))
    current: FloatArray = quantity(
        "mean current, plating positive", unit="A", shape=("half_cycle",)
    )
    charge: FloatArray = quantity(
        "charge passed, plating positive", unit="C", shape=("half_cycle",)
    )
    overpotential: FloatArray = quantity(
        "mean voltage", unit="V", shape=("half_cycle",), error="overpotential_se"
    )
    overpotential_se: FloatArray = quantity(
        "standard error of the mean voltage", unit="V", shape=("half_cycle",)
    )
    overpotential_std: FloatArray = quantity(
        "standard deviation of the voltage", unit="V", shape=("half_cycle",)
    )


@dataclass(frozen=True, slots=True)
class Impedance(Record):
    """Impedance sweeps, one row a frequency; rows with f = 0 are dropped on reading."""

    plot: ClassVar[tuple[str, str] | None] = ("imaginary", "real")

    sweep: IntArray = quantity("sweep", shape=("frequency",), dtype="int64")
    time: FloatArray = quantity("seconds since 1970 UTC", unit="s", shape=("frequency",))
    frequency: FloatArray = quantity("frequency", unit="Hz", shape=("frequency",))
    real: FloatArray = quantity("Re Z", unit="ohm", shape=("frequency",))
    imaginary: FloatArray = quantity("Im Z", unit="ohm", shape=("frequency",))


@dataclass(frozen=True, slots=True)
class Cycling(Record):
    """Voltage and current against time; current and voltage positive when plating.

    Plating means lithium onto the working electrode (above). NaN where a file has no value.
    Rows are in order of time; a file of spectra alone has no rows. ``pressure`` is the pressure
    on the stack where a file has it, NaN where it has a gap, None where no file has it.
    """

    plot: ClassVar[tuple[str, str] | None] = ("voltage", "time")

    time: FloatArray = quantity("seconds since 1970 UTC", unit="s", shape=("row",))
    current: FloatArray = quantity("current, plating positive", unit="A", shape=("row",))
    voltage: FloatArray = quantity("voltage, plating positive", unit="V", shape=("row",))
    step: IntArray = quantity("cycler step number (Ns)", shape=("row",), dtype="int64")
    half_cycles: HalfCycles | None = None
    impedance: Impedance | None = None
    pressure: FloatArray | None = quantity(
        "pressure on the stack", unit="MPa", shape=("row",), optional=True
    )
