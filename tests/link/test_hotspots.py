"""Hot spots chosen by noise come back to the mean; what is left is their change."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.link.hotspots import (
    Neighbourhood,
    choose_spots,
    neighbourhood_reach,
    neighbourhoods,
    spot_changes,
    spot_history,
    spots_of,
)
from tests.link.followed import followed, lattice_positions

POSITION = lattice_positions(np.random.default_rng(0))


def _unchanged(seed: int, rule: Neighbourhood) -> tuple[float, ...]:
    rng = np.random.default_rng(seed)
    truth = np.repeat(20.0 * rng.standard_normal((len(POSITION), 1)), 2, axis=1)
    found = spot_changes(
        followed(rng, POSITION, truth, drift=np.array([0.0, 25.0])),
        kinds=("hot",),
        neighbourhood=rule,
        seed=seed,
    )
    inside = found.low[0] <= 0.0 <= found.high[0]
    return found.naive[0], found.change[0], found.p[0], found.naive_p[0], float(inside)


def test_regression_to_the_mean_is_no_change() -> None:
    """Ten hottest of 700, each grain alone, where choosing by noise matters most."""
    found = np.array([_unchanged(seed, "grain") for seed in range(40)])
    naive, change, p, naive_p, inside = found.T
    assert naive.mean() < -15.0
    assert abs(change.mean()) < 3.0 * change.std() / np.sqrt(40)
    assert np.mean(naive_p <= 0.05) > 0.5
    assert np.mean(p <= 0.05) < 0.12
    assert 0.5 < inside.mean() < 0.86


def test_a_real_change_is_found_with_its_size() -> None:
    errors, p = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        truth = np.repeat(20.0 * rng.standard_normal((len(POSITION), 1)), 2, axis=1)
        truth[np.argsort(truth[:, 0])[-100:], 1] += 60.0
        cell = followed(rng, POSITION, truth)
        found = spot_changes(cell, kinds=("hot",), neighbourhood="grain", seed=seed)
        # some of the chosen are none of the planted
        share = choose_spots(cell, 0, around=neighbourhoods(cell, "grain"), seed=seed).share
        wanted = (share - 1.0 / len(share)) @ (truth[:, 1] - truth[:, 0])
        errors.append((found.change[0] - wanted) / found.change_se[0])
        p.append(found.p[0])
    assert np.mean(np.array(p) <= 0.05) > 0.8
    assert np.std(errors) < 1.6
    assert abs(np.mean(errors)) < 0.9


def test_halves_of_the_reflections_judge_what_they_did_not_choose() -> None:
    changes = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        truth = np.zeros((len(POSITION), 2))
        cell = followed(rng, POSITION, truth)
        noise = cell.hydrostatic_se[:, 0] * rng.standard_normal(len(POSITION))
        halves = {0: (cell.hydrostatic[:, 0] + noise, cell.hydrostatic[:, 0] - noise)}
        found = spot_changes(cell, kinds=("hot",), neighbourhood="grain", halves=halves)
        assert found.correction == "halves of the reflections"
        changes.append((found.change[0], found.naive[0]))
    change, naive = np.array(changes).T
    assert abs(change.mean()) < 3.0 * change.std() / np.sqrt(40)
    assert naive.mean() < -20.0


def test_the_choice_shares_one_and_its_excess_is_positive() -> None:
    rng = np.random.default_rng(1)
    cell = followed(rng, POSITION, np.zeros((len(POSITION), 2)))
    around = neighbourhoods(cell, "grain")
    hot = choose_spots(cell, 0, around=around)
    cold = choose_spots(cell, 0, kind="cold", around=around)
    assert hot.share.sum() == pytest.approx(1.0)
    assert hot.excess.sum() > 10.0
    assert cold.excess.sum() < -10.0
    assert np.array_equal(hot.centre, np.argsort(-cell.hydrostatic[:, 0])[:10])


def test_members_carry_what_the_centres_share() -> None:
    """A mean over neighbourhoods of shared centres is a mean over grains by weight."""
    rng = np.random.default_rng(5)
    cell = followed(rng, POSITION, 30.0 * rng.standard_normal((len(POSITION), 2)))
    around = neighbourhoods(cell, "diameter")
    noise = cell.hydrostatic_se[:, 0] * rng.standard_normal(len(POSITION))
    halves = (cell.hydrostatic[:, 0] + noise, cell.hydrostatic[:, 0] - noise)
    for given in (None, halves):
        choice = choose_spots(cell, 0, around=around, halves=given)
        assert choice.weight.sum() == pytest.approx(1.0)
        for values in cell.hydrostatic.T:
            means = np.array([values[around[[row]].indices].mean() for row in range(len(POSITION))])
            assert choice.weight @ values == pytest.approx(choice.share @ means)


def test_errors_by_blocks_are_right_where_spots_share_grains() -> None:
    """Noise only: neighbourhoods reach over edges of blocks, and make the pellet's mean."""
    changes, errors, p = [], [], []
    for seed in range(250):
        rng = np.random.default_rng(seed)
        cell = followed(rng, POSITION, np.zeros((len(POSITION), 2)))
        found = spot_changes(cell, kinds=("hot",), seed=seed)
        changes.append(found.change[0])
        errors.append(found.change_se[0])
        p.append(found.p[0])
    assert np.sqrt(np.mean(np.square(changes)) / np.mean(np.square(errors))) == pytest.approx(
        1.0, abs=0.13
    )
    assert 0.12 < np.mean(np.array(p) <= 0.2) < 0.29


