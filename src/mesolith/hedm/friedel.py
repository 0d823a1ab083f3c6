"""Friedel pairs: two spots half a turn apart that give g without knowing where the grain is.

A grain at p sends g at omega and -g at omega + 180 deg to mirrored places, shifted by its
position in opposite senses: sums of the coordinates give the direction of g, differences two
linear equations for p. Exact for an upright axis and a panel at right angles to the beam; spots
of a tilted setup are first moved to where an upright one would show them, as if their grains
lay on the axis. What that leaves is the tilt times the grain's distance from the axis: 1.4 um
for 0.1 deg and 800 um.

Where a mate is missing, or the rotation is too short to bring it, -g at its other crossing takes
its place: a few degrees before g it is seen beyond the beam, and gives the same two equations;
only the length of g then hangs on the place, by the place along the beam over the distance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm import _kernels_friedel as kernels
from mesolith.hedm.index_settings import IndexSettings
from mesolith.instrument.goniometer import axis_tilt
from mesolith.instrument.instrument import Instrument, kernel_arrays
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
    source, panels = kernel_arrays(instrument)
    distance = float(np.mean(panels[:, :3] @ tilt[:, 0]))
    wavelength = instrument.beam.wavelength
    windows, reach = _shells(spacings, wavelength, distance, settings)
    upright = np.empty((len(spots), 3))
    shell = np.empty(len(spots), dtype=np.int64)
    kernels.upright_spots(
        spots.panel,
        np.stack([spots.fast, spots.slow]),
        spots.omega,
        source,
        panels,
        tilt,
        distance,
        reach,
        0.97 * math.sin(settings.pole),
        upright,
        shell,
    )
    bins = np.minimum((upright[:, 2] * (_BINS / kernels.TURN)).astype(np.int64), _BINS - 1)
    place = shell * _BINS + bins
    height = 8.0 * (upright[:, 1] + 2.0 * distance)
    # those on no ring come first, whatever their height
    rows = np.argsort(np.where(shell < 0, -1, (place << 26) + height.astype(np.int64)))
    rows = rows[int(np.sum(shell < 0)) :]
    shell, place = shell[rows], place[rows]
    table = np.empty((len(rows), 8))
    table[:, :3] = upright[rows]
    intensity = np.maximum(spots.intensity, 1e-300)
    table[:, 3] = np.log(intensity)[rows]
    variance = spots.covariance
    pitch = panels[spots.panel, 12:14] if len(panels) > 1 else panels[0, 12:14]
    plane = variance[:, 0, 0] * pitch[..., 0] ** 2 + variance[:, 1, 1] * pitch[..., 1] ** 2
    table[:, 4] = (0.5 * plane)[rows]
    table[:, 5] = table[:, 4]
    table[:, 6] = variance[rows, 2, 2]
    table[:, 7] = ((spots.intensity_se / intensity) ** 2)[rows]
    start = np.searchsorted(place, np.arange(len(windows) * _BINS + 1))
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
    return _pairs(upright, settings, taken, windows, crossing=False)


def crossing_pairs(
    upright: UprightSpots, settings: IndexSettings, *, taken: NDArray[np.bool_] | None = None
) -> FriedelPairs:
    """All pairs of spots that can be g at one crossing and -g at its other one."""
    # the length of g is as uncertain as the place along the beam
    share = 1.0 + settings.sample_radius / upright.distance
    windows = upright.windows * np.array([1.0 / share, share])
    return _pairs(upright, settings, taken, windows, crossing=True)


def all_pairs(
    upright: UprightSpots, settings: IndexSettings, *, taken: NDArray[np.bool_] | None = None
) -> FriedelPairs:
    """Pairs of both kinds in one list."""
    one = friedel_pairs(upright, settings, taken=taken)
    two = crossing_pairs(upright, settings, taken=taken)
    return replace(
        one,
        members=np.concatenate([one.members, two.members]),
        g=np.concatenate([one.g, two.g]),
        equation=np.concatenate([one.equation, two.equation]),
    )


def pairs_of_a_reflection(spots: Spots) -> tuple[float, float]:
    """Friedel pairs and pairs of crossings that a reflection and its mate make on average.

    Two of each in a full turn, no Friedel pair in half a turn.
    """
    angle = np.linspace(0.0, 2.0 * math.pi, 1441)[:-1]
    seen = spots.covers(angle)
    return 2.0 * float(np.mean(seen & spots.covers(angle + math.pi))), 2.0 * float(np.mean(seen))


def _pairs(
    upright: UprightSpots,
    settings: IndexSettings,
    taken: NDArray[np.bool_] | None,
    windows: FloatArray | None,
    *,
    crossing: bool,
) -> FriedelPairs:
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
    windows = upright.windows if windows is None else windows
    room = 2 * len(rows) + 16
    while True:
        members = np.empty((room, 2), dtype=np.int64)
        if crossing:
            # each spot's own place tells the second angle only to a part in a hundred
            reach[5] = settings.sigmas * math.sqrt(2.0) * widest + 1e-3
            count = kernels.crossing_pairs(
                rows,
                upright.shell,
                upright.start,
                _BINS,
                passed,
                reach,
                windows,
                upright.distance,
                members,
            )
        else:
            count = kernels.friedel_pairs(
                rows, upright.shell, upright.start, _BINS, passed, reach, windows, members
            )
        if count <= room:
            break
        room = count
    members = members[:count]
    vectors_of = kernels.crossing_vectors if crossing else kernels.pair_vectors
    vectors = vectors_of(rows, members, upright.distance, upright.wavelength)
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
