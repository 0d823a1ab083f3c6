"""From refined grains to records: grain map, covariance of the house's orientation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.axes import FloatArray
from mesolith.crystal.lattice import basis_from_lattice, lattice_from_basis
from mesolith.crystal.orientation import misorientation_angle
from mesolith.crystal.symmetry import rotation_operators
from mesolith.errors import DuplicateError, InvalidValueError
from mesolith.hedm.indexed import grain_map_from_indexed
from mesolith.numerics.rotations import (
    matrix_from_quaternion,
    quaternion_from_matrix,
    random_quaternions,
    rotation_vector_from_quaternion,
)
from mesolith.records.grains import Phases
from mesolith.records.indexed import IndexedGrains

CUBIC = np.array([12.95, 12.95, 12.95, *[np.pi / 2] * 3])


def grains_of(lattice_vectors: FloatArray, covariance: FloatArray) -> IndexedGrains:
    count = len(lattice_vectors)
    return IndexedGrains(
        grain_id=np.arange(count),
        lattice_vectors=lattice_vectors,
        position=np.zeros((count, 3)),
        covariance=covariance,
        phase=np.zeros(count, dtype=np.int64),
        phases=Phases(("LLZO",), np.array([220]), CUBIC[None]),
        completeness=np.full(count, 0.9),
        expected=np.full(count, 300),
        spots=np.full(count, 270),
        own_spots=np.full(count, 270),
        likelihood=np.full(count, 1500.0),
        scatter=np.ones(count),
        volume_share=np.full(count, 1.0 / count),
        chance=np.full(7, 0.01),
        error_scale=np.ones(2),
    )


def test_the_map_holds_orientation_lattice_and_size() -> None:
    rng = np.random.default_rng(0)
    q = random_quaternions(rng, 5)
    vectors = matrix_from_quaternion(q) @ basis_from_lattice(CUBIC)
    covariance = np.tile(np.eye(12), (5, 1, 1))
    volume = 5.0 * 4.0 / 3.0 * np.pi * 27.5**3
    grain_map = grain_map_from_indexed(grains_of(vectors, covariance), volume=volume)
    apart = misorientation_angle(grain_map.orientation, q, rotation_operators(220))
    assert np.abs(apart).max() < 1e-12
    assert np.allclose(grain_map.lattice, CUBIC)
    assert np.allclose(grain_map.radius, 27.5)
    assert grain_map.strain is None


def test_covariance_follows_the_orientation_that_the_lattice_gives() -> None:
    """Grains drawn about one lattice scatter, by the house's orientation, as stated."""
    rng = np.random.default_rng(1)
    basis = matrix_from_quaternion(random_quaternions(rng, 1))[0] @ basis_from_lattice(CUBIC)
    root = 1e-4 * rng.standard_normal((9, 9))
    covariance = np.eye(12)
    covariance[3:, 3:] = root @ root.T
    stated = grain_map_from_indexed(grains_of(basis[None], covariance[None]), volume=1.0)
    draw = rng.standard_normal((20_000, 9)) @ root.T
    bend = np.zeros((len(draw), 3, 3))
    for k, (i, j) in enumerate(((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))):
        bend[:, i, j] += draw[:, 3 + k]
        if i != j:
            bend[:, j, i] += draw[:, 3 + k]
    x, y, z = draw[:, :3].T
    zero = np.zeros(len(draw))
    bend += np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    moved = (np.eye(3) + bend) @ basis

    def orientation(vectors: FloatArray) -> FloatArray:
        return vectors @ np.linalg.inv(basis_from_lattice(lattice_from_basis(vectors)))

    turned = orientation(moved) @ orientation(basis).T
    vector = rotation_vector_from_quaternion(quaternion_from_matrix(turned))
    assert np.allclose(
        np.cov(vector.T), stated.covariance[0, 3:6, 3:6], atol=0.04 * np.trace(np.cov(vector.T))
    )


def test_a_map_needs_a_volume() -> None:
    grains = grains_of(basis_from_lattice(CUBIC)[None], np.eye(12)[None])
    with pytest.raises(InvalidValueError, match="holds no grain"):
        grain_map_from_indexed(grains, volume=0.0)


def test_a_left_handed_lattice_and_a_repeated_id_are_refused() -> None:
    good = basis_from_lattice(CUBIC)[None]
    with pytest.raises(InvalidValueError, match="right-handed"):
        grains_of(-good, np.eye(12)[None])
    two = grains_of(np.repeat(good, 2, axis=0), np.tile(np.eye(12), (2, 1, 1)))
    with pytest.raises(DuplicateError, match="twice"):
        replace(two, grain_id=np.zeros(2, dtype=np.int64))
