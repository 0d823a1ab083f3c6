"""What changed at each point of a surface between two registered Laue maps.

The later map is read at the places where the first one's points lie, between its four nearest
points of the same grain. What the calibration does to both strains alike cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.orientation import disorientation
from mesolith.crystal.symmetry import rotation_operators
from mesolith.errors import InvalidValueError
from mesolith.link.laue_register import moved_places, raster_index, register_maps
from mesolith.numerics.raster import boundary_distance
from mesolith.numerics.rotations import rotation_vector_from_quaternion
from mesolith.records.field import CommonMode
from mesolith.records.laue_changes import LaueChange, LaueRegistration
from mesolith.records.laue_map import UNKNOWN, LaueInterface, LaueMap

HEIGHT_CHANGE = "change of depth along the beam"
FIELDS = ("strain", "strain_equivalent", "misorientation", "peak_width")
_ERRORS = ("strain_equivalent_se", "misorientation_se", "peak_width_se")


@dataclass(frozen=True, slots=True)
class _Corners:
    """The points of the later map about each place: rows (n, 4) and weights (n, 4), sum 1."""

    rows: IntArray
    weight: FloatArray

    def mean(self, values: FloatArray) -> FloatArray:
        return np.asarray(np.einsum("nc,nc...->n...", self.weight, values[self.rows]))

    def variance(self, values: FloatArray) -> FloatArray:
        """Of the mean, from variances of points that err independently."""
        return np.asarray(np.einsum("nc,nc...->n...", self.weight**2, values[self.rows]))


def changes_of_scans(
    maps: Sequence[LaueMap],
    *,
    interface: LaueInterface | None = None,
    depth_change_um: float = 0.0,
) -> tuple[LaueChange, ...]:
    """Changes of all scans after the first against the first, in their order."""
    return tuple(
        change_between(maps[0], later, interface=interface, depth_change_um=depth_change_um)
        for later in maps[1:]
    )


def change_between(
    first: LaueMap,
    later: LaueMap,
    *,
    registration: LaueRegistration | None = None,
    interface: LaueInterface | None = None,
    depth_change_um: float = 0.0,
) -> LaueChange:
    """Later minus first at the points that both have well within a grain.

    Parameters
    ----------
    first, later
        Maps of the same surface, indexed alike.
    registration
        Where points lie in the later map; found by `register_maps` where not given.
    interface
        Where the mapped phase ends in the first scan, for distances from it.
    depth_change_um
        Standard deviation of how far, along the beam, the surface met the beam deeper in the
        later scan; it moves all points alike and is carried as a common mode.

    Raises
    ------
    InvalidValueError
        No point is well within the same grain in both.
    """
    registration = registration or register_maps(first, later)
    point, corners = _common_points(first, later, registration)
    scan = first.scan
    place = np.stack([scan.x[point], scan.y[point]], axis=1)
    values = _values(first, later, point, corners)
    turn = _turns(first, later, point, corners)
    common_turn = turn.mean(axis=0)
    label = scan.on_raster(np.where(first.grain == UNKNOWN, np.nan, first.grain))
    from_boundary = boundary_distance(label, scan.pitch)[scan.row, scan.column]
    modes = (
        *_left_over(first, later, point, corners, depth_change_um),
        *_shift_modes(first, later, registration, point),
    )
    return LaueChange(
        registration=registration,
        point=point,
        grain=first.grain[point],
        x=place[:, 0],
        y=place[:, 1],
        interface_distance=(
            np.full(len(point), np.nan) if interface is None else interface.distance(*place.T)
        ),
        boundary_distance=from_boundary[point],
        turn=turn - common_turn,
        common_turn=common_turn,
        common_modes=modes,
        **values,
    )


def _common_points(
    first: LaueMap, later: LaueMap, registration: LaueRegistration
) -> tuple[IntArray, _Corners]:
    """Points (n,) of the first map that the later one has too, and where."""
    scan = first.scan
    rows = np.flatnonzero(first.interior)
    corners, inside = _corners(later, registration, np.stack([scan.x, scan.y], axis=1)[rows])
    number = np.full(int(first.grains.grain_id.max(initial=0)) + 1, UNKNOWN - 1)
    number[registration.grain] = registration.grain_later
    same = later.grain[corners.rows] == number[first.grain[rows]][:, None]
    usable = (same & later.interior[corners.rows]) | (corners.weight < 1e-9)
    kept = inside & np.all(usable, axis=1)
    for name in FIELDS:
        own, other = getattr(first, name)[rows], getattr(later, name)[corners.rows]
        for values in (own, other):
            kept &= np.all(np.isfinite(values).reshape(len(rows), -1), axis=1)
    if not np.any(kept):
        raise InvalidValueError(
            f"no point lies within the same grain in {first.scan.name} and {later.scan.name}",
            remedy="Compare scans of the same area.",
        )
    return rows[kept], _Corners(corners.rows[kept], corners.weight[kept])


def _corners(
    later: LaueMap, registration: LaueRegistration, place: FloatArray
) -> tuple[_Corners, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Points of the later map about places (n, 2) of the first, and whether all are recorded."""
    scan = later.scan
    at = raster_index(scan, moved_places(registration, place))
    # a hair beyond a point is the point
    at = np.where(np.abs(at - np.rint(at)) < 1e-6, np.rint(at), at)
    low = np.floor(at).astype(np.int64)
    part = at - low
    rows, weights = [], []
    inside = np.ones(len(at), dtype=np.bool_)
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weight = (part[:, 0] if i else 1.0 - part[:, 0]) * (part[:, 1] if j else 1.0 - part[:, 1])
        row, column = low[:, 0] + i, low[:, 1] + j
        within = (row >= 0) & (row < scan.raster_rows)
        within &= (column >= 0) & (column < scan.raster_columns)
        found = scan.grid[
            np.clip(row, 0, scan.raster_rows - 1), np.clip(column, 0, scan.raster_columns - 1)
        ]
        inside &= (within & (found >= 0)) | (weight < 1e-9)
        rows.append(np.where(within & (found >= 0), found, 0))
        weights.append(weight)
    rows_of = np.stack(rows, axis=1)
    weight_of = np.stack(weights, axis=1)
    # where a corner does not count, one that does stands in for it
    heaviest = rows_of[np.arange(len(at)), np.argmax(weight_of, axis=1)]
    rows_of = np.where(weight_of < 1e-9, heaviest[:, None], rows_of)
    return _Corners(rows_of, weight_of), inside


