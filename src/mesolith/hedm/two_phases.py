"""Families of reflections of two crystals on one lattice, and how strongly each shows them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.polymorphs import families_of_two
from mesolith.crystal.reflections import equivalent_reflections
from mesolith.crystal.structure_factors import structure_factors
from mesolith.errors import InvalidValueError
from mesolith.materials.loader import Material

_ALIKE = 0.02  # relative difference of lattice parameters up to which lattices are one
_TELLING = 1.5  # strengths that differ by such a factor tell by being there
_HC = 12.398419843320026  # keV angstrom


@dataclass(frozen=True, slots=True)
class TwoPhases:
    """Two phases on one lattice.

    ``families`` (f, 3) and ``spacing`` (f,) in angstrom name the families that either allows;
    ``strength`` (2, f) is abs(F)^2, mean of mates, electrons squared, 0 where a phase lacks the
    family. ``hkl`` (h, 3) are all members and ``family`` (h,) the family of each.
    """

    names: tuple[str, str]
    families: IntArray
    spacing: FloatArray
    strength: FloatArray
    hkl: IntArray
    family: IntArray

    @property
    def telling(self) -> NDArray[np.bool_]:
        """Families (f,) that one phase lacks, or shows so much more weakly that it may."""
        low, high = self.strength.min(axis=0), self.strength.max(axis=0)
        return np.asarray(high > _TELLING * low)

    @property
    def only_first(self) -> NDArray[np.bool_]:
        """Families (f,) that the second phase lacks."""
        return np.asarray(self.strength[1] <= 0.0)


def share_a_lattice(one: Material, other: Material) -> bool:
    """Whether two materials have lattices so alike that each indexes as the other."""
    near = bool(np.all(np.abs(other.lattice / one.lattice - 1.0) < _ALIKE))
    try:
        families_of_two(one.space_group, other.space_group, one.lattice, 0.5 * one.lattice[0])
    except InvalidValueError:
        return False
    return near and one.space_group != other.space_group


def two_phases(one: Material, other: Material, *, wavelength: float, d_min: float) -> TwoPhases:
    """Families down to ``d_min`` (angstrom) of two materials that share a lattice.

    Strengths are those of the CIF of each at the ``wavelength`` (angstrom).
    """
    found = families_of_two(one.space_group, other.space_group, one.lattice, d_min)
    families = np.array([row.hkl for row in found], dtype=np.int64).reshape(-1, 3)
    strength = np.zeros((2, len(families)))
    for row, material in enumerate((one, other)):
        allowed = np.array([entry.allowed[row] for entry in found], dtype=np.bool_)
        for sign in (1, -1):
            factors = structure_factors(material.cif, sign * families, _HC / wavelength)
            strength[row] += 0.5 * np.where(allowed, np.abs(factors) ** 2, 0.0)
    members = [
        equivalent_reflections(one.space_group, (int(h), int(k), int(m))) for h, k, m in families
    ]
    return TwoPhases(
        names=(one.name, other.name),
        families=families,
        spacing=np.array([row.spacing for row in found]),
        strength=strength,
        hkl=np.concatenate(members) if members else np.empty((0, 3), dtype=np.int64),
        family=np.repeat(np.arange(len(families)), [len(member) for member in members]),
    )
