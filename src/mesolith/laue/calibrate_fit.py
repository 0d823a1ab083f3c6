"""Three rotations of a strain-free crystal and the five numbers of a panel, fitted together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel_motion import PANEL_PARAMETERS, moved_panel, panel_motions
from mesolith.laue._kernels_refine import PARAMETERS, places_and_slopes
from mesolith.laue.geometry import LaueGeometry, laue_geometry, place_by_motion
from mesolith.laue.refine import LIMIT, MEDIAN, SHRINKAGE, Links
from mesolith.numerics.rotations import matrix_from_quaternion, quaternion_from_rotation_vector

_TURNS = 3
_ALL = _TURNS + len(PANEL_PARAMETERS)
_SETTLED = 1e-3


@dataclass(frozen=True, slots=True)
class PanelFit:
    """Where a fit of crystal and panel ended.

    ``reciprocal`` (3, 3), ``changes`` (5,) of `PANEL_PARAMETERS` since the start;
    ``residual`` (rows, 2) px, ``weight`` (rows,); ``covariance`` (8, 8) of rotation vector and
    the five numbers, times ``scatter``, the mean chi^2 per degree of freedom. ``aspect`` is the
    relative excess of the pitch along slow over that along fast that the residuals ask for, and
    ``aspect_error`` its standard error.
    """

    reciprocal: FloatArray
    geometry: LaueGeometry
    changes: FloatArray
    residual: FloatArray
    weight: FloatArray
    covariance: FloatArray
    scatter: float
    aspect: float
    aspect_error: float


def with_panel(geometry: LaueGeometry, changes: FloatArray) -> LaueGeometry:
    """The geometry with the five numbers of its panel changed by that much (5,)."""
    instrument = geometry.instrument
    panel = moved_panel(instrument.panels[0], instrument.beam.direction, changes)
    moved = Instrument(instrument.beam, instrument.goniometer, (panel,))
    return laue_geometry(moved, surface=geometry.row[19:22], modes=geometry.modes)


def fit_panel(
    reciprocal: FloatArray,
    geometry: LaueGeometry,
    changes: FloatArray,
    links: Links,
    place: FloatArray,
    variance: FloatArray,
    *,
    error: FloatArray,
    steps: int,
) -> PanelFit | None:
    """Gauss-Newton steps from a reciprocal lattice (3, 3) and a panel.

    ``changes`` (5,) are what brought the panel here from where it was believed to be, with the
    standard errors ``error`` (5,), infinity where nothing is believed. ``place`` (peaks, 2) px
    and ``variance`` (peaks,) px^2 are as `refine` takes them. None where the spots do not
    determine everything.
    """
    g = np.array(reciprocal, dtype=np.float64, order="C")
    changes = np.array(changes)
    seen, own = place[links.point], variance[links.point]
    # residuals are smaller than errors by what the parameters take up
    lost = 2.0 * len(links) / max(2.0 * len(links) - _ALL, 1.0)
    for step in range(steps + 1):  # the last only looks
        model = _linearised(g, geometry, links)
        if model is None:
            return None
        residual = seen - model.place
        white, slopes = _whitened(residual, model, own, links.doubt)
        square = np.sum(white**2, axis=1)
        scale = max(float(np.median(square)) / MEDIAN * lost, 0.05)
        weight = np.clip(1.0 - square / (LIMIT * scale), 0.0, None) ** 2
        rows = slopes[..., :_ALL] * weight[:, None, None]
        normal = np.einsum("nia,nib->ab", rows, slopes[..., :_ALL])
        right = np.einsum("nia,ni->a", rows, white)
        prior = np.zeros(_ALL)
        prior[_TURNS:] = scale / error**2
        right[_TURNS:] -= prior[_TURNS:] * changes
        inverse = _inverse(normal + np.diag(prior))
        if inverse is None:
            return None
        move = inverse @ right
        if step == steps or np.max(np.abs(move) / np.sqrt(np.diag(inverse))) < _SETTLED:
            break
        g = np.ascontiguousarray(_turned(move[:_TURNS]) @ g)
        geometry, changes = with_panel(geometry, move[_TURNS:]), changes + move[_TURNS:]
    assert inverse is not None
    free = max(2.0 * float(weight.sum()) - _ALL, 1.0)
    scatter = float(np.sum(weight * square)) / free / SHRINKAGE
    aspect, aspect_error = _aspect(slopes, white, weight)
    return PanelFit(
        g, geometry, changes, residual, weight, scatter * inverse, scatter, aspect,
        aspect_error * np.sqrt(scatter),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Linearised:
    """Places (n, 2), their derivatives (n, 2, 9) - turns, panel, aspect - and by depth (n, 2)."""

    place: FloatArray
    slope: FloatArray
    by_depth: FloatArray


def _linearised(g: FloatArray, geometry: LaueGeometry, links: Links) -> _Linearised | None:
    count, row = len(links), geometry.row
    place, by_depth = np.empty((count, 2)), np.empty((count, 2))
    by_crystal = np.empty((count, 2, PARAMETERS))
    if not places_and_slopes(g, links.hkl, links.depth, row, place, by_crystal, by_depth):
        return None
    instrument = geometry.instrument
    motions = panel_motions(instrument.panels[0], instrument.beam.direction)
    by_panel = place_by_motion(row, place, links.depth) @ motions.T
    by_aspect = np.zeros((count, 2, 1))
    by_aspect[:, 1, 0] = -(place[:, 1] - 0.5 * (row[18] - 1.0))
    slope = np.concatenate([by_crystal[..., :_TURNS], by_panel, by_aspect], axis=2)
    return _Linearised(place, slope, by_depth)


def _turned(vector: FloatArray) -> FloatArray:
    """Rotation matrix, exact: a first-order step of a degree would strain the crystal by 1e-4."""
    return matrix_from_quaternion(quaternion_from_rotation_vector(vector))


def _whitened(
    residual: FloatArray, model: _Linearised, variance: FloatArray, doubt: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Residuals (n, 2) and slopes (n, 2, 9) over their error, a doubtful depth counted in."""
    along = np.linalg.norm(model.by_depth, axis=1)
    axis = model.by_depth / along[:, None]
    less = 1.0 - np.sqrt(variance / (variance + (along * doubt) ** 2))
    shrink = np.eye(2) - less[:, None, None] * axis[:, :, None] * axis[:, None, :]
    shrink = shrink / np.sqrt(variance)[:, None, None]
    return (shrink @ residual[..., None])[..., 0], shrink @ model.slope


def _inverse(normal: FloatArray) -> FloatArray | None:
    size = np.sqrt(np.diag(normal))
    if not np.all(size > 0.0):
        return None
    scaled = normal / np.outer(size, size)
    if np.linalg.cond(scaled) > 1e11:
        return None
    return np.asarray(np.linalg.inv(scaled) / np.outer(size, size))


def _aspect(slopes: FloatArray, white: FloatArray, weight: FloatArray) -> tuple[float, float]:
    """One more parameter from where the others have settled, and its error at unit scale."""
    rows = slopes * weight[:, None, None]
    inverse = _inverse(np.einsum("nia,nib->ab", rows, slopes))
    if inverse is None:
        return 0.0, np.inf
    move = inverse @ np.einsum("nia,ni->a", rows, white)
    return float(move[-1]), float(np.sqrt(inverse[-1, -1]))
