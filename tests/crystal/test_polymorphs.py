"""Which reflections tell two garnets apart, and what becomes of the claim about {141}."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.crystal.polymorphs import claim_of_a_family, families_of_two
from mesolith.errors import InvalidValueError

CUBE = np.array([12.95, 12.95, 12.95, *[np.pi / 2.0] * 3])


def test_only_0kl_with_both_odd_tells_the_garnets_apart() -> None:
    found = families_of_two(220, 230, CUBE, 12.95 / np.sqrt(58.5))
    alone = {family.hkl for family in found if family.allowed == (True, False)}
    assert alone == {(3, 1, 0), (5, 1, 0), (5, 3, 0), (7, 1, 0), (7, 3, 0)}
    assert not any(family.allowed == (False, True) for family in found)
    spacing = [family.spacing for family in found]
    assert spacing == sorted(spacing, reverse=True)
    # the paper's rings are common to both
    common = {family.hkl for family in found if family.allowed == (True, True)}
    assert {(3, 2, 1), (4, 0, 0), (4, 2, 0), (3, 3, 2)} <= common


def test_141_marks_neither_garnet() -> None:
    """Dixit 2022 takes it for a reflection of Ia-3d alone; both groups lack it."""
    claim = claim_of_a_family((1, 4, 1), 230, 220)
    assert (claim.claimed, claim.other, claim.members, claim.holds) == (0, 0, 24, False)
    assert "{141} is systematically absent in I a -3 d (no. 230) and in I -4 3 d" in claim.sentence
    # in the tetragonal garnet it is there, but not with the long axis last
    tetragonal = claim_of_a_family((1, 4, 1), 142, 220)
    assert tetragonal.holds
    assert tetragonal.claimed == tetragonal.members == 16
    assert not claim_of_a_family((1, 1, 4), 142, 220).holds


@pytest.mark.parametrize(
    ("hkl", "claimed", "other", "holds", "words"),
    [
        ((3, 1, 0), 220, 230, True, "it marks I -4 3 d"),
        ((3, 1, 0), 230, 220, False, "it marks I -4 3 d"),
        ((4, 0, 0), 230, 220, False, "both allow {400}: it marks neither"),
    ],
)
def test_claims(
    hkl: tuple[int, int, int], claimed: int, other: int, holds: bool, words: str
) -> None:
    claim = claim_of_a_family(hkl, claimed, other)
    assert claim.holds is holds
    assert words in claim.sentence


def test_groups_of_two_laue_classes_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="220 and 142 differ in their Laue class"):
        families_of_two(220, 142, CUBE, 3.0)
