"""The mean stress that equilibrium asks for."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.link.equilibrium import normalised_weights, target_stress


def test_free_sides_carry_the_stack_pressure_alone() -> None:
    target, half_width = target_stress(6.0)
    assert target == pytest.approx(np.diag([0.0, 0.0, -6.0]))
    assert np.trace(target) / 3 == pytest.approx(-2.0)
    assert half_width == 0.0


def test_pores_count_as_zero_stress() -> None:
    target, _ = target_stress(6.0, porosity=0.25)
    assert target[2, 2] == pytest.approx(-8.0)


def test_a_die_leaves_an_interval_from_no_contact_to_the_stack_pressure() -> None:
    target, half_width = target_stress(6.0, lateral="confined")
    middle = float(np.trace(target)) / 3.0
    assert middle + half_width == pytest.approx(-6.0 / 3.0)
    assert middle - half_width == pytest.approx(-6.0)


def test_tension_on_the_stack_is_no_pressure() -> None:
    with pytest.raises(InvalidValueError, match="positive in compression"):
        target_stress(-5.0)


def test_weights_are_volume_times_confidence() -> None:
    weights = normalised_weights(np.array([1.0, 2.0]), np.array([1.0, 0.5]))
    assert weights == pytest.approx([1 / 5, 4 / 5])


@pytest.mark.parametrize("radius", [[0.0, 0.0], [1.0, np.nan], [-1.0, 0.5]])
def test_radii_that_weigh_nothing_are_refused(radius: list[float]) -> None:
    with pytest.raises(InvalidValueError, match="radius and confidence"):
        normalised_weights(np.array(radius), np.ones(2))
