"""The search for candidate pairs against its slow twin, which compares every pair."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.crystal.orientation import misorientation_angle
from mesolith.crystal.symmetry import rotation_operators
from mesolith.link.candidates import (
    CandidateFinder,
    Grains,
    equivalents_near_zone,
    nearest_equivalents,
)
from mesolith.numerics.rotations import (
    quaternion_conjugate,
    quaternion_from_rotation_vector,
    quaternion_multiply,
    random_quaternions,
    rotation_angle,
)


def plain(position, orientation, operators):
    count = len(position)
    zeros = np.zeros(count, dtype=np.int64)
    return Grains(position, orientation, np.zeros(count), zeros, zeros, (operators,))


def slow_pairs(before, after, distance, angle):
    found = []
    for i in range(len(before)):
        apart = np.linalg.norm(after.position - before.position[i], axis=1)
        turn = misorientation_angle(
            np.broadcast_to(before.orientation[i], (len(after), 4)),
            after.orientation,
            before.operators[0],
        )
        found += [(i, int(j)) for j in np.flatnonzero((apart <= distance) & (turn <= angle))]
    return found


@pytest.mark.parametrize("space_group", [2, 14, 62, 88, 141, 148, 164, 176, 194, 205, 230])
def test_every_near_pair_is_found_once(space_group):
    """Half of the grains are like one another, so that every boundary of the zone is met."""
    rng = np.random.default_rng(space_group)
    operators = rotation_operators(space_group)
    angle = np.radians(6.0)
    base = random_quaternions(rng, 150)
    near = quaternion_multiply(
        quaternion_from_rotation_vector(np.radians(3.0) * rng.standard_normal((150, 3))), base
    )
    near = quaternion_multiply(near, operators[rng.integers(len(operators), size=150)])
    before = plain(rng.uniform(0, 200, (150, 3)), base, operators)
    after = plain(before.position + rng.normal(0, 30, (150, 3)), near, operators)
    finder = CandidateFinder(after, distance=60.0, angle=angle)
    found = finder.pairs(before)
    pairs = list(zip(found.before.tolist(), found.after.tolist(), strict=True))
    assert pairs == slow_pairs(before, after, 60.0, angle)
    assert len(pairs) > 40
    turn = quaternion_multiply(
        found.orientation_after, quaternion_conjugate(found.orientation_before)
    )
    expected = misorientation_angle(base[found.before], near[found.after], operators)
    assert rotation_angle(turn) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("space_group", [2, 14, 194, 230])
def test_equivalents_reach_across_the_boundary_and_the_sign(space_group):
    rng = np.random.default_rng(1)
    operators = rotation_operators(space_group)
    margin = np.radians(5.0)
    orientation = random_quaternions(rng, 200)
    turn = rng.standard_normal((200, 3))
    turn *= 0.99 * margin / np.linalg.norm(turn, axis=1, keepdims=True)
    other = nearest_equivalents(
        quaternion_multiply(quaternion_from_rotation_vector(turn), orientation), operators
    )
    row, image = equivalents_near_zone(orientation, operators, margin)
    longest = 2.0 * np.sin(0.25 * margin)
    for k in range(200):
        assert np.linalg.norm(image[row == k] - other[k], axis=1).min() <= longest
