"""Distortion of a panel: a radial factor that varies with the angle.

An ideal point is ``c + s (x - c)`` for the point x where the spot was recorded, both in the
panel's plane in um from its middle, with

    s = 1 + sum_k amplitude_k (r / radius)^exponent_k cos(harmonic_k theta + phase_k),

r and theta the polar coordinates of x - c, theta from the fast towards the slow axis. HEXRD's
GE_41RT and MIDAS' p0-p14 are of this form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.instrument import _kernels_geometry as kernels
from mesolith.records.field import Record, quantity

MOST_TERMS = kernels.MOST_TERMS


@dataclass(frozen=True, slots=True)
class Distortion(Record):
    """Radial distortion, see the module's text for the formula."""

    centre: FloatArray = quantity("centre (fast, slow) from the middle", unit="um", shape=(2,))
    radius: float = quantity("radius at which an amplitude is the relative shift", unit="um")
    amplitude: FloatArray = quantity("amplitude of each term", shape=("term",))
    exponent: FloatArray = quantity("exponent of the radius in each term", shape=("term",))
    harmonic: FloatArray = quantity("waves around the centre in each term", shape=("term",))
    phase: FloatArray = quantity("phase of each term", unit="rad", shape=("term",))

    def _check(self) -> None:
        if len(self.amplitude) > MOST_TERMS:
            raise InvalidValueError(
                f"a distortion has {len(self.amplitude)} terms, at most {MOST_TERMS} are possible"
            )
        if not self.radius > 0.0 or np.any(self.exponent <= 0.0):
            raise InvalidValueError(
                "the radius and the exponents of a distortion must be positive",
                remedy="Check the parameters of the detector's distortion.",
            )
        if np.any(self.harmonic < 0.0) or np.any(self.harmonic != np.round(self.harmonic)):
            raise InvalidValueError(
                f"the harmonics of a distortion are {self.harmonic.tolist()}",
                remedy="They count waves around the centre: 0, 1, 2 ...",
            )


def undistorted(distortion: Distortion | None, points: FloatArray) -> FloatArray:
    """Ideal points (..., 2) of recorded ones, um in the panel's plane from its middle."""
    return _mapped(kernels.undistort_all, distortion, points)


def distorted(distortion: Distortion | None, points: FloatArray) -> FloatArray:
    """Where ideal points (..., 2) are recorded: inverse of `undistorted` to 1e-6 um."""
    return _mapped(kernels.distort_all, distortion, points)


def distortion_row(distortion: Distortion | None) -> FloatArray:
    """Flat form for kernels, see `_kernels_geometry`."""
    row = np.zeros(kernels.DISTORTION_SIZE)
    row[1] = 1.0
    if distortion is not None:
        terms = len(distortion.amplitude)
        row[0], row[1] = terms, distortion.radius
        row[2:4] = distortion.centre
        columns = (
            distortion.amplitude,
            distortion.exponent,
            distortion.harmonic,
            np.cos(distortion.phase),
            np.sin(distortion.phase),
        )
        row[4 : 4 + kernels.TERM_SIZE * terms] = np.stack(columns, axis=1).ravel()
    return row


def _mapped(kernel: object, distortion: Distortion | None, points: FloatArray) -> FloatArray:
    points = np.asarray(points, dtype=np.float64)
    if distortion is None:
        return points.copy()
    flat = np.ascontiguousarray(points.reshape(-1, 2))
    moved: FloatArray = kernel(flat, distortion_row(distortion))  # type: ignore[operator]
    return moved.reshape(points.shape)