def _values(
    first: LaueMap, later: LaueMap, point: IntArray, corners: _Corners
) -> dict[str, FloatArray]:
    values: dict[str, FloatArray] = {
        name: corners.mean(getattr(later, name)) - getattr(first, name)[point] for name in FIELDS
    }
    values["strain_covariance"] = first.covariance[point, 3:, 3:] + corners.variance(
        later.covariance[:, 3:, 3:]
    )
    for name in _ERRORS:
        own, other = getattr(first, name)[point], getattr(later, name)
        values[name] = np.sqrt(own**2 + corners.variance(other**2))
    return values


def _turns(first: LaueMap, later: LaueMap, point: IntArray, corners: _Corners) -> FloatArray:
    """Rotation vectors (n, 3) from the first to the later orientation."""
    operators = rotation_operators(int(first.phases.space_group[0]))
    own = np.repeat(first.orientation[point][:, None], 4, axis=1)
    other = later.orientation[corners.rows]
    turn = rotation_vector_from_quaternion(disorientation(own, other, operators))
    return np.asarray(np.einsum("nc,nci->ni", corners.weight, turn))


def _left_over(
    first: LaueMap, later: LaueMap, point: IntArray, corners: _Corners, depth_change_um: float
) -> list[CommonMode]:
    """What the modes of both maps leave in the change; one of the same name is the same error."""
    own = {mode.name: mode for mode in first.common_modes}
    others = {mode.name: mode for mode in later.common_modes}
    modes = []
    for name in [*own, *(name for name in others if name not in own)]:
        mode = own.get(name) or others[name]
        derivatives: dict[str, Any] = {}
        for field in mode.derivatives:
            moved = np.zeros((len(point), *getattr(first, field).shape[1:]))
            if name in others:
                moved = moved + corners.mean(_full(later, others[name], field))
            if name in own:
                moved = moved - _full(first, own[name], field)[point]
            derivatives[field] = moved
        modes.append(CommonMode(name, mode.sigma, mode.unit, derivatives))
    if depth_change_um > 0.0:
        moved = corners.mean(later.depth_sensitivity)
        modes.append(CommonMode(HEIGHT_CHANGE, depth_change_um, "um", {"strain": moved}))
    return [_with_equivalent(mode, later, corners) for mode in modes]


def _full(grain_map: LaueMap, mode: CommonMode, field: str) -> FloatArray:
    return np.broadcast_to(mode.derivatives[field], getattr(grain_map, field).shape)


def _with_equivalent(mode: CommonMode, later: LaueMap, corners: _Corners) -> CommonMode:
    """The mode with what it does to the equivalent strain, to first order."""
    if "strain" not in mode.derivatives or "strain_equivalent" in mode.derivatives:
        return mode
    strain = corners.mean(later.strain)
    size = np.sqrt(2.0 / 3.0 * np.einsum("nij,nij->n", strain, strain))
    slope = 2.0 / 3.0 * np.einsum("nij,nij->n", strain, mode.derivatives["strain"])
    derivatives = dict(mode.derivatives)
    derivatives["strain_equivalent"] = slope / np.maximum(size, 1e-12)
    return CommonMode(mode.name, mode.sigma, mode.unit, derivatives)


def _shift_modes(
    first: LaueMap,
    later: LaueMap,
    registration: LaueRegistration,
    point: IntArray,
) -> list[CommonMode]:
    """What an error of the registration's shift does: the later map's slopes times its sigma."""
    size, axes = np.linalg.eigh(registration.covariance[:2, :2])
    place = np.stack([first.scan.x, first.scan.y], axis=1)[point]
    step = 0.5 * min(later.scan.pitch)
    modes = []
    for k, sigma in enumerate(np.sqrt(np.maximum(size, 0.0))):
        ends = [
            _corners(later, registration, place + sign * step * axes[:, k]) for sign in (1.0, -1.0)
        ]
        derivatives = {}
        for name in FIELDS:
            up, down = (corners.mean(getattr(later, name)) for corners, _ in ends)
            slope = (up - down) / (2.0 * step)
            # beyond the grain there is no slope
            good = ends[0][1] & ends[1][1]
            for corners, _ in ends:
                good &= np.all(
                    later.grain[corners.rows] == later.grain[corners.rows[:, :1]], axis=1
                )
            good &= np.all(np.isfinite(slope.reshape(len(slope), -1)), axis=1)
            good = good.reshape((-1,) + (1,) * (slope.ndim - 1))
            derivatives[name] = np.where(good, slope, 0.0)
        name = f"registration of {registration.later}, axis {k + 1}"
        modes.append(CommonMode(name, float(sigma), "um", derivatives))
    return modes
