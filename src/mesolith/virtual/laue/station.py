"""A virtual white-beam station: spectrum, tilted sample, and a panel above it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mesolith.errors import InvalidValueError
from mesolith.virtual.arrays import FloatArray
from mesolith.virtual.rotation import matrices_from_vectors


@dataclass(frozen=True, slots=True)
class LaueStation:
    """Beam along x, z up; lengths in um, angles in rad, energies in keV.

    The beam meets the flat surface of the sample in the origin, at the angle ``incidence``; the
    surface faces the panel. The panel's middle stands at ``middle``, its pixels count fast along
    -y and slow along +x before the panel is turned by the rotation vector ``tilt``; the centre
    of the first pixel is (0, 0). ``spectrum_middle`` and ``spectrum_width`` are those of a
    Gaussian of photons per energy, cut off outside ``band``.
    """

    middle: tuple[float, float, float] = (500.0, 60.0, 150_000.0)
    shape: tuple[int, int] = (2048, 2048)
    pitch: float = 79.142
    tilt: tuple[float, float, float] = (0.006, -0.004, 0.003)
    incidence: float = math.pi / 4.0
    band: tuple[float, float] = (5.0, 24.0)
    spectrum_middle: float = 11.0
    spectrum_width: float = 5.0

    def __post_init__(self) -> None:
        if not (self.pitch > 0.0 and 0.0 < self.band[0] < self.band[1] and self.middle[2] > 0.0):
            raise InvalidValueError("a virtual station needs a pitch, a band and a panel above")

    @property
    def edges(self) -> FloatArray:
        """Columns: one pixel's step fast, one slow, um; shape (3, 2)."""
        level = self.pitch * np.array([[0.0, 1.0], [-1.0, 0.0], [0.0, 0.0]])
        return np.asarray(matrices_from_vectors(np.array(self.tilt)[None])[0] @ level)

    @property
    def corner(self) -> FloatArray:
        """Centre of the first pixel (3,)."""
        half = np.array([(self.shape[1] - 1) / 2.0, (self.shape[0] - 1) / 2.0])
        return np.asarray(np.array(self.middle) - self.edges @ half)

    @property
    def surface(self) -> FloatArray:
        """Unit vector (3,) out of the sample's surface."""
        return np.array([-math.sin(self.incidence), 0.0, math.cos(self.incidence)])

    def photons(self, energy: FloatArray) -> FloatArray:
        """Photons per energy, relative, (n,)."""
        inside = (energy > self.band[0]) & (energy < self.band[1])
        shape = np.exp(-0.5 * ((energy - self.spectrum_middle) / self.spectrum_width) ** 2)
        return np.where(inside, shape, 0.0)

    def pixels(self, start: FloatArray, ray: FloatArray) -> FloatArray:
        """Where rays (n, 3) from points (n, 3) cross the panel's plane: fast, slow (n, 2).

        NaN for those that run away from it.
        """
        found = np.full((len(ray), 2), np.nan)
        system = np.empty((len(ray), 3, 3))
        system[:, :, 0] = ray
        system[:, :, 1:] = -self.edges
        towards = np.abs(np.linalg.det(system)) > 1e-6 * self.pitch**2
        solved = np.linalg.solve(system[towards], (self.corner - start[towards])[..., None])
        reach, place = solved[:, 0, 0], solved[:, 1:, 0]
        found[towards] = np.where(reach[:, None] > 0.0, place, np.nan)
        return found
