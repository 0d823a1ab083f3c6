"""Which grain of one state is which grain of the next."""

from __future__ import annotations

from dataclasses import dataclass

from mesolith.axes import FloatArray, IntArray
from mesolith.records.field import Record, quantity


@dataclass(frozen=True, slots=True)
class Tracking(Record):
    """One-to-one pairs between two grain maps, with what was lost and what is new.

    ``before`` and ``after`` are row numbers in the two maps. The motion takes the earlier state
    to the later: x_after = rotation @ x_before + translation (about the sample origin).
    ``distance`` and ``misorientation`` are what remains of each pair once it is removed.
    """

    before: IntArray = quantity("row in the earlier map", shape=("pair",), dtype="int64")
    after: IntArray = quantity("row in the later map", shape=("pair",), dtype="int64")
    probability: FloatArray = quantity("probability that the pair is right", shape=("pair",))
    distance: FloatArray = quantity("distance after the common motion", unit="um", shape=("pair",))
    misorientation: FloatArray = quantity(
        "misorientation after the common motion", unit="rad", shape=("pair",)
    )
    lost: IntArray = quantity(
        "rows of the earlier map without a partner", shape=("lost",), dtype="int64"
    )
    new: IntArray = quantity(
        "rows of the later map without a partner", shape=("new",), dtype="int64"
    )
    rotation: FloatArray = quantity("common rotation", shape=(3, 3), axes="sample")
    translation: FloatArray = quantity("common translation", unit="um", shape=(3,), axes="sample")
    rule: str = quantity("rule that made the pairs", dtype="str")
