"""Friedel pairs: two spots half a turn apart that give g without knowing where the grain is.

A grain at p sends g at omega and -g at omega + 180 deg to mirrored places, shifted by its
position in opposite senses: sums of the coordinates give the direction of g, differences two
linear equations for p. Exact for an upright axis and a panel at right angles to the beam; spots
of a tilted setup are first moved to where an upright one would show them, as if their grains
lay on the axis. What that leaves is the tilt times the grain's distance from the axis: 1.4 um
for 0.1 deg and 800 um.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm import _kernels_friedel as kernels
from mesolith.hedm.index_settings import IndexSettings
from mesolith.instrument.goniometer import axis_tilt
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.scattering import laboratory_from_spots
from mesolith.records.spots import Spots

_BINS = 1440  # of a turn


@dataclass(frozen=True, slots=True)
class UprightSpots:
    """Spots as an upright setup would show them, sorted for the search of mates.

    ``rows`` (n, 8): y, z (um at x = ``distance``), omega in [0, 2 pi), log intensity, and the
    variances of the four. ``order`` (n,) are their rows in the `Spots`; those on no ring are
    left out. ``shell`` (n,) and ``start`` (shells * bins + 1,) divide them by ring and omega.
    ``windows`` (shells, 2) are the radii between which pairs are looked for.
    """

    rows: FloatArray
    order: IntArray
    shell: IntArray
    start: IntArray
    windows: FloatArray
    distance: float
    wavelength: float


@dataclass(frozen=True, slots=True)
class FriedelPairs:
    """Pairs of spots, turntable axes (z along the rotation axis).

    ``members`` (m, 2) are rows of the `Spots`, ``g`` (m, 3) the scattering vector of the first
    in 1/angstrom, ``equation`` (m, 9) as `pair_vectors` fills it. ``sigma_turn`` (rad) and
    ``sigma_place`` (um) are typical errors of g along the rotation, and of an equation.
    """

    members: IntArray
    g: FloatArray
    equation: FloatArray
    sigma_turn: float
    sigma_place: float
    distance: float

    def __len__(self) -> int:
        return len(self.members)


def upright_spots(
    spots: Spots, instrument: Instrument, spacings: FloatArray, settings: IndexSettings
) -> UprightSpots:
    """Sort spots by ring and omega; ``spacings`` (rings,) are the d of all rings, angstrom."""
    tilt = axis_tilt(instrument.goniometer)
    points = laboratory_from_spots(instrument, spots.panel, spots.fast, spots.slow) @ tilt
    beam = instrument.beam.direction @ tilt
    beam = np.where(np.abs(beam) < 1e-12, 0.0, beam)
    wavelength = instrument.beam.wavelength
    distance = float(np.mean([panel.origin @ tilt[:, 0] for panel in instrument.panels]))
    upright = kernels.upright_spots(
        np.ascontiguousarray(points),
        np.ascontiguousarray(spots.omega),
        np.ascontiguousarray(beam),
        wavelength,
        distance,
    )
    windows, reach = _shells(spacings, wavelength, distance, settings)
    radius = np.hypot(upright[:, 0], upright[:, 1])
    shell = np.searchsorted(reach[:, 1], radius)
    inside = shell < len(reach)
    inside &= np.isfinite(radius) & (np.take(reach[:, 0], shell, mode="clip") <= radius)
    # |sin eta| below the pole's
    inside &= np.abs(upright[:, 0]) >= 0.97 * math.sin(settings.pole) * radius
    rows = np.flatnonzero(inside)
    shell, upright = shell[rows], upright[rows]
    bins = np.minimum((upright[:, 2] * (_BINS / kernels.TURN)).astype(np.int64), _BINS - 1)
    place = shell * _BINS + bins
    height = upright[:, 1] - upright[:, 1].min(initial=0.0)
    order = np.argsort((place << 24) + (8.0 * height).astype(np.int64))
    rows, shell, upright = rows[order], shell[order], upright[order]
    pitch = np.array([panel.pitch[::-1] for panel in instrument.panels])[spots.panel[rows]]
    variance = np.diagonal(spots.covariance, axis1=1, axis2=2)[rows]
    plane = np.mean(variance[:, :2] * pitch**2, axis=1)
    intensity = np.maximum(spots.intensity[rows], 1e-300)
    relative = spots.intensity_se[rows] / intensity
    table = np.column_stack(
        [upright, np.log(intensity), plane, plane, variance[:, 2], relative**2]
    )
    start = np.searchsorted(place[order], np.arange(len(windows) * _BINS + 1))
    return UprightSpots(table, rows, shell, start, windows, distance, wavelength)


def friedel_pairs(
    upright: UprightSpots,
    settings: IndexSettings,
    *,
    taken: NDArray[np.bool_] | None = None,
    windows: FloatArray | None = None,
) -> FriedelPairs:
    """All pairs of spots that can be mates.

    ``taken`` (rows of the `Spots`) are passed over; ``windows`` replaces the radii (shells, 2)
    between which pairs are looked for.
    """
    rows = upright.rows
    passed = np.zeros(len(rows), dtype=np.bool_) if taken is None else taken[upright.order]
    sigma_place = float(np.sqrt(np.median(rows[:, 4]))) if len(rows) else 1.0
    sigma_omega = np.sqrt(rows[:, 6])
    widest = float(np.quantile(sigma_omega, 0.99)) if len(rows) else 0.0
    margin = settings.sigmas * math.sqrt(2.0) * sigma_place
    reach = np.array(
        [
            2.0 * settings.sample_radius + margin,
            settings.height + margin,
            -settings.height - margin,
            settings.sigmas,
            settings.intensity_spread,
            settings.sigmas * math.sqrt(2.0) * widest,
        ]
    )
    room = 2 * len(rows) + 16
    while True:
        members = np.empty((room, 2), dtype=np.int64)
        count = kernels.friedel_pairs(
            rows,
            upright.shell,
            upright.start,
            _BINS,
            passed,
            reach,
            upright.windows if windows is None else windows,
            members,
        )
        if count <= room:
            break
        room = count
    members = members[:count]
    vectors = kernels.pair_vectors(rows, members, upright.distance, upright.wavelength)
    return FriedelPairs(
        members=upright.order[members],
        g=np.ascontiguousarray(vectors[:, :3]),
        equation=vectors,
        sigma_turn=float(np.median(sigma_omega)) / math.sqrt(2.0) if len(rows) else 0.0,
        sigma_place=sigma_place / math.sqrt(2.0),
        distance=upright.distance,
    )


def _shells(
    spacings: FloatArray, wavelength: float, distance: float, settings: IndexSettings
) -> tuple[FloatArray, FloatArray]:
    """Radii of pairs and of spots, each (shells, 2): rings whose spots can mix share a shell."""
    margin = settings.sample_radius * 1.05 + 100.0
    windows: list[list[float]] = []
    reach: list[list[float]] = []
    for d in np.sort(np.asarray(spacings, dtype=np.float64))[::-1]:
        inner = _radius(float(d) * (1.0 + settings.strain), wavelength, distance)
        outer = _radius(float(d) * (1.0 - settings.strain), wavelength, distance)
        if reach and inner - margin <= reach[-1][1]:
            windows[-1][1], reach[-1][1] = outer, outer + margin
        else:
            windows.append([inner, outer])
            reach.append([inner - margin, outer + margin])
    return np.array(windows).reshape(-1, 2), np.array(reach).reshape(-1, 2)


def _radius(d: float, wavelength: float, distance: float) -> float:
    return distance * math.tan(2.0 * math.asin(min(0.5 * wavelength / d, 0.7)))
