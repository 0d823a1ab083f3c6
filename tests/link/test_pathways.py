"""Pathways of stress: the rules by hand, the slow twin, and what places alone make of z."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.link.pathways import PathRule, next_on_path, path_ends, stress_pathways
from mesolith.numerics.spatial import neighbour_graph
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


def test_pathways_need_grains_that_touch() -> None:
    rng = np.random.default_rng(2)
    far = followed(rng, 1e4 * rng.standard_normal((120, 3)), np.zeros((120, 2)))
    with pytest.raises(InvalidValueError, match="no two grains"):
        stress_pathways(far)
    with pytest.raises(InvalidValueError, match="too few for 50"):
        stress_pathways(followed(rng, lattice_positions(rng, 3, 3), np.zeros((27, 2))))
