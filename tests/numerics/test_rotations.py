"""Rotations: exact to round-off, one convention, improper matrices refused."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.errors import OrientationError
from mesolith.numerics.rotations import (
    fit_rotation,
    matrix_from_quaternion,
    quaternion_conjugate,
    quaternion_from_matrix,
    quaternion_from_rotation_vector,
    quaternion_multiply,
    random_quaternions,
    rotation_angle,
    rotation_vector_from_quaternion,
)

RNG = np.random.default_rng(3)
SOME = random_quaternions(RNG, 500)


def test_a_quarter_turn_about_z_takes_x_to_y() -> None:
    turn = quaternion_from_rotation_vector(np.array([0.0, 0.0, np.pi / 2]))
    assert matrix_from_quaternion(turn) @ [1.0, 0.0, 0.0] == pytest.approx([0.0, 1.0, 0.0])


def test_matrices_and_quaternions_are_each_others_inverse() -> None:
    matrices = matrix_from_quaternion(SOME)
    assert np.abs(quaternion_from_matrix(matrices) - SOME).max() < 1e-12
    assert np.abs(np.linalg.det(matrices) - 1.0).max() < 1e-14


def test_half_turns_keep_full_precision() -> None:
    axes = RNG.standard_normal((200, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    turns = 2.0 * axes[:, :, None] * axes[:, None, :] - np.eye(3)
    back = matrix_from_quaternion(quaternion_from_matrix(turns))
    assert np.abs(back - turns).max() < 1e-14


def test_the_product_is_the_later_rotation_on_the_left() -> None:
    other = random_quaternions(RNG, 500)
    product = matrix_from_quaternion(quaternion_multiply(other, SOME))
    expected = matrix_from_quaternion(other) @ matrix_from_quaternion(SOME)
    assert np.abs(product - expected).max() < 1e-14


def test_conjugate_undoes() -> None:
    assert np.abs(quaternion_multiply(quaternion_conjugate(SOME), SOME)[:, 0] - 1.0).max() < 1e-14


@pytest.mark.parametrize("size", [0.0, 1e-300, 1e-12, 1e-3, 1.0, 3.14159])
def test_rotation_vectors_come_back_at_every_size(size: float) -> None:
    vector = size * np.array([0.48, -0.6, 0.64])
    back = rotation_vector_from_quaternion(quaternion_from_rotation_vector(vector))
    assert back == pytest.approx(vector, rel=1e-13, abs=0.0)


def test_small_angles_lose_no_digits() -> None:
    turn = quaternion_from_rotation_vector(np.array([1e-9, 0.0, 0.0]))
    assert rotation_angle(turn) == pytest.approx(1e-9, rel=1e-14)


def test_scalar_part_is_never_negative() -> None:
    assert np.all(quaternion_multiply(SOME, SOME[::-1])[:, 0] >= 0.0)
    assert quaternion_conjugate(np.array([0.0, -1.0, 0.0, 0.0])) == pytest.approx([0, 1, 0, 0])


def test_random_rotations_are_uniform() -> None:
    # the trace of uniform rotations averages to 0, its square to 1
    trace = np.trace(matrix_from_quaternion(random_quaternions(RNG, 40_000)), axis1=1, axis2=2)
    assert abs(trace.mean()) < 0.02
    assert abs((trace**2).mean() - 1.0) < 0.03


def test_fit_recovers_a_rotation_from_noisy_vectors() -> None:
    true = matrix_from_quaternion(SOME[0])
    a = RNG.standard_normal((2_000, 3))
    b = a @ true.T + 0.01 * RNG.standard_normal(a.shape)
    found = fit_rotation(a, b)
    assert np.linalg.det(found) == pytest.approx(1.0)
    assert np.degrees(rotation_angle(quaternion_from_matrix(found @ true.T))) < 0.05
    heavy = np.where(np.arange(len(a)) == 0, 1e9, 1e-9)
    lone = fit_rotation(a, b, heavy) @ a[0]
    assert lone / np.linalg.norm(lone) == pytest.approx(b[0] / np.linalg.norm(b[0]), abs=1e-6)


def test_fit_of_mirrored_vectors_stays_proper() -> None:
    a = RNG.standard_normal((50, 3))
    assert np.linalg.det(fit_rotation(a, -a)) == pytest.approx(1.0)


def test_printed_digits_are_accepted() -> None:
    rounded = np.round(matrix_from_quaternion(SOME), 6)
    assert np.abs(np.linalg.norm(quaternion_from_matrix(rounded), axis=1) - 1.0).max() < 1e-15


def test_left_handed_orientations_are_refused_by_row() -> None:
    matrices = matrix_from_quaternion(SOME[:5])
    matrices[3, 0] *= -1.0
    with pytest.raises(OrientationError, match=r"1 of 5 .* left-handed \(first: row 3\)"):
        quaternion_from_matrix(matrices)


def test_what_is_no_rotation_is_refused() -> None:
    with pytest.raises(OrientationError, match="not orthogonal"):
        quaternion_from_matrix(np.diag([1.0, 1.0, 1.01]))
    with pytest.raises(OrientationError, match="NaN"):
        quaternion_from_matrix(np.full((2, 3, 3), np.nan))
    with pytest.raises(OrientationError, match="shape"):
        quaternion_from_matrix(np.eye(4))
