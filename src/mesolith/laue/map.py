"""From what was found at the points of a scan to the map."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesolith.axes import MANDEL, FloatArray, IntArray, six_from_tensor
from mesolith.crystal.symmetry import rotation_operators
from mesolith.errors import InvalidValueError
from mesolith.laue.bending import turns_along_x, unbent
from mesolith.laue.geometry import LaueGeometry
from mesolith.laue.map_settings import MapSettings
from mesolith.laue.segment import (
    Segments,
    kernel_misorientation,
    neighbours,
    reference_misorientation,
    segment_grains,
)
from mesolith.records.field import CommonMode
from mesolith.records.laue_found import LaueFound
from mesolith.records.laue_map import (
    BESIDE_BOUNDARY,
    NO_PATTERN,
    NOT_INDEXED,
    SEVERAL,
    SMALL_GRAIN,
    UNKNOWN,
    LaueMap,
)
from mesolith.records.laue_scan import LaueScan

_OF_GRAINS = (
    *("orientation", "strain", "covariance", "depth_sensitivity", "completeness", "spots"),
    "phase",
)
_OF_FOUND = (
    *("brightness", "peak_width", "peak_width_se", "streak", "streak_tilt"),
    *("bend", "bend_se", "bend_axis"),
)


def map_of_scan(
    scan: LaueScan,
    found: LaueFound,
    settings: MapSettings | None = None,
    *,
    geometry: LaueGeometry | None = None,
) -> LaueMap:
    """Map of a scan: of each point its brightest grain, and how that lies in the map's grains.

    Points of the scan that ``found`` does not hold had no peaks. With the ``geometry`` that the
    scan was indexed with, the strain is freed of what turns of the lattice along the beam put
    into it, and its covariance grows by how well neighbours tell those.

    Raises
    ------
    InvalidValueError
        A pattern belongs to no point of the scan, or there are several phases.
    """
    settings = settings or MapSettings()
    if len(found.grains.phases.name) != 1:
        raise InvalidValueError(
            f"a map of {len(found.grains.phases.name)} phases",
            remedy="Index with one phase, and make a map of each.",
        )
    point, brightest = _brightest(scan, found)
    values: dict[str, Any] = {
        name: _at_points(scan, point, getattr(found.grains, name)[brightest]) for name in _OF_GRAINS
    }
    for name in _OF_FOUND:
        values[name] = _at_points(scan, point, getattr(found, name)[brightest])
    modes = tuple(
        CommonMode(
            mode.name,
            mode.sigma,
            mode.unit,
            {
                field: _at_points(scan, point, moved[brightest])
                for field, moved in mode.derivatives.items()
            },
        )
        for mode in found.grains.common_modes
    )
    operators = rotation_operators(int(found.grains.phases.space_group[0]))
    orientation = values["orientation"]
    segments = segment_grains(
        scan,
        orientation,
        operators,
        threshold_rad=settings.grain_threshold_rad,
        fewest=settings.fewest_points,
    )
    angle, angle_se = reference_misorientation(
        orientation, values["covariance"][:, :3, :3], segments, operators
    )
    if geometry is not None:
        turns = turns_along_x(
            scan, segments.grain, orientation, segments.grains.orientation, operators
        )
        values["strain"], values["covariance"] = unbent(
            values["strain"],
            values["covariance"],
            _at_points(scan, point, found.strain_by_bending[brightest]),
            turns,
            geometry,
        )
    equivalent, equivalent_se = equivalent_with_error(
        values["strain"], values["covariance"][:, 3:, 3:]
    )
    solutions = np.zeros(len(scan), dtype=np.int64)
    solutions[_points(scan, found.pattern)] = found.grains_at
    return LaueMap(
        scan=scan,
        phases=found.grains.phases,
        grains=segments.grains,
        surface=np.full(3, np.nan) if geometry is None else geometry.row[19:22],
        status=_status(scan, found, segments, solutions, settings),
        grain=segments.grain,
        solutions=solutions,
        strain_equivalent=equivalent,
        strain_equivalent_se=equivalent_se,
        misorientation=angle,
        misorientation_se=angle_se,
        kernel_misorientation=kernel_misorientation(scan, orientation, segments, operators),
        common_modes=modes,
        **values,
    )


def equivalent_with_error(
    strain: FloatArray, covariance: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Equivalent strain sqrt(2/3 e:e) and its standard error, shapes (...).

    ``strain`` (..., 3, 3) is deviatoric, ``covariance`` (..., 6, 6) that of 11 22 33 23 13 12.
    What noise adds to e:e on average is taken off; where noise is all, 0 remains.
    """
    six = six_from_tensor(strain) * MANDEL
    spread = covariance * np.outer(MANDEL, MANDEL)
    noise = np.trace(spread, axis1=-2, axis2=-1)
    square = np.sum(six**2, axis=-1) - noise
    self_noise = np.sum(spread * np.swapaxes(spread, -1, -2), axis=(-2, -1))
    slope = 4.0 * np.einsum("...i,...ij,...j->...", six, spread, six)
    variance = np.maximum(slope - 2.0 * self_noise, 2.0 * self_noise)
    size = np.sqrt(2.0 / 3.0 * np.maximum(square, 0.0))
    # of a root that may vanish: no steeper than where it is as large as its noise
    error = np.sqrt(2.0 / 3.0 * variance) / (2.0 * np.sqrt(np.maximum(square, np.sqrt(variance))))
    return np.asarray(np.where(np.isfinite(square), size, np.nan)), np.asarray(error)


