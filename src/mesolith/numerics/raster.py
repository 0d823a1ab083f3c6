"""Distances on a raster of labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from mesolith.axes import FloatArray


def boundary_distance(label: FloatArray, pitch: tuple[float, float]) -> FloatArray:
    """Distance of each place of a raster to the nearest boundary between two labels.

    ``label`` (rows, columns) is NaN where there is none; ``pitch`` is the step from row to row
    and from column to column. A boundary runs halfway between neighbours of different labels.
    The answer (rows, columns) has the unit of the pitch; it is infinite where there is no
    boundary at all and NaN where there is no label.
    """
    # boundaries lie on a raster twice as fine
    fine = np.zeros((2 * label.shape[0] - 1, 2 * label.shape[1] - 1), dtype=np.bool_)
    fine[::2, 1::2] = _differ(label[:, :-1], label[:, 1:])
    fine[1::2, ::2] = _differ(label[:-1], label[1:])
    if fine.any():
        far = np.asarray(distance_transform_edt(~fine, sampling=(0.5 * pitch[0], 0.5 * pitch[1])))
        distance = far[::2, ::2]
    else:
        distance = np.full(label.shape, np.inf)
    return np.where(np.isfinite(label), distance, np.nan)


def _differ(one: FloatArray, two: FloatArray) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(one) & np.isfinite(two) & (one != two))
