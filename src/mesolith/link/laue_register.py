"""Where the points of one Laue scan lie in a later scan of the same surface.

Boundaries of grains and the end of the phase mark the surface. Each grain that both scans show is
a mask; the masks of the later scan are moved until they lie on those of the first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.optimize import linear_sum_assignment

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.orientation import misorientation_angle
from mesolith.crystal.symmetry import rotation_operators
from mesolith.errors import InvalidValueError
from mesolith.numerics.spatial import block_labels
from mesolith.records.laue_changes import LaueRegistration
from mesolith.records.laue_map import LaueMap
from mesolith.records.laue_scan import LaueScan

_SMOOTHED = (4.0, 2.0, 1.0)  # steps of the raster, coarse to fine
_ROUNDS = 12
_STILL = 1e-4  # um and rad times the half size
_BLOCK_STEPS = 10.0
_FEWEST_BLOCKS = 4


def raster_index(scan: LaueScan, place: FloatArray) -> FloatArray:
    """Row and column (n, 2), as fractions, of places (n, 2), um."""
    design = np.stack([scan.x, scan.y, np.ones(len(scan))], axis=1)
    target = np.stack([scan.row, scan.column], axis=1).astype(np.float64)
    solved = np.linalg.lstsq(design, target, rcond=None)[0]
    return np.asarray(place @ solved[:2] + solved[2])


def same_grains(first: LaueMap, later: LaueMap, *, most_rad: float) -> tuple[IntArray, IntArray]:
    """Numbers (k,), (k,) of the grains that lie alike in both maps, by their orientation.

    The sample may be turned by up to ``most_rad`` in between.
    """
    operators = rotation_operators(int(first.phases.space_group[0]))
    one, two = first.grains, later.grains
    if not len(one) or not len(two):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    angle = misorientation_angle(
        np.repeat(one.orientation, len(two), axis=0),
        np.tile(two.orientation, (len(one), 1)),
        operators,
    ).reshape(len(one), len(two))
    rows, columns = linear_sum_assignment(np.minimum(angle, 2.0 * most_rad))
    near = angle[rows, columns] < most_rad
    return one.grain_id[rows[near]], two.grain_id[columns[near]]


def register_maps(
    first: LaueMap, later: LaueMap, *, most_turn_rad: float = 0.05
) -> LaueRegistration:
    """Shift, and rotation where the boundaries tell one, from a first map to a later one.

    The error is that of a sum over blocks of the surface: what boundaries in different blocks
    say differs by pixels, noise, and what really moved.

    Raises
    ------
    InvalidValueError
        The maps share no grain, or their boundaries do not tell a shift.
    """
    grain, grain_later = same_grains(first, later, most_rad=most_turn_rad)
    if not len(grain):
        raise InvalidValueError(
            f"scans {first.scan.name} and {later.scan.name} have no grain in common",
            remedy="Compare scans of the same area, mounted to within a few degrees.",
        )
    masks = _masks(first, grain), _masks(later, grain_later)
    centre = np.array([np.mean(first.scan.x), np.mean(first.scan.y)])
    moved = np.array([*_coarse_shift(first.scan, later.scan, masks), 0.0])
    places = np.stack([first.scan.x, first.scan.y], axis=1)
    half = float(np.hypot(np.ptp(places[:, 0]), np.ptp(places[:, 1]))) / 2.0
    pitch = max(first.scan.pitch)
    blocks = block_labels(places, _BLOCK_STEPS * pitch)
    for smooth in _SMOOTHED:
        match = _Match(first.scan, later.scan, masks, smooth, places, centre)
        moved, covariance, rotated = _fitted(match, moved, blocks, half, pitch)
    return LaueRegistration(
        first=first.scan.name,
        later=later.scan.name,
        shift=moved[:2],
        rotation=float(moved[2]),
        rotated=rotated,
        covariance=covariance,
        centre=centre,
        grain=grain,
        grain_later=grain_later,
    )


def moved_places(registration: LaueRegistration, place: FloatArray) -> FloatArray:
    """Places (n, 2) of the later scan where places (n, 2) of the first lie, um."""
    from_centre = place - registration.centre
    return np.asarray(
        registration.centre + from_centre @ _turn(registration.rotation).T + registration.shift
    )


def _turn(angle: float) -> FloatArray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _masks(grain_map: LaueMap, grains: IntArray) -> FloatArray:
    """Which places of the raster belong to each grain, (grains, rows, columns)."""
    scan = grain_map.scan
    laid = np.zeros((len(grains), scan.raster_rows, scan.raster_columns))
    laid[:, scan.row, scan.column] = grain_map.grain == grains[:, None]
    return laid


def _coarse_shift(
    first: LaueScan, later: LaueScan, masks: tuple[FloatArray, FloatArray]
) -> FloatArray:
    """Shift (2,), um, at which most of the masks' area overlaps, to a step of the raster."""
    rows, columns = np.indices((first.raster_rows, first.raster_columns))
    design = np.stack([first.row, first.column, np.ones(len(first))], axis=1)
    solved = np.linalg.lstsq(design, np.stack([first.x, first.y], axis=1), rcond=None)[0]
    place = np.stack([rows.ravel(), columns.ravel()], axis=1) @ solved[:2] + solved[2]
    at = raster_index(later, place).T
    size = (2 * first.raster_rows, 2 * first.raster_columns)
    total = np.zeros(size)
    for one, two in zip(*masks, strict=True):
        seen = map_coordinates(two, at, order=1, cval=0.0).reshape(one.shape)
        product = np.conj(np.fft.fft2(one - one.mean(), size)) * np.fft.fft2(seen, size)
        total += np.fft.ifft2(product).real
    best = np.array(np.unravel_index(int(np.argmax(total)), size))
    steps = np.where(best >= np.array(one.shape), best - np.array(size), best)
    return np.asarray(steps @ solved[:2])


