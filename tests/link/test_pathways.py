"""Pathways of stress: the rules by hand, the slow twin, and what places alone make of z."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.link._kernels_pathways import exchanged_ends
from mesolith.link.pathways import PathRule, next_on_path, path_ends, stress_pathways
from mesolith.numerics.spatial import neighbour_graph, row_means
from tests.link.followed import SPACING, followed, lattice_positions


def _graph(position: FloatArray, reach: float) -> tuple[csr_array, FloatArray]:
    graph = neighbour_graph(position, reach)
    own = np.repeat(np.arange(len(position)), np.diff(graph.indptr))
    return graph, np.linalg.norm(position[graph.indices] - position[own], axis=1)


def _chain(stress: list[float], rule: PathRule) -> tuple[list[int], IntArray]:
    position = np.column_stack([np.zeros((len(stress), 2)), np.arange(len(stress))]).astype(float)
    graph, length = _graph(position, 1.1)
    follower = next_on_path(graph, length, np.array(stress), rule)
    ends, _ = path_ends(follower, np.arange(len(stress)))
    return follower.tolist(), ends


def test_a_path_falls_to_a_minimum() -> None:
    follower, ends = _chain([9.0, 5.0, 4.0, 6.0, 1.0], "grain")
    assert follower == [1, 2, 2, 4, 4]
    assert ends.tolist() == [2, 2, 2, 4, 4]


def test_clusters_end_where_two_see_their_steepest_in_each_other() -> None:
    # steepest of all is 3 - 4, and 0 - 1 for its two; the colder of a pair ends the path
    follower, ends = _chain([9.0, 5.0, 4.0, 6.0, 1.0], "cluster")
    assert follower == [1, 1, 3, 4, 4]
    assert ends.tolist() == [1, 1, 4, 4, 4]


@pytest.mark.parametrize("rule", ["grain", "cluster"])
def test_next_is_that_of_the_slow_twin(rule: PathRule) -> None:
    rng = np.random.default_rng(0)
    position = rng.uniform(0.0, 5.0, (150, 3))
    stress = rng.standard_normal(150)
    graph, length = _graph(position, 1.2)
    found = next_on_path(graph, length, stress, rule)
    steepest = np.arange(150)
    for i in range(150):
        best = 0.0
        for j in range(150):
            apart = float(np.linalg.norm(position[i] - position[j]))
            if i == j or apart > 1.2:
                continue
            slope = (stress[j] - stress[i]) / apart
            slope = slope if rule == "grain" else -abs(slope)
            if slope < best:
                best, steepest[i] = slope, j
    wanted = steepest.copy()
    if rule == "cluster":
        for i in range(150):
            j = steepest[i]
            if steepest[j] == i and j != i:
                wanted[i] = i if stress[i] <= stress[j] else j
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("rule", ["grain", "cluster"])
def test_exchanged_ends_are_those_of_the_slow_twin(rule: PathRule) -> None:
    rng = np.random.default_rng(3)
    position = rng.uniform(0.0, 6.0, (300, 3))
    stress = rng.standard_normal((300, 3))
    graph, length = _graph(position, 1.3)
    around = neighbour_graph(position, 1.0 if rule == "cluster" else 1e-9, itself=True)
    start = np.argsort(-stress, axis=0)[:12]
    free = np.ones(300, dtype=np.bool_)
    free[start] = False
    seen = set()
    for turns in range(1, 6):
        ends, row = exchanged_ends(
            start,
            free,
            stress,
            graph.indptr,
            graph.indices,
            length,
            around.indptr,
            around.indices,
            rule == "cluster",
            turns,
            np.uint64(7),
        )
        # rows that no path came near may stand anywhere
        whole = row.copy()
        whole[row < 0] = np.setdiff1d(np.arange(300), row)
        assert np.array_equal(np.sort(whole), np.arange(300))
        assert np.array_equal(whole[~free], np.flatnonzero(~free))
        assert not np.array_equal(whole[free], np.flatnonzero(free))
        seen.add(tuple(whole))
        for k in range(3):
            moved = row_means(around, stress[whole, k])
            wanted, _ = path_ends(next_on_path(graph, length, moved, rule), start[:, k])
            assert np.array_equal(ends[-1, :, k], wanted)
    assert len(seen) == 5


def test_every_row_comes_to_every_place_alike() -> None:
    """Twelve places that the paths look at, drawn evenly from the rows that may move."""
    position = np.column_stack([np.arange(20.0), np.zeros((20, 2))])
    graph, length = _graph(position, 30.0)
    alone = neighbour_graph(position, 0.1, itself=True)
    stress = np.arange(20.0)[:, None]
    free = np.arange(20) >= 8
    many = np.zeros((12, 12))
    for seed in range(3_000):
        _, row = exchanged_ends(
            np.array([[7]]),
            free,
            stress,
            graph.indptr,
            graph.indices,
            length,
            alone.indptr,
            alone.indices,
            False,
            1,
            np.uint64(1_000 * seed),
        )
        many[np.arange(12), row[8:] - 8] += 1
    expected = 3_000 / 12
    assert np.sum((many - expected) ** 2 / expected) < 121 + 4.0 * np.sqrt(2 * 121)


def test_a_gradient_along_the_stack_leads_down_it() -> None:
    """Hot grains anywhere, stress that falls towards the working electrode: relaxation up."""
    rng = np.random.default_rng(1)
    position = lattice_positions(rng)
    truth = 10.0 * rng.standard_normal((len(position), 1)) - 0.8 * position[:, 2:]
    hot = rng.permutation(len(position))[:40]
    truth[hot] += 400.0
    cell = followed(rng, position, np.repeat(truth, 5, axis=1))
    paths = stress_pathways(cell, paths=40, permutations=499)
    assert paths.group == ("cell", "direction 1", "direction 2")
    assert np.all(paths.group_excess > 5.0 * paths.group_se)
    assert np.all(paths.group_p_family <= 0.01)
    assert paths.direction_least == pytest.approx(2.0 / 6.0)
    assert paths.direction_p >= paths.direction_least
    assert np.all(paths.path_relaxation <= 1.0)
    assert paths.height == pytest.approx(np.ptp(position[:, 2]))


def test_hot_grains_near_one_electrode_are_no_preferred_direction() -> None:
    """They can only lead away from it: the naive test is sure, the corrected one is not."""
    alarms, naive = 0, 0
    for seed in range(24):
        rng = np.random.default_rng(seed)
        position = lattice_positions(rng, 9, 6)
        truth = 30.0 * rng.standard_normal((len(position), 1))
        low = np.flatnonzero(position[:, 2] < -1.7 * SPACING)
        truth[rng.permutation(low)[:30]] += 200.0
        cell = followed(rng, position, np.repeat(truth, 2, axis=1))
        paths = stress_pathways(cell, paths=30, permutations=199, seed=seed)
        alarms += paths.group_p[0] <= 0.05
        naive += paths.group_naive_p[0] <= 0.05
    assert naive > 21
    assert alarms <= 5


def test_neighbours_that_are_alike_prefer_no_direction() -> None:
    """Stress alike over two spacings: paths are long and run together, but lead anywhere."""
    alarms, pulls = 0, []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        position = lattice_positions(rng, 12, 8)
        near = neighbour_graph(position, 1.2 * SPACING, itself=True)
        field = row_means(near, rng.standard_normal(len(position)))
        truth = np.repeat(40.0 * field[:, None] / field.std(), 3, axis=1)
        cell = followed(rng, position, truth, noise=5.0)
        paths = stress_pathways(cell, permutations=199, seed=seed)
        alarms += paths.group_p[0] <= 0.05
        pulls.append(paths.group_excess[0] / paths.group_se[0])
    assert alarms <= 6
    assert 0.6 < np.std(pulls) < 1.4


def test_pathways_need_grains_that_touch() -> None:
    rng = np.random.default_rng(2)
    far = followed(rng, 1e4 * rng.standard_normal((120, 3)), np.zeros((120, 2)))
    with pytest.raises(InvalidValueError, match="no two grains"):
        stress_pathways(far)
    with pytest.raises(InvalidValueError, match="too few for 50"):
        stress_pathways(followed(rng, lattice_positions(rng, 3, 3), np.zeros((27, 2))))
