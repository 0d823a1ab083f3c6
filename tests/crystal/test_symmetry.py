"""Operators of the Laue classes."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.crystal.symmetry import rotation_operators
from mesolith.errors import InvalidValueError
from mesolith.numerics.rotations import matrix_from_quaternion, quaternion_multiply

ORDERS = {1: 1, 2: 1, 5: 2, 16: 4, 75: 4, 142: 8, 146: 3, 167: 6, 168: 6, 191: 12, 195: 12}
CUBIC = {220: 24, 230: 24, 229: 24}


@pytest.mark.parametrize(("group", "count"), [*ORDERS.items(), *CUBIC.items()])
def test_number_of_rotations(group: int, count: int) -> None:
    assert rotation_operators(group).shape == (count, 4)


@pytest.mark.parametrize("group", [16, 142, 167, 191, 220])
def test_they_form_a_group_with_the_identity_first(group: int) -> None:
    operators = rotation_operators(group)
    assert operators[0] == pytest.approx([1.0, 0.0, 0.0, 0.0])
    product = quaternion_multiply(operators[:, None], operators[None, :])
    closeness = np.abs(product @ operators.T).max(axis=-1)
    assert closeness.min() == pytest.approx(1.0, abs=1e-12)


def test_cubic_operators_permute_the_axes() -> None:
    matrices = matrix_from_quaternion(rotation_operators(220))
    assert np.abs(matrices - np.rint(matrices)).max() < 1e-15


def test_both_garnet_polymorphs_have_the_same_laue_class() -> None:
    assert np.array_equal(rotation_operators(220), rotation_operators(230))


def test_operators_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        rotation_operators(230)[0, 0] = 0.0


@pytest.mark.parametrize("group", [0, 231, -1])
def test_no_such_space_group(group: int) -> None:
    with pytest.raises(InvalidValueError, match="no space group"):
        rotation_operators(group)
