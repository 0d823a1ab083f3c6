"""From the covariance of a grain's strain to the errors of its stress."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray, six_from_tensor
from mesolith.crystal.elasticity import von_mises_from_stress

# von Mises squared is s . FORM . s with s = 11 22 33 23 13 12
FORM = np.zeros((6, 6))
FORM[:3, :3] = 1.5 * (np.eye(3) - 1.0 / 3.0)
FORM[3:, 3:] = 3.0 * np.eye(3)
_THIRD = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0]) / 3.0


def stress_covariance(strain_covariance: FloatArray, derivative: FloatArray) -> FloatArray:
    """Covariance of the stress 11 22 33 23 13 12 (n, 6, 6), MPa2, symmetric exactly.

    ``derivative`` (n, 6, 6) is that of the stress to the strain, from `stress_by_strain`.
    """
    moved = derivative @ strain_covariance @ derivative.swapaxes(-1, -2)
    return np.asarray(0.5 * (moved + moved.swapaxes(-1, -2)))


def hydrostatic_error(covariance: FloatArray) -> FloatArray:
    """Standard error of the hydrostatic stress (n,), MPa."""
    return np.sqrt(np.maximum(_THIRD @ covariance @ _THIRD, 0.0))


def von_mises_error(stress: FloatArray, covariance: FloatArray) -> FloatArray:
    """RMS error of the von Mises stress (n,), MPa: its spread and its bias together.

    The von Mises stress is a norm, so noise lengthens it: by little where the stress is large
    against its error, and from zero to about the error itself where there is no deviator at all.
    The spread is that along the gradient. The bias is how much of the length the noise across
    the gradient has added: v - sqrt(max(v^2 - trace across, 0)). Both are zero for no noise.
    The interval v +- error is meant in that sense; below 2 errors only its upper end says
    anything, and a true value of zero lies within 1.5 errors of the lower one.
    """
    along, bias = von_mises_spread_and_bias(stress, covariance)
    return np.sqrt(along + bias**2)


def von_mises_spread_and_bias(
    stress: FloatArray, covariance: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Variance of the von Mises stress along its gradient (MPa2) and its bias (MPa), each (n,).

    The bias is what noise across the gradient has added to the length; a von Mises stress less
    its bias is right on average over many grains.
    """
    six = six_from_tensor(stress)
    equivalent = von_mises_from_stress(stress)
    gradient = (six @ FORM) / np.where(equivalent > 0.0, equivalent, 1.0)[:, None]
    along = np.maximum(np.einsum("ni,nij,nj->n", gradient, covariance, gradient), 0.0)
    trace = np.einsum("ij,nij->n", FORM, covariance)
    across = np.maximum(trace - along, 0.0)
    bias = equivalent - np.sqrt(np.maximum(equivalent**2 - across, 0.0))
    return along, bias


def von_mises_derivative(stress: FloatArray, change: FloatArray) -> FloatArray:
    """Change of the von Mises stress (n,) along a change of the stress (n, 3, 3) or (1, 3, 3).

    Zero where the von Mises stress is zero: there it has no derivative.
    """
    equivalent = von_mises_from_stress(stress)
    six, step = six_from_tensor(stress), six_from_tensor(change)
    rate = np.sum((six @ FORM) * step, axis=-1)
    return np.where(equivalent > 0.0, rate / np.where(equivalent > 0.0, equivalent, 1.0), 0.0)
