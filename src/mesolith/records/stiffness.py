"""The same grains under another stiffness: what the choice of the doping does to the stress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mesolith.axes import FloatArray, IntArray
from mesolith.records.field import Record, quantity


@dataclass(frozen=True, slots=True)
class StressUnderStiffness(Record):
    """Distribution of the stresses of each state under each of some stiffnesses.

    Each stiffness has a strain-free reference of its own from equilibrium, so that the means
    agree and the spread does not. Percentiles are over all grains as measured, noise included.
    """

    plot: ClassVar[tuple[str, str] | None] = None

    material: tuple[str, ...] = quantity("whose stiffness", shape=("material",), dtype="str")
    bulk_modulus: FloatArray = quantity("bulk modulus", unit="MPa", shape=("material",))
    used: int = quantity("row of the stiffness that all other results use", dtype="int64")
    state: tuple[str, ...] = quantity("state", shape=("state",), dtype="str")
    percent: FloatArray = quantity("percentile, percent", shape=("percentile",))
    hydrostatic: FloatArray = quantity(
        "percentiles of the hydrostatic stress",
        unit="MPa",
        shape=("material", "state", "percentile"),
    )
    von_mises: FloatArray = quantity(
        "percentiles of the von Mises stress", unit="MPa", shape=("material", "state", "percentile")
    )
    hydrostatic_spread: FloatArray = quantity(
        "standard deviation of the hydrostatic stress", unit="MPa", shape=("material", "state")
    )
    von_mises_mean: FloatArray = quantity(
        "mean von Mises stress", unit="MPa", shape=("material", "state")
    )
    grains: IntArray = quantity("grains", shape=("state",), dtype="int64")