def test_of_equal_grains_the_first_are_spots() -> None:
    values = np.array([1.0, 5.0, 3.0, 5.0, 3.0, 3.0, 0.0])
    assert spots_of(values, kind="hot", count=4).tolist() == [1, 3, 2, 4]
    assert spots_of(values, kind="cold", count=3).tolist() == [6, 0, 2]
    rng = np.random.default_rng(6)
    for _ in range(50):
        drawn = rng.integers(0, 12, 60).astype(float)
        wanted = np.argsort(-drawn, kind="stable")[:17]
        assert np.array_equal(spots_of(drawn, kind="hot", count=17), wanted)


def test_history_fixed_and_anew() -> None:
    rng = np.random.default_rng(2)
    cell = followed(rng, POSITION, 30.0 * rng.standard_normal((len(POSITION), 3)))
    fixed = spot_history(cell, count=5, neighbourhood="radius")
    anew = spot_history(cell, count=5, chosen="anew", neighbourhood="radius")
    assert np.array_equal(fixed.centre[:, 2], fixed.centre[:, 0])
    for k in range(3):
        assert set(anew.centre[:, k]) == set(np.argsort(cell.hydrostatic[:, k])[-5:])
    centre = POSITION[fixed.centre[0, 0]]
    inside = np.linalg.norm(POSITION - centre, axis=1) <= fixed.reach
    assert fixed.spot_mean[0, 1] == pytest.approx(cell.hydrostatic[inside, 1].mean())
    assert fixed.mean[0] > fixed.mean[1]
    cold = spot_history(cell, kind="cold", count=5)
    assert cold.mean[0] < fixed.mean[0]


def test_neighbourhoods_by_name() -> None:
    radius = np.full(4, 30.0)
    reaches = [neighbourhood_reach(rule, radius) for rule in ("grain", "radius", "diameter")]
    assert reaches == [0.0, 60.0, 120.0]
    assert neighbourhood_reach("70 um", radius) == 70.0
    with pytest.raises(InvalidValueError, match="'twice'"):
        neighbourhood_reach("twice", radius)  # type: ignore[arg-type]


def test_common_error_enters_the_absolute_change_only() -> None:
    rng = np.random.default_rng(3)
    cell = followed(
        rng, POSITION, np.zeros((len(POSITION), 2)), drift=np.array([0.0, 80.0]), noise=5.0
    )
    found = spot_changes(cell, kinds=("hot",))
    assert found.absolute[0] == pytest.approx(80.0, abs=5.0)
    assert abs(found.change[0]) < 5.0
    assert found.absolute_se[0] == pytest.approx(np.hypot(30.0, 30.0), rel=0.02)


def test_spots_need_grains_and_errors() -> None:
    with pytest.raises(InvalidValueError, match="11 spots among 10"):
        spots_of(np.zeros(10), kind="hot", count=11)
    rng = np.random.default_rng(4)
    exact = followed(rng, POSITION, np.zeros((len(POSITION), 2)), noise=0.0)
    with pytest.raises(InvalidValueError, match="regression to the mean cannot be removed"):
        spot_changes(exact)
