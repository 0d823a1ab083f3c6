"""The station from its grains: known truth with errors that cover it, and measured spots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesolith.crystal.lattice import cell_volume
from mesolith.errors import InvalidValueError
from mesolith.hedm.calibrate_grains import (
    FROM_GRAINS,
    GrainSpots,
    best_matches,
    calibrate_from_grains,
)
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import laboratory_from_pixels
from mesolith.instrument.parameters import moved
from mesolith.instrument.scattering import scattering_vectors
from mesolith.io.imaged11 import read_ubi
from mesolith.io.imaged11_instrument import (
    flips_and_tilt,
    read_imaged11_instrument,
    tilts_from_matrix,
)
from tests.formats.test_instruments import RUBY, GeSpots
from tests.hedm.layers import LATTICE, Layer, layer, spot_list, station

Measured = Callable[[str], Path]
TRUE = {
    "tilt_x": np.deg2rad(0.1),
    "wedge": np.deg2rad(-0.05),
    "shift_y": 120.0,
    "tilt_y": np.deg2rad(0.1),
    "tilt_z": np.deg2rad(-0.1),
    "distance": 800.0,
}


def _matches(made: Layer, rng: np.random.Generator) -> GrainSpots:
    """Matches with grains that are off by 30 um and 1e-4."""
    own = np.flatnonzero(made.grain >= 0)
    lattice, position = made.lattice_vectors, made.position
    return GrainSpots(
        lattice + LATTICE * rng.normal(0.0, 1e-4, lattice.shape),
        position + rng.normal(0.0, 30.0, position.shape),
        np.full(len(lattice), LATTICE**3),
        own,
        made.grain[own],
        made.hkl[own],
    )


@pytest.fixture(scope="module")
def made() -> Layer:
    return layer(station(**TRUE), 60, np.random.default_rng(11))


def test_the_station_is_found_with_errors_that_cover(made: Layer) -> None:
    rng = np.random.default_rng(12)
    found = calibrate_from_grains(station(), made.spots, _matches(made, rng))
    result = found.calibration
    assert result.name == FROM_GRAINS
    change = dict(zip(result.name, result.change, strict=True))
    normed = [(change[name] - value) / result.sigma(name) for name, value in TRUE.items()]
    assert np.max(np.abs(normed)) < 4.0
    assert np.sqrt(np.mean(np.square(normed))) == pytest.approx(1.0, abs=0.8)
    assert result.sigma("tilt_x") < np.deg2rad(2e-4)
    assert result.sigma("wedge") < np.deg2rad(1e-3)
    assert result.sigma("shift_y") < 1.0
    # 60 grains of dilation 3e-4 pin the mean to 4e-5 of 2.189 m
    assert result.sigma("distance") == pytest.approx(2.189e6 * 3e-4 / np.sqrt(60.0), rel=0.15)
    assert result.scatter == pytest.approx(1.0, abs=0.1)
    off = found.position - made.position
    assert np.std(off, axis=0).max() < 4.0


def test_outliers_do_not_matter(made: Layer) -> None:
    rng = np.random.default_rng(13)
    matches = _matches(made, rng)
    place = np.column_stack([made.spots.fast, made.spots.slow, made.spots.omega])
    wrong = rng.choice(len(place), len(place) // 20, replace=False)
    place[wrong, :2] += rng.normal(0.0, 5.0, (len(wrong), 2))
    result = calibrate_from_grains(station(), spot_list(place), matches).calibration
    change = dict(zip(result.name, result.change, strict=True))
    for name, value in TRUE.items():
        assert abs(change[name] - value) < 4.0 * result.sigma(name), name


def test_the_scale_is_shared_as_the_priors_say(made: Layer) -> None:
    """Lattice to 1e-4, energy to 2e-4: the distance's error is what they and the scale leave."""
    start = moved(station(), {name: value for name, value in TRUE.items() if name != "distance"})
    wavelength = start.beam.wavelength
    prior = {"lattice": 1e-4, "wavelength": 2e-4 * wavelength}
    matches = _matches(made, np.random.default_rng(14))
    result = calibrate_from_grains(start, made.spots, matches, prior=prior).calibration
    assert set(result.name) == {*FROM_GRAINS, "lattice", "wavelength"}
    rows = result.scale.combination / result.scale.sigma[:, None]
    left = np.linalg.inv(rows.T @ rows + np.diag([1e-4**-2, 0.0, 2e-4**-2]))
    wanted = 2.189e6 * np.sqrt(left[1, 1])
    assert result.sigma("distance") == pytest.approx(wanted, rel=0.03)
    alone = calibrate_from_grains(start, made.spots, matches).calibration
    assert result.sigma("distance") > 2.0 * alone.sigma("distance")
    assert result.sigma("lattice") < 1e-4
    best, _, worst = result.scale.combination
    np.testing.assert_allclose(best, np.array([-1.0, 1.0, 1.0]) / np.sqrt(3.0), atol=0.03)
    np.testing.assert_allclose(worst, np.array([1.0, 0.0, 1.0]) / np.sqrt(2.0), atol=0.01)
    assert result.scale.sigma[2] > 100.0 * result.scale.sigma[0]


