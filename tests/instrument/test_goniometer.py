"""The rotation axis and the vectors it carries, against SciPy's rotations."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from mesolith.instrument.goniometer import (
    Goniometer,
    axis_tilt,
    rotation_from_omega,
    to_laboratory,
    to_sample,
)

LEANING = Goniometer(0.3, -0.2)


def test_the_axis_is_tilted_by_wedge_and_then_by_chi() -> None:
    tilt = Rotation.from_euler("x", -0.2) * Rotation.from_euler("y", 0.3)
    np.testing.assert_allclose(axis_tilt(LEANING), tilt.as_matrix(), atol=1e-15)
    np.testing.assert_allclose(LEANING.axis, tilt.apply([0.0, 0.0, 1.0]), atol=1e-15)


def test_omega_turns_right_handed_about_the_axis() -> None:
    omega = np.array([0.0, 0.4, -2.0])
    wanted = Rotation.from_rotvec(omega[:, None] * LEANING.axis)
    np.testing.assert_allclose(rotation_from_omega(LEANING, omega), wanted.as_matrix(), atol=1e-14)
    vectors = np.random.default_rng(0).normal(size=(3, 3))
    np.testing.assert_allclose(to_laboratory(LEANING, vectors, omega), wanted.apply(vectors))
    back = to_sample(LEANING, to_laboratory(LEANING, vectors, omega), omega)
    np.testing.assert_allclose(back, vectors, atol=1e-14)
