"""Rotations as unit quaternions, scalar first with w >= 0; vectorised over leading axes.

A quaternion and the matrix of the same rotation turn vectors alike: v' = R v. Angles come from
2 atan2(|v|, w), which keeps full precision where acos loses half of it.
"""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import OrientationError


def quaternion_from_matrix(matrix: FloatArray, *, tolerance: float = 1e-4) -> FloatArray:
    """Unit quaternion of each rotation matrix.

    Parameters
    ----------
    matrix
        Proper rotations, shape (..., 3, 3).
    tolerance
        Largest accepted deviation of R R^T from the identity. The default admits matrices that
        were printed with five or six digits.

    Returns
    -------
    quaternion
        Shape (..., 4), exact to 1e-15 for an exact rotation.

    Raises
    ------
    OrientationError
        Where a matrix is left-handed, not orthogonal or not finite; its row is named.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    check_rotation_matrices(matrix, tolerance=tolerance)
    m = np.moveaxis(matrix, (-2, -1), (0, 1))
    # outer[i][j] = 4 q_i q_j: each row is the quaternion up to length; take the longest
    outer = np.empty((4, 4, *matrix.shape[:-2]))
    outer[0, 0] = 1.0 + m[0, 0] + m[1, 1] + m[2, 2]
    outer[1, 1] = 1.0 + m[0, 0] - m[1, 1] - m[2, 2]
    outer[2, 2] = 1.0 - m[0, 0] + m[1, 1] - m[2, 2]
    outer[3, 3] = 1.0 - m[0, 0] - m[1, 1] + m[2, 2]
    outer[0, 1] = outer[1, 0] = m[2, 1] - m[1, 2]
    outer[0, 2] = outer[2, 0] = m[0, 2] - m[2, 0]
    outer[0, 3] = outer[3, 0] = m[1, 0] - m[0, 1]
    outer[1, 2] = outer[2, 1] = m[0, 1] + m[1, 0]
    outer[1, 3] = outer[3, 1] = m[0, 2] + m[2, 0]
    outer[2, 3] = outer[3, 2] = m[1, 2] + m[2, 1]
    longest = np.argmax(np.stack([outer[k, k] for k in range(4)]), axis=0)
    row = np.take_along_axis(outer, longest[None, None], axis=0)[0]
    quaternion = np.moveaxis(row, 0, -1)
    return _upper(quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True))


def check_rotation_matrices(matrix: FloatArray, *, tolerance: float = 1e-4) -> None:
    """Raise ``OrientationError`` unless every matrix (..., 3, 3) is a proper rotation."""
    if matrix.shape[-2:] != (3, 3):
        raise OrientationError(f"orientation matrices have shape {matrix.shape}, not (..., 3, 3)")
    flat = matrix.reshape(-1, 3, 3)
    finite = np.isfinite(flat).all(axis=(1, 2))
    if not finite.all():
        raise OrientationError(
            f"orientation matrix holds NaN or infinity (row {int(np.argmin(finite))})",
            remedy="Remove the row or index the grain again.",
        )
    defect = np.abs(flat @ flat.swapaxes(1, 2) - np.eye(3)).max(axis=(1, 2), initial=0.0)
    if np.any(defect > tolerance):
        row = int(np.argmax(defect > tolerance))
        raise OrientationError(
            f"orientation matrix is not orthogonal: R R^T is off by {defect[row]:.2g} (row {row})",
            remedy="Check which columns hold the orientation, and their order.",
        )
    left = np.linalg.det(flat) < 0.0
    if np.any(left):
        raise OrientationError(
            f"{int(left.sum())} of {len(flat)} orientation matrices are left-handed "
            f"(first: row {int(np.argmax(left))})",
            remedy="An axis is mirrored: check the sign of the detector's and the sample's axes.",
        )


def matrix_from_quaternion(quaternion: FloatArray) -> FloatArray:
    """Rotation matrix (..., 3, 3) of each unit quaternion (..., 4)."""
    w, x, y, z = np.moveaxis(np.asarray(quaternion, dtype=np.float64), -1, 0)
    s = 2.0 / (w * w + x * x + y * y + z * z)
    matrix = np.empty((*np.shape(w), 3, 3))
    matrix[..., 0, 0] = 1.0 - s * (y * y + z * z)
    matrix[..., 0, 1] = s * (x * y - w * z)
    matrix[..., 0, 2] = s * (x * z + w * y)
    matrix[..., 1, 0] = s * (x * y + w * z)
    matrix[..., 1, 1] = 1.0 - s * (x * x + z * z)
    matrix[..., 1, 2] = s * (y * z - w * x)
    matrix[..., 2, 0] = s * (x * z - w * y)
    matrix[..., 2, 1] = s * (y * z + w * x)
    matrix[..., 2, 2] = 1.0 - s * (x * x + y * y)
    return matrix


def quaternion_multiply(a: FloatArray, b: FloatArray) -> FloatArray:
    """The rotation b followed by a, (..., 4); leading axes broadcast."""
    aw, ax, ay, az = np.moveaxis(np.asarray(a, dtype=np.float64), -1, 0)
    bw, bx, by, bz = np.moveaxis(np.asarray(b, dtype=np.float64), -1, 0)
    product = np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )
    return _upper(product)


def quaternion_conjugate(quaternion: FloatArray) -> FloatArray:
    """The inverse rotation of each unit quaternion (..., 4)."""
    return _upper(np.asarray(quaternion, dtype=np.float64) * np.array([1.0, -1.0, -1.0, -1.0]))


def quaternion_from_rotation_vector(vector: FloatArray) -> FloatArray:
    """Unit quaternion (..., 4) of each rotation vector (axis times angle, rad; (..., 3))."""
    vector = np.asarray(vector, dtype=np.float64)
    half = 0.5 * np.linalg.norm(vector, axis=-1, keepdims=True)
    # np.sinc(x) is sin(pi x) / (pi x): finite at zero angle
    quaternion = np.concatenate([np.cos(half), 0.5 * vector * np.sinc(half / np.pi)], axis=-1)
    return _upper(quaternion)


def rotation_vector_from_quaternion(quaternion: FloatArray) -> FloatArray:
    """Rotation vector (axis times angle, 0 to pi rad; (..., 3)) of each unit quaternion."""
    quaternion = _upper(np.asarray(quaternion, dtype=np.float64))
    w, v = quaternion[..., :1], quaternion[..., 1:]
    length = np.linalg.norm(v, axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(length, w)
    safe = np.where(length > 0.0, length, 1.0)
    return v * np.where(length > 0.0, angle / safe, 2.0)


def rotation_angle(quaternion: FloatArray) -> FloatArray:
    """Angle of each rotation, 0 to pi rad, shape (...); good to 1e-15 at every size."""
    quaternion = np.asarray(quaternion, dtype=np.float64)
    length = np.linalg.norm(quaternion[..., 1:], axis=-1)
    return 2.0 * np.arctan2(length, np.abs(quaternion[..., 0]))


def random_quaternions(rng: np.random.Generator, n: int) -> FloatArray:
    """``n`` rotations, uniform over all rotations, shape (n, 4)."""
    quaternion = rng.standard_normal((n, 4))
    return _upper(quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True))


def fit_rotation(a: FloatArray, b: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """Least squares rotation R with b ~ R a (Kabsch).

    Parameters
    ----------
    a, b
        Paired vectors, shape (n, 3); centre them first where a translation is not wanted.
    weights
        Shape (n,), not negative; None: all equal.

    Returns
    -------
    rotation
        Shape (3, 3), always proper.
    """
    a = np.asarray(a, dtype=np.float64)
    b = np.asarray(b, dtype=np.float64)
    weighted = b if weights is None else b * np.asarray(weights, dtype=np.float64)[:, None]
    left, _, right = np.linalg.svd(weighted.T @ a)
    flip = np.array([1.0, 1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation: FloatArray = (left * flip) @ right
    return rotation


def _upper(quaternion: FloatArray) -> FloatArray:
    """The one of q and -q with w >= 0; at w = 0 the one whose first non-zero part is positive."""
    w, x, y, z = np.moveaxis(quaternion, -1, 0)
    lower = (w < 0) | ((w == 0) & ((x < 0) | ((x == 0) & ((y < 0) | ((y == 0) & (z < 0))))))
    flipped: FloatArray = np.where(lower[..., None], -quaternion, quaternion) + 0.0
    return flipped
