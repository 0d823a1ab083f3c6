"""Separation by direction: a drift is none, four transitions prove none, eight can."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.link.hotspots import choose_spots, neighbourhoods, spots_of
from mesolith.link.transitions import direction_separation
from mesolith.numerics.exchange import difference_weight
from mesolith.records.followed import FollowedGrains
from tests.link.followed import followed, lattice_positions

POSITION = lattice_positions(np.random.default_rng(0))
MEASURED = "hot and cold, hydrostatic, as measured"
REMOVED = "hot and cold, hydrostatic, mean removed"


def _cell(seed: int, states: int, size: float, drift: float) -> FollowedGrains:
    return _planted(seed, states, size, drift)[0]


def _planted(
    seed: int, states: int, size: float, drift: float
) -> tuple[FollowedGrains, FloatArray]:
    rng = np.random.default_rng(seed)
    truth = np.repeat(40.0 * rng.standard_normal((len(POSITION), 1)), states, axis=1)
    blank = followed(rng, POSITION, truth)
    around = neighbourhoods(blank, "radius")
    centres = np.concatenate([spots_of(truth[:, 0], kind=k, count=10) for k in ("hot", "cold")])
    members = np.unique(around[centres].indices)
    planted = np.zeros_like(truth)
    planted[np.ix_(members, np.arange(1, states, 2))] = size
    cell = followed(rng, POSITION, truth + planted, drift=drift * rng.standard_normal(states))
    return cell, planted


def test_a_drift_looks_like_a_separation_only_as_measured() -> None:
    """Drift of alternating sign, as an experiment on alternating days may have it."""
    rng = np.random.default_rng(1)
    truth = np.repeat(40.0 * rng.standard_normal((len(POSITION), 1)), 9, axis=1)
    drift = np.array([0.0, 60.0] * 4 + [0.0])
    found = direction_separation(followed(rng, POSITION, truth, drift=drift))
    measured, removed = found.question.index(MEASURED), found.question.index(REMOVED)
    assert found.effect[measured] == pytest.approx(120.0, abs=15.0)
    assert found.p[measured] <= 0.05
    assert abs(found.effect[removed]) < 15.0
    assert found.finding == ()
    # the interval knows of the drift that the instrument may have
    assert found.common_se[measured] > 30.0
    assert found.common_se[removed] == 0.0


def test_points_are_not_transitions() -> None:
    """With a random drift the naive test cries wolf, the one that counts transitions does not."""
    wrong, naive = 0, 0
    for seed in range(30):
        found = direction_separation(_cell(seed, 9, 0.0, 30.0), seed=seed)
        row = found.question.index(MEASURED)
        wrong += found.p[row] <= 0.05
        naive += found.naive_p[row] <= 0.05
    assert naive > 15
    assert wrong <= 5


def test_four_transitions_prove_nothing_and_say_so() -> None:
    found = direction_separation(_cell(2, 5, 60.0, 0.0))
    assert found.transitions == 4
    assert found.least == pytest.approx(1.0 / 3.0)
    assert np.all(found.p >= found.least)
    assert found.finding == ()


def test_a_planted_separation_survives_both_over_sixteen_transitions() -> None:
    found = direction_separation(_cell(3, 17, 60.0, 5.0))
    assert "hot and cold, hydrostatic" in found.finding
    assert not any("von_mises" in name for name in found.finding)
    row = found.question.index(REMOVED)
    assert found.low[row] < found.effect[row] < found.high[row]


def test_the_effect_is_that_of_the_grains_that_were_chosen() -> None:
    """What was planted, less what the choice missed: within the error, over twelve cells."""
    pulls = []
    for seed in range(12):
        cell, planted = _planted(seed, 17, 60.0, 5.0)
        found = direction_separation(cell, seed=seed)
        around = neighbourhoods(cell, "radius")
        level = np.mean(
            [
                choose_spots(cell, 0, kind=kind, around=around, seed=seed).weight @ planted
                for kind in ("hot", "cold")
            ],
            axis=0,
        )
        wanted = (level - planted.mean(axis=0)) @ difference_weight(cell.direction)
        row = found.question.index(REMOVED)
        assert wanted > 20.0
        pulls.append((found.effect[row] - wanted) / found.effect_se[row])
    assert abs(np.mean(pulls)) < 1.0
    assert 0.4 < np.std(pulls) < 1.7


def test_points_are_means_of_neighbourhoods() -> None:
    cell = _cell(4, 5, 0.0, 0.0)
    found = direction_separation(cell)
    hot = found.point_set.index("hot, hydrostatic")
    assert found.initial.shape == (4, 10, 4)
    assert np.array_equal(found.initial[hot][:, 1:], found.final[hot][:, :-1])
    centre = spots_of(cell.hydrostatic[:, 0], kind="hot", count=10)[0]
    inside = neighbourhoods(cell, "radius")[[centre]].indices
    assert found.final[hot][0, 0] == pytest.approx(cell.hydrostatic[inside, 1].mean())


def test_directions_need_transitions() -> None:
    with pytest.raises(InvalidValueError, match="fewer than three transitions"):
        direction_separation(_cell(5, 3, 0.0, 0.0))
