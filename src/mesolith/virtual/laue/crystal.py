"""What a virtual crystal can reflect in a white beam, and how deep the beam reaches into it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesolith.crystal.absorption import attenuation_coefficient
from mesolith.crystal.reflections import allowed_reflections
from mesolith.crystal.structure_factors import structure_factors
from mesolith.virtual.arrays import FloatArray, IntArray

HC_KEV_ANGSTROM = 12.39841984332


@dataclass(frozen=True, slots=True)
class CrystalReflections:
    """Reflections of a cubic crystal up to a highest energy.

    ``hkl`` (m, 3) holds all members of all families; ``family`` (m,) numbers them;
    ``square`` (m,) is abs(F)^2. ``spot`` (m,) numbers the directions: harmonics share one.
    ``attenuation`` (k,) is in 1/um at ``energy`` (k,) in keV.
    """

    lattice_angstrom: float
    hkl: IntArray
    family: IntArray
    square: FloatArray
    spot: IntArray
    energy: FloatArray
    attenuation: FloatArray

    def attenuation_at(self, energy: FloatArray) -> FloatArray:
        """Attenuation, 1/um, at energies (n,) in keV."""
        return np.asarray(np.interp(energy, self.energy, self.attenuation))


def crystal_reflections(
    cif: Path,
    *,
    space_group: int,
    lattice_angstrom: float,
    highest_kev: float = 24.0,
    weakest: float = 1e-4,
) -> CrystalReflections:
    """Reflections of a cubic structure with at least the share ``weakest`` of the largest F^2."""
    most = int(2.0 * highest_kev * lattice_angstrom / HC_KEV_ANGSTROM)
    axis = np.arange(most + 1)
    h, k, m = (part.ravel() for part in np.meshgrid(axis, axis, axis, indexing="ij"))
    ordered = (h >= k) & (k >= m) & (h > 0) & (h**2 + k**2 + m**2 <= most**2)
    families = np.stack([h, k, m], axis=1)[ordered]
    families = families[allowed_reflections(space_group, families)]
    square = np.abs(structure_factors(cif, families, None)) ** 2
    strong = square > weakest * square.max()
    families, square = families[strong], square[strong]
    orders = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
    signs = np.array([[a, b, c] for a in (1, -1) for b in (1, -1) for c in (1, -1)])
    members = np.concatenate([families[:, list(order)] for order in orders])
    numbers = np.tile(np.arange(len(families)), len(orders))
    everything = (members[:, None, :] * signs).reshape(-1, 3)
    hkl, first = np.unique(everything, axis=0, return_index=True)
    family = np.repeat(numbers, len(signs))[first]
    primitive = hkl // np.gcd.reduce(hkl, axis=1)[:, None]
    spot = np.unique(primitive, axis=0, return_inverse=True)[1].ravel()
    energy = np.arange(4.0, highest_kev + 0.1, 0.05)
    return CrystalReflections(
        lattice_angstrom=lattice_angstrom,
        hkl=hkl.astype(np.int64),
        family=family,
        square=square[family],
        spot=spot,
        energy=energy,
        attenuation=attenuation_coefficient(cif, energy),
    )
