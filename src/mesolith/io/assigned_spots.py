"""Spots with the grain and the reflection that they belong to, as programs' files list them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.instrument.goniometer import to_laboratory
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.scattering import angles_from_laboratory, laboratory_from_spots


@dataclass(frozen=True, slots=True)
class AssignedSpots:
    """One row a spot of a grain, sorted by grain.

    ``place`` and ``predicted`` (n, 3) are fast, slow (px) and omega (rad, house's sense) where
    the spot was measured and where its grain puts it; ``position`` (n, 3), um on sample axes, is
    the grain's in the beam. ``ring`` counts from 0 for the innermost; ``spot`` is the row in the
    list of spots.
    """

    grain_id: IntArray
    spot: IntArray
    hkl: IntArray
    ring: IntArray
    panel: IntArray
    place: FloatArray
    predicted: FloatArray
    position: FloatArray
    intensity: FloatArray
    maximum: FloatArray

    def __len__(self) -> int:
        return len(self.grain_id)


def rays_of(
    spots: AssignedSpots, place: FloatArray, instrument: Instrument
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Laboratory points (n, 3), um, of places (n, 3), and 2 theta and eta (rad) from the grain.

    Rays start at each grain's position as it stands at the place's omega.
    """
    points = laboratory_from_spots(instrument, spots.panel, place[:, 0], place[:, 1])
    start = to_laboratory(instrument.goniometer, spots.position, place[:, 2])
    two_theta, eta = angles_from_laboratory(instrument, points, start)
    return points, np.asarray(two_theta), np.asarray(eta)
