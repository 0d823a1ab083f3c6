"""Least squares recover known parameters, keep bounds and say what data cannot determine."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.numerics.leastsquares import fit_least_squares, inverse_normal_matrix

T = np.linspace(0.0, 4.0, 60)
FREE = np.full(2, np.inf)


def decay(noise: np.ndarray):
    data = 3.0 * np.exp(-0.7 * T) + noise

    def model(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shape = np.exp(-values[1] * T)
        return values[0] * shape - data, np.stack([shape, -values[0] * T * shape], axis=1)

    return model


def test_exact_data_are_found_from_far_away() -> None:
    found = fit_least_squares(decay(np.zeros(60)), np.array([0.1, 5.0]), lower=-FREE, upper=FREE)
    assert found.converged
    assert np.allclose(found.values, [3.0, 0.7], rtol=1e-9)
    assert found.variance < 1e-20


def test_covariance_is_that_of_repeated_fits() -> None:
    rng = np.random.default_rng(5)
    ends = [
        fit_least_squares(
            decay(rng.normal(scale=0.05, size=60)), np.array([2.0, 1.0]), lower=-FREE, upper=FREE
        )
        for _ in range(300)
    ]
    spread = np.cov(np.array([end.values for end in ends]).T)
    stated = np.mean([end.covariance for end in ends], axis=0)
    assert np.allclose(stated, spread, rtol=0.25)


def test_a_bound_holds_and_is_told() -> None:
    found = fit_least_squares(
        decay(np.zeros(60)), np.array([1.0, 1.5]), lower=np.array([0.0, 1.0]), upper=FREE
    )
    assert found.values[1] == 1.0
    assert found.at_bound.tolist() == [False, True]
    best = np.linalg.lstsq(np.exp(-T)[:, None], 3.0 * np.exp(-0.7 * T), rcond=None)[0]
    assert found.values[0] == pytest.approx(best[0], rel=1e-9)


def test_what_nothing_determines_has_no_finite_error() -> None:
    jacobian = np.stack([np.ones(10), np.arange(10.0), 2.0 * np.arange(10.0)], axis=1)
    diagonal = np.diag(inverse_normal_matrix(jacobian))
    assert np.isfinite(diagonal[0])
    assert np.all(np.isinf(diagonal[1:]))


def test_too_few_data_and_no_start_are_refused() -> None:
    def short(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return values, np.eye(2)

    def nowhere(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.full(3, np.nan), np.ones((3, 2))

    with pytest.raises(InvalidValueError, match="2 numbers cannot determine 2 parameters"):
        fit_least_squares(short, np.ones(2), lower=-FREE, upper=FREE)
    with pytest.raises(InvalidValueError, match="not finite at its first guess"):
        fit_least_squares(nowhere, np.ones(2), lower=-FREE, upper=FREE)
