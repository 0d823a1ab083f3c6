"""Grains that were followed through all states, with what they carry in each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.records.field import Record, quantity

StressKind = Literal["hydrostatic", "von_mises"]


@dataclass(frozen=True, slots=True)
class FollowedGrains(Record):
    """Only grains that have a partner in every state; one row a grain, one column a state.

    Positions are those of the first state. ``direction`` is that of the current which led to a
    state: 1 plates lithium on the working electrode, -1 strips it, 0 where nothing flowed.
    ``*_common_se`` is the part of a state's error that shifts all its grains together and is
    not shared with the other states, such as a drift.
    """

    plot: ClassVar[tuple[str, str] | None] = ("radius", "grain")

    state: tuple[str, ...] = quantity("state", shape=("state",), dtype="str")
    direction: IntArray = quantity(
        "direction of the current that led to the state", shape=("state",), dtype="int64"
    )
    grain: IntArray = quantity("row in the first map", shape=("grain",), dtype="int64")
    row: IntArray = quantity("row in each map", shape=("grain", "state"), dtype="int64")
    probability: FloatArray = quantity("probability that all pairs are right", shape=("grain",))
    position: FloatArray = quantity(
        "centre of mass in the first state",
        unit="um",
        shape=("grain", 3),
        axes="sample",
        components=("x", "y", "z"),
    )
    radius: FloatArray = quantity(
        "mean over the states of the radius of the sphere of equal volume",
        unit="um",
        shape=("grain",),
    )
    hydrostatic: FloatArray = quantity(
        "hydrostatic stress", unit="MPa", shape=("grain", "state"), error="hydrostatic_se"
    )
    hydrostatic_se: FloatArray = quantity(
        "standard error of the hydrostatic stress, random part",
        unit="MPa",
        shape=("grain", "state"),
    )
    hydrostatic_common_se: FloatArray = quantity(
        "standard error common to a state's grains and to no other state",
        unit="MPa",
        shape=("state",),
    )
    von_mises: FloatArray = quantity(
        "von Mises stress", unit="MPa", shape=("grain", "state"), error="von_mises_se"
    )
    von_mises_se: FloatArray = quantity(
        "standard error of the von Mises stress, random part", unit="MPa", shape=("grain", "state")
    )
    von_mises_common_se: FloatArray = quantity(
        "standard error common to a state's grains and to no other state",
        unit="MPa",
        shape=("state",),
    )

    def _check(self) -> None:
        for name in ("position", "radius", "hydrostatic", "von_mises"):
            if not np.all(np.isfinite(getattr(self, name))):
                raise InvalidValueError(f"FollowedGrains.{name} holds NaN or infinity")
        if np.any(np.abs(self.direction) > 1):
            raise InvalidValueError("FollowedGrains.direction is 1, -1 or 0")

    def __len__(self) -> int:
        return len(self.grain)

    def stress(self, kind: StressKind) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Stress (grain, state), its random error, and the error common to each state, MPa."""
        if kind == "hydrostatic":
            return self.hydrostatic, self.hydrostatic_se, self.hydrostatic_common_se
        return self.von_mises, self.von_mises_se, self.von_mises_common_se