@pytest.mark.parametrize("stated", [0.5, 3.0])
def test_a_prior_counts_as_stated_whatever_the_spots_state(made: Layer, stated: float) -> None:
    """Spots whose errors are stated wrong by a factor change neither results nor errors."""
    wrong = replace(made.spots, covariance=stated**2 * made.spots.covariance)
    matches = _matches(made, np.random.default_rng(15))
    truth = moved(station(), TRUE)
    off = moved(truth, {"distance": 60.0})
    results = [
        calibrate_from_grains(off, spots, matches, prior={"distance": 20.0}).calibration
        for spots in (made.spots, wrong)
    ]
    for result in results:
        k = result.name.index("distance")
        assert result.sigma("distance") == pytest.approx(20.0, rel=0.05)
        assert abs(result.change[k]) < 20.0  # the prior holds it, 60 um off as it is
    np.testing.assert_allclose(results[0].change, results[1].change, rtol=0.02, atol=1e-6)
    np.testing.assert_allclose(results[0].covariance, results[1].covariance, rtol=0.1, atol=1e-9)
    assert results[1].scatter == pytest.approx(results[0].scatter / stated**2, rel=0.01)


def test_the_best_grains_are_those_with_most_spots_of_their_own(made: Layer) -> None:
    matches = _matches(made, np.random.default_rng(0))
    shared = matches.spot.copy()
    poor = np.flatnonzero(matches.grain == 7)
    shared[poor[5:]] = matches.spot[np.flatnonzero(matches.grain == 8)[: len(poor) - 5]]
    best = best_matches(replace(matches, spot=shared), most=20)
    assert len(best.lattice_vectors) == 20
    assert len(np.unique(best.spot)) == len(best.spot)
    counts = np.bincount(best.grain)
    assert counts.min() >= np.sort(np.bincount(matches.grain))[-22]
    kept = np.flatnonzero((best.position[:, None] == matches.position).all(axis=2).any(axis=0))
    assert 7 not in kept
    np.testing.assert_array_equal(matches.hkl[np.isin(shared, best.spot)].shape, best.hkl.shape)


@pytest.mark.parametrize("name", ["shift_z", "chi"])
def test_what_every_grain_can_follow_is_refused(made: Layer, name: str) -> None:
    matches = _matches(made, np.random.default_rng(0))
    with pytest.raises(InvalidValueError, match=f"{name} cannot be fitted to grains"):
        calibrate_from_grains(station(), made.spots, matches, names=(*FROM_GRAINS, name))


def test_poor_grains_and_odd_priors_are_refused(made: Layer) -> None:
    matches = _matches(made, np.random.default_rng(0))
    few = replace(matches, spot=matches.spot[:10], grain=matches.grain[:10], hkl=matches.hkl[:10])
    with pytest.raises(InvalidValueError, match="1 of 1 grains have fewer than 20 spots"):
        calibrate_from_grains(station(), made.spots, few)
    with pytest.raises(InvalidValueError, match="the prior of tilt_x is 1"):
        calibrate_from_grains(station(), made.spots, matches, prior={"tilt_x": 1.0})


