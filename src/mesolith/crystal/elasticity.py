"""Strain from the lattice, stress from the strain.

Stiffness matrices are 6x6 Voigt (11 22 33 23 13 12, engineering shears) in MPa on crystal
axes. Strain and stress are full tensors on sample axes, tension positive.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from mesolith.axes import SIX, FloatArray, six_from_tensor, tensor_from_six
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.errors import InvalidValueError
from mesolith.numerics.rotations import matrix_from_quaternion

StrainDefinition = Literal["infinitesimal", "biot", "green-lagrange"]
STRAIN_DEFINITIONS: tuple[StrainDefinition, ...] = ("infinitesimal", "biot", "green-lagrange")
_ENGINEERING = np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])


def strain_from_lattice(
    lattice: FloatArray,
    reference: FloatArray,
    orientation: FloatArray,
    *,
    definition: StrainDefinition = "infinitesimal",
) -> FloatArray:
    """Elastic strain of each grain, sample axes, from its lattice and the strain-free one.

    With F = A A0^-1 (columns a, b, c of strained and strain-free cell) and C = F^T F:
    "infinitesimal" (F + F^T)/2 - I, "biot" C^(1/2) - I, "green-lagrange" (C - I)/2; each turned
    onto sample axes with the orientation.

    Parameters
    ----------
    lattice
        Measured lattices, a b c (angstrom), alpha beta gamma (rad), shape (n, 6).
    reference
        Strain-free lattice, shape (6,) or (n, 6).
    orientation
        Crystal to sample, unit quaternions, shape (n, 4).

    Returns
    -------
    strain
        Shape (n, 3, 3), symmetric, tension positive.
    """
    strained = basis_from_lattice(lattice)
    gradient = strained @ np.linalg.inv(basis_from_lattice(reference))
    identity = np.eye(3)
    if definition == "infinitesimal":
        crystal = 0.5 * (gradient + gradient.swapaxes(-1, -2)) - identity
    elif definition in ("biot", "green-lagrange"):
        # written in H = F - I: nothing of order one is subtracted from something of order one
        h = gradient - identity
        green = 0.5 * (h + h.swapaxes(-1, -2) + h.swapaxes(-1, -2) @ h)
        crystal = green if definition == "green-lagrange" else _biot_from_green(green)
    else:
        raise InvalidValueError(
            f"unknown strain definition {definition!r}",
            remedy=f"Known: {', '.join(STRAIN_DEFINITIONS)}.",
        )
    return rotate_to_sample(crystal, orientation)


def _biot_from_green(green: FloatArray) -> FloatArray:
    values, vectors = np.linalg.eigh(green)
    # sqrt(1 + 2E) - 1 without cancellation
    stretch = 2.0 * values / (np.sqrt(1.0 + 2.0 * values) + 1.0)
    biot: FloatArray = (vectors * stretch[..., None, :]) @ vectors.swapaxes(-1, -2)
    return biot


def rotate_to_sample(tensor: FloatArray, orientation: FloatArray) -> FloatArray:
    """Tensors (n, 3, 3) on crystal axes turned onto sample axes; stays symmetric exactly."""
    u = matrix_from_quaternion(orientation)
    turned = u @ tensor @ u.swapaxes(-1, -2)
    return 0.5 * (turned + turned.swapaxes(-1, -2))


def rotate_to_crystal(tensor: FloatArray, orientation: FloatArray) -> FloatArray:
    """Inverse of `rotate_to_sample`."""
    u = matrix_from_quaternion(orientation)
    turned = u.swapaxes(-1, -2) @ tensor @ u
    return 0.5 * (turned + turned.swapaxes(-1, -2))


def stress_from_strain(
    strain: FloatArray, stiffness: FloatArray, orientation: FloatArray
) -> FloatArray:
    """Cauchy stress of each grain (n, 3, 3), MPa, sample axes.

    ``strain`` (n, 3, 3) on sample axes, ``stiffness`` (6, 6) or (n, 6, 6) on crystal axes.
    """
    six = six_from_tensor(rotate_to_crystal(strain, orientation)) * _ENGINEERING
    stress = tensor_from_six((stiffness @ six[..., None])[..., 0])
    return rotate_to_sample(stress, orientation)


def strain_from_stress(
    stress: FloatArray, stiffness: FloatArray, orientation: FloatArray
) -> FloatArray:
    """Elastic strain of each grain (n, 3, 3), sample axes; inverse of `stress_from_strain`."""
    six = six_from_tensor(rotate_to_crystal(stress, orientation))
    strain = (np.linalg.inv(stiffness) @ six[..., None])[..., 0] / _ENGINEERING
    return rotate_to_sample(tensor_from_six(strain), orientation)


def stress_by_strain(stiffness: FloatArray, orientation: FloatArray) -> FloatArray:
    """Derivative of the stress 11 22 33 23 13 12 to the strain's (tensor shears), sample axes.

    Shape (n, 6, 6), MPa: what turns a covariance of strain into one of stress.
    """
    u = matrix_from_quaternion(orientation)
    to_sample = _six_rotation(u)
    to_crystal = _six_rotation(u.swapaxes(-1, -2))
    derivative: FloatArray = to_sample @ (stiffness * _ENGINEERING) @ to_crystal
    return derivative


def _six_rotation(u: FloatArray) -> FloatArray:
    """Matrix (..., 6, 6) that turns six components (tensor shears) of T into those of u T u^T."""
    matrix = np.empty((*u.shape[:-2], 6, 6))
    for row, (i, j) in enumerate(SIX):
        for column, (k, m) in enumerate(SIX):
            value = u[..., i, k] * u[..., j, m]
            if k != m:
                value = value + u[..., i, m] * u[..., j, k]
            matrix[..., row, column] = value
    return matrix


def hydrostatic_from_stress(stress: FloatArray) -> FloatArray:
    """Hydrostatic stress, trace / 3, MPa, shape (...); negative in compression."""
    hydrostatic: FloatArray = np.trace(stress, axis1=-2, axis2=-1) / 3.0
    return hydrostatic


def von_mises_from_stress(stress: FloatArray) -> FloatArray:
    """Von Mises equivalent of each stress tensor.

    Parameters
    ----------
    stress
        Cauchy stress, sample axes, tension positive, MPa. Shape (..., 3, 3).

    Returns
    -------
    equivalent
        MPa, shape (...), never negative; NaN where any component is NaN.
    """
    deviator = stress - hydrostatic_from_stress(stress)[..., None, None] * np.eye(3)
    equivalent: FloatArray = np.sqrt(1.5 * np.sum(deviator * deviator, axis=(-2, -1)))
    return equivalent


def principal_stresses(stress: FloatArray) -> FloatArray:
    """Principal values (..., 3), MPa, largest (most tensile) first."""
    return np.asarray(np.linalg.eigvalsh(stress)[..., ::-1], dtype=np.float64)


def cubic_stiffness(c11: float, c12: float, c44: float) -> FloatArray:
    """Stiffness (6, 6) of a cubic crystal, in the unit of its three constants."""
    stiffness = np.zeros((6, 6))
    stiffness[:3, :3] = c12
    stiffness[np.arange(3), np.arange(3)] = c11
    stiffness[np.arange(3, 6), np.arange(3, 6)] = c44
    return stiffness


def check_stiffness(stiffness: FloatArray) -> None:
    """Raise ``InvalidValueError`` unless (6, 6) is finite, symmetric and positive definite."""
    if stiffness.shape != (6, 6) or not np.all(np.isfinite(stiffness)):
        raise InvalidValueError(
            f"a stiffness of shape {stiffness.shape} is no finite 6x6 matrix",
            remedy="Give c11, c12, c44 of a cubic crystal, or six rows of six numbers, in GPa.",
        )
    scale = float(np.abs(stiffness).max())
    if np.abs(stiffness - stiffness.T).max() > 1e-9 * scale:
        raise InvalidValueError("the stiffness is not symmetric")
    if np.linalg.eigvalsh(stiffness)[0] <= 0.0:
        raise InvalidValueError(
            "the stiffness is not positive definite: a strain would release energy",
            remedy="Check the order of the constants: c11, c12, c44.",
        )


def voigt_reuss_hill(stiffness: FloatArray) -> tuple[float, float]:
    """Bulk and shear modulus of the isotropic aggregate (Hill's mean), in the input's unit."""
    c = stiffness
    s = np.linalg.inv(c)
    trace_c, off_c = c[0, 0] + c[1, 1] + c[2, 2], c[0, 1] + c[0, 2] + c[1, 2]
    trace_s, off_s = s[0, 0] + s[1, 1] + s[2, 2], s[0, 1] + s[0, 2] + s[1, 2]
    shear_c, shear_s = c[3, 3] + c[4, 4] + c[5, 5], s[3, 3] + s[4, 4] + s[5, 5]
    bulk_voigt, bulk_reuss = (trace_c + 2.0 * off_c) / 9.0, 1.0 / (trace_s + 2.0 * off_s)
    shear_voigt = (trace_c - off_c + 3.0 * shear_c) / 15.0
    shear_reuss = 15.0 / (4.0 * trace_s - 4.0 * off_s + 3.0 * shear_s)
    return float(0.5 * (bulk_voigt + bulk_reuss)), float(0.5 * (shear_voigt + shear_reuss))
