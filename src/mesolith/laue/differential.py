"""How the strain of one grain changed between two patterns, on the same peaks.

What is wrong with the calibration, with the depths and with the surface's height shifts the spots
of both patterns alike, so it cancels in the change when both are refined on the same reflections
with the same weights. What does not cancel is noise, and the little by which a turned grain shows
its spots elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.crystal.symmetry import rotation_operators
from mesolith.errors import InvalidValueError
from mesolith.laue._kernels_refine import PARAMETERS, apply_step, places_and_slopes
from mesolith.laue.geometry import LaueGeometry, ideal_pixels, place_by_motion
from mesolith.laue.index import LaueIndexer
from mesolith.laue.modes import depth_motion
from mesolith.laue.refine import LIMIT, MEDIAN, SHRINKAGE, SIX_FROM_FIVE, TUKEY
from mesolith.laue.solve import IndexedPattern
from mesolith.laue.strain import deviatoric_strain, orientation_and_stretch
from mesolith.numerics.rotations import (
    matrix_from_quaternion,
    quaternion_from_matrix,
    rotation_vector_from_quaternion,
)
from mesolith.records.field import CommonMode
from mesolith.records.laue import LauePeaks

_ROUNDS = 5
_LEAST_PEAKS = 8
HEIGHT_CHANGE = "change of surface height"


@dataclass(frozen=True, slots=True)
class GrainInPattern:
    """One grain of an indexed pattern: the list of its peaks, the answer, and the grain's row."""

    peaks: LauePeaks
    answer: IndexedPattern
    row: int


@dataclass(frozen=True, slots=True)
class StrainChange:
    """Second minus first, laboratory axes.

    ``strain`` (3, 3) is deviatoric; ``covariance`` (6, 6) of 11 22 33 23 13 12 is the random
    part. ``turn`` (3,) is the rotation vector from first to second, rad. ``common_modes`` hold
    the little of the geometry's errors that does not cancel. ``peaks`` were in both patterns;
    ``scatter`` is the mean squared change that is left over, over the stated.
    """

    strain: FloatArray
    covariance: FloatArray
    turn: FloatArray
    common_modes: tuple[CommonMode, ...]
    peaks: int
    scatter: float

    @property
    def standard_error(self) -> FloatArray:
        """Random standard error of the change (3, 3)."""
        six = np.sqrt(np.diag(self.covariance))
        return np.asarray(six[[[0, 5, 4], [5, 1, 3], [4, 3, 2]]])

    @property
    def systematic_error(self) -> FloatArray:
        """Standard error of the change (3, 3) from all common modes together."""
        parts = [(mode.sigma * mode.derivatives["strain"]) ** 2 for mode in self.common_modes]
        return np.asarray(np.sqrt(np.sum(parts, axis=0))) if parts else np.zeros((3, 3))


@dataclass(slots=True)
class _Side:
    """One of the two patterns: where its common peaks lie, and its reciprocal lattice."""

    g: FloatArray
    place: FloatArray
    variance: FloatArray
    hkl: FloatArray
    depth: FloatArray


def differential_strain(
    indexer: LaueIndexer,
    first: GrainInPattern,
    second: GrainInPattern,
    *,
    height_sigma_um: float = 0.0,
) -> StrainChange:
    """Change of one grain's deviatoric strain between two patterns.

    Parameters
    ----------
    indexer
        With which both were indexed; its geometry may be wrong, but is the same for both.
    first, second
        The same grain, turned by less than a few degrees, in settings that symmetry may relate.
    height_sigma_um
        Standard deviation of how far the surface's height changed in between, which does not
        cancel.

    Raises
    ------
    InvalidValueError
        Fewer than eight peaks that one grain alone explains are common to both.
    """
    one, two = _sides(indexer, first, second)
    geometry = indexer.geometry
    count = len(one.place)
    if count < _LEAST_PEAKS:
        raise InvalidValueError(
            f"{count} peaks are common to both patterns; {_LEAST_PEAKS} are needed",
            remedy="Compare the same grain, and patterns in which it shows more peaks.",
        )
    variance = one.variance + two.variance
    for _ in range(_ROUNDS):
        models = [_model(side, geometry) for side in (one, two)]
        left = (two.place - models[1][0]) - (one.place - models[0][0])
        square = np.sum(left**2, axis=1) / variance
        lost = 2.0 * count / max(2.0 * count - PARAMETERS, 1.0)
        scale = max(float(np.median(square)) / MEDIAN * lost, 1e-6)
        weight = np.clip(1.0 - square / (LIMIT * scale), 0.0, None) ** 2
        for side, (place, slope) in zip((one, two), models, strict=True):
            weighed = slope * (weight / variance)[:, None, None]
            right = np.einsum("nia,ni->a", weighed, side.place - place)
            step = np.linalg.solve(np.einsum("nia,nib->ab", weighed, slope), right)
            apply_step(side.g, step, 0)
    strains, turns, answers = [], [], []
    reference = basis_from_lattice(indexer.reflections.lattice)
    motions = _motions(geometry)
    for side in (one, two):
        place, slope = _model(side, geometry)
        weighed = slope * (weight / variance)[:, None, None]
        inverse = np.linalg.inv(np.einsum("nia,nib->ab", weighed, slope))
        moves = place_by_motion(geometry.row, place, side.depth) @ motions.T
        answers.append(inverse @ np.einsum("nia,nim->am", weighed, moves))
        vectors = np.asarray(np.linalg.inv(side.g).T, dtype=np.float64)
        rotation, stretch = orientation_and_stretch(vectors, reference)
        strains.append(deviatoric_strain(stretch))
        turns.append(rotation)
    free = max(2.0 * float(weight.sum()) - PARAMETERS, 1.0)
    scatter = float(np.sum(weight * square)) / free / SHRINKAGE
    five = SIX_FROM_FIVE @ inverse[3:, 3:] @ SIX_FROM_FIVE.T
    change = strains[1] - strains[0]
    return StrainChange(
        strain=0.5 * (change + change.T),
        covariance=scatter * TUKEY * five,
        turn=rotation_vector_from_quaternion(quaternion_from_matrix(turns[1] @ turns[0].T)),
        common_modes=_left_over(geometry, answers[0], answers[1], height_sigma_um),
        peaks=count,
        scatter=scatter,
    )


