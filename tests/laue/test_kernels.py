"""Laue kernels beside slow and obvious twins."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from mesolith.axes import FloatArray
from mesolith.laue._kernels_match import cells_of, nearest_peaks, one_spot_a_peak
from mesolith.laue._kernels_refine import apply_step, normal_equations, place_and_slope
from mesolith.laue._kernels_search import first_not_below, paint, turning
from mesolith.laue.chance import FITTED_SPOTS, log_chance, log_false
from tests.laue.patterns import crystals, geometry, indexer, true_reciprocal

STEP = 1e-6


def changed(g: FloatArray, parameter: int, size: float) -> FloatArray:
    new, step = g.copy(), np.zeros(8)
    step[parameter] = size
    apply_step(new, step, 0)
    return new


def place_of(g: FloatArray, hkl: FloatArray, depth: float) -> FloatArray:
    place, slope, deep = np.empty(2), np.empty((2, 8)), np.empty(2)
    assert place_and_slope(*(g @ hkl), depth, geometry().row, place, slope, deep)
    return place


def test_a_step_turns_and_stretches_as_it_says() -> None:
    g = true_reciprocal(crystals(1))[0]
    turned = changed(g, 2, 1e-5) - g
    np.testing.assert_allclose(turned, 1e-5 * np.cross([0.0, 0.0, 1.0], g.T).T, atol=1e-12)
    # strain stretches the lattice, so it shortens its reciprocal; trace-free
    shrunk = changed(g, 3, 1e-5) @ np.linalg.inv(g) - np.eye(3)
    np.testing.assert_allclose(shrunk, 1e-5 * np.diag([-1.0, 0.0, 1.0]), atol=1e-12)
    sheared = changed(g, 6, 1e-5) @ np.linalg.inv(g) - np.eye(3)
    np.testing.assert_allclose(sheared[[0, 2], [2, 0]], -1e-5)


def test_derivatives_are_those_of_differences() -> None:
    g = true_reciprocal(crystals(2))[0]
    spots = 0
    for k in np.flatnonzero(indexer().reflections.direction @ g.T @ geometry().centre > 0.0745)[:6]:
        hkl, depth = indexer().reflections.hkl_float[k], 17.0
        place, slope, deep = np.empty(2), np.empty((2, 8)), np.empty(2)
        assert place_and_slope(*(g @ hkl), depth, geometry().row, place, slope, deep)
        for parameter in range(8):
            ahead = place_of(changed(g, parameter, STEP), hkl, depth)
            behind = place_of(changed(g, parameter, -STEP), hkl, depth)
            np.testing.assert_allclose(
                slope[:, parameter], (ahead - behind) / (2.0 * STEP), rtol=1e-5, atol=1e-3
            )
        ahead, behind = place_of(g, hkl, depth + 1.0), place_of(g, hkl, depth - 1.0)
        np.testing.assert_allclose(deep, (ahead - behind) / 2.0, rtol=1e-4, atol=1e-9)
        spots += 1
    assert spots == 6


@pytest.mark.parametrize("same", [True, False])
def test_normal_equations_of_a_blend(same: bool) -> None:
    """Two spots in one peak: derivatives of their weighted mean, of one grain or of two."""
    g = true_reciprocal(crystals(3, (1.0, 1.0)))
    near = [np.argmax(indexer().reflections.direction @ one.T @ geometry().centre) for one in g]
    grain = np.array([0, 0]) if same else np.array([1, 0])
    hkl = indexer().reflections.hkl_float[[near[k] for k in grain]]
    if same:
        hkl[1] = hkl[0] + np.array([0.05, 0.0, 0.02])
    share, depth = np.array([3.0, 1.0]), np.array([5.0, 9.0])
    seen = np.array([[1000.0, 1000.0]])

    def mean(lattices: FloatArray) -> FloatArray:
        places = [place_of(lattices[grain[k]], hkl[k], depth[k]) for k in (0, 1)]
        return 0.75 * places[0] + 0.25 * places[1]

    size = 16
    normal, right = np.empty((size, size)), np.empty(size)
    residual, square, weight = np.empty((2, 2)), np.empty(2), np.empty(2)
    normal_equations(
        g, hkl, grain, share, depth, np.zeros(2), np.zeros(2, dtype=np.int64),
        np.array([1, 0]), seen, np.array([1e6]), 1e18, 0.0, np.zeros((2, 5)), geometry().row,
        normal, right, residual, square, weight,
    )  # fmt: skip
    apart = np.sum((place_of(g[grain[0]], hkl[0], 5.0) - place_of(g[grain[1]], hkl[1], 9.0)) ** 2)
    spread = 1e6 + 0.5 * apart * (0.02 + 0.75 * 0.25)
    jacobian = np.zeros((2, size))
    for k in range(2):
        for parameter in range(8):
            sides = []
            for sign in (1.0, -1.0):
                moved = g.copy()
                moved[k] = changed(g[k], parameter, sign * STEP)
                sides.append(mean(moved))
            jacobian[:, 8 * k + parameter] = (sides[0] - sides[1]) / (2.0 * STEP)
    full = normal + np.tril(normal, -1).T
    np.testing.assert_allclose(full, jacobian.T @ jacobian / spread, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(residual[0], seen[0] - mean(g), atol=1e-9)
    np.testing.assert_allclose(right, jacobian.T @ residual[0] / spread, rtol=1e-4, atol=1e-2)


def test_a_prior_is_an_observation_of_no_strain() -> None:
    g, strain = true_reciprocal(crystals(4)), np.array([[1.0, 2.0, 3.0, 4.0, 5.0]])
    normal, right = np.empty((8, 8)), np.empty(8)
    none = np.zeros(0, dtype=np.int64)
    normal_equations(
        g, np.zeros((0, 3)), none, np.zeros(0), np.zeros(0), np.zeros(0), none, none,
        np.zeros((1, 2)), np.ones(1), 10.0, 0.5, strain, geometry().row, normal, right,
        np.zeros((0, 2)), np.zeros(0), np.zeros(0),
    )  # fmt: skip
    # gradient of 0.5 / 2 times the sum of all nine squares
    expected = -0.5 * np.array([1.0 + 3.0, 2.0 + 3.0, 6.0, 8.0, 10.0])
    np.testing.assert_allclose(right[3:], expected)
    np.testing.assert_allclose(np.diag(normal)[3:], [1.0, 1.0, 1.0, 1.0, 1.0])
    assert normal[4, 3] == 0.5
    assert not normal[:3].any()


def test_two_pairs_of_directions_give_the_turn() -> None:
    rotation = crystals(5).orientation[0]
    a = np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0]])
    found = np.empty((3, 3))
    turning(a[0], a[1], rotation @ a[0], rotation @ a[1], found)
    np.testing.assert_allclose(found, rotation, atol=1e-12)


def test_bisection_is_that_of_numpy() -> None:
    values = np.sort(np.random.default_rng(8).integers(0, 30, 50)).astype(float)
    for bound in (-1.0, 0.0, 7.0, 7.5, 29.0, 31.0):
        assert first_not_below(values, bound) == np.searchsorted(values, bound)
    assert first_not_below(values[:0], 1.0) == 0


def test_nearest_peaks_are_the_nearest() -> None:
    rng = np.random.default_rng(6)
    fast, slow = rng.uniform(0.0, 200.0, (2, 300))
    usable = rng.uniform(size=300) > 0.3
    place = rng.uniform(-5.0, 205.0, (80, 2))
    head, after = cells_of(fast, slow, 16.0, 13, 13)
    peak, distance = np.empty(80, dtype=np.int64), np.empty(80)
    nearest_peaks(place, fast, slow, usable, head, after, 16.0, 6.0, peak, distance)
    every = np.hypot(fast - place[:, :1], slow - place[:, 1:])
    every[:, ~usable] = np.inf
    best = np.argmin(every, axis=1)
    near = every[np.arange(80), best] < 6.0
    np.testing.assert_array_equal(peak, np.where(near, best, -1))
    np.testing.assert_allclose(distance[near], every[np.arange(80), best][near])
    assert 10 < near.sum() < 80


def test_a_peak_goes_to_the_nearer_of_two_spots_that_are_alike() -> None:
    peak = np.array([4, 4, -1, 2])
    one_spot_a_peak(peak, np.array([1.0, 0.2, 9.0, 0.5]), np.ones(4), np.empty(5, dtype=np.int64))
    assert peak.tolist() == [-1, 4, -1, 2]
    peak = np.array([4, 4])
    one_spot_a_peak(peak, np.array([1.0, 0.5]), np.array([9.0, 1.0]), np.empty(5, dtype=np.int64))
    assert peak.tolist() == [4, -1]


def test_a_picture_holds_discs() -> None:
    picture = np.zeros((50, 40), dtype=np.uint8)
    paint(np.array([20.0, 1e6]), np.array([12.0, 5.0]), 1, 6.0, 1.0, picture)
    assert abs(picture.sum() - math.pi * 36.0) < 8.0
    assert picture[20, 12] == 1
    assert picture[20, 19] == 0


@pytest.mark.parametrize(
    ("found", "predicted", "share"), [(5, 40, 0.01), (20, 25, 0.1), (3, 3, 0.2)]
)
def test_the_bound_lies_above_the_exact_chance(found: int, predicted: int, share: float) -> None:
    exact = float(binom.logsf(found - 1, predicted, share))
    bound = log_chance(found, predicted, share)
    assert exact <= bound <= 0.5 * exact
    assert log_chance(1, 100, 0.02) == 0.0
    assert log_chance(0, 0, 0.02) == 0.0


def test_more_orientations_tried_make_a_solution_less_sure() -> None:
    hits = np.zeros(100, dtype=np.int64)
    hits[:20] = 1
    one, many = log_false(hits, 0.01, 1), log_false(hits, 0.01, 10_000)
    assert many - one == pytest.approx(math.log(10_000))
    assert one < log_chance(20 - FITTED_SPOTS, 100, 0.01) < 0.0
    assert log_false(hits[20:], 0.01, 1) == 0.0
