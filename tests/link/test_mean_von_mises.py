"""Mean von Mises stress: what noise adds is taken off, and the interval holds the truth."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.axes import six_from_tensor
from mesolith.crystal.elasticity import von_mises_from_stress
from mesolith.errors import InvalidValueError
from mesolith.link.mean_von_mises import MeanVonMises, _density, mean_von_mises


def _measured(
    seed: int, noise: float, count: int = 600, false: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True von Mises stress, measured one, and covariance: tensors with equal errors."""
    rng = np.random.default_rng(seed)

    def tensors(size: float) -> np.ndarray:
        full = rng.standard_normal((count, 3, 3)) * size
        return (full + full.swapaxes(1, 2)) / np.sqrt(2.0)

    true = tensors(15.0)
    true[:false] *= 12.0
    sigma = noise * rng.uniform(0.7, 1.3, count)
    measured = true + tensors(1.0) * sigma[:, None, None]
    unit = np.array([six_from_tensor(full) for full in _unit_noise(rng)])
    covariance = sigma[:, None, None] ** 2 * np.cov(unit.T)
    return von_mises_from_stress(true), von_mises_from_stress(measured), covariance


def _unit_noise(rng: np.random.Generator) -> np.ndarray:
    full = rng.standard_normal((40_000, 3, 3))
    return np.asarray((full + full.swapaxes(1, 2)) / np.sqrt(2.0))


def _found(seed: int, noise: float) -> tuple[MeanVonMises, float, float]:
    true, measured, covariance = _measured(seed, noise)
    return (
        mean_von_mises(measured, covariance, seed=seed),
        float(true.mean()),
        float(np.sqrt(np.mean(true**2))),
    )


def test_the_mean_net_of_noise_is_the_true_one() -> None:
    held, errors, sigma, raw = [], [], [], []
    for seed in range(30):
        found, mean, rms = _found(seed, 10.0)
        held.append((found.low <= mean <= found.high, found.rms_low <= rms <= found.rms_high))
        errors.append((found.mean - mean, found.rms - rms))
        sigma.append(found.se)
        raw.append(found.measured - mean)
    size = np.sqrt(np.mean(np.square(errors), axis=0))
    assert np.mean(raw) > 5.0 * size[0]
    assert np.all(np.abs(np.mean(errors, axis=0)) < 0.8 * size)
    assert np.all(np.abs(np.mean(held, axis=0) - 0.68) < 0.22)
    assert 0.7 < np.median(sigma) / size[0] < 1.3


def test_half_the_noise_halves_the_error() -> None:
    whole, half = (_found(50, noise)[0] for noise in (8.0, 4.0))
    assert half.se / whole.se == pytest.approx(0.45, abs=0.15)
    assert half.grains == 600


def test_false_grains_do_not_count() -> None:
    true, measured, covariance = _measured(60, 8.0, false=20)
    real = np.ones(len(true))
    real[:20] = 0.0
    found = mean_von_mises(measured, covariance, real=real)
    assert found.mean == pytest.approx(true[20:].mean(), abs=4.0 * found.se)
    assert mean_von_mises(measured, covariance).mean > found.mean + 10.0


def test_the_density_of_a_length_is_that_of_five_components() -> None:
    rng = np.random.default_rng(0)
    drawn = 3.0 * rng.standard_normal((400_000, 5))
    drawn[:, 0] += 7.0
    edges = np.linspace(0.0, 20.0, 21)
    many, _ = np.histogram(np.sqrt(np.sum(drawn**2, axis=1)), bins=edges)
    fine = np.linspace(0.0, 20.0, 2001)
    fine = 0.5 * (fine[1:] + fine[:-1])
    wanted = _density(fine, np.array([7.0]), 3.0)[:, 0].reshape(20, 100).mean(axis=1)
    assert many / len(drawn) == pytest.approx(wanted, abs=4e-3)


def test_a_mean_net_of_noise_needs_grains_with_errors() -> None:
    with pytest.raises(InvalidValueError, match="needs 30 grains"):
        mean_von_mises(np.ones(10), np.tile(np.eye(6), (10, 1, 1)))
    with pytest.raises(InvalidValueError, match="positive errors"):
        mean_von_mises(np.ones(40), np.zeros((40, 6, 6)))
