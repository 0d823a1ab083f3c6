"""Profiles against distance, histograms and their shift, with errors from blocks of the map.

Strains and orientations vary smoothly, so that points side by side say the same thing twice. The
map is cut into square blocks; a statistic is computed with each block left out, and its error is
that of the jackknife.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.numerics import raster
from mesolith.records.laue_map import UNKNOWN, LaueMap
from mesolith.records.laue_profile import LaueHistogram, LaueProfile, LaueShift
from mesolith.records.laue_scan import LaueScan

BLOCK_UM = 30.0
_FEWEST_BLOCKS = 3


def boundary_distance(grain_map: LaueMap) -> FloatArray:
    """Distance (point,) to the nearest grain boundary, um; infinite where the map has none.

    A boundary runs halfway between neighbours of different grains. NaN outside grains.
    """
    scan = grain_map.scan
    grain = scan.on_raster(grain_map.grain.astype(np.float64))
    grain[grain == UNKNOWN] = np.nan
    return np.asarray(raster.boundary_distance(grain, scan.pitch)[scan.row, scan.column])


def map_blocks(scan: LaueScan, size_um: float = BLOCK_UM) -> IntArray:
    """Number (point,) of the square block of the surface that each point lies in."""
    a = np.floor((scan.x - scan.x.min()) / size_um).astype(np.int64)
    b = np.floor((scan.y - scan.y.min()) / size_um).astype(np.int64)
    return np.asarray(b * (int(a.max()) + 1) + a)


def profile(
    value: FloatArray,
    distance: FloatArray,
    blocks: IntArray,
    *,
    edges: FloatArray,
    what: str,
    against: str,
) -> LaueProfile:
    """Mean of a value (point,) in bins of a distance (point,); NaN of either is passed over."""
    known = _known(value, distance)
    value, distance, blocks = value[known], distance[known], blocks[known]
    bins = np.digitize(distance, edges) - 1
    count = len(edges) - 1
    mean, error, spread, points = (np.full(count, np.nan) for _ in range(4))
    for k in range(count):
        rows = bins == k
        points[k] = rows.sum()
        if points[k] > 0:
            mean[k], spread[k] = value[rows].mean(), value[rows].std()
            error[k] = jackknife_error(value[rows], blocks[rows], np.mean)
    return LaueProfile(
        what=what,
        against=against,
        distance=0.5 * (edges[:-1] + edges[1:]),
        mean=mean,
        mean_se=error,
        spread=spread,
        points=points.astype(np.int64),
    )


def histogram(
    value: FloatArray, blocks: IntArray, *, edges: FloatArray, what: str
) -> LaueHistogram:
    """Shares of the points in bins of a value (point,), NaN passed over.

    Raises
    ------
    InvalidValueError
        No point has a value.
    """
    known = _known(value)
    value, blocks = value[known], blocks[known]
    if not len(value):
        raise InvalidValueError(f"no point of the map has a value of {what}")
    inside = np.stack([(value >= a) & (value < b) for a, b in pairwise(edges.tolist())])
    errors = [jackknife_error(row.astype(np.float64), blocks, np.mean) for row in inside]
    return LaueHistogram(
        what=what,
        edges=edges,
        middle=0.5 * (edges[:-1] + edges[1:]),
        share=inside.mean(axis=1),
        share_se=np.array(errors),
        median=float(np.median(value)),
        points=len(value),
    )


def shift_between(
    before: FloatArray, after: FloatArray, blocks: IntArray, *, what: str
) -> LaueShift:
    """Shift of a value between two scans of the same points (point,).

    Points that only one of them has are left out. The error is of the difference: blocks of both
    scans are left out together.

    Raises
    ------
    InvalidValueError
        The scans have no point in common.
    """
    known = _known(before, after)
    before, after, blocks = before[known], after[known], blocks[known]
    if not len(before):
        raise InvalidValueError(f"two scans have no point in common that has a value of {what}")
    pair = np.stack([before, after], axis=1)

    def of_medians(rows: FloatArray) -> float:
        return float(np.median(rows[:, 1]) - np.median(rows[:, 0]))

    def of_means(rows: FloatArray) -> float:
        return float(np.mean(rows[:, 1] - rows[:, 0]))

    ordered = np.sort(before)
    below = np.searchsorted(ordered, after, side="left")
    up_to = np.searchsorted(ordered, after, side="right")
    return LaueShift(
        what=what,
        median=of_medians(pair),
        median_se=jackknife_error(pair, blocks, of_medians),
        mean=of_means(pair),
        mean_se=jackknife_error(pair, blocks, of_means),
        probability=float(np.mean(0.5 * (below + up_to)) / len(before)),
        points=len(before),
    )


def jackknife_error(
    values: FloatArray, blocks: IntArray, statistic: Callable[[FloatArray], float]
) -> float:
    """Standard error of a statistic of values (n, ...), leaving out one block (n,) at a time.

    Blocks count by their size. NaN with fewer than three blocks.
    """
    names, which, size = np.unique(blocks, return_inverse=True, return_counts=True)
    if len(names) < _FEWEST_BLOCKS:
        return float("nan")
    whole = float(statistic(values))
    without = np.array([float(statistic(values[which != k])) for k in range(len(names))])
    share = len(values) / size
    pseudo = share * whole - (share - 1.0) * without
    middle = float(np.mean(whole * len(names) - np.sum((1.0 - 1.0 / share) * without)))
    return float(np.sqrt(np.mean((pseudo - middle) ** 2 / np.maximum(share - 1.0, 1e-9))))


def _known(*columns: FloatArray) -> NDArray[np.bool_]:
    """Rows in which every column (n,) has a number."""
    return np.asarray(np.all([np.isfinite(column) for column in columns], axis=0))
