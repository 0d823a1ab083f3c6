"""Array types of the virtual cells, which share no coordinate code with the analysis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# six components of a symmetric tensor: (row, column), tensor shears
COMPONENTS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def full_tensor(six: FloatArray) -> FloatArray:
    """Symmetric tensors (..., 3, 3) from their components (..., 6) in the order above."""
    tensor = np.empty((*six.shape[:-1], 3, 3))
    for c, (i, j) in enumerate(COMPONENTS):
        tensor[..., i, j] = six[..., c]
        tensor[..., j, i] = six[..., c]
    return tensor
