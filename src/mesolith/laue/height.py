"""The height of the sample's surface from the patterns themselves.

Every spot starts at the depth of its energy below the point where the beam meets the surface. A
surface that is higher moves all starts alike, and spots answer according to the direction in
which they leave. Most of that looks like rotation and strain; what is left tells the height, to
some ten um a pattern and far better where a smooth surface joins many patterns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.instrument.instrument import Instrument
from mesolith.laue._kernels_refine import PARAMETERS, places_and_slopes
from mesolith.laue.geometry import LaueGeometry, laue_geometry, place_by_motion
from mesolith.laue.index import LaueIndexer
from mesolith.laue.modes import HEIGHT, height_mode
from mesolith.laue.predict import predict_spots
from mesolith.laue.refine import whitening
from mesolith.laue.solve import IndexedPattern
from mesolith.records.field import CommonMode
from mesolith.records.laue import LauePeaks
from mesolith.records.laue_height import LaueHeights, LaueSurface, legendre_terms

_TURNS = 3
_ROUNDS = 6
_LEAST_SPOTS = 12
# Huber's bound in standard errors
_HUBER = 2.0


@dataclass(frozen=True, slots=True)
class PatternInScan:
    """The peaks of one pattern and what was found in them."""

    peaks: LauePeaks
    answer: IndexedPattern


def fit_heights(indexer: LaueIndexer, patterns: Sequence[PatternInScan]) -> LaueHeights:
    """Height of the surface at each pattern, orientation and strain of its grains left free.

    Patterns in which no grain has twelve spots of its own get height 0 with an infinite error.
    The geometry's modes named as heights are left out of the common modes: they are what is
    looked for.
    """
    geometry = indexer.geometry
    modes = [mode for mode in geometry.modes if mode.name != HEIGHT]
    rise = height_mode(geometry, 1.0).motion
    motions = np.stack([rise, *(mode.motion for mode in modes)])
    count = len(patterns)
    height, error, unmixed = np.zeros(count), np.full(count, np.inf), np.zeros(count)
    spots, shifts = np.zeros(count, dtype=np.int64), np.zeros((len(modes), count))
    for k, one in enumerate(patterns):
        sums = _Sums(len(motions))
        for row in range(len(one.answer.grains)):
            _add_grain(sums, indexer, one, row, motions)
        spots[k] = sums.spots
        if sums.free[0] <= 0.0:
            continue
        height[k] = sums.right / sums.free[0]
        error[k] = 1.0 / np.sqrt(sums.free[0])
        unmixed[k] = np.sqrt(sums.free[0] / sums.held)
        shifts[:, k] = sums.free[1:] / sums.free[0]
    return LaueHeights(
        pattern=np.array([_number(one) for one in patterns], dtype=np.int64),
        height=height,
        height_error=error,
        unmixed=unmixed,
        spots=spots,
        common_modes=tuple(
            CommonMode(mode.name, mode.sigma, mode.unit, {"height": shifts[k]})
            for k, mode in enumerate(modes)
        ),
    )


def fit_surface(
    heights: LaueHeights, x: FloatArray, y: FloatArray, *, degree: int = 2
) -> LaueSurface:
    """Smooth surface through the heights of many points at places x, y (point,), um.

    Legendre polynomials up to ``degree`` in total, robust. `InvalidValueError` where there are not
    three times as many points with a height as coefficients, or they span no area.
    """
    powers = np.array([(i, d - i) for d in range(degree + 1) for i in range(d + 1)])
    known = np.isfinite(heights.height_error)
    if int(known.sum()) < 3 * len(powers):
        raise InvalidValueError(
            f"{int(known.sum())} points with a height cannot determine a surface of "
            f"{len(powers)} coefficients",
            remedy="Lower the degree, or give more points.",
        )
    place = np.stack([x, y], axis=1)
    low, high = place[known].min(axis=0), place[known].max(axis=0)
    if np.any(high <= low):
        raise InvalidValueError(
            "the points lie on one line and span no surface",
            remedy="Give points of several rows and columns.",
        )
    terms = legendre_terms(powers, low, high, x[known], y[known])
    seen, sigma = heights.height[known], heights.height_error[known]
    weight = 1.0 / sigma**2
    for _ in range(_ROUNDS):
        normal = (terms * weight[:, None]).T @ terms
        inverse = np.asarray(np.linalg.inv(normal), dtype=np.float64)
        coefficient = inverse @ (terms.T @ (weight * seen))
        pull = np.abs(seen - terms @ coefficient) / sigma
        weight = np.minimum(1.0, _HUBER / np.maximum(pull, 1e-9)) / sigma**2
    free = max(len(seen) - len(powers), 1)
    scatter = float(np.sum(np.minimum(pull, _HUBER) ** 2)) / free
    return LaueSurface(
        powers=powers,
        coefficient=coefficient,
        covariance=max(scatter, 1.0) * inverse,
        low=low,
        high=high,
        scatter=scatter,
        common_modes=tuple(
            CommonMode(
                mode.name,
                mode.sigma,
                mode.unit,
                {"coefficient": inverse @ (terms.T @ (weight * mode.derivatives["height"][known]))},
            )
            for mode in heights.common_modes
        ),
    )


def raised_geometry(
    geometry: LaueGeometry, height_um: float, sigma_um: float | None = None
) -> LaueGeometry:
    """The geometry for a surface that lies higher than believed, um along its normal.

    ``sigma_um`` takes the place of the error of the height among the modes; None leaves them.
    """
    shift = height_um * height_mode(geometry, 1.0).motion[:3]
    instrument = geometry.instrument
    panel = replace(instrument.panels[0], origin=instrument.panels[0].origin + shift)
    modes = geometry.modes
    if sigma_um is not None:
        others = tuple(mode for mode in modes if mode.name != HEIGHT)
        modes = (*others, height_mode(geometry, sigma_um))
    moved = Instrument(instrument.beam, instrument.goniometer, (panel,))
    return laue_geometry(moved, surface=geometry.row[19:22], modes=modes)


class _Sums:
    """What the grains of one pattern say together.

    ``free`` (motions,) is the product of the height's displacement with that of each motion
    once turns and strains have taken what they can; ``held`` that with itself when turns alone
    may; ``right`` the product with the residuals.
    """

    def __init__(self, motions: int) -> None:
        self.free, self.held, self.right, self.spots = np.zeros(motions), 0.0, 0.0, 0


def _add_grain(
    sums: _Sums, indexer: LaueIndexer, one: PatternInScan, row: int, motions: FloatArray
) -> None:
    links, grains = one.answer.assignment, one.answer.grains
    rows = np.flatnonzero((links.grain == row) & ~links.shared & (links.weight > 0.0))
    if len(rows) < _LEAST_SPOTS:
        return
    geometry = indexer.geometry
    g = np.ascontiguousarray(np.linalg.inv(grains.lattice_vectors[row]).T)
    hkl = links.hkl[rows] // np.gcd.reduce(links.hkl[rows], axis=1)[:, None]
    count, depth = len(rows), links.depth[rows]
    place, by_depth = np.empty((count, 2)), np.empty((count, 2))
    slope = np.empty((count, 2, PARAMETERS))
    places_and_slopes(g, hkl.astype(np.float64), depth, geometry.row, place, slope, by_depth)
    moves = place_by_motion(geometry.row, place, depth) @ motions.T
    shrink = _whitening(indexer, one, row, rows, g, hkl, by_depth)
    by_grain = (shrink @ slope).reshape(2 * count, PARAMETERS)
    by_motion = (shrink @ moves).reshape(2 * count, len(motions))
    left = (shrink @ links.residual[rows][..., None]).ravel()
    rise = by_motion[:, 0]
    for parameters in (_TURNS, PARAMETERS):
        part = by_grain[:, :parameters]
        alone = rise - part @ np.linalg.lstsq(part, rise, rcond=None)[0]
        if parameters == _TURNS:
            sums.held += float(alone @ rise)
        else:
            sums.free += alone @ by_motion
            sums.right += float(alone @ left)
    sums.spots += count


def _whitening(
    indexer: LaueIndexer,
    one: PatternInScan,
    row: int,
    rows: IntArray,
    g: FloatArray,
    hkl: IntArray,
    by_depth: FloatArray,
) -> FloatArray:
    """What residuals (n, 2) are multiplied by, (n, 2, 2), to have unit errors."""
    links, peaks, grains = one.answer.assignment, one.peaks, one.answer.grains
    peak = links.peak[rows]
    variance = 0.5 * np.trace(peaks.covariance[peak], axis1=1, axis2=2)
    variance = np.where(np.isfinite(variance), variance, indexer.settings.position_error_px**2)
    variance = variance * grains.scatter[row] / links.weight[rows]
    spots = predict_spots(g, indexer.reflections, indexer.geometry)
    listed = indexer.reflections.hkl[spots.direction].tolist()
    doubt_of = dict(zip(map(tuple, listed), spots.doubt.tolist(), strict=True))
    doubt = np.array([doubt_of.get(tuple(index), 0.0) for index in hkl.tolist()])
    return whitening(variance, doubt, by_depth)


def _number(one: PatternInScan) -> int:
    return int(one.peaks.pattern[0]) if len(one.peaks) else -1
