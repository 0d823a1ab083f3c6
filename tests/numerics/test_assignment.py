"""One-to-one pairing against its slow twin, which lists every pairing."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesolith.numerics.assignment import best_pairing, pair_probabilities


def all_pairings(row, column):
    """Every set of edges in which no row and no column occurs twice."""
    edges = range(len(row))
    for size in range(min(len(set(row)), len(set(column))) + 1):
        for chosen in combinations(edges, size):
            rows = [row[e] for e in chosen]
            columns = [column[e] for e in chosen]
            if len(set(rows)) == size and len(set(columns)) == size:
                yield list(chosen)


def slow_best_sum(row, column, gain):
    return max(sum(gain[e] for e in chosen) for chosen in all_pairings(row, column))


def slow_probabilities(row, column, gain):
    total, through = 0.0, np.zeros(len(row))
    for chosen in all_pairings(row, column):
        weight = np.exp(sum(gain[e] for e in chosen))
        total += weight
        through[chosen] += weight
    return through / total


@st.composite
def graphs(draw, side=4, spread=8.0):
    cells = st.tuples(st.integers(0, side - 1), st.integers(0, side - 1))
    edges = sorted(draw(st.sets(cells, min_size=1, max_size=11)))
    size = len(edges)
    gains = draw(st.lists(st.floats(-spread, spread), min_size=size, max_size=size))
    return np.array([e[0] for e in edges]), np.array([e[1] for e in edges]), np.array(gains)


@given(graphs())
def test_best_pairing_has_the_largest_sum_and_is_one_to_one(graph):
    row, column, gain = graph
    chosen = best_pairing(row, column, gain)
    assert len(set(row[chosen])) == len(set(column[chosen])) == len(chosen)
    assert np.all(np.diff(chosen) > 0)
    assert gain[chosen].sum() == pytest.approx(slow_best_sum(row, column, gain), abs=1e-9)


@given(graphs())
def test_probabilities_are_exact_in_small_components(graph):
    row, column, gain = graph
    expected = slow_probabilities(row, column, gain)
    assert pair_probabilities(row, column, gain) == pytest.approx(expected, abs=1e-9)


@given(graphs())
def test_probabilities_turn_with_the_graph(graph):
    row, column, gain = graph
    assert pair_probabilities(column, row, gain) == pytest.approx(
        pair_probabilities(row, column, gain), abs=1e-9
    )


def test_belief_propagation_is_exact_on_a_tree_and_near_on_a_cycle():
    row, column = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 2, 2])
    gain = np.array([1.0, 3.0, 2.5, -1.0, 0.5])
    found = pair_probabilities(row, column, gain, exact=False)
    assert found == pytest.approx(slow_probabilities(row, column, gain), abs=1e-8)
    row, column = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    gain = np.array([2.0, 1.0, 0.5, 1.5])
    found = pair_probabilities(row, column, gain, exact=False)
    assert found == pytest.approx(slow_probabilities(row, column, gain), abs=0.05)


def test_ratios_survive_gains_that_differ_by_hundreds():
    """Two rows want one column with e^250 and e^248: the odds are e^2, whatever else is small."""
    row, column = np.array([0, 1, 1, 2]), np.array([0, 0, 1, 1])
    gain = np.array([250.0, 248.0, -20.0, -40.0])
    found = pair_probabilities(row, column, gain, exact=False)
    assert found[0] / found[1] == pytest.approx(np.exp(2.0), rel=1e-6)
    assert found[0] + found[1] == pytest.approx(1.0)


def test_many_rows_that_want_one_column_share_it():
    row, column = np.repeat(np.arange(200), 2), np.tile([0, 1], 200)
    found = pair_probabilities(row, column, np.full(400, 40.0))
    assert found == pytest.approx(1.0 / 200.0)


def test_no_edges_and_no_useful_edges():
    none = np.zeros(0, dtype=np.int64)
    assert best_pairing(none, none, np.zeros(0)).size == 0
    assert pair_probabilities(none, none, np.zeros(0)).size == 0
    assert best_pairing(np.array([0]), np.array([0]), np.array([-1.0])).size == 0
