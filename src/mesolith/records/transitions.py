"""Stress before and after each transition, set apart by the direction of the current."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mesolith.axes import FloatArray, IntArray
from mesolith.records.field import Record, quantity


@dataclass(frozen=True, slots=True)
class DirectionSeparation(Record):
    """Does stress change otherwise under one direction of current than under the other?

    ``initial`` and ``final`` are the points of Dixit et al. 2022, Fig. 7b-c: means of single
    neighbourhoods, as measured. What is tested stands on ``spot_level``: the mean of all
    neighbourhoods in each state, without what choosing them adds. ``effect`` is the mean change
    under direction 1 less that under -1. ``p`` is the larger of ``p_transitions`` (transitions
    exchanged: right where changes add up) and ``p_states`` (states exchanged: right where each
    state has an error of its own, such as a drift). ``least`` is the smallest p that so many
    transitions can give. ``finding`` is true only where both, with and without the pellet's mean
    removed, stay below 5 % after Holm's correction.
    """

    plot: ClassVar[tuple[str, str] | None] = ("effect", "question")

    transition: tuple[str, ...] = quantity("transition", shape=("transition",), dtype="str")
    direction: IntArray = quantity("direction of the current", shape=("transition",), dtype="int64")
    point_set: tuple[str, ...] = quantity(
        "spots and stress of the points", shape=("set",), dtype="str"
    )
    initial: FloatArray = quantity(
        "neighbourhood mean before", unit="MPa", shape=("set", "spot", "transition")
    )
    final: FloatArray = quantity(
        "neighbourhood mean after", unit="MPa", shape=("set", "spot", "transition")
    )
    question: tuple[str, ...] = quantity(
        "spots, stress, and whether the pellet's mean is removed", shape=("question",), dtype="str"
    )
    spot_level: FloatArray = quantity(
        "mean of the neighbourhoods", unit="MPa", shape=("question", "state")
    )
    effect: FloatArray = quantity(
        "change under direction 1 less that under -1",
        unit="MPa",
        shape=("question",),
        error="effect_se",
    )
    effect_se: FloatArray = quantity("standard error", unit="MPa", shape=("question",))
    low: FloatArray = quantity("lower end of the interval", unit="MPa", shape=("question",))
    high: FloatArray = quantity("upper end of the interval", unit="MPa", shape=("question",))
    common_se: FloatArray = quantity(
        "part of the error by modes common to a state, such as a drift",
        unit="MPa",
        shape=("question",),
    )
    p_transitions: FloatArray = quantity("p-value, transitions exchanged", shape=("question",))
    p_states: FloatArray = quantity("p-value, states exchanged", shape=("question",))
    p: FloatArray = quantity("p-value: the larger", shape=("question",))
    p_family: FloatArray = quantity("p-value, Holm over all questions", shape=("question",))
    naive_p: FloatArray = quantity(
        "p-value with points as independent: wrong, for comparison", shape=("question",)
    )
    least: float = quantity("smallest p-value that so many transitions can give")
    finding: tuple[str, ...] = quantity(
        "spots and stress whose separation survives", shape=("finding",), dtype="str"
    )
    transitions: int = quantity("transitions with a current", dtype="int64")
    spots: int = quantity("spots of each kind", dtype="int64")
    grains: int = quantity("grains followed", dtype="int64")
    level: float = quantity("probability that an interval holds the truth")


@dataclass(frozen=True, slots=True)
class Transitions(Record):
    """Separation by direction of the current; empty with fewer than three such transitions."""

    separation: tuple[DirectionSeparation, ...] = ()
