"""The critical current is bracketed, shorts are told from improvements, intervals cover."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.echem.critical_current import (
    critical_current,
    critical_current_interval,
    sharpest_fall,
)
from mesolith.errors import InvalidValueError
from mesolith.records.cycling import Cycling
from tests.echem.protocols import AREA_M2, protocol

STEPS = np.linspace(1.0, 12.0, 12)  # A/m2


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_a_short_is_found_in_its_step(kind: str) -> None:
    cycling = protocol(np.random.default_rng(1), STEPS, critical=5.4, kind=kind)
    found = critical_current(cycling, area_m2=AREA_M2)
    assert found.kind == kind
    assert found.half_cycle == 10
    assert (found.lower, found.upper) == pytest.approx((5.0, 6.0))
    assert found.value == pytest.approx(5.5)
    assert found.value_se == pytest.approx(1.0 / np.sqrt(12.0))
    assert found.evidence[0].startswith("half cycle 11: ")
    charge = np.abs(cycling.half_cycles.charge)
    assert charge[:10].sum() < found.charge < charge[:11].sum()


@pytest.mark.parametrize("tails", [None, 3], ids=["normal", "heavy"])
def test_intervals_of_the_critical_current_cover(tails: int | None) -> None:
    rng = np.random.default_rng(67)
    inside, wrong = [], 0
    for trial in range(100):
        kind = ("hard", "soft")[trial % 2]
        critical = float(rng.uniform(1.2, 5.8))
        steps = STEPS[:6] * rng.uniform(0.97, 1.03)
        cycling = protocol(rng, steps, critical=critical, kind=kind, tails=tails)
        area = AREA_M2 * (1.0 + 0.02 * rng.standard_normal())  # what the user believes
        found = critical_current(cycling, area_m2=area, area_se_m2=0.02 * AREA_M2)
        wrong += found.kind != kind
        low, high = critical_current_interval(found)
        inside.append(low < critical < high)
    assert wrong <= 3
    assert 0.55 <= np.mean(inside) <= 0.80


def test_no_short_is_seen_where_there_is_none() -> None:
    rng = np.random.default_rng(71)
    kinds = [
        critical_current(protocol(rng, STEPS[:6], tails=tails), area_m2=AREA_M2).kind
        for tails in (None, 3)
        for _ in range(20)
    ]
    assert kinds.count("none") >= 38
    assert not {"hard", "soft"} & set(kinds)


def test_a_better_contact_is_no_short() -> None:
    """The resistance falls by a sixth from cycle to cycle, quietly: nobody can tell why."""
    cycling = protocol(np.random.default_rng(5), STEPS[:5], improvement=0.09)
    found = critical_current(cycling, area_m2=AREA_M2)
    assert found.kind == "unclear"
    assert np.isnan(found.value)
    assert found.upper == np.inf
    assert "of the resistance of the half cycle before is left" in found.evidence[0]


def test_without_a_short_there_is_a_lower_end_only() -> None:
    found = critical_current(protocol(np.random.default_rng(6), STEPS[:4]), area_m2=AREA_M2)
    assert (found.kind, found.half_cycle, found.evidence) == ("none", -1, ())
    assert (found.lower, found.upper) == (pytest.approx(4.0), np.inf)
    assert np.all(np.isnan(critical_current_interval(found)))


def test_failure_at_a_current_that_had_passed_is_no_critical_current() -> None:
    cycling = protocol(np.random.default_rng(7), np.full(4, 3.0))
    voltage = np.array(cycling.voltage)
    voltage[5 * 120 + 60 :] *= 0.02
    shorted = Cycling(cycling.time, cycling.current, voltage, cycling.step, cycling.half_cycles)
    found = critical_current(shorted, area_m2=AREA_M2)
    assert (found.kind, found.half_cycle) == ("hard", 5)
    assert np.isnan(found.value)
    assert "failed by charge" in found.evidence[-1]


def test_the_interval_holds_bracket_and_area() -> None:
    cycling = protocol(np.random.default_rng(1), STEPS, critical=5.4, kind="hard")
    alone = critical_current(cycling, area_m2=AREA_M2)
    assert critical_current_interval(alone, 0.68) == pytest.approx((5.16, 5.84), abs=1e-3)
    loose = critical_current(cycling, area_m2=AREA_M2, area_se_m2=0.2 * AREA_M2)
    low, high = critical_current_interval(loose, 0.68)
    assert high - low == pytest.approx(2.0 * np.hypot(1.1, 1.0 / np.sqrt(12.0)), rel=0.03)


def test_the_sharpest_fall_is_dated() -> None:
    rng = np.random.default_rng(9)
    time = np.arange(200.0)
    series = 50.0 + 0.02 * time - np.where(time >= 120, 8.0, 0.0) + rng.normal(size=200)
    step = sharpest_fall(time, series)
    assert step is not None
    assert abs(step.row - 120) <= 2
    assert step.left == pytest.approx(1.0 - 8.0 / 51.0, abs=0.02)
    assert step.certainty > 10.0
    assert sharpest_fall(time[:11], series[:11]) is None
    assert sharpest_fall(time, 50.0 + 0.02 * time) is None


def test_what_cannot_be_judged_is_refused() -> None:
    cycling = protocol(np.random.default_rng(1), STEPS[:2])
    bare = Cycling(cycling.time, cycling.current, cycling.voltage, cycling.step)
    with pytest.raises(InvalidValueError, match="no half cycles"):
        critical_current(bare, area_m2=AREA_M2)
    with pytest.raises(InvalidValueError, match="an area of 0 m2"):
        critical_current(cycling, area_m2=0.0)
