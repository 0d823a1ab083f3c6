"""Grains that no neighbouring state holds: how many of them are false."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from mesolith.link.reality import probability_real
from mesolith.records.tracking import Tracking

REAL, FALSE, LOST = 4000, 150, 0.06


def _pairs(before: np.ndarray, after: np.ndarray, probability: float = 1.0) -> Tracking:
    """Pairs of the real grains that both states hold; false ones (negative) pair with none."""
    common, first, second = np.intersect1d(before, after, return_indices=True)
    keep = common >= 0
    first, second = first[keep], second[keep]
    count = len(first)
    return Tracking(
        before=first,
        after=second,
        probability=np.full(count, probability),
        distance=np.zeros(count),
        misorientation=np.zeros(count),
        lost=np.setdiff1d(np.arange(len(before)), first),
        new=np.setdiff1d(np.arange(len(after)), second),
        rotation=np.eye(3),
        translation=np.zeros(3),
        rule="optimal",
    )


def _states(count: int, seed: int = 0) -> list[np.ndarray]:
    """Numbers of the real grains found in each state, and false ones, each a number of its own."""
    rng = np.random.default_rng(seed)
    states = []
    for k in range(count):
        found = np.flatnonzero(rng.random(REAL) > LOST)
        made_up = -1 - (np.arange(FALSE) + k * FALSE)
        states.append(rng.permutation(np.concatenate([found, made_up])))
    return states


@pytest.mark.parametrize("count", [2, 3, 5])
def test_as_many_grains_are_taken_for_false_as_are(count: int) -> None:
    states = _states(count)
    trackings = [_pairs(a, b) for a, b in pairwise(states)]
    real = probability_real([len(s) for s in states], trackings, np.full(count, LOST))
    for state, own in zip(states, real, strict=True):
        false = state < 0
        # the number of real grains without a partner scatters by its root
        assert abs(float(np.sum(1.0 - own)) - FALSE) < 3.5 * np.sqrt(LOST * REAL)
        assert np.all((own >= 0.0) & (own <= 1.0))
        # who has a partner is real; among the rest nobody is told from another
        assert len(np.unique(own[false])) == 1
        assert own[false][0] < np.min(own[~false]) + 1e-12
        assert np.count_nonzero(own == 1.0) > (1.0 - 2.0 * LOST) * (REAL - FALSE)


def test_two_neighbours_tell_false_grains_better_than_one() -> None:
    states = _states(3, seed=1)
    trackings = [_pairs(a, b) for a, b in pairwise(states)]
    real = probability_real([len(s) for s in states], trackings, np.full(3, LOST))
    first, middle, _ = (own[state < 0][0] for state, own in zip(states, real, strict=True))
    # of the real grains 6 % lack one neighbour, and 0.4 % both
    assert first == pytest.approx(LOST * REAL / (LOST * REAL + FALSE), abs=0.12)
    assert middle == pytest.approx(LOST**2 * REAL / (LOST**2 * REAL + FALSE), abs=0.05)


def test_without_false_grains_all_are_real() -> None:
    states = [s[s >= 0] for s in _states(2, seed=2)]
    lost = np.full(2, 2.0 * LOST)
    real = probability_real([len(s) for s in states], [_pairs(*states)], lost)
    assert all(np.all(own == 1.0) for own in real)


def test_a_doubtful_pair_proves_as_much_as_it_is_probable() -> None:
    pair = _pairs(np.arange(100), np.arange(100), probability=0.9)
    first, _ = probability_real([100, 100], [pair], np.zeros(2))
    assert first == pytest.approx(np.full(100, 0.9))


def test_states_that_nothing_joins_are_taken_for_real() -> None:
    for trackings in ([], [_pairs(np.arange(5), np.arange(5))]):
        real = probability_real([5, 5, 5], trackings, np.full(3, LOST))
        assert [own.tolist() for own in real] == [[1.0] * 5] * 3
