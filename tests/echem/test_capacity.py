"""Plated capacity by hand, and device targets that are met, missed or open."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.echem.capacity import CHARGE_OF_LITHIUM, device_targets, plated_capacity
from mesolith.echem.critical_current import critical_current
from mesolith.errors import InvalidValueError
from mesolith.records.cycling import HalfCycles
from mesolith.units import convert
from tests.echem.protocols import AREA_M2, protocol


def half_cycles(density_ma_cm2: float, hours: float, count: int) -> HalfCycles:
    sign = (-1.0) ** np.arange(count)
    current = density_ma_cm2 * 1e-3 * AREA_M2 * 1e4 * sign
    ones = np.ones(count)
    whole = np.arange(count)
    return HalfCycles(
        step=whole,
        first_row=whole * 100,
        rows=np.full(count, 100),
        start=whole * hours * 3600.0,
        duration=ones * hours * 3600.0,
        current=current,
        charge=current * hours * 3600.0,
        overpotential=0.05 * sign,
        overpotential_se=1e-4 * ones,
        overpotential_std=1e-3 * ones,
    )


def test_a_micrometre_of_lithium() -> None:
    assert convert(CHARGE_OF_LITHIUM, "C/m2", "mAh/cm2") == pytest.approx(0.2059, rel=2e-3)


def test_capacity_by_hand() -> None:
    found = plated_capacity(
        half_cycles(0.5, 2.0, 4),
        area_m2=AREA_M2,
        area_se_m2=0.03 * AREA_M2,
        current_gain_se=0.04,
        lithium_thickness_um=20.0,
    )
    assert np.allclose(found.areal / 36000.0, 1.0)
    assert np.allclose(found.cumulative / 36000.0, [1.0, 2.0, 3.0, 4.0])
    assert np.allclose(found.current_density, 5.0)
    assert np.allclose(found.fraction_passed, 1.0 / (20.0 * 0.2059), rtol=2e-3)
    assert (found.failed_in, found.before_failure) == (-1, pytest.approx(4.0 * 36000.0))
    assert found.relative_se == pytest.approx(0.05)


def test_what_passed_before_a_short_counts() -> None:
    cycling = protocol(
        np.random.default_rng(2), np.linspace(1.0, 6.0, 6), critical=3.5, kind="hard"
    )
    short = critical_current(cycling, area_m2=AREA_M2)
    assert cycling.half_cycles is not None
    found = plated_capacity(cycling.half_cycles, area_m2=AREA_M2, failure=short)
    assert found.failed_in == 6
    assert found.cumulative[5] < found.before_failure < found.cumulative[6]


def test_targets_met_missed_and_open() -> None:
    good = plated_capacity(half_cycles(4.0, 1.0, 3), area_m2=AREA_M2, lithium_thickness_um=21.0)
    assert [target.met for target in device_targets(good)] == [True, True, True, True]
    poor = plated_capacity(half_cycles(0.5, 1.0, 4), area_m2=AREA_M2)
    first, *others = device_targets(poor)
    assert first.met is None  # it lives: what it will have plated is open
    assert (first.reached, first.target) == (pytest.approx(2.0), 10.0)
    assert [target.met for target in others] == [False, False, None]
    near = plated_capacity(half_cycles(3.1, 1.0, 4), area_m2=AREA_M2, area_se_m2=0.05 * AREA_M2)
    assert device_targets(near)[1].met is None


def test_the_half_cycle_that_fails_is_no_achievement() -> None:
    cycling = protocol(
        np.random.default_rng(2), np.linspace(10.0, 60.0, 6), critical=35.0, kind="hard"
    )
    short = critical_current(cycling, area_m2=AREA_M2)
    assert cycling.half_cycles is not None
    targets = device_targets(plated_capacity(cycling.half_cycles, area_m2=AREA_M2, failure=short))
    assert targets[1].reached == pytest.approx(3.0)
    assert 11.8 < targets[0].reached < 15.8  # twice 1, 2 and 3, and a part of 4
    assert targets[0].met is True


def test_no_area_and_no_thickness_below_zero() -> None:
    with pytest.raises(InvalidValueError, match="an area of 0 m2"):
        plated_capacity(half_cycles(1.0, 1.0, 1), area_m2=0.0)
    with pytest.raises(InvalidValueError, match="a lithium thickness of -1 um"):
        plated_capacity(half_cycles(1.0, 1.0, 1), area_m2=AREA_M2, lithium_thickness_um=-1.0)
