"""Neighbours and permutation tests, against slow twins and known answers."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.numerics.exchange import difference_weight, step_difference
from mesolith.numerics.kmeans import k_means
from mesolith.numerics.spatial import (
    autocorrelation_test,
    block_labels,
    family_p_values,
    holm_p_values,
    mean_by_exchange,
    neighbour_graph,
    row_means,
    sign_flip_test,
)


def test_neighbours_are_those_within_reach() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0.0, 5.0, (80, 3))
    apart = np.linalg.norm(points[:, None] - points[None, :], axis=2)
    wanted = (apart <= 1.3).astype(float)
    assert np.array_equal(neighbour_graph(points, 1.3, itself=True).toarray(), wanted)
    np.fill_diagonal(wanted, 0.0)
    assert np.array_equal(neighbour_graph(points, 1.3).toarray(), wanted)
    with pytest.raises(InvalidValueError, match="joins no neighbours"):
        neighbour_graph(points, 0.0)


def test_row_means_are_means_over_neighbours() -> None:
    points = np.array([[0.0, 0, 0], [1.0, 0, 0], [2.0, 0, 0], [9.0, 0, 0]])
    graph = neighbour_graph(points, 1.5)
    means = row_means(graph, np.array([1.0, 2.0, 5.0, 7.0]))
    assert means[:3].tolist() == [2.0, 3.0, 2.0]
    assert np.isnan(means[3])


def test_blocks_hold_what_lies_together() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(8.0)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    label = block_labels(grid, 3.0)
    assert label.max() + 1 == 8
    for own in range(8):
        inside = grid[label == own]
        assert np.all(np.ptp(inside, axis=0) < 4.0)


def test_moran_is_its_definition() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(0.0, 5.0, (120, 3))
    values = rng.standard_normal((120, 2)) + points[:, :1]
    graph = neighbour_graph(points, 1.2)
    contrasts = np.array([[1.0, 0.0], [1.0, -1.0]])
    found = autocorrelation_test(graph, values, contrasts=contrasts, permutations=99)
    weight = graph.toarray()
    for k, contrast in enumerate(contrasts):
        field = values @ contrast
        field = field - field.mean()
        slow = len(field) / weight.sum() * (field @ weight @ field) / (field @ field)
        assert found.index[k] == pytest.approx(slow)
    assert found.p[0] == pytest.approx(0.01)  # the gradient along x
    assert np.all(found.p_family >= found.p)


def test_the_null_of_moran_is_that_of_exchange() -> None:
    """Mean -1/(n-1) and the normal spread of Cliff and Ord, from the kernel's exchanges."""
    rng = np.random.default_rng(2)
    points = rng.uniform(0.0, 6.0, (300, 3))
    graph = neighbour_graph(points, 1.2)
    values = rng.standard_normal((300, 1))
    found = autocorrelation_test(graph, values, permutations=3000, seed=5)
    weight, n = graph.toarray(), 300
    s0, s1 = weight.sum(), 2.0 * weight.sum()
    s2 = 4.0 * np.sum(weight.sum(axis=1) ** 2)
    variance = (n**2 * s1 - n * s2 + 3 * s0**2) / (s0**2 * (n**2 - 1)) - 1.0 / (n - 1) ** 2
    assert found.null_se[0] == pytest.approx(np.sqrt(variance), rel=0.05)
    again = autocorrelation_test(graph, values, permutations=3000, seed=5)
    assert np.array_equal(found.p, again.p)


def test_few_blocks_are_enumerated() -> None:
    """Five sums, all positive: of 32 sign patterns two are as extreme."""
    test = sign_flip_test(np.arange(1.0, 6.0)[:, None], np.arange(5))
    assert test.p[0] == pytest.approx(2.0 / 32.0)
    assert test.least == pytest.approx(1.0 / 16.0)
    assert test.total[0] == pytest.approx(15.0)


@pytest.mark.parametrize("dimensions", [1, 3])
def test_sign_flips_keep_their_level_where_blocks_are_alike(dimensions: int) -> None:
    rng = np.random.default_rng(3)
    block = np.repeat(np.arange(30), 20)
    wrong = 0
    for seed in range(400):
        # unequal variances between blocks, everything alike within one
        common = rng.standard_normal((30, dimensions)) * rng.uniform(0.2, 3.0, (30, 1))
        rows = common[block] + 0.3 * rng.standard_normal((600, dimensions))
        wrong += (
            sign_flip_test(rows, block, dimensions=dimensions, draws=199, seed=seed).p[0] <= 0.05
        )
    assert 0.02 < wrong / 400 < 0.08


def test_family_p_values_of_independent_fields() -> None:
    rng = np.random.default_rng(4)
    null = np.abs(rng.standard_normal((20_000, 10)))
    own = np.array([4.0, *np.full(9, 0.5)])
    family = family_p_values(own, null)
    assert family[0] == pytest.approx(10 * 6.3e-5, abs=4e-4)
    assert np.all(family[1:] > 0.9)


