"""How two crystals lie to one another."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray
from mesolith.numerics.rotations import quaternion_conjugate, quaternion_multiply, rotation_angle


def disorientation(a: FloatArray, b: FloatArray, operators: FloatArray) -> FloatArray:
    """Smallest rotation, on sample axes, that takes orientation ``a`` to an equivalent of ``b``.

    Parameters
    ----------
    a, b
        Orientations, crystal to sample, unit quaternions (..., 4), paired row by row.
    operators
        Rotations of the Laue class (m, 4), from `rotation_operators`.

    Returns
    -------
    rotation
        Quaternions (..., 4), w >= 0: ``rotation * a`` is ``b * s`` for one operator s.
    """
    a = np.asarray(a, dtype=np.float64)
    # w of conj(a) b s is a dot product with conj(s): all operators in one matrix product
    between = quaternion_multiply(quaternion_conjugate(a), b)
    mirrored = operators * np.array([1.0, -1.0, -1.0, -1.0])
    best = np.argmax(np.abs(between @ mirrored.T), axis=-1)
    equivalent = quaternion_multiply(b, operators[best])
    return quaternion_multiply(equivalent, quaternion_conjugate(a))


def misorientation_angle(a: FloatArray, b: FloatArray, operators: FloatArray) -> FloatArray:
    """Angle of the smallest rotation between paired orientations, rad, shape (...).

    Same arguments as `disorientation`; good to 1e-14 rad at every angle.
    """
    return rotation_angle(disorientation(a, b, operators))
