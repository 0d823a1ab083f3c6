"""Bending of the lattice under the beam from the streaks of peaks."""

from __future__ import annotations

import numpy as np

from mesolith.laue._kernels_refine import places_and_slopes
from mesolith.laue.predict import predict_spots
from mesolith.laue.streaks import streaks_of_grain
from tests.laue.patterns import crystals, geometry, indexer, true_reciprocal


def streaked(axis: np.ndarray, bend: float, noise: float, seed: int) -> tuple[object, ...]:
    """Widths of peaks of 1 px of a grain that bends about an axis, by differences of places."""
    reflections, here = indexer().reflections, geometry()
    lattice = true_reciprocal(crystals(31))[0]
    spots = predict_spots(lattice, reflections, here).strongest(120)
    hkl = reflections.hkl_float[spots.direction]
    x, y, z = axis
    turn = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    sides = []
    for sign in (1.0, -1.0):
        place, by_depth = np.empty((2, len(hkl), 2))
        moved = np.ascontiguousarray((np.eye(3) + sign * 1e-5 * turn) @ lattice)
        places_and_slopes(
            moved, hkl, spots.depth, here.row, place, np.empty((len(hkl), 2, 8)), by_depth
        )
        sides.append(place)
    streak = bend * (sides[0] - sides[1]) / 2e-5
    moments = np.eye(2) + streak[:, :, None] * streak[:, None, :]
    value, vector = np.linalg.eigh(moments)
    rng = np.random.default_rng(seed)
    widths = np.sqrt(value[:, ::-1]) * (1.0 + noise * rng.standard_normal((len(hkl), 2)))
    tilt = np.arctan2(vector[:, 1, 1], vector[:, 0, 1]) % np.pi
    return lattice, hkl, spots.depth, widths, tilt, here.row


def test_axis_and_size_of_the_bend_are_recovered_with_their_error() -> None:
    axis = np.array([0.6, 0.0, 0.8])
    exact = streaks_of_grain(*streaked(axis, 4e-4, 0.0, 0))
    np.testing.assert_allclose(exact.bend, 4e-4, rtol=1e-6)
    np.testing.assert_allclose(abs(exact.bend_axis @ axis), 1.0, atol=1e-9)
    assert exact.streak > 0.5
    off, sigma = [], []
    for seed in range(60):
        found = streaks_of_grain(*streaked(axis, 4e-4, 0.1, seed))
        assert abs(found.bend_axis @ axis) > 0.97
        off.append(found.bend - 4e-4)
        sigma.append(found.bend_se)
    assert 0.5 < np.sqrt(np.mean(np.square(off))) / np.median(sigma) < 1.5


def test_round_peaks_tell_no_axis() -> None:
    given = streaked(np.array([1.0, 0.0, 0.0]), 0.0, 0.1, 1)
    found = streaks_of_grain(*given)
    assert np.isnan(found.bend_axis).all()
    assert found.bend < 1.5e-4
    assert abs(found.peak_width - 1.0) < 0.1
    assert found.peak_width_se < 0.03


def test_few_peaks_tell_their_width_only_and_none_nothing() -> None:
    given = streaked(np.array([1.0, 0.0, 0.0]), 3e-4, 0.0, 2)
    few = streaks_of_grain(
        *(part[:6] if k in (1, 2, 3, 4) else part for k, part in enumerate(given))
    )
    assert np.isfinite(few.peak_width)
    assert np.isnan(few.bend)
    widths = np.full((120, 2), np.nan)
    none = streaks_of_grain(*given[:3], widths, *given[4:])
    assert np.isnan(none.peak_width)
