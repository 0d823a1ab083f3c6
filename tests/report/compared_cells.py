"""Cells to set side by side: the synthetic one with what the statistics found in it."""

from __future__ import annotations

import dataclasses

import numpy as np

from mesolith.link.findings import Answer, findings_from_answers
from mesolith.link.hotspots import spot_changes, spot_history
from mesolith.link.transitions import direction_separation
from mesolith.records.cell import Cell
from mesolith.records.findings import Findings
from mesolith.records.followed import FollowedGrains
from mesolith.records.hotspots import HotSpots
from mesolith.records.plating import CriticalCurrent, PlatedCapacity
from mesolith.records.transitions import Transitions
from mesolith.units import to_internal
from tests.link.followed import followed, lattice_positions

from .synthetic_cell import STATES, synthetic_cell

KINDS = ("hydrostatic", "von_mises")


def compared_cell(name: str, seed: int, **conditions: object) -> Cell:
    """A synthetic cell with spots, transitions and two findings; None takes a condition away."""
    base = synthetic_cell(300, seed, name=name)
    grains = _followed(seed)
    spots = HotSpots(
        histories=tuple(
            spot_history(grains, kind=kind, quantity=quantity)  # type: ignore[arg-type]
            for kind in ("hot", "cold")
            for quantity in KINDS
        ),
        changes=tuple(
            spot_changes(grains, chosen="fixed", quantity=quantity)  # type: ignore[arg-type]
            for quantity in KINDS
        ),
    )
    transitions = Transitions((direction_separation(grains),))
    told = {
        key: value for key, value in (base.conditions | conditions).items() if value is not None
    }
    missing = tuple(
        ("missing", key, "nobody gave it") for key, value in conditions.items() if value is None
    )
    handles = {
        **base.handles,
        FollowedGrains: lambda: grains,
        HotSpots: lambda: spots,
        Transitions: lambda: transitions,
        Findings: lambda: findings(0.1 * seed),
        PlatedCapacity: lambda: plated(4 + seed),
        CriticalCurrent: lambda: critical(10.0 * seed),
    }
    return dataclasses.replace(
        base, conditions=told, handles=handles, remarks=base.remarks + missing
    )


def plated(half_cycles: int) -> PlatedCapacity:
    """One mAh/cm2 a half cycle, failed in the last one."""
    one = to_internal(1.0, "mAh/cm2")
    values = {
        "half_cycle": np.arange(half_cycles),
        "state": STATES[:1] * half_cycles,
        "charge": np.full(half_cycles, 1.0),
        "current_density": np.full(half_cycles, 10.0),
        "areal": np.full(half_cycles, one),
        "cumulative": one * np.arange(1.0, half_cycles + 1.0),
        "fraction_passed": np.full(half_cycles, np.nan),
        "failed_in": half_cycles - 1,
        "before_failure": one * (half_cycles - 0.5),
        "charge_before_failure": half_cycles - 0.5,
        "relative_se": 0.02,
    }
    known = {field.name for field in dataclasses.fields(PlatedCapacity)}
    return PlatedCapacity(**{name: value for name, value in values.items() if name in known})


def critical(value: float) -> CriticalCurrent:
    """A hard short at that critical current density, A/m2, known to 2 A/m2."""
    return CriticalCurrent(
        kind="hard",
        half_cycle=3,
        lower=value - 3.0,
        upper=value + 3.0,
        value=value,
        value_se=2.0,
        area_relative_se=0.01,
        charge=2.0,
        evidence=("the voltage fell",),
    )


def findings(shift: float) -> Findings:
    """One clustering finding that lies at 0.1 + shift, and one direction that cannot be told."""
    value = 0.1 + shift
    return findings_from_answers(
        [
            Answer(
                "clustering",
                "<index> of neighbours",
                value,
                value - 0.01,
                value + 0.01,
                "1",
                300,
                40,
                0.001,
            ),
            Answer(
                "direction of the current",
                "hot, hydrostatic",
                20.0,
                12.0,
                28.0,
                "MPa",
                300,
                4,
                0.33,
                least=1 / 3,
            ),
        ]
    )


def _followed(seed: int) -> FollowedGrains:
    rng = np.random.default_rng(seed)
    position = lattice_positions(rng, across=6, high=5)
    own = 25.0 * rng.standard_normal((len(position), 1))
    swing = np.array([0.0, 1.0, 0.0, 1.0, 0.0]) * 8.0 * np.sign(own)
    return dataclasses.replace(followed(rng, position, own + swing), state=STATES)
