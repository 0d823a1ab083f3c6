"""Misorientations: known coincidences, symmetry, precision."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.crystal.orientation import disorientation, misorientation_angle
from mesolith.crystal.symmetry import rotation_operators
from mesolith.numerics.rotations import (
    quaternion_from_rotation_vector,
    quaternion_multiply,
    random_quaternions,
    rotation_angle,
)

CUBIC = rotation_operators(230)
RNG = np.random.default_rng(8)


def test_equivalent_orientations_have_no_misorientation() -> None:
    a = random_quaternions(RNG, 300)
    b = quaternion_multiply(a, CUBIC[RNG.integers(24, size=300)])
    assert misorientation_angle(a, b, CUBIC).max() < 1e-14


def test_sigma_3_is_sixty_degrees_about_111() -> None:
    twin = quaternion_from_rotation_vector(np.pi / np.sqrt(3.0) * np.ones(3))
    a = random_quaternions(RNG, 1)
    angle = misorientation_angle(a, quaternion_multiply(a, twin), CUBIC)
    assert np.degrees(angle) == pytest.approx([60.0], abs=1e-10)


def test_no_cubic_misorientation_exceeds_the_mackenzie_limit() -> None:
    angle = misorientation_angle(
        random_quaternions(RNG, 20_000), random_quaternions(RNG, 20_000), CUBIC
    )
    assert 62.0 < np.degrees(angle.max()) < 62.7995


@pytest.mark.parametrize("degrees", [1e-6, 0.1, 1.0, 20.0])
def test_planted_angles_are_exact(degrees: float) -> None:
    a = random_quaternions(RNG, 200)
    axis = RNG.standard_normal((200, 3))
    axis *= np.radians(degrees) / np.linalg.norm(axis, axis=1, keepdims=True)
    b = quaternion_multiply(quaternion_from_rotation_vector(axis), a)
    b = quaternion_multiply(b, CUBIC[RNG.integers(24, size=200)])
    found = np.degrees(misorientation_angle(a, b, CUBIC))
    assert np.abs(found - degrees).max() < 1e-12


def test_disorientation_takes_one_to_an_equivalent_of_the_other() -> None:
    a, b = random_quaternions(RNG, 300), random_quaternions(RNG, 300)
    turn = disorientation(a, b, CUBIC)
    assert misorientation_angle(quaternion_multiply(turn, a), b, CUBIC).max() < 1e-14
    assert rotation_angle(turn) == pytest.approx(misorientation_angle(a, b, CUBIC), abs=1e-15)
