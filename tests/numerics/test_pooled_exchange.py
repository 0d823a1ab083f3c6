"""Exchanges within several series: exact against a slow twin, and right where nothing is."""

from __future__ import annotations

from itertools import combinations, permutations, product

import numpy as np
import pytest

from mesolith.numerics.exchange import (
    difference_weight,
    pooled_step_difference,
    step_difference,
)

LABEL = np.array([0, 1, -1, 1, -1])


def _levels(seed: int, rows: int = 3, states: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, states))


def test_one_series_is_the_test_of_one_cell() -> None:
    levels = _levels(1)
    alone, pooled = step_difference(levels, LABEL), pooled_step_difference([(levels, LABEL)])
    assert pooled.effect == pytest.approx(alone.effect)
    assert pooled.p_steps.tolist() == alone.p_steps.tolist()
    assert pooled.p_states.tolist() == alone.p_states.tolist()
    assert (pooled.least, pooled.steps) == (alone.least, 4)


def test_two_series_agree_with_a_count_of_all_arrangements() -> None:
    series = [(_levels(2, states=4), np.array([0, 1, -1, 1])), (_levels(3), LABEL)]
    found = pooled_step_difference(series)
    assert found.share == pytest.approx([3 / 7, 4 / 7])
    for row in range(3):
        by_steps, by_states = [], []
        for share, (levels, label) in zip(found.share, series, strict=True):
            steps = np.diff(levels[row])
            ups = int((label[1:] == 1).sum())
            own = []
            for chosen in combinations(range(len(steps)), ups):
                up = np.isin(np.arange(len(steps)), chosen)
                own.append(share * (steps[up].mean() - steps[~up].mean()))
            by_steps.append(own)
            weight = difference_weight(label)
            by_states.append(
                [share * float(np.array(p) @ weight) for p in permutations(levels[row])]
            )
        for null, p in ((by_steps, found.p_steps), (by_states, found.p_states)):
            sums = np.array([sum(pair) for pair in product(*null)])
            reached = np.mean(np.abs(sums) >= abs(found.effect[row]) * (1.0 - 1e-9))
            assert p[row] == pytest.approx(reached)


def test_the_least_p_is_what_a_perfect_separation_gives() -> None:
    swing = np.array([[0.0, 1.0, 0.0, 1.0, 0.0]])
    for cells, least in ((1, 2 / 6), (2, 2 / 36), (3, 2 / 216)):
        found = pooled_step_difference([(swing, LABEL)] * cells)
        assert found.least == pytest.approx(least)
        assert found.p_steps[0] == pytest.approx(least)
        assert found.effect[0] == pytest.approx(2.0)


def test_errors_of_states_or_of_steps_raise_no_more_alarms_than_stated() -> None:
    alarms = {"states": 0, "steps": 0}
    for seed in range(200):
        rng = np.random.default_rng(seed)
        for kind in alarms:
            noise = rng.standard_normal((3, 1, 5))
            levels = noise if kind == "states" else np.cumsum(noise, axis=2)
            found = pooled_step_difference([(own, LABEL) for own in levels], seed=seed)
            p = found.p_states if kind == "states" else found.p_steps
            alarms[kind] += int(p[0] < 0.05)
    for count in alarms.values():
        assert 0.01 < count / 200 < 0.09


def test_many_series_are_drawn_and_reach_no_zero() -> None:
    swing = np.array([[0.0, 1.0, 0.0, 1.0, 0.0]])
    found = pooled_step_difference([(swing, LABEL)] * 8)
    assert 0.0 < found.p_steps[0] < 1e-3
    assert 0.0 < found.p_states[0] < 1e-3
