"""Elastic answer of a cubic crystal, from its three cube axes and without a rotated matrix."""

from __future__ import annotations

import math

import numpy as np

from mesolith.virtual.arrays import FloatArray

Cubic = tuple[float, float, float]


def cubic_strain(stress: FloatArray, cube_axes: FloatArray, stiffness: Cubic) -> FloatArray:
    """Elastic strain (..., 3, 3) of cubic crystals under the given stress, sample axes.

    ``cube_axes`` (..., 3, 3) has the cube axes as columns; ``stiffness`` is c11, c12, c44 in the
    unit of the stress. With the axes a_i: e = s12 tr(s) 1 + s44/2 s
    + (s11 - s12 - s44/2) sum_i (a_i . s . a_i) a_i a_i.
    """
    s11, s12, s44 = _compliance(stiffness)
    normal = np.einsum("...ki,...kl,...li->...i", cube_axes, stress, cube_axes)
    trace = np.trace(stress, axis1=-2, axis2=-1)[..., None, None]
    along = np.einsum("...i,...ki,...li->...kl", normal, cube_axes, cube_axes)
    return np.asarray(
        s12 * trace * np.eye(3) + 0.5 * s44 * stress + (s11 - s12 - 0.5 * s44) * along
    )


def isotropic_moduli(stiffness: Cubic) -> tuple[float, float]:
    """Bulk modulus and Hill's mean of the shear modulus of a cubic polycrystal."""
    c11, c12, c44 = stiffness
    bulk = (c11 + 2.0 * c12) / 3.0
    voigt = (c11 - c12 + 3.0 * c44) / 5.0
    reuss = 5.0 * (c11 - c12) * c44 / (4.0 * c44 + 3.0 * (c11 - c12))
    return bulk, 0.5 * (voigt + reuss)


def hydrostatic(stress: FloatArray) -> FloatArray:
    """A third of the trace."""
    return np.asarray(np.trace(stress, axis1=-2, axis2=-1) / 3.0)


def von_mises(stress: FloatArray) -> FloatArray:
    """Von Mises equivalent from the differences of the normal stresses."""
    xx, yy, zz = stress[..., 0, 0], stress[..., 1, 1], stress[..., 2, 2]
    normal = (xx - yy) ** 2 + (yy - zz) ** 2 + (zz - xx) ** 2
    shear = stress[..., 1, 2] ** 2 + stress[..., 0, 2] ** 2 + stress[..., 0, 1] ** 2
    return np.asarray(np.sqrt(0.5 * normal + 3.0 * shear))


def _compliance(stiffness: Cubic) -> tuple[float, float, float]:
    c11, c12, c44 = stiffness
    if not (c11 > abs(c12) and c11 + 2.0 * c12 > 0.0 and c44 > 0.0 and math.isfinite(c11)):
        raise ValueError(f"no stable cubic crystal has the stiffness {stiffness}")
    divisor = (c11 - c12) * (c11 + 2.0 * c12)
    return (c11 + c12) / divisor, -c12 / divisor, 1.0 / c44
