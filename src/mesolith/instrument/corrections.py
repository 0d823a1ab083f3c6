"""Geometric factors of intensity: Lorentz, polarisation, solid angle of a pixel."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.instrument.beam import Beam
from mesolith.instrument.panel import Panel, laboratory_from_pixels


def lorentz_from_rate(rate: FloatArray) -> FloatArray:
    """Lorentz factor of a rotation: 1 / |rate|, with `Predicted.rate`; inf at the poles.

    For an upright axis that is 1 / |sin 2theta sin eta|. A spot's width in omega grows by it too.
    """
    with np.errstate(divide="ignore"):
        return np.asarray(1.0 / np.abs(rate), dtype=np.float64)


def polarisation_factor(beam: Beam, points: FloatArray) -> FloatArray:
    """Share of the intensity that polarisation leaves, for rays to laboratory points (..., 3).

    The beam's ``polarisation`` is (I_y - I_z) / (I_y + I_z); 0 for an unpolarised beam, for which
    this is (1 + cos^2 2theta) / 2. Rays start at the laboratory's origin.

    Raises ``InvalidValueError`` where the beam's polarisation is not known.
    """
    if beam.polarisation is None:
        raise InvalidValueError(
            "the polarisation of the beam is not known",
            remedy="State it: 0 for an unpolarised beam, 0.9 to 0.99 at a synchrotron.",
        )
    ray = points / np.linalg.norm(points, axis=-1, keepdims=True)
    # the beam's own directions across it, nearest to y and z
    up = np.array([0.0, 0.0, 1.0]) - beam.direction[2] * beam.direction
    up /= np.linalg.norm(up)
    across = np.cross(up, beam.direction)
    along_y = (1.0 + beam.polarisation) / 2.0
    left: FloatArray = 1.0 - along_y * (ray @ across) ** 2 - (1.0 - along_y) * (ray @ up) ** 2
    return left


def solid_angle(panel: Panel, fast: FloatArray, slow: FloatArray) -> FloatArray:
    """Solid angle of pixels seen from the laboratory's origin, sr, shape as ``fast``."""
    points = laboratory_from_pixels(panel, fast, slow)
    distance = np.linalg.norm(points, axis=-1)
    facing = np.abs(points @ panel.rotation[:, 2]) / distance
    return np.asarray(np.prod(panel.pitch) * facing / distance**2, dtype=np.float64)