def test_hexrds_stage_is_found_again_from_its_ruby(measured: Measured) -> None:
    """Started upright and level, 841 measured spots of one ruby at three places."""
    sweeps = [GeSpots(measured, k) for k in range(3)]
    place = np.concatenate([np.column_stack([s.fast, s.slow, s.omega]) for s in sweeps])
    place[:, 2] = (place[:, 2] + np.pi) % (2.0 * np.pi) - np.pi
    matches = GrainSpots(
        np.array([s.lattice for s in sweeps]),
        np.array([s.position for s in sweeps]),
        np.full(3, float(cell_volume(RUBY))),
        np.arange(len(place)),
        np.repeat(np.arange(3), [len(s.hkl) for s in sweeps]),
        np.concatenate([s.hkl for s in sweeps]).astype(np.int64),
    )
    hexrd = sweeps[0].file.instrument
    tilts = _tilts(hexrd)
    start = moved(
        hexrd, {"wedge": -hexrd.goniometer.wedge, "tilt_y": -tilts[1], "tilt_z": -tilts[2]}
    )
    assert max(abs(tilt) for tilt in _tilts(start)[1:]) < 1e-5
    result = calibrate_from_grains(start, spot_list(place, "GE"), matches).calibration
    wedge = result.instrument.goniometer.wedge
    assert wedge == pytest.approx(hexrd.goniometer.wedge, abs=3e-5)  # of 9.0e-4
    found = _tilts(result.instrument)
    assert found[1] == pytest.approx(tilts[1], abs=2e-4)  # of 6.0e-4
    assert found[2] == pytest.approx(tilts[2], abs=2e-4)  # of 3.1e-3
    assert result.scatter < 0.3  # spots are better than 0.1 px and 0.05 deg


def _tilts(instrument: Instrument) -> tuple[float, float, float]:
    return tilts_from_matrix(flips_and_tilt(instrument.panels[0])[1])


def test_the_tilts_of_makemap_have_their_signs(measured: Measured) -> None:
    """Started level; ImageD11's file has tilt_y -0.0022 and tilt_z -0.0013."""
    folder = "hedm/imaged11_makemap"
    file = read_imaged11_instrument(measured(f"{folder}/test.prm"), shape=(2048, 2048))
    table = np.loadtxt(measured(f"{folder}/test.flt"))
    slow, fast, omega = table[:, 0], table[:, 1], np.deg2rad(table[:, 2])
    grains = read_ubi(measured(f"{folder}/map.ubi"))
    points = laboratory_from_pixels(file.instrument.panels[0], fast, slow)
    best = np.full(len(omega), 0.05)
    owner, hkl = np.full(len(omega), -1), np.zeros((len(omega), 3), dtype=np.int64)
    for k, grain in enumerate(grains):
        g = scattering_vectors(file.instrument, points, omega, grain.translation)
        near = g @ grain.ubi.T
        off = np.linalg.norm(near - np.rint(near), axis=1)
        better = off < best
        best[better], owner[better], hkl[better] = off[better], k, np.rint(near)[better]
    own = np.flatnonzero(owner >= 0)
    matches = GrainSpots(
        np.array([grain.ubi.T for grain in grains]),
        np.array([grain.translation for grain in grains]),
        np.full(len(grains), 4.049**3),
        own,
        owner[own],
        hkl[own],
    )
    _, tilt_y, tilt_z = _tilts(file.instrument)
    level = moved(file.instrument, {"tilt_y": -tilt_y, "tilt_z": -tilt_z})
    spots = spot_list(np.column_stack([fast, slow, omega]), "detector")
    result = calibrate_from_grains(level, spots, matches).calibration
    found = _tilts(result.instrument)
    assert found[1] + 5.0 * result.sigma("tilt_y") < 0.0
    assert found[2] + 5.0 * result.sigma("tilt_z") < 0.0
    # a roll that its file leaves out: 0.18 deg, sixty standard errors
    assert found[0] == pytest.approx(np.deg2rad(0.18), abs=np.deg2rad(0.01))
