"""Coordinates, tensor orders and the orientation convention, each stated once.

Sample axes (3DXRD): x along the beam at omega = 0, z up along the rotation axis, y completes
a right-handed set; omega is right-handed about +z. In a pellet z is also the stack axis,
from the counter electrode below to the working electrode above.

Orientation: U maps crystal to sample coordinates; quaternions are scalar first with w >= 0.
Crystal axes: x along a, z along c*, y completes a right-handed set.

Symmetric tensors are full 3x3 arrays inside. Six components exist in files, covariances and
tables; the house order is 11 22 33 23 13 12 with tensor (not engineering) shears.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SIX = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
SIX_NAMES = ("11", "22", "33", "23", "13", "12")
ORDER_BY_FORMAT: dict[str, tuple[tuple[int, int], ...]] = {
    "house": SIX,
    "imaged11": ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)),
    "hexrd": SIX,
}
# 6 components (tensor shears) -> Mandel vector, in which the dot product is the double contraction
MANDEL = np.array([1.0, 1.0, 1.0, math.sqrt(2.0), math.sqrt(2.0), math.sqrt(2.0)])


def tensor_from_six(six: FloatArray, order: Sequence[tuple[int, int]] = SIX) -> FloatArray:
    """Symmetric tensors, shape (..., 3, 3), from six components with tensor shears (..., 6)."""
    six = np.asarray(six, dtype=np.float64)
    tensor = np.empty((*six.shape[:-1], 3, 3))
    for k, (i, j) in enumerate(order):
        tensor[..., i, j] = six[..., k]
        tensor[..., j, i] = six[..., k]
    return tensor


def six_from_tensor(tensor: FloatArray, order: Sequence[tuple[int, int]] = SIX) -> FloatArray:
    """Six components (..., 6), tensor shears, of symmetric tensors (..., 3, 3)."""
    tensor = np.asarray(tensor, dtype=np.float64)
    return np.stack([tensor[..., i, j] for i, j in order], axis=-1)


# rows are the house's x, y, z in each program's own sample axes at omega = 0
FRAME_BY_FORMAT: dict[str, tuple[tuple[float, float, float], ...]] = {
    "house": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "midas": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "imaged11": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    # beam along -z, rotation axis along +y
    "hexrd": ((0.0, 0.0, -1.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
}


def vectors_to_house(vectors: FloatArray, frame: str) -> FloatArray:
    """Vectors (..., 3) on a program's sample axes -> on the house's."""
    return np.asarray(vectors, dtype=np.float64) @ np.array(FRAME_BY_FORMAT[frame]).T


def vectors_from_house(vectors: FloatArray, frame: str) -> FloatArray:
    """Vectors (..., 3) on the house's sample axes -> on a program's."""
    return np.asarray(vectors, dtype=np.float64) @ np.array(FRAME_BY_FORMAT[frame])


def bases_to_house(bases: FloatArray, frame: str) -> FloatArray:
    """Matrices (..., 3, 3) whose columns are vectors on a program's sample axes -> the house's.

    Orientations (crystal to sample) and lattice vectors a, b, c are such columns.
    """
    return np.array(FRAME_BY_FORMAT[frame]) @ np.asarray(bases, dtype=np.float64)


def bases_from_house(bases: FloatArray, frame: str) -> FloatArray:
    """Inverse of `bases_to_house`."""
    return np.array(FRAME_BY_FORMAT[frame]).T @ np.asarray(bases, dtype=np.float64)


def tensors_to_house(tensors: FloatArray, frame: str) -> FloatArray:
    """Tensors (..., 3, 3) on a program's sample axes -> on the house's."""
    turn = np.array(FRAME_BY_FORMAT[frame])
    return turn @ np.asarray(tensors, dtype=np.float64) @ turn.T


def tensors_from_house(tensors: FloatArray, frame: str) -> FloatArray:
    """Tensors (..., 3, 3) on the house's sample axes -> on a program's."""
    turn = np.array(FRAME_BY_FORMAT[frame])
    return turn.T @ np.asarray(tensors, dtype=np.float64) @ turn
