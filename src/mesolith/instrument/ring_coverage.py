"""How much of each powder ring the panels record."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import on_panel, pixels_from_rays


def ring_coverage(
    instrument: Instrument, spacings: FloatArray, *, sectors: int = 360
) -> FloatArray:
    """Share of each ring, by azimuth, that falls onto a panel, shape (rings,).

    ``spacings`` are d in angstrom. The powder sits at the laboratory's origin; 0 also where a
    ring does not diffract at this wavelength.
    """
    sine = instrument.beam.wavelength / (2.0 * np.asarray(spacings, dtype=np.float64))
    two_theta = 2.0 * np.arcsin(np.minimum(sine, 1.0))
    eta = (np.arange(sectors) + 0.5) * (2.0 * np.pi / sectors)
    # two directions at right angles to the beam
    beam = instrument.beam.direction
    side = np.cross(beam, np.eye(3)[2])
    side /= np.linalg.norm(side)
    up = np.cross(side, beam)
    around = np.cos(eta)[:, None] * up + np.sin(eta)[:, None] * side
    rays = (
        np.cos(two_theta)[:, None, None] * beam
        + np.sin(two_theta)[:, None, None] * around[None, :, :]
    )
    seen = np.zeros(rays.shape[:2], dtype=np.bool_)
    for panel in instrument.panels:
        fast, slow = pixels_from_rays(panel, np.zeros_like(rays), rays)
        seen |= on_panel(panel, fast, slow)
    covered: FloatArray = seen.mean(axis=1)
    covered[sine >= 1.0] = 0.0
    return covered
