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
