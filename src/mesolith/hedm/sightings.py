"""Every reflection that grains must show, whether it was seen, and through how much sample.

The raw material of all that is read from intensities: which of the expected reflections were
found, how bright, and what geometry alone makes of their brightness.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm.match import Matches, SpotLookup
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.predict import predict_spots
from mesolith.records.spots import Spots

SIGMAS = 4.0
_AT_ONCE = 400_000  # predictions


@dataclass(frozen=True, slots=True)
class Sightings:
    """Expected reflections of grains, one row each.

    ``grain`` and ``reflection`` (n,) number the grain and its index triple; ``spot`` (n,) is the
    row of the `Spots` found there, -1 where none is; ``square`` (n,) its squared distance in
    standard deviations, ``share`` (n,) the part of it that is this reflection's. ``lorentz`` (n,)
    is 1 / abs(sin 2theta sin eta), ``sin_eta`` (n,) its slow part; ``path`` (n,) the um of sample
    that beam and ray cross.
    """

    grain: IntArray
    reflection: IntArray
    spot: IntArray
    square: FloatArray
    share: FloatArray
    lorentz: FloatArray
    sin_eta: FloatArray
    path: FloatArray

    def __len__(self) -> int:
        return len(self.grain)

    @property
    def found(self) -> NDArray[np.bool_]:
        """Where a spot was found (n,)."""
        return self.spot >= 0


def sightings_of(
    lookup: SpotLookup,
    instrument: Instrument,
    lattice_vectors: FloatArray,
    position: FloatArray,
    hkl: IntArray,
    *,
    sample_radius: float,
    pole: float,
) -> Sightings:
    """Expected reflections of grains and the spots next to them.

    Parameters
    ----------
    lookup
        The spots of the layer, with the error scale that indexing measured.
    lattice_vectors, position
        Grains (g, 3, 3) in angstrom and (g, 3) in um, sample axes.
    hkl
        Indices (h, 3), mates included, the same for all grains.
    sample_radius
        Radius (um) of the cylinder about the rotation axis that absorbs.
    pole
        Azimuth (rad) below which nothing is expected.
    """
    reciprocal = np.ascontiguousarray(np.linalg.inv(lattice_vectors).swapaxes(1, 2))
    table = hkl[None].astype(np.float64)
    matches = lookup.match(
        reciprocal,
        position,
        np.zeros(len(reciprocal), dtype=np.int64),
        table,
        pole=pole,
        sigmas=SIGMAS,
    )
    parts = []
    step = max(1, _AT_ONCE // max(2 * len(hkl), 1))
    for first in range(0, len(reciprocal), step):
        rows = slice(first, first + step)
        parts.append(
            _rows(
                matches.rows(np.arange(len(reciprocal))[rows]),
                instrument,
                lookup,
                lattice_vectors[rows],
                reciprocal[rows],
                position[rows],
                hkl,
                first,
                sample_radius,
            )
        )
    if not parts:
        return Sightings(*(np.empty(0, dtype=np.int64),) * 3, *(np.empty(0),) * 5)
    return Sightings(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _rows(
    matches: Matches,
    instrument: Instrument,
    lookup: SpotLookup,
    lattice_vectors: FloatArray,
    reciprocal: FloatArray,
    position: FloatArray,
    hkl: IntArray,
    first: int,
    sample_radius: float,
) -> tuple[NDArray[np.generic], ...]:
    predicted = predict_spots(instrument, lattice_vectors, position, hkl.astype(np.float64))
    grain, reflection, crossing = np.nonzero(matches.expected)
    omega = predicted.omega[grain, reflection, crossing]
    rate = np.abs(predicted.rate[grain, reflection, crossing])
    axis, beam = instrument.goniometer.axis, instrument.beam
    g = np.einsum("nij,nj->ni", reciprocal[grain], hkl[reflection].astype(np.float64))
    ray = _turned(g, axis, omega) + beam.direction / beam.wavelength
    ray /= np.linalg.norm(ray, axis=1)[:, None]
    place = _turned(position[grain], axis, omega)
    sine = 0.5 * beam.wavelength * np.linalg.norm(g, axis=1)
    double = 2.0 * sine * np.sqrt(1.0 - sine**2)
    row = matches.spot[grain, reflection, crossing]
    spot = np.where(row >= 0, lookup.order[np.maximum(row, 0)], -1)
    return (
        grain + first,
        reflection,
        spot,
        matches.square[grain, reflection, crossing],
        matches.share[grain, reflection, crossing],
        1.0 / rate,
        rate / double,
        _chord(place, -beam.direction, sample_radius) + _chord(place, ray, sample_radius),
    )


def _turned(vector: FloatArray, axis: FloatArray, omega: FloatArray) -> FloatArray:
    """Vectors (n, 3) turned right-handed about a unit axis by omega (n,), rad."""
    cosine, sine = np.cos(omega)[:, None], np.sin(omega)[:, None]
    along = (vector @ axis)[:, None] * axis
    return np.asarray(along + cosine * (vector - along) + sine * np.cross(axis, vector))


def _chord(place: FloatArray, direction: FloatArray, radius: float) -> FloatArray:
    """Way (n,) from places (n, 3) along unit directions to the wall of a cylinder along z.

    A place outside counts as on the wall, at the same azimuth.
    """
    x, y = place[:, 0], place[:, 1]
    outside = np.maximum(np.hypot(x, y) / radius, 1.0)
    x, y = x / outside, y / outside
    across = direction[..., 0] ** 2 + direction[..., 1] ** 2
    along = x * direction[..., 0] + y * direction[..., 1]
    room = np.maximum(along**2 + across * (radius**2 - x**2 - y**2), 0.0)
    return np.asarray((np.sqrt(room) - along) / np.maximum(across, 1e-12))


def unit_sphere_volume(sigmas: float = SIGMAS) -> float:
    """Volume of the search to so many deviations, in units of a normal density's at its peak."""
    return 4.0 / 3.0 * math.pi * sigmas**3 / (2.0 * math.pi) ** 1.5


def lookup_of(spots: Spots, instrument: Instrument, error_scale: FloatArray) -> SpotLookup:
    """The spots of a layer, their errors scaled as indexing measured them."""
    lookup = SpotLookup(spots, instrument)
    lookup.rescale(*(np.full(len(spots), float(factor)) for factor in error_scale))
    return lookup