def strain_along(grain_map: LaueMap, direction: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Deviatoric strain along a direction (3,), laboratory axes, and its standard error (point,).

    With the surface's or the cell's z as direction these are their eps_zz.
    """
    n = np.asarray(direction, dtype=np.float64)
    n = n / np.linalg.norm(n)
    along = np.array(
        [n[0] ** 2, n[1] ** 2, n[2] ** 2, 2 * n[1] * n[2], 2 * n[0] * n[2], 2 * n[0] * n[1]]
    )
    value = np.einsum("i,nij,j->n", n, grain_map.strain, n)
    variance = np.einsum("i,nij,j->n", along, grain_map.covariance[:, 3:, 3:], along)
    return value, np.asarray(np.sqrt(variance))


def _brightest(scan: LaueScan, found: LaueFound) -> tuple[IntArray, IntArray]:
    """Points of the scan that have a grain, and the row of the brightest grain of each."""
    of_grain = _points(scan, found.pattern)[found.point_of_grain]
    order = np.lexsort((-found.brightness, of_grain))
    point, first = np.unique(of_grain[order], return_index=True)
    return point, order[first]


def _points(scan: LaueScan, pattern: IntArray) -> IntArray:
    """Rows of the scan (k,) of patterns (k,)."""
    order = np.argsort(scan.pattern, kind="stable")
    at = np.minimum(np.searchsorted(scan.pattern[order], pattern), len(scan) - 1)
    rows = order[at]
    strange = scan.pattern[rows] != pattern
    if np.any(strange):
        raise InvalidValueError(
            f"pattern {pattern[strange][0]} belongs to no point of scan {scan.name}",
            remedy="Make the map with the scan that was indexed.",
        )
    return np.asarray(rows)


def _at_points(scan: LaueScan, point: IntArray, values: FloatArray) -> FloatArray:
    """Values of some points on all; NaN, or -1 for whole numbers, elsewhere."""
    whole = np.issubdtype(values.dtype, np.integer)
    laid = np.full((len(scan), *values.shape[1:]), -1 if whole else np.nan, dtype=values.dtype)
    laid[point] = values
    return laid


def _status(
    scan: LaueScan,
    found: LaueFound,
    segments: Segments,
    solutions: IntArray,
    settings: MapSettings,
) -> IntArray:
    peaks = np.zeros(len(scan), dtype=np.int64)
    peaks[_points(scan, found.pattern)] = found.peaks
    usual = float(np.median(peaks[solutions > 0])) if np.any(solutions > 0) else 0.0
    faint = peaks <= settings.faint_pattern * usual
    nothing = solutions == 0
    one, two = neighbours(scan)
    grain = segments.grain
    apart = (grain[one] != grain[two]) & (grain[one] != UNKNOWN) & (grain[two] != UNKNOWN)
    beside = np.zeros(len(scan), dtype=np.bool_)
    beside[one[apart]] = beside[two[apart]] = True
    bits = (
        (NO_PATTERN, nothing & faint),
        (NOT_INDEXED, nothing & ~faint),
        (SEVERAL, solutions > 1),
        (BESIDE_BOUNDARY, beside),
        (SMALL_GRAIN, segments.small),
    )
    return np.asarray(sum(bit * mask.astype(np.int64) for bit, mask in bits))
