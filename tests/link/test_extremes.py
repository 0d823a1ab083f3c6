"""Extremes: what is left of the highest grain once noise and false grains are out."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.link.extremes import _drawn_points, _spread, extreme_grains


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
    """A few grains beyond a point, and the scatter: with 68 % intervals that are not wide.

    The two ends of a cell are judged together, so that 20 cells say as much of a point as 40 do
    of the spread, which needs no resamples: a share of 0.68 is known to 0.07.
    """
    ends, spreads = [], []
    for seed in range(40):
        truth, error, stress = _stress(seed, 800)
        spread = _spread(stress, error, np.ones(800), 0.68)
        spreads.append([*spread, truth.std()])
        if seed >= 20:
            continue
        found = extreme_grains(stress, error, seed=seed)
        assert (found.spread_low, found.spread, found.spread_high) == spread
        lowest, highest = np.quantile(truth, [0.005, 0.995])
        ends.append(
            [
                [found.low_point_low, found.low_point, found.low_point_high, lowest],
                [found.high_point_low, found.high_point, found.high_point_high, highest],
            ]
        )
    points = np.array(ends)
    assert np.all(np.abs(_off(points).mean(axis=0)) < _size(points))
    for answers in (points.reshape(-1, 4), np.array(spreads)):
        low, _, high, true = answers.T
        assert 0.48 < np.mean((low <= true) & (true <= high)) < 0.88
        size = _size(answers)
        assert np.median(high - low) / 2.0 < 1.35 * size
        assert np.abs(_off(answers).mean()) < size


def _off(answers: FloatArray) -> FloatArray:
    """Error of each answer (..., 4): lower end, value, upper end, truth."""
    return np.asarray(answers[..., 1] - answers[..., 3])


def _size(answers: FloatArray) -> FloatArray:
    """Root mean square error over the first axis."""
    return np.asarray(np.sqrt(np.mean(np.square(_off(answers)), axis=0)))


def test_tail_points_are_drawn_as_grain_by_grain() -> None:
    """Against true values drawn one grain at a time and sorted, a false one left out."""
    rng = np.random.default_rng(7)
    support = np.linspace(-5.0, 5.0, 201)
    weight = np.exp(-0.5 * (support / 1.5) ** 2)
    weight /= weight.sum()
    stress, sigma = 1.8 * rng.standard_normal(40), np.full(40, 1.0)
    sure = np.where(np.arange(40) % 4 == 0, 0.5, 1.0)
    weights = np.tile(weight, (17, 1))
    drawn = _drawn_points(stress, sigma, sure, support, weights, 1.3, rng)
    slow = []
    for _ in range(1_000):
        true = []
        for own, real in zip(stress, sure, strict=True):
            chance = weight * np.exp(-0.5 * (own - support) ** 2)
            if rng.random() < real:
                true.append(rng.choice(support, p=chance / chance.sum()))
        high = np.sort(true)[::-1]
        slow.append(0.7 * high[1] + 0.3 * high[2])
    quantiles = (0.16, 0.5, 0.84)
    assert np.quantile(drawn, quantiles) == pytest.approx(np.quantile(slow, quantiles), abs=0.12)


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
