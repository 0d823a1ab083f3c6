"""What a lattice that turns along the beam does to the strain, and how the map undoes it.

A spot shows the lattice at its own depth. Where that turns with depth, deep spots belong to
another orientation than shallow ones, and a fit with one orientation puts the difference into the
strain. Grains of a section are taken as standing upright: what lies deeper along the beam is then
what lies further along X on the map, whose turns with X the neighbours tell.
"""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray, IntArray, six_from_tensor
from mesolith.crystal.orientation import disorientation
from mesolith.laue._kernels_refine import PARAMETERS, places_and_slopes
from mesolith.laue.geometry import LaueGeometry
from mesolith.numerics.rotations import rotation_vector_from_quaternion
from mesolith.records.laue_map import UNKNOWN
from mesolith.records.laue_scan import LaueScan

# points about one that tell the turn there, and how many are needed
_COLUMNS, _ROWS, _FEWEST = 5, 2, 12


def slopes_of_spots(
    reciprocal: FloatArray, hkl: FloatArray, depth: FloatArray, row: FloatArray
) -> FloatArray:
    """Change of places (n, 2, 8), px, by rotation (rad) and strain of a grain; see `refine`.

    ``reciprocal`` (3, 3) holds a* b* c* as columns, ``hkl`` (n, 3) and ``depth`` (n,), um, are
    those of its spots, ``row`` is that of `LaueGeometry`. NaN where there is no spot.
    """
    slope = np.full((len(hkl), 2, PARAMETERS), np.nan)
    place, by_depth = np.empty((2, len(hkl), 2))
    places_and_slopes(reciprocal, np.ascontiguousarray(hkl), depth, row, place, slope, by_depth)
    return slope


def strain_by_bending(slope: FloatArray, depth: FloatArray, weight: FloatArray) -> FloatArray:
    """Strain (3, 3, 3) that turns of 1 rad per um along the beam about x, y, z put into a grain.

    The first axis is that of the turn. ``slope`` (n, 2, 8) is that of `slopes_of_spots`,
    ``depth`` (n,) in um and ``weight`` (n,) of its spots. NaN where they do not determine it.
    """
    nothing = np.full((3, 3, 3), np.nan)
    if 2 * len(depth) <= PARAMETERS or not np.all(np.isfinite(slope)):
        return nothing
    middle = weight @ depth / weight.sum()
    flat = (slope * np.sqrt(weight)[:, None, None]).reshape(-1, PARAMETERS)
    moved = flat[:, :3] * np.repeat(depth - middle, 2)[:, None]
    normal = flat.T @ flat
    if np.linalg.cond(normal) > 1e12:
        return nothing
    e11, e22, e23, e13, e12 = np.linalg.solve(normal, flat.T @ moved)[3:]
    tensor = np.array([[e11, e12, e13], [e12, e22, e23], [e13, e23, -e11 - e22]])
    return np.moveaxis(tensor, 2, 0)


def turns_along_x(
    scan: LaueScan,
    grain: IntArray,
    orientation: FloatArray,
    reference: FloatArray,
    operators: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Rotation vector per um along X (point, 3), laboratory axes, and its covariance (point, 3, 3).

    A plane through the rotations of the points of the same grain near by. Where those are too
    few, 0 with the grain's own mean square turn as variance; NaN without a grain.

    Parameters
    ----------
    scan, grain
        The raster, and the grain of each point (point,).
    orientation
        Of the points (point, 4).
    reference
        Of the grains (grain, 4).
    operators
        Rotations of the Laue class.
    """
    turn = np.full((len(scan), 3), np.nan)
    known = np.flatnonzero(grain != UNKNOWN)
    between = disorientation(reference[grain[known]], orientation[known], operators)
    turn[known] = rotation_vector_from_quaternion(between)
    layers = [scan.on_raster(part) for part in (scan.x, scan.y, grain.astype(float), turn)]
    value, covariance = np.full((len(scan), 3), np.nan), np.full((len(scan), 3, 3), np.nan)
    lonely: list[int] = []
    for k in known:
        r, c = int(scan.row[k]), int(scan.column[k])
        window = (
            slice(max(r - _ROWS, 0), r + _ROWS + 1),
            slice(max(c - _COLUMNS, 0), c + _COLUMNS + 1),
        )
        same = layers[2][window] == grain[k]
        x, y = layers[0][window][same] - scan.x[k], layers[1][window][same] - scan.y[k]
        design = np.stack([np.ones(len(x)), x, y], axis=1)
        normal = design.T @ design
        if len(x) < _FEWEST or x.max() == x.min() or y.max() == y.min():
            lonely.append(int(k))
            continue
        inverse = np.linalg.inv(normal)
        turns = layers[3][window][same]
        solved = inverse @ (design.T @ turns)
        off = turns - design @ solved
        value[k] = solved[1]
        covariance[k] = inverse[1, 1] * (off.T @ off) / (len(x) - 3)
    for number in np.unique(grain[lonely]):
        rows = np.array([k for k in lonely if grain[k] == number])
        others = value[(grain == number) & np.isfinite(value[:, 0])]
        value[rows] = 0.0
        covariance[rows] = (others.T @ others) / len(others) if len(others) else 0.0
    return value, covariance


def unbent(
    strain: FloatArray,
    covariance: FloatArray,
    by_bending: FloatArray,
    turns: tuple[FloatArray, FloatArray],
    geometry: LaueGeometry,
) -> tuple[FloatArray, FloatArray]:
    """Strain (point, 3, 3) without what turns along the beam put into it, and its covariance.

    ``covariance`` (point, 9, 9) is that of rotation vector and strain, ``by_bending``
    (point, 3, 3, 3) that of `strain_by_bending`, ``turns`` those of `turns_along_x`. Points where
    either is unknown stay as they are.
    """
    beam, surface = geometry.row[:3], geometry.row[19:22]
    # um along X of each um along the beam
    share = float(np.linalg.norm(beam - (beam @ surface) * surface))
    turn, turn_covariance = share * turns[0], share**2 * turns[1]
    known = np.isfinite(turn[:, 0]) & np.isfinite(by_bending[:, 0, 0, 0])
    strain, covariance = strain.copy(), covariance.copy()
    strain[known] -= np.einsum("na,naij->nij", turn[known], by_bending[known])
    six = six_from_tensor(by_bending[known])
    covariance[known, 3:, 3:] += np.einsum("nai,nab,nbj->nij", six, turn_covariance[known], six)
    return strain, covariance
