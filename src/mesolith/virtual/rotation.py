"""Rotations of the virtual cells, on SciPy's own class."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from mesolith.virtual.arrays import FloatArray


def random_orientations(rng: np.random.Generator, count: int) -> FloatArray:
    """Evenly distributed unit quaternions, scalar first, w >= 0, shape (n, 4)."""
    quaternion = rng.standard_normal((count, 4))
    quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
    return np.where(quaternion[:, :1] < 0.0, -quaternion, quaternion)


def matrices_from_quaternions(quaternion: FloatArray) -> FloatArray:
    """Matrices (n, 3, 3) that map crystal to sample, from scalar-first quaternions (n, 4)."""
    return np.asarray(Rotation.from_quat(np.roll(quaternion, -1, axis=-1)).as_matrix())


def quaternions_from_matrices(matrix: FloatArray) -> FloatArray:
    """Scalar-first quaternions (n, 4), w >= 0."""
    last = Rotation.from_matrix(matrix).as_quat(canonical=True)
    return np.asarray(np.roll(last, 1, axis=-1))


def matrices_from_vectors(vector: FloatArray) -> FloatArray:
    """Matrices (n, 3, 3) of rotation vectors (n, 3), rad."""
    return np.asarray(Rotation.from_rotvec(vector).as_matrix())
