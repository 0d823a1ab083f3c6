"""Predicted spots against a slow root search, their derivatives against differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.spatial.transform import Rotation

from mesolith.instrument.instrument import Instrument, kernel_arrays
from mesolith.instrument.panel import on_panel, pixels_from_rays
from mesolith.instrument.predict import (
    derivative_by_lattice_vectors,
    linearise_spots,
    predict_spots,
)
from mesolith.instrument.scattering import (
    laboratory_from_spots,
    reciprocal_from_lattice_vectors,
    scattering_vectors,
)
from tests.instrument.setups import bent, crooked, strained_grains

HKL = np.array([[4, 0, 0], [0, 4, 0], [3, 2, 1], [-2, 2, 4], [-4, -2, 0], [1, 1, 2], [0, 0, 40]])


@pytest.fixture(scope="module")
def instrument() -> Instrument:
    return crooked(distortion=bent())


def _twin(instrument: Instrument, g: np.ndarray, position: np.ndarray) -> list[tuple[float, ...]]:
    """(panel, fast, slow, omega) of every root of the sphere's condition, found by a scan."""
    beam = instrument.beam
    axis = instrument.goniometer.axis

    def excess(omega: float) -> float:
        turned = Rotation.from_rotvec(omega * axis).apply(g)
        return float(
            np.linalg.norm(beam.direction / beam.wavelength + turned) - 1 / beam.wavelength
        )

    grid = np.linspace(-np.pi, np.pi, 721)
    values = [excess(omega) for omega in grid]
    found = []
    for k in range(720):
        if values[k] * values[k + 1] < 0.0:
            omega = brentq(excess, grid[k], grid[k + 1], xtol=1e-15, rtol=1e-14)
            turn = Rotation.from_rotvec(omega * axis)
            ray = beam.direction / beam.wavelength + turn.apply(g)
            for number, panel in enumerate(instrument.panels):
                fast, slow = pixels_from_rays(panel, turn.apply(position), ray)
                if on_panel(panel, fast, slow):
                    found.append((number, float(fast), float(slow), omega))
                    break
            else:
                found.append((-1, np.nan, np.nan, omega))
    return found


def test_both_crossings_are_where_a_root_search_finds_them(instrument: Instrument) -> None:
    lattice, position = strained_grains(4)
    predicted = predict_spots(instrument, lattice, position, HKL)
    reciprocal = reciprocal_from_lattice_vectors(lattice)
    hit = 0
    for grain in range(4):
        for j, hkl in enumerate(HKL):
            twin = _twin(instrument, reciprocal[grain] @ hkl, position[grain])
            omega = predicted.omega[grain, j]
            order = np.argsort(omega)
            assert np.isfinite(omega).sum() == len(twin)
            for (number, fast, slow, at), k in zip(twin, order, strict=False):
                assert omega[k] == pytest.approx(at, abs=1e-9)
                assert predicted.panel[grain, j, k] == number
                assert predicted.fast[grain, j, k] == pytest.approx(fast, abs=1e-5, nan_ok=True)
                assert predicted.slow[grain, j, k] == pytest.approx(slow, abs=1e-5, nan_ok=True)
                hit += number >= 0
    assert hit > 20


def test_first_crossing_has_the_negative_rate(instrument: Instrument) -> None:
    lattice, position = strained_grains(20, seed=1)
    rate = predict_spots(instrument, lattice, position, HKL[:6]).rate
    assert np.nanmax(rate[..., 0]) <= 0.0 <= np.nanmin(rate[..., 1])


def test_a_spot_gives_back_its_scattering_vector(instrument: Instrument) -> None:
    lattice, position = strained_grains(30, seed=2)
    predicted = predict_spots(instrument, lattice, position, HKL)
    grain, j, crossing = np.nonzero(predicted.panel >= 0)
    assert len(grain) > 100
    spot = (grain, j, crossing)
    points = laboratory_from_spots(
        instrument, predicted.panel[spot], predicted.fast[spot], predicted.slow[spot]
    )
    g = scattering_vectors(instrument, points, predicted.omega[spot], position[grain])
    true = np.einsum("nij,nj->ni", reciprocal_from_lattice_vectors(lattice)[grain], HKL[j])
    np.testing.assert_allclose(g, true, atol=1e-11)


def test_derivatives_agree_with_differences(instrument: Instrument) -> None:
    lattice, position = strained_grains(12, seed=3)
    predicted = predict_spots(instrument, lattice, position, HKL[:6])
    spot = np.nonzero(predicted.panel >= 0)
    grain, j, _ = spot
    near, panel = predicted.omega[spot], predicted.panel[spot]
    hkl = HKL[j]

    def value(lattice: np.ndarray, position: np.ndarray) -> np.ndarray:
        g = np.einsum("nij,nj->ni", reciprocal_from_lattice_vectors(lattice)[grain], hkl)
        found = linearise_spots(instrument, g, position[grain], near_omega=near, panel=panel)
        return found.value

    reciprocal = reciprocal_from_lattice_vectors(lattice)[grain]
    g = np.einsum("nij,nj->ni", reciprocal, hkl)
    at = linearise_spots(instrument, g, position[grain], near_omega=near, panel=panel)
    np.testing.assert_allclose(at.value[:, 2], near, atol=1e-12)
    by_lattice = derivative_by_lattice_vectors(at.by_g, g, reciprocal)
    for k in range(3):
        step = np.zeros(3)
        step[k] = 1.0
        slope = (value(lattice, position + step) - value(lattice, position - step)) / 2.0
        np.testing.assert_allclose(at.by_position[:, :, k], slope, atol=1e-8)
        for i in range(3):
            move = np.zeros((3, 3))
            move[i, k] = 1e-4
            slope = (value(lattice + move, position) - value(lattice - move, position)) / 2e-4
            size = np.abs(slope).max(axis=0)
            np.testing.assert_allclose(by_lattice[:, :, i, k] / size, slope / size, atol=1e-5)


def test_kernel_rows_hold_one_panel_each(instrument: Instrument) -> None:
    source, panels = kernel_arrays(instrument)
    assert source.shape == (7,)
    assert panels.shape[0] == 2
    np.testing.assert_allclose(np.linalg.norm(source[4:]), 1.0)
    np.testing.assert_allclose(
        np.cross(panels[:, 3:6], panels[:, 6:9]), panels[:, 9:12], atol=1e-12
    )
