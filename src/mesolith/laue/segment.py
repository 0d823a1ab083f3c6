"""Grains of a map by misorientation, and misorientation within them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.orientation import disorientation, misorientation_angle
from mesolith.laue._kernels_join import joined
from mesolith.numerics.rotations import (
    quaternion_from_rotation_vector,
    quaternion_multiply,
    rotation_vector_from_quaternion,
)
from mesolith.records.laue_map import UNKNOWN, LaueMapGrains
from mesolith.records.laue_scan import LaueScan

_TURNS = 4


@dataclass(frozen=True, slots=True)
class Segments:
    """Grain (point,) of each point, UNKNOWN for none, the grains, and which groups were too small.

    ``small`` (point,) marks points with an orientation whose group is no grain.
    """

    grain: IntArray
    grains: LaueMapGrains
    small: np.ndarray[tuple[int], np.dtype[np.bool_]]


def neighbours(scan: LaueScan) -> tuple[IntArray, IntArray]:
    """Pairs (k,), (k,) of points that share a side of the raster."""
    grid = scan.grid
    one = np.concatenate([grid[:, :-1].ravel(), grid[:-1].ravel()])
    two = np.concatenate([grid[:, 1:].ravel(), grid[1:].ravel()])
    both = (one >= 0) & (two >= 0)
    return one[both], two[both]


def segment_grains(
    scan: LaueScan,
    orientation: FloatArray,
    operators: FloatArray,
    *,
    threshold_rad: float,
    fewest: int,
) -> Segments:
    """Points whose neighbours lie within a misorientation of them, as grains.

    Parameters
    ----------
    scan
        The raster.
    orientation
        Crystal to laboratory, unit quaternions (point, 4), NaN where there is none.
    operators
        Rotations of the Laue class, from `rotation_operators`.
    threshold_rad
        Neighbours that differ by less are of one grain.
    fewest
        Groups of fewer points are no grains.
    """
    known = np.all(np.isfinite(orientation), axis=1)
    one, two = neighbours(scan)
    both = known[one] & known[two]
    one, two = one[both], two[both]
    near = misorientation_angle(orientation[one], orientation[two], operators) < threshold_rad
    label = joined(len(scan), one[near], two[near])
    label = np.where(known, label, UNKNOWN)
    names, counts = np.unique(label[known], return_counts=True)
    order = np.lexsort((names, -counts))
    names, counts = names[order], counts[order]
    names, counts = names[counts >= fewest], counts[counts >= fewest]
    number = np.full(len(scan) + 1, UNKNOWN)
    number[names] = np.arange(len(names))
    grain = number[label]
    grain[~known] = UNKNOWN
    references, spreads = [], []
    for k in range(len(names)):
        rows = grain == k
        reference = mean_orientation(orientation[rows], operators)
        angle = misorientation_angle(orientation[rows], reference, operators)
        references.append(reference)
        spreads.append(float(np.sqrt(np.mean(angle**2))))
    count = len(names)
    grains = LaueMapGrains(
        grain_id=np.arange(count),
        points=counts.astype(np.int64),
        x=np.array([scan.x[grain == k].mean() for k in range(count)], dtype=np.float64),
        y=np.array([scan.y[grain == k].mean() for k in range(count)], dtype=np.float64),
        orientation=np.array(references, dtype=np.float64).reshape(-1, 4),
        spread=np.array(spreads, dtype=np.float64),
    )
    return Segments(grain, grains, known & (grain == UNKNOWN))


def mean_orientation(orientation: FloatArray, operators: FloatArray) -> FloatArray:
    """Mean (4,) of orientations (n, 4) of one grain: rotations from it to them add up to none."""
    mean = orientation[len(orientation) // 2]
    for _ in range(_TURNS):
        turn = rotation_vector_from_quaternion(disorientation(mean, orientation, operators))
        step = quaternion_from_rotation_vector(turn.mean(axis=0))
        mean = quaternion_multiply(step, mean)
    return np.asarray(mean / np.linalg.norm(mean) * np.where(mean[0] < 0.0, -1.0, 1.0))


def reference_misorientation(
    orientation: FloatArray,
    covariance: FloatArray,
    segments: Segments,
    operators: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Angle (point,) to the grain's reference, rad, and its standard error; NaN without a grain.

    ``covariance`` (point, 3, 3) is that of the rotation vector. Noise alone makes angles of its
    own size: the error says how large those are.
    """
    angle, error = (np.full(len(orientation), np.nan) for _ in range(2))
    rows = np.flatnonzero(segments.grain != UNKNOWN)
    if not len(rows):
        return angle, error
    reference = segments.grains.orientation[segments.grain[rows]]
    turn = rotation_vector_from_quaternion(disorientation(reference, orientation[rows], operators))
    size = np.linalg.norm(turn, axis=1)
    axis = turn / np.maximum(size, 1e-12)[:, None]
    angle[rows] = size
    error[rows] = np.sqrt(np.einsum("ni,nij,nj->n", axis, covariance[rows], axis))
    return angle, error


def kernel_misorientation(
    scan: LaueScan, orientation: FloatArray, segments: Segments, operators: FloatArray
) -> FloatArray:
    """Mean angle (point,), rad, to the neighbours in the same grain; NaN where there is none."""
    one, two = neighbours(scan)
    same = (segments.grain[one] == segments.grain[two]) & (segments.grain[one] != UNKNOWN)
    one, two = one[same], two[same]
    total, count = np.zeros(len(scan)), np.zeros(len(scan))
    if len(one):
        angle = misorientation_angle(orientation[one], orientation[two], operators)
        for end in (one, two):
            np.add.at(total, end, angle)
            np.add.at(count, end, 1.0)
    return np.where(count > 0.0, total / np.maximum(count, 1.0), np.nan)
