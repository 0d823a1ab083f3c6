"""A station calibrated on the grains of its own spots: truth recovered, contradictions told."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from mesolith.errors import ContradictionError, InvalidValueError
from mesolith.hedm.agreement import reversed_rotation
from mesolith.hedm.calibrate_spots import (
    CalibratedStation,
    CalibrationPlan,
    calibrate_spots,
    corrected,
)
from mesolith.hedm.indexed import index_spots
from mesolith.hedm.spot_errors import with_turn
from mesolith.instrument.station import scale_words, station_modes, station_parameters
from mesolith.records.spots import Spots
from mesolith.virtual.hedm.station import Station
from tests.hedm.virtual_layers import SETTINGS, UPRIGHT, A, instrument_of, layer, llzo, rows_of

CROOKED = Station(tilt=(0.0015, -0.001, 0.002), wedge=0.0009, centre=(150.0, -100.0))
FACTOR, FLOOR = 1.0008, 0.25
GRAINS = 30


@pytest.fixture(scope="module")
def spots() -> Spots:
    """Files that state less turn than a frame made, and places that are worse than stated."""
    made = with_turn(layer(GRAINS, 5, CROOKED, false=0.02).spots, 1.0 / FACTOR)
    noise = np.random.default_rng(6).normal(0.0, FLOOR, (2, len(made)))
    return replace(made, fast=made.fast + noise[0], slow=made.slow + noise[1])


@pytest.fixture(scope="module")
def found(spots: Spots) -> CalibratedStation:
    return calibrate_spots(UPRIGHT, spots, (llzo(),), SETTINGS, where="pristine, layer 1")


def test_the_station_comes_out_with_errors_that_cover(found: CalibratedStation) -> None:
    record = found.record
    true = station_parameters(instrument_of(CROOKED))
    by_name = dict(zip(record.name, zip(record.after, record.error, strict=True), strict=True))
    for name in ("shift_y", "tilt_x", "tilt_y", "tilt_z", "wedge", "distance"):
        after, error = by_name[name]
        assert abs(after - true[name]) < 4.0 * error, name
    assert by_name["tilt_x"][1] < np.deg2rad(5e-4)
    assert by_name["wedge"][1] < np.deg2rad(5e-4)
    # the lit part of the sample is put at zero height: 100 um over the root of twelve and thirty
    assert by_name["shift_z"][0] == pytest.approx(true["shift_z"], abs=4.0 * 5.3)
    assert all(np.isnan(by_name[name][1]) for name in ("shift_z", "wavelength", "chi"))
    assert record.grains == GRAINS
    assert record.before == pytest.approx(list(station_parameters(UPRIGHT).values()))


def test_turn_of_a_frame_and_error_floor_are_found_and_said(found: CalibratedStation) -> None:
    record = found.record
    assert record.omega_factor == pytest.approx(FACTOR, abs=4.0 * record.omega_factor_se)
    assert record.omega_factor_se < 1e-5
    # beside the 0.1 px that spots state
    assert record.floor_place == pytest.approx(FLOOR, rel=0.05)
    assert record.floor_omega < np.deg2rad(0.02)
    assert record.scatter == pytest.approx(1.0, abs=0.1)
    (said,) = (f for f in found.findings if "a frame turns by" in f.text)
    assert said.level == "warning"
    assert re.search(r"(3599\.9|3600\.0)\d frames are a turn", said.text)


def test_the_scale_is_said_to_be_one_combination(found: CalibratedStation) -> None:
    record = found.record
    assert record.tied
    words = scale_words(record)
    assert "known only together" in words
    assert "mean strain of this state is zero by construction" in words
    assert any(f.text == words for f in found.findings)
    best = record.scale.combination[0]
    assert np.allclose(np.abs(best), 1.0 / np.sqrt(3.0), atol=0.05)
    lattice = np.tile([A, A, A, *[np.pi / 2] * 3], (2, 1))
    (mode,) = station_modes(record, lattice)
    assert mode.name == "distance"
    relative = mode.sigma * mode.derivatives["lattice"][0, 0] / A
    assert relative == pytest.approx(record.distance_sigma / 2.189e6, rel=1e-3)


def test_indexing_with_it_is_as_good_as_with_the_truth(
    spots: Spots, found: CalibratedStation
) -> None:
    layer_found = index_spots(
        corrected(spots, found.record), found.record.instrument, (llzo(),), SETTINGS
    )
    assert len(layer_found.grains) == GRAINS
    assert np.median(layer_found.grains.completeness) > 0.98
    assert layer_found.grains.error_scale == pytest.approx([1.0, 1.0], abs=0.08)


def test_a_known_distance_holds_and_frees_the_lattice(spots: Spots) -> None:
    """The reference is wrong by 5e-4: the grains' mean lattice says so, the distance does not."""
    plan = CalibrationPlan(distance_sigma=10.0, rounds=1)
    record = calibrate_spots(UPRIGHT, spots, (llzo(a=A * 1.0005),), SETTINGS, plan).record
    after = dict(zip(record.name, record.after, strict=True))
    assert after["distance"] == pytest.approx(2.189e6, abs=15.0)
    assert not record.tied
    modes = {mode.name for mode in station_modes(record, np.ones((1, 6)))}
    assert modes == {"distance", "wavelength"}
    assert "1.0e-04 from the energy" in scale_words(record)


def test_a_wrong_lattice_is_said_by_how_much(spots: Spots) -> None:
    with pytest.raises(ContradictionError, match=r"all d are \+2\.\d\d% off") as caught:
        calibrate_spots(UPRIGHT, spots, (llzo(a=A / 1.022),), SETTINGS)
    assert "1.02" in str(caught.value.remedy)
    slightly = calibrate_spots(
        UPRIGHT, spots, (llzo(a=A / 1.005),), SETTINGS, CalibrationPlan(rounds=1)
    )
    (said,) = (f for f in slightly.findings if f.level == "warning" and "seem" in f.text)
    assert "+0.5" in said.text


def test_a_reversed_omega_is_said(spots: Spots) -> None:
    with pytest.raises(ContradictionError, match="turned against omega"):
        calibrate_spots(UPRIGHT, reversed_rotation(spots), (llzo(),), SETTINGS)


def test_too_little_to_calibrate_on_is_said(spots: Spots) -> None:
    few = rows_of(spots, np.arange(0, len(spots), 60))
    with pytest.raises(InvalidValueError, match="grains has 20 spots"):
        calibrate_spots(UPRIGHT, few, (llzo(),), SETTINGS)