def test_holm_by_hand() -> None:
    found = holm_p_values(np.array([0.04, np.nan, 0.01, 0.03]))
    assert found[[0, 2, 3]] == pytest.approx([0.06, 0.03, 0.06])
    assert np.isnan(found[1])


def test_four_transitions_cannot_reach_five_percent() -> None:
    label = np.array([0, 1, -1, 1, -1])
    levels = np.array([[0.0, 100.0, 0.0, 100.0, 0.0]])
    test = step_difference(levels, label)
    assert test.effect[0] == pytest.approx(200.0)
    assert test.least == pytest.approx(2.0 / 6.0)
    assert test.p[0] >= 1.0 / 3.0


@pytest.mark.parametrize("adds_up", [False, True])
def test_both_nulls_of_directions_hold(adds_up: bool) -> None:
    """Errors of each state, and changes that add up: neither makes a separation."""
    rng = np.random.default_rng(6)
    label = np.array([0, *([1, -1] * 4)])
    levels = rng.standard_normal((400, 9))
    if adds_up:
        levels = np.cumsum(levels, axis=1)
    test = step_difference(levels, label)
    assert np.mean(test.p <= 0.05) < 0.07
    if not adds_up:  # states share their errors with two steps each
        assert np.mean(test.p_steps <= 0.05) > 0.07


def test_directions_need_both() -> None:
    with pytest.raises(InvalidValueError, match="one direction only"):
        difference_weight(np.array([0, 1, 1]))


def test_k_means_finds_separate_clouds_in_fixed_order() -> None:
    rng = np.random.default_rng(7)
    middle = np.array([[0.0, 5.0], [8.0, -5.0], [-8.0, 0.0]])
    label = np.repeat(np.arange(3), 50)
    values = middle[label] + rng.standard_normal((150, 2))
    found = k_means(values, 3)
    assert np.all(np.diff(found.centre[:, -1]) > 0.0)
    assert np.array_equal(found.label, np.array([2, 0, 1])[label])
    slow = sum(np.sum((values[found.label == k] - found.centre[k]) ** 2) for k in range(3))
    assert found.within == pytest.approx(slow)
    with pytest.raises(InvalidValueError, match="make no 151 clusters"):
        k_means(values, 151)


def test_a_mean_is_held_against_exchanges_over_its_error_by_blocks() -> None:
    """By hand: two blocks, and a null of three exchanges."""
    block = np.array([0, 0, 4, 4])
    values = np.array([1.0, 3.0, 2.0, 6.0])
    null = np.array([[1.0, -1.0, 3.0, 1.0], [2.0, 0.0, -1.0, 1.0], [4.0, 4.0, 2.0, 4.0]])
    found = mean_by_exchange(values, null, block)
    assert found.mean == pytest.approx(3.0)
    # sums of the blocks less the mean: -2 and 2
    assert found.distance == pytest.approx(3.0 / (np.sqrt(8.0) / 4.0))
    spread = np.sqrt([8.0, 2.0, 2.0]) / 4.0
    assert found.null == pytest.approx(np.abs([1.0, 0.5, 3.5]) / spread)
    # 68.27 % of three values: between the second and the third, 0.3654 of the way
    low, high = np.sort(found.null)[1:]
    stretch = low + (2.0 * 0.6826894921370859 - 1.0) * (high - low)
    assert found.se == pytest.approx(np.sqrt(8.0) / 4.0 * stretch)
    assert found.p == pytest.approx(2.0 / 4.0)


def test_exchanges_give_each_p_value_as_often_as_it_says() -> None:
    """Few and unequal blocks, skewed values: exact all the same."""
    rng = np.random.default_rng(11)
    block = np.repeat(np.arange(5), [1, 2, 3, 8, 20])
    draws = rng.exponential(size=(4_000, 100, len(block))) - 1.0
    p = [mean_by_exchange(own[0], own[1:], block).p for own in draws]
    for level in (0.05, 0.2, 0.5):
        share = np.mean(np.array(p) <= level + 1e-9)
        assert abs(share - level) < 4.0 * np.sqrt(level * (1.0 - level) / len(p))


def test_one_block_proves_nothing() -> None:
    found = mean_by_exchange(np.ones(3), np.zeros((9, 3)), np.full(3, 7))
    assert found.p == 1.0
    assert np.isnan(found.se)


def test_a_block_with_much_of_the_mean_is_stretched_in_the_null() -> None:
    """By hand, all turns of three blocks."""
    contributions = np.array([[3.0], [1.0], [0.5]])
    share = np.array([0.64, 0.19, 0.17])
    plain = sign_flip_test(contributions, np.arange(3))
    stretched = sign_flip_test(contributions, np.arange(3), share=share)
    assert plain.p[0] == pytest.approx(1.0 / 4.0)
    # 3 becomes 5 and 1 becomes 1/0.9: with the last against them both still reach 4.5
    assert stretched.p[0] == pytest.approx(2.0 / 4.0)
    assert stretched.total[0] == plain.total[0] == pytest.approx(4.5)
    assert stretched.se[0] == pytest.approx(np.sqrt(25.0 + 1.0 / 0.81 + 0.25 / 0.83))
