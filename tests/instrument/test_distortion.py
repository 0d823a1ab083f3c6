"""Distortion: the formula written out, its inverse, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.instrument.distortion import Distortion, distorted, undistorted
from tests.instrument.setups import bent


def _slow(distortion: Distortion, u: float, v: float) -> tuple[float, float]:
    u, v = u - distortion.centre[0], v - distortion.centre[1]
    r, theta = np.hypot(u, v), np.arctan2(v, u)
    factor = 1.0 + sum(
        a * (r / distortion.radius) ** n * np.cos(m * theta + p)
        for a, n, m, p in zip(
            distortion.amplitude,
            distortion.exponent,
            distortion.harmonic,
            distortion.phase,
            strict=True,
        )
    )
    return distortion.centre[0] + factor * u, distortion.centre[1] + factor * v


def test_points_go_where_the_formula_says() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-200_000.0, 200_000.0, (40, 2))
    wanted = [_slow(bent(), u, v) for u, v in points]
    np.testing.assert_allclose(undistorted(bent(), points), wanted, atol=1e-8)
    centre = bent().centre
    np.testing.assert_allclose(undistorted(bent(), centre), centre)


def test_the_inverse_comes_back() -> None:
    points = np.random.default_rng(1).uniform(-2e5, 2e5, (5, 8, 2))
    strong = replace(bent(), amplitude=40.0 * bent().amplitude)
    for one in (bent(), strong):
        np.testing.assert_allclose(distorted(one, undistorted(one, points)), points, atol=1e-5)
    np.testing.assert_array_equal(undistorted(None, points), points)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"radius": 0.0}, "must be positive"),
        ({"exponent": np.array([2.0, 0.0, 2.0, 1.5])}, "must be positive"),
        ({"harmonic": np.array([2.0, 1.5, 0.0, 1.0])}, "harmonics of a distortion"),
    ],
)
def test_what_is_no_distortion_is_refused(changes: dict[str, object], what: str) -> None:
    with pytest.raises(InvalidValueError, match=what):
        replace(bent(), **changes)


def test_too_many_terms_are_refused() -> None:
    nine = np.ones(9)
    with pytest.raises(InvalidValueError, match="9 terms, at most 8"):
        Distortion(np.zeros(2), 1.0, nine, nine, nine, nine)
