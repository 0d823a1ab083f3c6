"""A floor under the errors of spots, and angles that are stretched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.hedm.spot_errors import ErrorFloor, _floor, with_floor, with_turn
from tests.hedm.virtual_layers import layer


@pytest.mark.parametrize("true", [0.0, 0.03, 0.5])
def test_a_floor_is_found_under_errors_of_every_size(true: float) -> None:
    rng = np.random.default_rng(3)
    stated = 10.0 ** rng.uniform(-2.5, -0.5, 40_000)
    residual = np.hypot(stated, true) * rng.standard_normal(len(stated))
    residual[::20] *= 30.0  # strangers' spots
    found = _floor(residual**2, stated**2)
    assert found == pytest.approx(true, rel=0.08, abs=0.003)


def test_a_floor_is_added_to_each_variance() -> None:
    spots = layer(2, 1).spots
    floor = with_floor(spots, ErrorFloor(0.3, 1e-3))
    added = floor.covariance - spots.covariance
    assert np.allclose(added, np.diag([0.09, 0.09, 1e-6]))
    with pytest.raises(InvalidValueError, match="error floor of place"):
        with_floor(spots, ErrorFloor(-0.1, 0.0))


@pytest.mark.parametrize("factor", [0.999, 1.002])
def test_angles_are_stretched_about_zero_and_stay_in_a_turn(factor: float) -> None:
    spots = layer(5, 2).spots
    turned = with_turn(spots, factor)
    wrapped = np.exp(1j * (turned.omega - factor * spots.omega))
    assert np.allclose(wrapped, 1.0)
    assert turned.omega_step == pytest.approx(factor * spots.omega_step)
    span = turned.omega_range[-1, 1] - turned.omega_range[0, 0]
    assert span == pytest.approx(2.0 * np.pi * min(factor, 1.0))
    assert np.all(turned.covers(turned.omega))
    back = with_turn(replace(turned, omega_range=turned.omega_range), 1.0 / factor)
    if factor < 1.0:
        assert np.allclose(back.omega, spots.omega)


def test_a_factor_that_nobody_believes_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="turn by 3 of what is stated"):
        with_turn(layer(1, 1).spots, 3.0)