@dataclass(slots=True)
class _Match:
    """Masks of both scans at one smoothness, compared at the points of the first."""

    first: LaueScan
    later: LaueScan
    masks: tuple[FloatArray, FloatArray]
    smooth: float
    places: FloatArray
    centre: FloatArray

    def equations(self, moved: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Residuals (points, grains) and their slopes (points, grains, 3) at a motion (3,)."""
        turn = _turn(float(moved[2]))
        from_centre = (self.places - self.centre) @ turn.T
        there = self.centre + from_centre + moved[:2]
        at = raster_index(self.later, there)
        inside = self._inside(at)
        unit = raster_index(self.later, np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
        index_by_place = (unit[1:] - unit[0]).T
        by_angle = np.stack([-from_centre[:, 1], from_centre[:, 0]], axis=1)
        residual = np.empty((len(at), len(self.masks[0])))
        slope = np.empty((*residual.shape, 3))
        for k, (one, two) in enumerate(zip(*self.masks, strict=True)):
            own = gaussian_filter(one, self.smooth, mode="nearest")
            other = gaussian_filter(two, self.smooth, mode="nearest")
            value = map_coordinates(other, at.T, order=1, mode="nearest")
            along = [
                map_coordinates(part, at.T, order=1, mode="nearest") for part in np.gradient(other)
            ]
            by_place = np.stack(along, axis=1) @ index_by_place
            residual[:, k] = (value - own[self.first.row, self.first.column]) * inside
            slope[:, k, :2] = by_place * inside[:, None]
            slope[:, k, 2] = np.sum(by_place * by_angle, axis=1) * inside
        return residual, slope

    def _inside(self, at: FloatArray) -> NDArray[np.bool_]:
        # smoothing reaches beyond the edge of either raster
        edge = 2.0 * self.smooth
        shape = np.array([self.later.raster_rows, self.later.raster_columns])
        own = np.stack([self.first.row, self.first.column], axis=1)
        size = np.array([self.first.raster_rows, self.first.raster_columns])
        within = np.all((at >= edge) & (at <= shape - 1 - edge), axis=1)
        return np.asarray(within & np.all((own >= edge) & (own <= size - 1 - edge), axis=1))


def _fitted(
    match: _Match, moved: FloatArray, blocks: IntArray, half: float, pitch: float
) -> tuple[FloatArray, FloatArray, bool]:
    """Best motion (3,), its covariance (3, 3), and whether it has a rotation."""
    moved, covariance = _solved(match, moved, blocks, np.array([0, 1, 2]), half)
    told = bool(np.sqrt(covariance[2, 2]) * half < pitch)
    if not told:
        start = np.array([moved[0], moved[1], 0.0])
        moved, covariance = _solved(match, start, blocks, np.array([0, 1]), half)
    if not np.all(np.isfinite(covariance)) or np.sqrt(covariance[:2, :2].max()) > 10.0 * pitch:
        raise InvalidValueError(
            f"boundaries do not tell how {match.later.name} lies on {match.first.name}",
            remedy="Map an area with a grain boundary or the interface in either direction.",
        )
    return moved, covariance, told


def _solved(
    match: _Match, moved: FloatArray, blocks: IntArray, free: IntArray, half: float
) -> tuple[FloatArray, FloatArray]:
    unit = np.array([1.0, 1.0, half])[free]
    covariance = np.full((3, 3), np.inf)
    for _ in range(_ROUNDS):
        residual, slope = match.equations(moved)
        slope = slope[:, :, free] / unit
        normal = np.einsum("nka,nkb->ab", slope, slope)
        if np.linalg.matrix_rank(normal, tol=1e-6 * max(np.trace(normal), 1e-30)) < len(free):
            return moved, covariance
        step = np.linalg.solve(normal, -np.einsum("nka,nk->a", slope, residual))
        moved = moved.copy()
        moved[free] += np.clip(step, -5.0 * half / 10.0, 5.0 * half / 10.0) / unit
        if np.abs(step).max() < _STILL:
            break
    score = np.zeros((int(blocks.max()) + 1, len(free)))
    np.add.at(score, blocks, np.einsum("nka,nk->na", slope, residual))
    used = int(np.sum(np.any(score != 0.0, axis=1)))
    if used < _FEWEST_BLOCKS:
        return moved, covariance
    inverse = np.linalg.inv(normal)
    own = inverse @ (score.T @ score) @ inverse * used / (used - len(free))
    covariance = np.zeros((3, 3))
    covariance[np.ix_(free, free)] = own / np.outer(unit, unit)
    return moved, covariance
