"""Each program's axes into the house's and back: proper rotations, and nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith import axes
from mesolith.numerics.rotations import matrix_from_quaternion, random_quaternions

FRAMES = sorted(axes.FRAME_BY_FORMAT)


@pytest.mark.parametrize("frame", FRAMES)
def test_frames_are_proper_rotations(frame: str) -> None:
    turn = np.array(axes.FRAME_BY_FORMAT[frame])
    assert np.array_equal(turn @ turn.T, np.eye(3))
    assert np.linalg.det(turn) == 1.0


@pytest.mark.parametrize("frame", FRAMES)
def test_there_and_back(frame: str) -> None:
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(5, 3))
    bases = rng.normal(size=(5, 3, 3))
    tensors = bases + bases.swapaxes(1, 2)
    assert np.array_equal(
        axes.vectors_from_house(axes.vectors_to_house(vectors, frame), frame), vectors
    )
    assert np.array_equal(axes.bases_from_house(axes.bases_to_house(bases, frame), frame), bases)
    assert np.array_equal(
        axes.tensors_from_house(axes.tensors_to_house(tensors, frame), frame), tensors
    )


@pytest.mark.parametrize("frame", FRAMES)
def test_vectors_bases_and_tensors_turn_alike(frame: str) -> None:
    """The columns of a basis are vectors, and n . T n is the same on any axes."""
    rng = np.random.default_rng(4)
    basis = rng.normal(size=(3, 3))
    tensor = basis + basis.T
    n = rng.normal(size=3)
    turned = axes.bases_to_house(basis, frame)
    assert np.array_equal(turned.T, axes.vectors_to_house(basis.T, frame))
    m = axes.vectors_to_house(n, frame)
    assert m @ axes.tensors_to_house(tensor, frame) @ m == pytest.approx(n @ tensor @ n)


def test_hexrd_beam_and_rotation_axis() -> None:
    """HEXRD's beam runs along -z and its rotation axis is +y: our x and z."""
    assert axes.vectors_to_house(np.array([0.0, 0.0, -1.0]), "hexrd").tolist() == [1.0, 0.0, 0.0]
    assert axes.vectors_to_house(np.array([0.0, 1.0, 0.0]), "hexrd").tolist() == [0.0, 0.0, 1.0]
    assert axes.vectors_to_house(np.array([1.0, 0.0, 0.0]), "hexrd").tolist() == [0.0, -1.0, 0.0]


@pytest.mark.parametrize("order", sorted(axes.ORDER_BY_FORMAT))
def test_tensor_orders(order: str) -> None:
    rng = np.random.default_rng(5)
    six = rng.normal(size=(4, 6))
    pairs = axes.ORDER_BY_FORMAT[order]
    tensors = axes.tensor_from_six(six, pairs)
    assert np.array_equal(tensors, tensors.swapaxes(1, 2))
    assert np.array_equal(axes.six_from_tensor(tensors, pairs), six)


def test_mandel_vector_keeps_the_double_contraction() -> None:
    rng = np.random.default_rng(6)
    u = matrix_from_quaternion(random_quaternions(rng, 2))
    a, b = (m + m.T for m in u)
    one, two = (axes.six_from_tensor(t) * axes.MANDEL for t in (a, b))
    assert one @ two == pytest.approx(np.sum(a * b))
