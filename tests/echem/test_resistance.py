"""Resistance per area, ohmic part, slope and scatter of half cycles with known truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mesolith.echem.resistance import course_of_series, resistance_of_half_cycles
from mesolith.errors import InvalidValueError
from mesolith.io.record_file import read_record, write_record
from mesolith.records.cycling import Cycling
from mesolith.records.plating import HalfCycleResistance
from tests.echem.protocols import AREA_M2, RESISTANCE, protocol
from tests.echem.spectra import draws
from tests.echem.test_read import cycling_of

STEPS = np.array([20.0, 40.0])


def test_resistances_of_a_protocol(tmp_path: Path) -> None:
    cycling = protocol(np.random.default_rng(3), STEPS)
    found = resistance_of_half_cycles(
        cycling, area_m2=AREA_M2, area_se_m2=0.02 * AREA_M2, ohmic=50.0, ohmic_se=0.5
    )
    expected = RESISTANCE * (1.0 + 0.05 * 0.5)  # the course rises by 5 % in a straight line
    assert np.all(np.abs(found.resistance - expected) < 0.01 * expected)
    assert np.allclose(found.areal_resistance, found.resistance * AREA_M2)
    assert np.allclose(found.current_density, [20.0, -20.0, 40.0, -40.0])
    rest = found.current * (found.resistance - 50.0)
    assert np.allclose(found.remaining_overpotential, rest)
    assert np.all(found.remaining_overpotential_se >= 0.5 * np.abs(found.current))
    assert np.all(found.slope > 3.0 * found.slope_se)  # either direction: it polarises
    assert found.area_relative_se == pytest.approx(0.02)
    write_record(tmp_path / "r.h5", found)
    again = read_record(tmp_path / "r.h5", HalfCycleResistance)
    assert np.array_equal(again.scatter, found.scatter)
    assert "areal_resistance_ohm_m2" in found.columns()
    assert "slope_volt_s" in found.columns()


def test_without_area_and_ohmic_part_they_are_not_invented() -> None:
    found = resistance_of_half_cycles(protocol(np.random.default_rng(3), STEPS), area_m2=None)
    assert np.all(np.isnan(found.areal_resistance))
    assert np.all(np.isnan(found.remaining_overpotential))
    assert np.all(np.isfinite(found.resistance))


@pytest.mark.parametrize("tails", [None, 5], ids=["normal", "heavy"])
@pytest.mark.parametrize("memory", [0.0, 0.6])
def test_slope_and_scatter_cover(memory: float, tails: int | None) -> None:
    rng = np.random.default_rng(73)
    time = 30.0 * np.arange(150)
    slope_in, scatter_in, spread_in = [], [], []
    spread = np.hypot(2e-7 * np.std(time), 1e-4)  # the drift counts
    for _ in range(250):
        fresh = draws(rng, 150, tails)
        error = np.zeros(150)
        error[0] = fresh[0]
        for k in range(1, 150):
            error[k] = memory * error[k - 1] + np.sqrt(1.0 - memory**2) * fresh[k]
        found = course_of_series(time, 0.01 + 2e-7 * time + 1e-4 * error)
        slope_in.append(abs(found.slope - 2e-7) < found.slope_se)
        scatter_in.append(abs(found.scatter - 1e-4) < found.scatter_se)
        spread_in.append(abs(found.spread - spread) < found.spread_se)
    assert 0.58 <= np.mean(slope_in) <= 0.78
    assert 0.55 <= np.mean(scatter_in) <= 0.80
    assert 0.55 <= np.mean(spread_in) <= 0.80


def test_a_drift_is_slope_and_no_scatter() -> None:
    time = np.arange(100.0)
    still = course_of_series(time, 0.1 + 1e-3 * time + 1e-6 * time**2)
    assert still.scatter < 1e-12
    assert still.slope == pytest.approx(1e-3 + 1e-6 * 99.0)
    assert still.spread == pytest.approx(np.std(0.1 + 1e-3 * time + 1e-6 * time**2, ddof=1))
    assert np.isnan(course_of_series(time[:7], time[:7]).slope)


def test_what_cannot_be_judged_is_refused() -> None:
    cycling = protocol(np.random.default_rng(3), STEPS)
    with pytest.raises(InvalidValueError, match="an area of -1 m2"):
        resistance_of_half_cycles(cycling, area_m2=-1.0)
    bare = Cycling(cycling.time, cycling.current, cycling.voltage, cycling.step)
    with pytest.raises(InvalidValueError, match="spectra alone"):
        resistance_of_half_cycles(bare, area_m2=None)
    with pytest.raises(InvalidValueError, match="have one time"):
        course_of_series(np.zeros(10), np.arange(10.0))


def test_measured_half_cycles(measured: Callable[[str], Path], tmp_path: Path) -> None:
    """The first half cycle of 2.8 uA: -3.7365 mV, detrended scatter below its 0.128 mV."""
    cycling, _ = cycling_of(tmp_path, measured("echem/yadg/mb.mpt"))
    found = resistance_of_half_cycles(cycling, area_m2=None)
    assert len(found.resistance) == 8
    assert np.all(np.abs(found.resistance - 1335.0) < 60.0)
    assert np.all(found.scatter < 1.3e-4)