def _motions(geometry: LaueGeometry) -> FloatArray:
    """Motions (modes + 1, 6) of the geometry's modes and, last, of 1 um of depth."""
    return np.stack([*(mode.motion for mode in geometry.modes), depth_motion(geometry)])


def _left_over(
    geometry: LaueGeometry, one: FloatArray, two: FloatArray, height_sigma_um: float
) -> tuple[CommonMode, ...]:
    """Modes of the change from how both sides (8, modes + 1) answer to the geometry's."""
    tensors = [_tensor(SIX_FROM_FIVE @ column) for column in (two - one)[3:].T]
    modes = [
        CommonMode(mode.name, mode.sigma, mode.unit, {"strain": tensor})
        for mode, tensor in zip(geometry.modes, tensors, strict=False)
    ]
    if height_sigma_um > 0.0:
        steep = float(geometry.row[:3] @ geometry.row[19:22])
        derivative = _tensor(SIX_FROM_FIVE @ two[3:, -1]) / steep
        modes.append(CommonMode(HEIGHT_CHANGE, height_sigma_um, "um", {"strain": derivative}))
    return tuple(modes)


def _tensor(six: FloatArray) -> FloatArray:
    return np.asarray(six[[[0, 5, 4], [5, 1, 3], [4, 3, 2]]])


def _model(side: _Side, geometry: LaueGeometry) -> tuple[FloatArray, FloatArray]:
    """Places (n, 2) and slopes (n, 2, 8) of the side's spots."""
    count = len(side.hkl)
    place, slope = np.empty((count, 2)), np.empty((count, 2, PARAMETERS))
    places_and_slopes(
        side.g, side.hkl, side.depth, geometry.row, place, slope, np.empty((count, 2))
    )
    return place, slope


def _sides(
    indexer: LaueIndexer, first: GrainInPattern, second: GrainInPattern
) -> tuple[_Side, _Side]:
    """Both patterns reduced to the peaks that they share, in one setting of the lattice."""
    g_one, g_two = (
        np.linalg.inv(part.answer.grains.lattice_vectors[part.row]).T for part in (first, second)
    )
    turn = _nearest_setting(indexer, g_one, g_two)
    rows_one, hkl_one = _own_links(first)
    rows_two, hkl_two = _own_links(second)
    hkl_two = np.rint(hkl_two @ turn.T).astype(np.int64)
    place_of = {tuple(row): k for k, row in enumerate(hkl_one.tolist())}
    pairs = [
        (place_of[tuple(row)], k)
        for k, row in enumerate(hkl_two.tolist())
        if tuple(row) in place_of
    ]
    left = np.array([pair[0] for pair in pairs], dtype=np.int64)
    right = np.array([pair[1] for pair in pairs], dtype=np.int64)
    hkl = np.ascontiguousarray(hkl_one[left], dtype=np.float64)
    # a change of the shares of harmonics is not to be seen, so the depth is that of both
    depth = 0.5 * (
        first.answer.assignment.depth[rows_one[left]]
        + second.answer.assignment.depth[rows_two[right]]
    )
    return (
        _side(indexer, first, g_one, rows_one[left], hkl, depth),
        _side(indexer, second, g_two @ np.linalg.inv(turn), rows_two[right], hkl, depth),
    )


def _side(
    indexer: LaueIndexer,
    part: GrainInPattern,
    g: FloatArray,
    rows: IntArray,
    hkl: FloatArray,
    depth: FloatArray,
) -> _Side:
    peaks = part.peaks
    peak = part.answer.assignment.peak[rows]
    variance = 0.5 * np.trace(peaks.covariance[peak], axis1=1, axis2=2)
    variance = np.where(np.isfinite(variance), variance, indexer.settings.position_error_px**2)
    place = ideal_pixels(indexer.geometry, peaks.fast[peak], peaks.slow[peak])
    return _Side(np.array(g, order="C"), place, variance, hkl, depth)


def _own_links(part: GrainInPattern) -> tuple[IntArray, IntArray]:
    """Rows of the assignment that the grain alone explains, and their directions (n, 3)."""
    links = part.answer.assignment
    rows = np.flatnonzero((links.grain == part.row) & ~links.shared & (links.weight > 0.0))
    hkl = links.hkl[rows]
    return rows, hkl // np.gcd.reduce(hkl, axis=1)[:, None]


def _nearest_setting(indexer: LaueIndexer, one: FloatArray, two: FloatArray) -> FloatArray:
    """Matrix (3, 3) on indices that brings the second lattice's into the setting of the first."""
    basis = indexer.reflections.reciprocal
    turns = matrix_from_quaternion(rotation_operators(indexer.reflections.space_group))
    inverse = np.linalg.inv(basis)
    best = max(turns, key=lambda turn: float(np.trace(one.T @ (two @ inverse @ turn.T @ basis))))
    return np.asarray(inverse @ best @ basis)
