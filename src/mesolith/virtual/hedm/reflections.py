"""Reflections of a virtual crystal, ring by ring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np

from mesolith.crystal.structure_factors import structure_factors
from mesolith.errors import InvalidValueError
from mesolith.materials.loader import load_material
from mesolith.virtual.arrays import FloatArray, IntArray

MATERIALS = ("LLZTO-I-43d", "LLZTO-Ia-3d")  # of phase 0 and 1
FIRST_RINGS = ((2, 1, 1), (2, 2, 0), (3, 1, 0), (3, 2, 1), (4, 0, 0), (4, 2, 0), (3, 3, 2))


@dataclass(frozen=True, slots=True)
class Reflections:
    """Members of some families of a cubic crystal.

    ``hkl`` (m, 3) with Friedel mates; ``ring`` (m,) is the row of ``families``; ``strength``
    (phases, m) scales the intensity, one row a phase; 0 where a phase lacks the reflection.
    """

    families: tuple[tuple[int, int, int], ...]
    hkl: IntArray
    ring: IntArray
    strength: FloatArray


def reflections_of(
    families: Sequence[tuple[int, int, int]] = FIRST_RINGS,
    *strengths: Sequence[float],
) -> Reflections:
    """All signs and permutations of the families.

    ``strengths`` are one number a family, for each of the phases; without any all are 1.
    """
    rows = list(strengths) or [[1.0] * len(families)]
    for row in rows:
        if len(row) != len(families):
            raise InvalidValueError(f"{len(row)} strengths for {len(families)} families")
    members = [_members(family) for family in families]
    ring = np.repeat(np.arange(len(families)), [len(one) for one in members])
    return Reflections(
        families=tuple((int(h), int(k), int(m)) for h, k, m in families),
        hkl=np.array([hkl for one in members for hkl in one], dtype=np.int64),
        ring=ring,
        strength=np.array(rows, dtype=np.float64)[:, ring],
    )


def real_strengths(
    families: Sequence[tuple[int, int, int]], *, phase: int = 0, energy_kev: float = 76.2
) -> list[float]:
    """Counts of one spot of each family relative to {400}, at eta = 90 deg.

    abs(F)^2 from the library's CIF of the phase (0: I-43d, 1: Ia-3d), mean of Friedel mates,
    over sin(2 theta), at small angles over sqrt(h^2 + k^2 + l^2).
    """
    hkl = np.array([*families, (4, 0, 0)], dtype=np.int64)
    square = sum(intensities_of(phase, sign * hkl, energy_kev) for sign in (1, -1))
    counts = square / np.sqrt((hkl**2).sum(axis=1))
    return [float(value) for value in counts[:-1] / counts[-1]]


def intensities_of(phase: int, hkl: IntArray, energy_kev: float) -> FloatArray:
    """abs(F)^2 of reflections (m, 3) of a phase, from its CIF in the library."""
    return np.abs(structure_factors(load_material(MATERIALS[phase]).cif, hkl, energy_kev)) ** 2


def _members(family: tuple[int, int, int]) -> list[tuple[int, ...]]:
    signs = list(product((1, -1), repeat=3))
    return sorted(
        {
            tuple(s * index for s, index in zip(sign, order, strict=True))
            for order in permutations(family)
            for sign in signs
        }
    )
