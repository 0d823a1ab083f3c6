"""Stress that is alike over many grains: what is judged is what the sums are made of."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.axes import FloatArray
from mesolith.link.likeness import change_test, mean_test, path_test, trend_test
from mesolith.numerics.likeness import LikenessModel
from mesolith.numerics.spatial import neighbour_graph, row_means
from tests.link.followed import SPACING, lattice_positions


def _alike(place: FloatArray, reach: float) -> FloatArray:
    """Matrix that makes Gaussian-correlated fields of variance 1 from white numbers."""
    apart = np.linalg.norm(place[:, None] - place[None, :], axis=2)
    values, axes = np.linalg.eigh(np.exp(-0.5 * (apart / reach) ** 2))
    return np.asarray(axes * np.sqrt(np.maximum(values, 0.0)))


def test_a_trend_is_the_plane_through_the_grains() -> None:
    rng = np.random.default_rng(0)
    position = lattice_positions(rng)
    slope = np.array([0.1, -0.2, 0.5])
    field = 300.0 + position @ slope + 15.0 * rng.standard_normal(len(position))
    found = trend_test(LikenessModel(position, SPACING), position, field[:, None])
    design = np.column_stack([np.ones(len(position)), position])
    plane = np.linalg.lstsq(design, field, rcond=None)[0]
    assert found.total[0] == pytest.approx(plane[1:])
    assert found.p[0] < 1e-6
    assert np.all(np.abs(found.total[0] - slope) < 4.0 * found.se[0])


def test_changes_of_neighbourhoods_keep_their_level_and_are_seen() -> None:
    """Ten spots in a field that is alike over 80 um: false alarms near 5 %, and power."""
    rng = np.random.default_rng(1)
    position = lattice_positions(rng)
    root = _alike(position, 80.0)
    model = LikenessModel(position, SPACING)
    around = neighbour_graph(position, 1.3 * SPACING, itself=True)
    trials = 200
    moved = 15.0 * root @ rng.standard_normal((len(position), trials))
    moved += 15.0 * rng.standard_normal(moved.shape)
    share = np.zeros(moved.shape)
    for k in range(trials):
        share[rng.choice(len(position), 10, replace=False), k] = 0.1
    # the sums as link.hotspots makes them
    change = np.sum(share * row_means(around, moved - moved.mean(axis=0)), axis=0)
    weight = around.T @ (share / np.diff(around.indptr)[:, None])
    found = change_test(model, moved, weight, change)
    assert 0.015 <= np.mean(found.p <= 0.05) <= 0.09
    assert np.std(change) == pytest.approx(np.median(found.se), rel=0.15)
    seen = change_test(model, moved, weight, change + 25.0)
    assert np.mean(seen.p <= 0.05) > 0.8


def test_a_mean_over_alike_grains_is_less_sure_than_their_number_says() -> None:
    rng = np.random.default_rng(2)
    position = lattice_positions(rng)
    root = _alike(position, 80.0)
    values = root @ rng.standard_normal((len(position), 80))
    values += rng.standard_normal(values.shape)
    found = mean_test(LikenessModel(position, SPACING), values)
    truth = np.sqrt(np.mean(root @ root.T) + 1.0 / len(position))
    assert np.median(found.se) == pytest.approx(truth, rel=0.15)
    assert np.median(found.se) > 2.0 * np.sqrt(2.0 / len(position))


def test_paths_from_near_starts_are_not_independent() -> None:
    """Paths in five states, near ones alike over 60 um; each group with its own states."""
    rng = np.random.default_rng(3)
    position = lattice_positions(rng, 12, 9)
    root = _alike(position, 60.0)
    model = LikenessModel(position, SPACING)
    groups = (np.arange(5), np.array([1, 3]))
    wrong, pulls = 0, []
    for _ in range(20):
        middle = position[rng.choice(len(position), 15, replace=False)]
        near = np.linalg.norm(position[:, None] - middle, axis=2).min(axis=1)
        hot = np.argsort(near + 20.0 * rng.random(len(position)))[:60]
        start = np.column_stack([rng.permutation(hot)[:50] for _ in range(5)])
        field = root @ rng.standard_normal(len(position))
        excess = 0.05 * field[start] + 0.05 * rng.standard_normal(start.shape)
        stress = 30.0 * (field[:, None] + rng.standard_normal((len(position), 5)))
        found = path_test(model, position, SPACING, stress, start, excess, groups)
        assert found.total[:, 0] == pytest.approx([excess.mean(), excess[:, [1, 3]].mean()])
        wrong += found.p[0] <= 0.05
        pulls.append(found.total[0, 0] / found.se[0, 0])
    assert wrong <= 4
    assert 0.6 < np.sqrt(np.mean(np.square(pulls))) < 1.5


def test_paths_from_one_hot_region_tell_nothing() -> None:
    rng = np.random.default_rng(4)
    position = lattice_positions(rng)
    field = _alike(position, 160.0) @ rng.standard_normal(len(position))
    stress = 30.0 * field[:, None] + 3.0 * rng.standard_normal((len(position), 5))
    start = np.argsort(-stress, axis=0)[:50]
    excess = 0.05 * rng.standard_normal(start.shape)
    model = LikenessModel(position, SPACING)
    found = path_test(model, position, SPACING, stress, start, excess, (np.arange(5),))
    assert found.total[0, 0] == pytest.approx(excess.mean())
    assert np.isnan([found.p[0], found.se[0, 0], found.freedom[0]]).all()
