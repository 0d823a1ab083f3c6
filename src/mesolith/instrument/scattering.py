"""Scattering vectors from laboratory points, and reciprocal lattices from lattices."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.instrument.goniometer import to_laboratory, to_sample
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import laboratory_from_pixels


def laboratory_from_spots(
    instrument: Instrument, panel: IntArray, fast: FloatArray, slow: FloatArray
) -> FloatArray:
    """Laboratory points (n, 3), um, where spots (n,) on several panels were recorded."""
    points = np.full((len(panel), 3), np.nan)
    for k, one in enumerate(instrument.panels):
        here = panel == k
        points[here] = laboratory_from_pixels(one, fast[here], slow[here])
    return points


def scattering_vectors(
    instrument: Instrument,
    points: FloatArray,
    omega: FloatArray,
    position: FloatArray | None = None,
) -> FloatArray:
    """Scattering vectors g (n, 3), 1/angstrom, sample axes, of rays to laboratory points (n, 3).

    ``position`` is where each ray starts, um on sample axes, (3,) or (n, 3); without it the
    laboratory origin.
    """
    start = np.zeros(3) if position is None else np.asarray(position, dtype=np.float64)
    if np.any(start):
        start = np.broadcast_to(start, np.shape(points))
        start = to_laboratory(instrument.goniometer, start, omega)
    ray = points - start
    ray = ray / np.linalg.norm(ray, axis=-1, keepdims=True)
    g = (ray - instrument.beam.direction) / instrument.beam.wavelength
    return to_sample(instrument.goniometer, g, omega)


def angles_from_laboratory(
    instrument: Instrument, points: FloatArray, start: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Scattering angle and azimuth (2 theta, eta), rad, of rays to laboratory points (..., 3).

    ``start`` holds laboratory points (..., 3), by default the origin. Eta is 0 at the top (+z)
    and grows clockwise as seen along the beam, towards -y, as in ImageD11 and MIDAS; in
    (-pi, pi].
    """
    ray = np.asarray(points, dtype=np.float64)
    if start is not None:
        ray = ray - start
    direction = instrument.beam.direction
    along = ray @ direction
    across = np.linalg.norm(ray - along[..., None] * direction, axis=-1)
    return np.arctan2(across, along), azimuth_from_laboratory(ray)


def azimuth_from_laboratory(points: FloatArray) -> FloatArray:
    """Eta alone, as `angles_from_laboratory` has it, of points (..., 3) seen from the origin."""
    return np.asarray(np.arctan2(-points[..., 1], points[..., 2]))


def reciprocal_from_lattice_vectors(lattice_vectors: FloatArray) -> FloatArray:
    """Matrices (..., 3, 3) with columns a*, b*, c* (1/angstrom, no 2 pi) of columns a, b, c."""
    reciprocal: FloatArray = np.swapaxes(np.linalg.inv(lattice_vectors), -1, -2)
    return reciprocal
