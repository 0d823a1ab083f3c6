"""A powder calibrant before the panel: one frame of many rings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mesolith.virtual.hedm.backdrop import PowderRings, diffuse, powder_counts
from mesolith.virtual.hedm.station import Station

CERIA = 5.41165  # angstrom, SRM 674b
FACE_CENTRED = (3, 4, 8, 11, 12, 16, 19, 20, 24, 27, 32, 35, 36, 40, 43, 44, 48, 51)


def calibrant_frame(
    station: Station,
    rng: np.random.Generator,
    *,
    lattice_angstrom: float = CERIA,
    squares: Sequence[int] = FACE_CENTRED,
    counts: float = 2_000.0,
    background: float = 40.0,
    texture: float = 0.1,
    width_px: float = 1.2,
) -> NDArray[np.uint16]:
    """Counts (slow, fast) of a cubic powder at the rotation axis.

    ``squares`` are h^2 + k^2 + l^2 of its rings, ``counts`` the peak of the first; they fall
    outwards as the square root of the radius. ``texture`` is the share by which they vary along
    a ring, ``width_px`` their standard deviation across.
    """
    square = np.array(squares, dtype=np.float64)
    rings = PowderRings(
        spacing=lattice_angstrom / np.sqrt(square),
        counts=counts * (square[0] / square) ** 0.25,
        texture=texture,
        width_px=width_px,
    )
    expected = diffuse(station, background) + powder_counts(station, rings)
    return np.minimum(rng.poisson(expected), 65_535).astype(np.uint16)
