"""Grains as the beam meets them: lattice, place, and what of them is lit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mesolith.errors import InvalidValueError
from mesolith.virtual.arrays import FloatArray, full_tensor
from mesolith.virtual.rotation import (
    matrices_from_quaternions,
    matrices_from_vectors,
    random_orientations,
)


@dataclass(frozen=True, slots=True)
class CrystalGrains:
    """Grains of a cubic crystal, sample axes.

    ``position`` (n, 3), um; ``orientation`` (n, 3, 3) maps crystal to sample; ``strain``
    (n, 3, 3) is the left stretch less one, so the lattice vectors are the columns of
    (1 + strain) orientation times ``lattice_angstrom``; ``strength`` (n,) scales the intensity
    of all spots of a grain.
    """

    position: FloatArray
    orientation: FloatArray
    strain: FloatArray
    strength: FloatArray
    lattice_angstrom: float

    @property
    def lattice(self) -> FloatArray:
        """Lattice vectors (n, 3, 3), columns a, b, c on sample axes, angstrom."""
        stretched = (np.eye(3) + self.strain) @ self.orientation
        return np.asarray(self.lattice_angstrom * stretched)

    @property
    def reciprocal(self) -> FloatArray:
        """Matrices (n, 3, 3) that map hkl to the scattering vector on sample axes, 1/angstrom."""
        return np.asarray(np.swapaxes(np.linalg.inv(self.lattice), -1, -2))

    def moved(self, shift: FloatArray, turn: FloatArray) -> CrystalGrains:
        """The same grains after the sample was turned by a rotation vector and then shifted."""
        rotation = matrices_from_vectors(np.asarray(turn, dtype=np.float64))
        return CrystalGrains(
            self.position @ rotation.T + shift,
            rotation @ self.orientation,
            rotation @ self.strain @ rotation.T,
            self.strength,
            self.lattice_angstrom,
        )


def random_grains(
    rng: np.random.Generator,
    count: int,
    *,
    diameter: float = 1600.0,
    height: float = 100.0,
    strain: float = 5e-4,
    strength_log_sigma: float = 0.5,
    lattice_angstrom: float = 12.95,
) -> CrystalGrains:
    """Grains at random in a slice of a cylinder about the rotation axis, um.

    Orientations are even; each of the six tensor components of strain is normal with deviation
    ``strain``; strengths are log-normal with median 1.
    """
    if count < 1 or not (diameter > 0.0 and height > 0.0):
        raise InvalidValueError(
            f"a virtual layer needs a grain and a size, not {count} grains in {diameter:g} um "
            f"by {height:g} um"
        )
    orientation = matrices_from_quaternions(random_orientations(rng, count))
    across = diameter / 2.0 * np.sqrt(rng.random(count))
    angle = 2.0 * math.pi * rng.random(count)
    z = height * (rng.random(count) - 0.5)
    return CrystalGrains(
        position=np.column_stack([across * np.cos(angle), across * np.sin(angle), z]),
        orientation=orientation,
        strain=full_tensor(strain * rng.standard_normal((count, 6))),
        strength=np.exp(strength_log_sigma * rng.standard_normal(count)),
        lattice_angstrom=lattice_angstrom,
    )
