"""True values of a virtual cell, to be set beside what the analysis recovered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mesolith.axes import FloatArray, IntArray
from mesolith.records.field import Record, quantity


@dataclass(frozen=True, slots=True)
class TrueGrains(Record):
    """True grains of one state; ``found_id`` links them to the ids of the measured file."""

    plot: ClassVar[tuple[str, str] | None] = ("stress_hydrostatic", "grain_id")

    grain_id: IntArray = quantity("true grain", shape=("grain",), dtype="int64")
    found_id: IntArray = quantity(
        "id in the measured file, -1 where it was not found", shape=("grain",), dtype="int64"
    )
    position: FloatArray = quantity(
        "true centre of mass",
        unit="um",
        shape=("grain", 3),
        axes="sample",
        components=("x", "y", "z"),
    )
    radius: FloatArray = quantity(
        "true radius of the sphere of equal volume", unit="um", shape=("grain",)
    )
    stress_hydrostatic: FloatArray = quantity(
        "true hydrostatic stress", unit="MPa", shape=("grain",)
    )
    stress_von_mises: FloatArray = quantity("true von Mises stress", unit="MPa", shape=("grain",))
