"""Extremes: what is left of the highest grain once noise and false grains are out."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.link.extremes import _chance_of_at_most, extreme_grains


def _stress(seed: int, count: int = 1500) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rare = (rng.random(count) < 0.03) * 90.0 * rng.standard_normal(count)
    truth = 25.0 * rng.standard_normal(count) + rare
    error = 20.0 * rng.uniform(0.7, 1.4, count)
    return truth, error, truth + error * rng.standard_normal(count)


def test_the_extreme_is_nearer_the_truth_than_the_measured_one() -> None:
    bias, raw, inside, pulls = [], [], 0, []
    for seed in range(5):
        truth, error, stress = _stress(seed)
        found = extreme_grains(stress, error, seed=seed)
        bias.append(found.highest - truth.max())
        raw.append(stress.max() - truth.max())
        inside += found.highest_low <= truth.max() <= found.highest_high
        inside += found.lowest_low <= truth.min() <= found.lowest_high
        pulls.append((found.estimate - truth[found.grain]) / found.estimate_se)
    assert np.sqrt(np.mean(np.square(bias))) < np.sqrt(np.mean(np.square(raw)))
    assert 4 <= inside <= 10
    assert 0.7 < np.std(np.concatenate(pulls)) < 1.3


def test_points_and_spread_of_the_true_stress_are_held() -> None:
    """A few grains beyond a point, and the scatter: with 68 % intervals that are not wide."""
    held, errors, widths = [], [], []
    for seed in range(40):
        truth, error, stress = _stress(seed, 800)
        found = extreme_grains(stress, error, seed=seed)
        true = [*np.quantile(truth, [0.005, 0.995]), truth.std()]
        low = np.array([found.low_point_low, found.high_point_low, found.spread_low])
        high = np.array([found.low_point_high, found.high_point_high, found.spread_high])
        held.append((low <= true) & (true <= high))
        errors.append(np.array([found.low_point, found.high_point, found.spread]) - true)
        widths.append(high - low)
    share = np.mean(held, axis=0)
    assert np.all((share > 0.48) & (share < 0.88))
    size = np.sqrt(np.mean(np.square(errors), axis=0))
    assert np.all(np.median(widths, axis=0) / 2.0 < 1.35 * size)
    assert np.all(np.abs(np.mean(errors, axis=0)) < size)


def test_the_chance_of_at_most_a_few_is_counted() -> None:
    """Against all outcomes of eight events, and the normal limit against counting."""
    rng = np.random.default_rng(7)
    chance = rng.random((8, 3))
    outcomes = np.array(np.meshgrid(*[[0, 1]] * 8)).reshape(8, -1).T
    for t in range(3):
        of_each = np.where(outcomes == 1, chance[:, t], 1.0 - chance[:, t]).prod(axis=1)
        for count in (0, 1, 3, 7):
            wanted = of_each[outcomes.sum(axis=1) <= count].sum()
            assert _chance_of_at_most(count, chance)[t] == pytest.approx(wanted)
    many = rng.random((300, 4)) * 0.1
    drawn = (rng.random((4_000, 300, 1)) < many[None]).sum(axis=1)
    assert _chance_of_at_most(14, many) == pytest.approx((drawn <= 14).mean(axis=0), abs=0.03)


def test_half_the_noise_halves_the_interval_of_the_spread() -> None:
    truth, error, _ = _stress(4, 3000)
    rng = np.random.default_rng(4)
    pull = rng.standard_normal(len(truth))
    widths = []
    for factor in (1.0, 0.5):
        found = extreme_grains(truth + factor * error * pull, factor * error)
        widths.append(found.spread_high - found.spread_low)
    assert widths[1] / widths[0] == pytest.approx(0.5, abs=0.06)


def test_noise_alone_makes_what_is_said() -> None:
    rng = np.random.default_rng(1)
    error = 17.0 * rng.uniform(0.7, 1.4, 3000)
    highest = [np.max(error * rng.standard_normal(3000)) for _ in range(100)]
    found = extreme_grains(error * rng.standard_normal(3000), error)
    assert found.noise_highest == pytest.approx(np.median(highest), rel=0.08)
    # grains that are all alike are not told from a spread far below their noise
    assert found.spread < 5.0
    assert found.highest < 0.5 * found.noise_highest


def test_false_grains_do_not_decide() -> None:
    truth, error, stress = _stress(2)
    stress[7] = 900.0
    real = np.ones(len(stress))
    real[7] = 0.0
    plain = extreme_grains(stress, error)
    judged = extreme_grains(stress, error, real=real)
    assert plain.highest > 700.0
    assert judged.highest < 500.0
    assert 7 in plain.grain
    assert 7 not in judged.grain
    assert truth.max() < 500.0


def test_turned_upside_down_the_highest_is_the_lowest() -> None:
    _, error, stress = _stress(3)
    one, other = extreme_grains(stress, error), extreme_grains(-stress, error)
    assert other.lowest == pytest.approx(-one.highest, rel=0.08)
    assert other.grain[10:].tolist() == one.grain[:10].tolist()


def test_extremes_need_grains_with_errors() -> None:
    with pytest.raises(InvalidValueError, match="need 30 grains"):
        extreme_grains(np.zeros(10), np.ones(10))
    with pytest.raises(InvalidValueError, match="positive errors"):
        extreme_grains(np.zeros(40), np.zeros(40))
