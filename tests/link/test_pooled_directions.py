"""Directions of several cells together: found where planted, and not where only drift is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.link.pooled_directions import pooled_directions
from mesolith.link.transitions import direction_separation
from mesolith.records.transitions import DirectionSeparation
from tests.link.followed import followed, lattice_positions

STATES = 5


def _separation(seed: int, *, effect: float = 0.0, drift: float = 0.0) -> DirectionSeparation:
    """A cell whose hot spots rise by ``effect`` under direction 1 and fall under direction 2."""
    rng = np.random.default_rng(seed)
    position = lattice_positions(rng, across=6, high=5)
    truth = np.tile(25.0 * rng.standard_normal((len(position), 1)), STATES)
    hottest = np.argsort(-truth[:, 0])[:12]
    truth[hottest] += np.array([60.0, 60.0, 60.0, 60.0, 60.0])
    truth[hottest, 1] += effect
    truth[hottest, 3] += effect
    shift = drift * rng.standard_normal(STATES)
    return direction_separation(followed(rng, position, truth, noise=4.0, drift=shift), count=10)


def test_four_cells_together_find_what_one_cannot() -> None:
    own = [_separation(seed, effect=60.0) for seed in range(4)]
    assert all(not cell.finding for cell in own)
    found = pooled_directions(own)
    assert "hot, hydrostatic" in found.finding
    assert (found.transitions, found.cells) == (16, 4)
    assert found.grains == sum(cell.grains for cell in own)
    row = found.question.index("hot, hydrostatic, mean removed")
    alone = np.mean([cell.effect[cell.question.index(found.question[row])] for cell in own])
    assert found.effect[row] == pytest.approx(alone)
    assert found.low[row] < alone < found.high[row]


def test_two_cells_of_four_transitions_cannot_reach_five_percent() -> None:
    found = pooled_directions([_separation(seed, effect=60.0) for seed in range(2)])
    assert found.least == pytest.approx(2 / 36)
    assert found.finding == ()


def test_a_drift_of_states_is_no_finding() -> None:
    for seed in range(0, 24, 4):
        found = pooled_directions([_separation(seed + k, drift=30.0) for k in range(4)])
        assert found.finding == ()


def test_nothing_to_pool_is_told() -> None:
    with pytest.raises(InvalidValueError, match="no cell has transitions"):
        pooled_directions([])
    one = _separation(1)
    other = replace(one, question=tuple(f"other {k}" for k in range(len(one.question))))
    with pytest.raises(InvalidValueError, match="no question in common"):
        pooled_directions([one, other])
