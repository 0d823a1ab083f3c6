"""What was done to the cell from state to state: charge and times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mesolith.axes import FloatArray, IntArray
from mesolith.records.field import Record, quantity


@dataclass(frozen=True, slots=True)
class History(Record):
    """Charge passed before each state, in the order of the states.

    Net charge counts plating on the working electrode positive, cumulative charge counts both
    directions; both from the first state's own record on. NaN where neither a cycler file nor
    ``after`` tells, or where the area that would convert one into the other was never given.
    """

    plot: ClassVar[tuple[str, str] | None] = ("net_areal_charge", "cumulative_areal_charge")

    state: tuple[str, ...] = quantity("state", shape=("state",), dtype="str")
    half_cycles: IntArray = quantity(
        "half cycles before the state, in all", shape=("state",), dtype="int64"
    )
    net_charge: FloatArray = quantity("net charge, plating positive", unit="C", shape=("state",))
    cumulative_charge: FloatArray = quantity(
        "cumulative charge, both directions", unit="C", shape=("state",)
    )
    net_areal_charge: FloatArray = quantity(
        "net charge per area, plating positive", unit="C/m2", shape=("state",)
    )
    cumulative_areal_charge: FloatArray = quantity(
        "cumulative charge per area, both directions", unit="C/m2", shape=("state",)
    )
    source: tuple[str, ...] = quantity(
        "where the charge since the state before comes from: files, protocol or nothing",
        shape=("state",),
        dtype="str",
    )
    record_start: FloatArray = quantity(
        "start of the cycler record, seconds since 1970 UTC", unit="s", shape=("state",)
    )
    record_end: FloatArray = quantity(
        "end of the cycler record, seconds since 1970 UTC", unit="s", shape=("state",)
    )
    measured_at: FloatArray = quantity(
        "when the state was measured, seconds since 1970 UTC", unit="s", shape=("state",)
    )
