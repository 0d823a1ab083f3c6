"""Trend and autocorrelation: found where planted, silent where not, blind to drift."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.link.space import fields_of, likeness_range, spatial_pattern, stress_clusters
from mesolith.numerics.spatial import neighbour_graph, row_means
from tests.link.followed import SPACING, followed, lattice_positions


def test_a_planted_trend_is_recovered_in_the_change_it_belongs_to() -> None:
    rng = np.random.default_rng(0)
    position = lattice_positions(rng)
    truth = np.repeat(30.0 * rng.standard_normal((len(position), 1)), 3, axis=1)
    slope = np.array([0.0, 0.02, -0.1])
    truth[:, 2] += position @ slope
    pattern = spatial_pattern(
        followed(rng, position, truth, drift=np.array([0.0, 40.0, -60.0])), permutations=499
    )
    last = pattern.field.index("state 0 to state 2")
    first = pattern.field.index("state 0 to state 1")
    assert pattern.trend_p_family[last] <= 0.01
    assert pattern.trend_p[first] > 0.05
    pull = (pattern.trend[last] - slope) / pattern.trend_se[last]
    assert np.all(np.abs(pull) < 3.0)
    assert pattern.grains == len(position)
    # the trend is taken out before neighbours are compared
    assert pattern.moran_p_family[last] > 0.05


def test_neighbours_that_are_alike_are_found_and_no_trend_is_made_of_them() -> None:
    rng = np.random.default_rng(1)
    position = lattice_positions(rng)
    near = neighbour_graph(position, 1.2 * SPACING, itself=True)
    trends = 0
    for seed in range(24):
        rng = np.random.default_rng(seed)
        field = row_means(near, rng.standard_normal(len(position)))
        truth = np.column_stack([np.zeros(len(position)), 40.0 * field / field.std()])
        pattern = spatial_pattern(followed(rng, position, truth), permutations=199, seed=seed)
        change = pattern.field.index("state 0 to state 1")
        assert pattern.moran_p[change] <= 0.01
        assert pattern.moran[change] > 3.0 * pattern.moran_se[change] > 0.0
        trends += pattern.trend_p[change] <= 0.05
    assert trends <= 5


def test_the_range_of_likeness_is_that_of_the_field() -> None:
    rng = np.random.default_rng(2)
    position = lattice_positions(rng, 14, 14)
    noise = rng.standard_normal((len(position), 1))
    assert likeness_range(position, noise, SPACING) == 0.0
    field = row_means(neighbour_graph(position, 1.6 * SPACING, itself=True), noise)
    found = likeness_range(position, field - field.mean(), SPACING)
    # the means of two grains share members up to twice the reach
    assert 2.5 * SPACING <= found <= 4.5 * SPACING


def test_a_drift_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    position = lattice_positions(rng, 7, 7)
    truth = 20.0 * rng.standard_normal((len(position), 3))
    plain = followed(np.random.default_rng(4), position, truth)
    shifted = followed(
        np.random.default_rng(4), position, truth, drift=np.array([0.0, 500.0, -90.0])
    )
    one, other = (spatial_pattern(cell, permutations=99) for cell in (plain, shifted))
    assert other.trend == pytest.approx(one.trend, rel=1e-6, abs=1e-9)
    assert np.array_equal(other.trend_p, one.trend_p)
    assert other.moran == pytest.approx(one.moran)


def test_clusters_follow_place_unless_scaled() -> None:
    """Without scaling um beat MPa: the clusters are thirds of the pellet, whatever the stress."""
    rng = np.random.default_rng(5)
    position = lattice_positions(rng)
    truth = np.repeat(3.0 * rng.standard_normal((len(position), 1)), 2, axis=1)
    cell = followed(rng, position, truth, noise=1.0)
    plain = stress_clusters(cell, scaling="none")
    assert plain.state == ("state 0", "state 1")
    assert np.all(plain.share_stress < 0.05)
    assert np.all(plain.share_place > 0.4)
    scaled = stress_clusters(cell)
    assert np.all(scaled.share_stress > plain.share_stress)
    assert np.all(scaled.grains.sum(axis=1) == len(position))


def test_fields_are_states_steps_and_the_whole_way() -> None:
    rng = np.random.default_rng(6)
    names, weights = fields_of(followed(rng, np.eye(3), np.zeros((3, 3))))
    assert names[3:] == ("state 0 to state 1", "state 1 to state 2", "state 0 to state 2")
    assert weights[-1].tolist() == [-1.0, 0.0, 1.0]


def test_a_handful_of_grains_makes_no_spatial_statement() -> None:
    rng = np.random.default_rng(7)
    position = lattice_positions(rng, 3, 2)
    with pytest.raises(InvalidValueError, match="fill only"):
        spatial_pattern(followed(rng, position, rng.standard_normal((18, 2))))
