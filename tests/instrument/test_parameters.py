"""Moving an instrument, and the derivatives of spots against differences of moved instruments."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.errors import SettingsError
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.parameters import (
    beam_on_panels,
    moved,
    points_by_instrument,
    spots_by_instrument,
)
from mesolith.instrument.predict import linearise_spots, predict_spots
from mesolith.instrument.scattering import (
    laboratory_from_spots,
    reciprocal_from_lattice_vectors,
)
from tests.instrument.setups import bent, crooked, strained_grains

STEPS = {
    "distance": 20.0,
    "shift_y": 20.0,
    "shift_z": 20.0,
    "tilt_x": 1e-4,
    "tilt_y": 1e-4,
    "tilt_z": 1e-4,
    "wedge": 1e-4,
    "chi": 1e-4,
    "wavelength": 1e-6,
    "amplitude_1": 1e-5,
    "shift_y:left": 20.0,
    "tilt_z:right": 1e-4,
    "amplitude_3:right": 1e-5,
}
HKL = np.array([[4, 0, 0], [0, 4, 0], [3, 2, 1], [-2, 2, 4], [-4, -2, 0]])


@pytest.fixture(scope="module")
def instrument() -> Instrument:
    return crooked(distortion=bent())


def test_spots_answer_as_the_derivatives_say(instrument: Instrument) -> None:
    lattice, position = strained_grains(10, seed=5)
    predicted = predict_spots(instrument, lattice, position, HKL)
    spot = np.nonzero(predicted.panel >= 0)
    panel, near, place = predicted.panel[spot], predicted.omega[spot], position[spot[0]]
    g = np.einsum("nij,nj->ni", reciprocal_from_lattice_vectors(lattice)[spot[0]], HKL[spot[1]])
    at = linearise_spots(instrument, g, place, near_omega=near, panel=panel)
    found = spots_by_instrument(
        instrument, tuple(STEPS), g=g, position=place, panel=panel, spots=at
    )
    for k, (name, step) in enumerate(STEPS.items()):
        ends = [
            linearise_spots(
                moved(instrument, {name: sign * step}), g, place, near_omega=near, panel=panel
            ).value
            for sign in (1.0, -1.0)
        ]
        slope = (ends[0] - ends[1]) / (2.0 * step)
        size = np.abs(slope).max(axis=0) + np.array([1e-12, 1e-12, 1e-12])
        assert size[:2].max() > 1e-6, name
        np.testing.assert_allclose(found[:, :, k] / size, slope / size, atol=2e-5, err_msg=name)


def test_points_of_pixels_answer_too(instrument: Instrument) -> None:
    panel = np.array([0, 0, 1, 1])
    fast = np.array([10.0, 800.0, 100.0, 1900.0])
    slow = np.array([10.0, 1800.0, 700.0, 5.0])
    found = points_by_instrument(instrument, tuple(STEPS), panel=panel, fast=fast, slow=slow)
    for k, (name, step) in enumerate(STEPS.items()):
        ends = [
            laboratory_from_spots(moved(instrument, {name: s * step}), panel, fast, slow)
            for s in (1.0, -1.0)
        ]
        slope = (ends[0] - ends[1]) / (2.0 * step)
        np.testing.assert_allclose(found[:, :, k], slope, atol=1e-5 * (1 + np.abs(slope).max()))


def test_tilts_leave_the_point_of_the_beam(instrument: Instrument) -> None:
    pivot = beam_on_panels(instrument)
    turned = moved(instrument, {"tilt_x": 0.1, "tilt_y": -0.2, "tilt_z": 0.05})
    for before, after in zip(instrument.panels, turned.panels, strict=True):
        assert np.linalg.norm(after.origin - pivot) == pytest.approx(
            np.linalg.norm(before.origin - pivot), abs=1e-6
        )


@pytest.mark.parametrize("name", ["tilt", "wedge:left", "tilt_x:top", "amplitude_4", "amplitude_x"])
def test_an_unknown_parameter_is_refused(instrument: Instrument, name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        moved(instrument, {name: 1.0})
