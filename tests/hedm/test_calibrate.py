"""A rough station is checked and calibrated; spots that contradict it are refused by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.errors import ContradictionError
from mesolith.hedm.calibrate import calibrate_station
from mesolith.hedm.calibrate_grains import GrainSpots
from mesolith.hedm.plausibility import fit_rings, rotation_sense
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.parameters import moved
from mesolith.records.spots import Spots
from tests.hedm.layers import LATTICE, SPACINGS, Layer, layer, station

TRUE = {
    "tilt_x": np.deg2rad(-0.1),
    "wedge": np.deg2rad(0.05),
    "shift_y": 200.0,
    "tilt_y": np.deg2rad(0.1),
    "tilt_z": np.deg2rad(0.1),
    "distance": 30_000.0,
}


@pytest.fixture(scope="module")
def made() -> Layer:
    return layer(station(**TRUE), 50, np.random.default_rng(21), false=1000)


def _reversed(spots: Spots) -> Spots:
    return replace(spots, omega=-spots.omega, omega_range=-spots.omega_range[::-1, ::-1])


def test_a_rough_station_becomes_the_true_one(made: Layer) -> None:
    own = np.flatnonzero(made.grain >= 0)
    asked: list[Instrument] = []

    def find_grains(instrument: Instrument) -> GrainSpots:
        asked.append(instrument)
        return GrainSpots(
            made.lattice_vectors,
            made.position,
            np.full(len(made.position), LATTICE**3),
            own,
            made.grain[own],
            made.hkl[own],
        )

    start = moved(station(), {"shift_y": -2000.0, "shift_z": 1000.0})
    found = calibrate_station(start, made.spots, SPACINGS, find_grains)
    assert len(asked) == 2
    true, ours = station(**TRUE), found.calibration.instrument
    off = ours.panels[0].origin - true.panels[0].origin
    # grains follow the height of the detector; the distance is known to the grains' mean dilation
    assert abs(off[0]) < 4.0 * found.calibration.sigma("distance")
    assert abs(off[1]) < 2.0
    height = np.median(found.position[:, 2] - made.position[:, 2])
    assert off[2] == pytest.approx(height, abs=2.0)
    turn = ours.panels[0].rotation @ true.panels[0].rotation.T
    assert np.abs(turn - np.eye(3)).max() < np.deg2rad(0.02)
    assert ours.goniometer.wedge == pytest.approx(TRUE["wedge"], abs=np.deg2rad(0.002))


def _never(instrument: Instrument) -> GrainSpots:
    pytest.fail("grains were looked for in spots that contradict their station")


def test_a_reversed_omega_is_found_and_said(made: Layer) -> None:
    forward = rotation_sense(station(), made.spots, SPACINGS)
    backward = rotation_sense(station(), _reversed(made.spots), SPACINGS)
    assert (forward.sign, backward.sign) == (1, -1)
    assert forward.forward == backward.backward > 10 * forward.backward
    with pytest.raises(ContradictionError, match="the sample turned against omega"):
        calibrate_station(station(), _reversed(made.spots), SPACINGS, _never)


def test_random_spots_have_no_sense_of_rotation(made: Layer) -> None:
    rng = np.random.default_rng(5)
    noise = replace(made.spots, omega=rng.uniform(-np.pi, np.pi, len(made.spots)))
    assert rotation_sense(station(), noise, SPACINGS).sign == 0


@pytest.mark.parametrize("factor", [0.95, 1.0, 1.04])
def test_the_rings_say_how_far_centre_and_scale_are_off(made: Layer, factor: float) -> None:
    changes = {"distance": (factor - 1.0) * 2.219e6, "shift_y": -2600.0, "shift_z": 1300.0}
    rings = fit_rings(moved(station(**TRUE), changes), made.spots, SPACINGS)
    assert rings.factor == pytest.approx(factor, abs=2e-3)
    # a shift on a panel moves with the distance at most by as much
    assert rings.shift_y == pytest.approx(2600.0, abs=300.0)
    assert rings.shift_z == pytest.approx(-1300.0, abs=300.0)
    assert rings.share > 5.0 * rings.chance
