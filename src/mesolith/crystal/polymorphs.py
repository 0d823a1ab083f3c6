"""Reflections by which two space groups on one lattice differ, and claims about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.crystal.reflections import allowed_reflections, equivalent_reflections, rings
from mesolith.crystal.symmetry import space_group_of
from mesolith.errors import InvalidValueError


@dataclass(frozen=True, slots=True)
class FamilyOfTwo:
    """A family of reflections that at least one of two space groups allows.

    ``spacing`` is d in angstrom; ``allowed`` says for the first and the second group whether it
    allows the family.
    """

    hkl: tuple[int, int, int]
    spacing: float
    allowed: tuple[bool, bool]


@dataclass(frozen=True, slots=True)
class Claim:
    """Whether a family can mark one space group against another.

    ``claimed`` and ``other`` are the numbers of members that the two groups allow, out of
    ``members``; ``holds`` where the first allows some and the other none; ``sentence`` says so.
    """

    claimed: int
    other: int
    members: int
    holds: bool
    sentence: str


def families_of_two(one: int, other: int, lattice: FloatArray, d_min: float) -> list[FamilyOfTwo]:
    """Families with d of at least ``d_min`` that one of two space groups allows, largest d first.

    ``lattice`` (6,) is a b c (angstrom), alpha beta gamma (rad), common to both. The groups must
    have one Laue class, so that a family has the same members in both (`InvalidValueError`).
    """
    probe = (5, 3, 1)
    if not np.array_equal(equivalent_reflections(one, probe), equivalent_reflections(other, probe)):
        raise InvalidValueError(
            f"space groups {one} and {other} differ in their Laue class",
            remedy="Crystals of different classes are told apart by their rings.",
        )
    found: dict[tuple[int, int, int], list[float | bool]] = {}
    for column, group in enumerate((one, other)):
        for spacing, families in rings(group, lattice, d_min):
            for family in families:
                entry = found.setdefault(family, [spacing, False, False])
                entry[1 + column] = True
    rows = [
        FamilyOfTwo(family, float(entry[0]), (bool(entry[1]), bool(entry[2])))
        for family, entry in found.items()
    ]
    return sorted(rows, key=lambda row: (-row.spacing, row.hkl))


def claim_of_a_family(hkl: tuple[int, int, int], claimed: int, other: int) -> Claim:
    """Whether the family of ``hkl`` tells space group ``claimed`` from ``other``, by symmetry.

    Dixit 2022 (Nature Materials 21, 1298) names {141} a unique reflection of Ia-3d (230)
    against I-43d (220); hhl needs 2h + l = 4n in both, so both lack it. Members are those that
    the Laue class of ``claimed`` makes equivalent.
    """
    members = equivalent_reflections(claimed, hkl)
    counts = [int(allowed_reflections(group, members).sum()) for group in (claimed, other)]
    names = [f"{space_group_of(group).hm} (no. {group})" for group in (claimed, other)]
    family = "{" + "".join(str(abs(index)) for index in hkl) + "}"
    holds = counts[0] > 0 and counts[1] == 0
    if holds:
        verdict = f"{names[0]} allows {family}, {names[1]} does not: it marks {names[0]}"
    elif counts[0] == 0 and counts[1] == 0:
        verdict = (
            f"{family} is systematically absent in {names[0]} and in {names[1]}: it marks neither"
        )
    elif counts[0] == 0:
        verdict = f"{names[1]} allows {family}, {names[0]} does not: it marks {names[1]}"
    else:
        verdict = f"{names[0]} and {names[1]} both allow {family}: it marks neither"
    return Claim(counts[0], counts[1], len(members), holds, verdict)
