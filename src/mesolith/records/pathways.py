"""Pathways of stress from the hottest grains, and where along the stack they lead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mesolith.axes import FloatArray, IntArray
from mesolith.records.field import Record, quantity


@dataclass(frozen=True, slots=True)
class StressPathways(Record):
    """Paths of steepest stress from the hottest grains of each state, and their relaxation.

    Relaxation is z of the end less z of the start over the height of the body: positive from
    counter to working electrode. ``expected`` is what the place of the starts alone makes of it
    (a grain near the top can only lead down), found by exchanging the stress of all other grains;
    what is tested is relaxation less that. Groups are the mean over the states of either
    direction of the current and over all states ("cell"). ``step_*`` compare the directions
    with states, not paths, as independent.
    """

    plot: ClassVar[tuple[str, str] | None] = ("relaxation", "state")

    state: tuple[str, ...] = quantity("state", shape=("state",), dtype="str")
    direction: IntArray = quantity("direction of the current", shape=("state",), dtype="int64")
    start: IntArray = quantity("first grain", shape=("path", "state"), dtype="int64")
    end: IntArray = quantity("last grain", shape=("path", "state"), dtype="int64")
    steps: IntArray = quantity("steps of the path", shape=("path", "state"), dtype="int64")
    path_relaxation: FloatArray = quantity("relaxation of a path", shape=("path", "state"))
    path_expected: FloatArray = quantity(
        "relaxation that its start alone makes", shape=("path", "state")
    )
    relaxation: FloatArray = quantity("mean relaxation", shape=("state",), error="relaxation_se")
    relaxation_se: FloatArray = quantity("standard error", shape=("state",))
    group: tuple[str, ...] = quantity("states that are averaged", shape=("group",), dtype="str")
    group_relaxation: FloatArray = quantity("mean relaxation", shape=("group",))
    group_excess: FloatArray = quantity(
        "mean relaxation less what the starts alone make", shape=("group",), error="group_se"
    )
    group_se: FloatArray = quantity("standard error", shape=("group",))
    group_independent: IntArray = quantity(
        "paths that count as independent", shape=("group",), dtype="int64"
    )
    group_p: FloatArray = quantity("p-value of the excess", shape=("group",))
    group_p_family: FloatArray = quantity("p-value, corrected for all groups", shape=("group",))
    group_naive_p: FloatArray = quantity(
        "p-value with paths as independent and starts ignored: wrong, for comparison",
        shape=("group",),
    )
    direction_effect: float = quantity("excess under direction 1 less that under -1, NaN without")
    direction_p: float = quantity("p-value of that, states exchanged; NaN without")
    direction_least: float = quantity("smallest p-value that so many states can give; NaN without")
    judged_by: str = quantity(
        '"blocks" of grains, or "likeness" where stress is alike over more than a block',
        dtype="str",
    )
    rule: str = quantity('"grain" (to a minimum) or "cluster" (to a mutual pair)', dtype="str")
    paths: int = quantity("paths from each state", dtype="int64")
    grains: int = quantity("grains followed", dtype="int64")
    height: float = quantity("height of the body that relaxation is divided by", unit="um")
    reach: float = quantity("distance up to which grains are neighbours", unit="um")


@dataclass(frozen=True, slots=True)
class Pathways(Record):
    """Pathways by each rule ("grain", "cluster"); empty where too few grains are followed."""

    rules: tuple[StressPathways, ...] = ()

    def of(self, rule: str) -> StressPathways | None:
        """Pathways by that rule, or None."""
        return next((found for found in self.rules if found.rule == rule), None)
