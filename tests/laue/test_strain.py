"""Deviatoric strain and its equivalent, on laboratory, crystal and surface axes."""

from __future__ import annotations

import numpy as np

from mesolith.crystal.lattice import basis_from_lattice
from mesolith.laue.strain import (
    deviatoric_strain,
    equivalent_strain,
    on_axes,
    orientation_and_stretch,
    surface_axes,
)
from mesolith.numerics.rotations import matrix_from_quaternion, random_quaternions

TETRAGONAL = basis_from_lattice(np.array([13.1, 13.1, 12.7, *[np.pi / 2.0] * 3]))


def test_rotation_and_stretch_come_apart() -> None:
    rng = np.random.default_rng(1)
    rotation = matrix_from_quaternion(random_quaternions(rng, 4))
    strain = 1e-3 * rng.standard_normal((4, 3, 3))
    strain = 0.5 * (strain + np.swapaxes(strain, 1, 2))
    vectors = (np.eye(3) + strain) @ rotation @ TETRAGONAL
    found, stretch = orientation_and_stretch(vectors, TETRAGONAL)
    np.testing.assert_allclose(found, rotation, atol=1e-12)
    np.testing.assert_allclose(stretch, np.eye(3) + strain, atol=1e-12)
    # blind to the size of the lattice
    deviatoric = deviatoric_strain(stretch)
    np.testing.assert_allclose(deviatoric_strain(1.003 * stretch), deviatoric, atol=1e-15)
    third = np.trace(strain, axis1=1, axis2=2)[:, None, None] / 3.0
    np.testing.assert_allclose(deviatoric, strain - third * np.eye(3), atol=1e-5)


def test_on_crystal_axes_a_strain_turns_with_the_crystal() -> None:
    rotation = matrix_from_quaternion(random_quaternions(np.random.default_rng(2), 1))[0]
    along_a = np.diag([1e-3, -5e-4, -5e-4])
    laboratory = rotation @ along_a @ rotation.T
    np.testing.assert_allclose(on_axes(laboratory, rotation), along_a, atol=1e-15)


def test_surface_axes_of_a_tilted_sample() -> None:
    axes = surface_axes(np.array([-1.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0]))
    half = np.sqrt(0.5)
    np.testing.assert_allclose(axes.T, [[half, 0.0, half], [0.0, 1.0, 0.0], [-half, 0.0, half]])
    out_of_surface = np.diag([0.0, 0.0, 1e-3])
    np.testing.assert_allclose(
        on_axes(axes @ out_of_surface @ axes.T, axes), out_of_surface, atol=1e-18
    )


def test_the_equivalent_of_a_uniaxial_incompressible_strain_is_the_axial_one() -> None:
    uniaxial = np.diag([1e-3, -5e-4, -5e-4])
    np.testing.assert_allclose(equivalent_strain(uniaxial), 1e-3)
    np.testing.assert_allclose(equivalent_strain(uniaxial + 0.01 * np.eye(3)), 1e-3)
