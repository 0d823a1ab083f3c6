"""Strain from lattices, stress from strain: definitions, rotations, exact cases."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.axes import six_from_tensor, tensor_from_six
from mesolith.crystal.elasticity import (
    check_stiffness,
    cubic_stiffness,
    hydrostatic_from_stress,
    principal_stresses,
    strain_from_lattice,
    strain_from_stress,
    stress_by_strain,
    stress_from_strain,
    voigt_reuss_hill,
    von_mises_from_stress,
)
from mesolith.crystal.lattice import basis_from_lattice, lattice_from_basis
from mesolith.errors import InvalidValueError
from mesolith.numerics.rotations import matrix_from_quaternion, random_quaternions

RNG = np.random.default_rng(12)
CUBE = np.array([12.95, 12.95, 12.95, *[np.pi / 2] * 3])
TRICLINIC = np.array([5.1, 6.3, 7.7, *np.radians([83.0, 98.0, 107.0])])
AL_DOPED = cubic_stiffness(187.0, 75.1, 71.0)
TA_DOPED = cubic_stiffness(169.8, 63.9, 69.8)
STILL = np.array([[1.0, 0.0, 0.0, 0.0]])


def _random_strain(n: int, size: float) -> np.ndarray:
    return tensor_from_six(size * RNG.standard_normal((n, 6)))


def test_the_references_own_lattice_has_no_strain() -> None:
    assert np.abs(strain_from_lattice(CUBE[None], CUBE, STILL)).max() < 1e-15


def test_equation_of_the_strain_is_symmetric_gradient_minus_identity() -> None:
    strained = TRICLINIC * np.array([1.001, 0.999, 1.002, 1.0005, 0.9995, 1.001])
    gradient = basis_from_lattice(strained) @ np.linalg.inv(basis_from_lattice(TRICLINIC))
    expected = 0.5 * (gradient + gradient.T) - np.eye(3)
    found = strain_from_lattice(strained[None], TRICLINIC, STILL)[0]
    assert np.abs(found - expected).max() < 1e-15
    # the shear once, not twice: gamma off 90 deg by d is a tensor shear of d/2
    sheared = CUBE - np.array([0, 0, 0, 0, 0, 1e-4])
    assert strain_from_lattice(sheared[None], CUBE, STILL)[0, 0, 1] == pytest.approx(5e-5, rel=1e-3)


@pytest.mark.parametrize("reference", [CUBE, TRICLINIC], ids=["cubic", "triclinic"])
def test_planted_strains_come_back_in_each_definition(reference: np.ndarray) -> None:
    strain = _random_strain(100, 3e-4)
    # a symmetric stretch in crystal axes; the lattice forgets the rotation of its axes
    basis = (np.eye(3) + strain) @ basis_from_lattice(reference)
    lattice = lattice_from_basis(basis)
    still = np.tile(STILL, (100, 1))
    biot = strain_from_lattice(lattice, reference, still, definition="biot")
    green = strain_from_lattice(lattice, reference, still, definition="green-lagrange")
    plain = strain_from_lattice(lattice, reference, still)
    assert np.abs(biot - plain).max() < 2e-6
    # C = F^T F is blind to rotations up to their turning of the axes, of second order
    assert np.abs(biot - strain).max() < 2e-6
    assert np.abs(green - (biot + 0.5 * biot @ biot)).max() < 1e-15


def test_strain_lies_on_sample_axes() -> None:
    longer = CUBE * np.array([1.001, 1, 1, 1, 1, 1])
    quarter_about_z = np.array([[np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)]])
    found = strain_from_lattice(longer[None], CUBE, quarter_about_z)[0]
    assert found == pytest.approx(np.diag([0.0, 1e-3, 0.0]), abs=1e-15)


def test_unknown_definition_is_named() -> None:
    with pytest.raises(InvalidValueError, match="hencky"):
        strain_from_lattice(CUBE[None], CUBE, STILL, definition="hencky")  # type: ignore[arg-type]


def test_uniform_dilatation_is_three_bulk_moduli_in_every_orientation() -> None:
    orientation = random_quaternions(RNG, 50)
    strain = np.tile(1e-4 * np.eye(3), (50, 1, 1))
    stress = stress_from_strain(strain, TA_DOPED * 1e3, orientation)
    bulk = (169.8 + 2 * 63.9) / 3 * 1e3
    assert np.abs(stress - 3 * bulk * 1e-4 * np.eye(3)).max() < 1e-10


def test_hundred_ppm_of_lattice_parameter_are_tens_of_mpa() -> None:
    stress = stress_from_strain(1e-4 * np.eye(3)[None], TA_DOPED * 1e3, STILL)
    assert float(hydrostatic_from_stress(stress)[0]) == pytest.approx(29.76, abs=0.01)


def test_stress_agrees_with_the_fourth_rank_tensor() -> None:
    stiffness = np.zeros((3, 3, 3, 3))
    pairs = {(0, 0): 0, (1, 1): 1, (2, 2): 2, (1, 2): 3, (0, 2): 4, (0, 1): 5}
    for (i, j), p in pairs.items():
        for (k, m), q in pairs.items():
            for a, b in {(i, j), (j, i)}:
                for c, d in {(k, m), (m, k)}:
                    stiffness[a, b, c, d] = AL_DOPED[p, q]
    orientation = random_quaternions(RNG, 20)
    strain = _random_strain(20, 1e-3)
    u = matrix_from_quaternion(orientation)
    turned = np.einsum("nai,nbj,nck,ndl,ijkl->nabcd", u, u, u, u, stiffness)
    expected = np.einsum("nabcd,ncd->nab", turned, strain)
    assert np.abs(stress_from_strain(strain, AL_DOPED, orientation) - expected).max() < 1e-14


def test_strain_and_stress_are_each_others_inverse() -> None:
    orientation = random_quaternions(RNG, 100)
    strain = _random_strain(100, 1e-3)
    stress = stress_from_strain(strain, AL_DOPED, orientation)
    assert np.abs(strain_from_stress(stress, AL_DOPED, orientation) - strain).max() < 1e-16


def test_derivative_of_the_stress() -> None:
    orientation = random_quaternions(RNG, 100)
    strain = _random_strain(100, 1e-3)
    six = np.einsum("nij,nj->ni", stress_by_strain(AL_DOPED, orientation), six_from_tensor(strain))
    stress = stress_from_strain(strain, AL_DOPED, orientation)
    assert np.abs(six - six_from_tensor(stress)).max() < 1e-14


def test_invariants_of_a_uniaxial_stress() -> None:
    stress = np.diag([0.0, 0.0, -30.0])
    assert float(hydrostatic_from_stress(stress)) == pytest.approx(-10.0)
    assert float(von_mises_from_stress(stress)) == pytest.approx(30.0)
    assert principal_stresses(stress) == pytest.approx([0.0, 0.0, -30.0])


def test_nan_stays_nan() -> None:
    stress = np.zeros((2, 3, 3))
    stress[1, 0, 1] = stress[1, 1, 0] = np.nan
    assert np.isnan(von_mises_from_stress(stress)).tolist() == [False, True]


def test_principal_stresses_are_the_roots_of_the_characteristic_polynomial() -> None:
    stress = tensor_from_six(100.0 * RNG.standard_normal((200, 6)))
    found = principal_stresses(stress)
    assert found.shape == (200, 3)
    assert np.all(np.diff(found, axis=1) <= 0.0)
    # the general solver of numpy knows nothing of symmetry
    general = np.sort(np.linalg.eigvals(stress).real, axis=1)[:, ::-1]
    assert np.abs(found - general).max() < 1e-10
    first, second, third = found.T
    trace = 3.0 * hydrostatic_from_stress(stress)
    assert np.abs(first + second + third - trace).max() < 1e-10
    shear = (first - second) ** 2 + (second - third) ** 2 + (third - first) ** 2
    assert np.sqrt(0.5 * shear) == pytest.approx(von_mises_from_stress(stress), rel=1e-12)


def test_aggregate_moduli_of_doped_garnet() -> None:
    # Yu et al. 2016 as Voigt-Reuss-Hill averages: 162.5 and 154.9 GPa
    for stiffness, expected in ((AL_DOPED, 162.5), (TA_DOPED, 154.9)):
        bulk, shear = voigt_reuss_hill(stiffness)
        assert 9 * bulk * shear / (3 * bulk + shear) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(
    ("stiffness", "message"),
    [
        (np.eye(5), "no finite 6x6"),
        (np.full((6, 6), np.nan), "no finite 6x6"),
        (cubic_stiffness(63.9, 169.8, 69.8), "positive definite"),
        (np.triu(cubic_stiffness(169.8, 63.9, 69.8)), "not symmetric"),
    ],
)
def test_what_is_no_stiffness_is_refused(stiffness: np.ndarray, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        check_stiffness(stiffness)
