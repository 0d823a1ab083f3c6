"""Spots err as their residuals say, whatever they state."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.axes import FloatArray
from mesolith.hedm.indexed import IndexedLayer, index_spots
from mesolith.hedm.measured_errors import ErrorCurve, error_curve, product_of_curves
from mesolith.records.spots import Spots
from mesolith.virtual.hedm.spot_lists import VirtualLayer
from tests.hedm.virtual_layers import SETTINGS, UPRIGHT, compare, layer, llzo

GRAINS = 40


@pytest.mark.parametrize("outliers", [0.0, 0.1])
def test_a_floor_and_a_factor_are_found(outliers: float) -> None:
    rng = np.random.default_rng(2)
    stated = np.exp(rng.uniform(np.log(0.01), np.log(0.5), 40_000))
    true = np.hypot(1.2 * stated, 0.05)
    error = true[:, None] * rng.standard_normal((len(stated), 2))
    error[rng.random(len(stated)) < outliers] *= 10.0
    curve = error_curve(stated, np.abs(error) / stated[:, None])
    asked = np.array([0.012, 0.03, 0.1, 0.3])
    expected = np.hypot(1.2 * asked, 0.05) / asked
    # a tenth of outliers moves a median by a sixth
    high = 1.10 if outliers == 0.0 else 1.28
    assert np.all(curve.factors(asked) > 0.92 * expected)
    assert np.all(curve.factors(asked) < high * expected)


def test_spots_that_state_the_same_have_one_factor() -> None:
    size = np.abs(0.7 * np.random.default_rng(3).standard_normal((9_000, 1)))
    curve = error_curve(np.full(9_000, 0.1), size)
    assert len(curve.place) == 1
    assert curve.factors(np.array([0.01, 0.1, 1.0])) == pytest.approx([0.7] * 3, rel=0.05)


@pytest.fixture(scope="module")
def truth() -> VirtualLayer:
    return layer(GRAINS, 14)


def _blind(spots: Spots) -> Spots:
    """Some state a quarter of their error; some stand in patches and are displaced besides."""
    rng = np.random.default_rng(15)
    sort = rng.choice(3, len(spots), p=[0.4, 0.4, 0.2])
    shrink = np.where(sort == 1, 1.0 / 16.0, 1.0)
    push = np.where((sort == 2)[:, None], 0.25, 0.0) * rng.standard_normal((len(spots), 2))
    return replace(
        spots,
        covariance=spots.covariance * shrink[:, None, None],
        fast=spots.fast + push[:, 0],
        slow=spots.slow + push[:, 1],
        overlapping=sort == 2,
    )


def _whitened(truth: VirtualLayer, found: IndexedLayer) -> FloatArray:
    grains = found.grains
    rows, place, bend = compare(
        grains.lattice_vectors, grains.position, truth.grains.lattice, truth.grains.position, llzo()
    )
    assert sorted(rows) == list(range(GRAINS))
    turn = np.stack([bend[:, 2, 1], bend[:, 0, 2], bend[:, 1, 0]], axis=1)
    turn -= np.stack([bend[:, 1, 2], bend[:, 2, 0], bend[:, 0, 1]], axis=1)
    strain = 0.5 * (bend + bend.swapaxes(1, 2))
    order = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
    error = np.hstack([place, 0.5 * turn, np.stack([strain[:, i, j] for i, j in order], axis=1)])
    return np.einsum("gi,gij,gj->g", error, np.linalg.inv(grains.covariance[rows]), error)


def test_grains_state_true_errors_though_their_spots_do_not(truth: VirtualLayer) -> None:
    found = index_spots(_blind(truth.spots), UPRIGHT, (llzo(),), SETTINGS)
    assert len(found.grains) == GRAINS
    # chi squared of 12: its mean over forty grains is good to 0.77
    assert 12.0 - 4 * 0.77 < np.mean(_whitened(truth, found)) < 12.0 + 4 * 0.77
    # spots of every sort lie as far as they now are said to
    assert np.median(found.assignment.distance) == pytest.approx(1.54, abs=0.08)
    mine = _blind(truth.spots).overlapping[found.assignment.spot]
    assert np.median(found.assignment.distance[mine]) == pytest.approx(1.54, abs=0.15)


def test_curves_over_the_same_values_multiply() -> None:
    one = ErrorCurve(np.log([1.0, 10.0]), np.log([1.0, 2.0]))
    other = ErrorCurve(np.log([3.0, 30.0, 100.0]), np.log([4.0, 1.0, 0.5]))
    values = np.geomspace(0.1, 1_000.0, 200)
    expected = one.factors(values) * other.factors(values)
    assert product_of_curves([one, other]).factors(values) == pytest.approx(expected, rel=1e-12)
