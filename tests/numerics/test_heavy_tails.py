"""Tails of errors learnt from repeated measurements."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.numerics.heavy_tails import (
    NORMAL,
    freedom_of_differences,
    student_errors,
    variance_classes,
)


def _lengths(seed: int, freedom: float, pairs: int = 250) -> list[np.ndarray]:
    """Differences of positions and orientations over four steps, each of a scale of its own."""
    rng = np.random.default_rng(seed)
    found = []
    for scale in (8.0, 1e-3) * 4:
        errors = student_errors(rng, (2, pairs, 3), freedom)
        found.append(scale * np.linalg.norm(errors[0] - errors[1], axis=1))
    return found


@pytest.mark.parametrize(("freedom", "low", "high"), [(3.0, 2.5, 4.0), (5.0, 4.0, 8.0)])
def test_the_freedom_of_heavy_tails_is_found(freedom: float, low: float, high: float) -> None:
    found = [freedom_of_differences(_lengths(seed, freedom)) for seed in range(8)]
    assert low <= min(found)
    assert max(found) <= high


def test_normal_errors_are_called_normal() -> None:
    found = [freedom_of_differences(_lengths(seed, NORMAL)) for seed in range(20)]
    assert sum(np.isinf(found)) >= 18
    assert min(found) >= 12.0


def test_few_or_unknown_lengths_tell_nothing() -> None:
    assert freedom_of_differences([]) == NORMAL
    assert freedom_of_differences([_lengths(0, 3.0)[0][:20]]) == NORMAL
    assert freedom_of_differences([np.full(100, np.nan)]) == NORMAL


@pytest.mark.parametrize("freedom", [2.5, 3.0, 6.0, NORMAL])
def test_classes_of_variance_make_the_lengths(freedom: float) -> None:
    """Of five components; one variance for all of them leaves 13 %, a normal one far more."""
    share, scale = variance_classes(freedom, 5)
    assert share.sum() == pytest.approx(1.0)
    assert share @ scale**2 == pytest.approx(1.0)
    rng = np.random.default_rng(4)
    normal = np.linalg.norm(rng.standard_normal((40_000, 5)), axis=1)
    lengths = np.linalg.norm(student_errors(rng, (40_000, 5), freedom), axis=1)
    by_class = rng.choice(scale, 40_000, p=share) * normal
    at = (0.1, 0.5, 0.9, 0.98)
    assert np.quantile(by_class, at) == pytest.approx(np.quantile(lengths, at), rel=0.13)
    if freedom <= 3.0:
        assert np.quantile(normal, 0.5) > 1.3 * np.quantile(lengths, 0.5)
