"""Reflection conditions of the garnet polymorphs: the ring table, and the missing {141}."""

from __future__ import annotations

import numpy as np

from mesolith.crystal.reflections import allowed_reflections, equivalent_reflections, rings

CUBE = np.array([12.95, 12.95, 12.95, *[np.pi / 2] * 3])


def _names(group: int, d_min: float) -> str:
    return " ".join(
        "+".join("".join(str(index) for index in family) for family in families)
        for _, families in rings(group, CUBE, d_min)
    )


def test_rings_of_the_majority_polymorph() -> None:
    expected = "211 220 310 321 400 420 332 422 431+510 521 440 530"
    assert _names(220, 2.2) == expected


def test_rings_of_the_minority_polymorph() -> None:
    assert _names(230, 2.28) == "211 220 321 400 420 332 422 431 521 440"


def test_fourth_to_seventh_ring_are_those_of_i43d() -> None:
    assert _names(220, 2.2).split()[3:7] == ["321", "400", "420", "332"]


def test_spacings_follow_from_the_lattice() -> None:
    found = rings(220, CUBE, 2.2)
    squares = [sum(index**2 for index in families[0]) for _, families in found]
    expected = [12.95 / np.sqrt(square) for square in squares]
    assert np.allclose([d for d, _ in found], expected, rtol=1e-12)


def test_141_is_absent_in_both_polymorphs_and_allowed_in_the_tetragonal_one() -> None:
    family = np.array([[1, 4, 1], [4, 1, 1], [1, 1, 4]])
    assert not allowed_reflections(220, family).any()
    assert not allowed_reflections(230, family).any()
    assert allowed_reflections(142, family).tolist() == [True, True, False]


def test_the_supergroup_allows_nothing_that_the_subgroup_lacks() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(-8, 9)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    majority, minority = allowed_reflections(220, grid), allowed_reflections(230, grid)
    assert not (minority & ~majority).any()
    only = np.sort(np.abs(grid[majority & ~minority]), axis=1)
    # 0kl with k and l odd
    assert np.all(only[:, 0] == 0)
    assert np.all(only[:, 1:] % 2 == 1)
    assert {(1, 3), (1, 5), (3, 5), (1, 7), (3, 7)} <= {tuple(row) for row in only[:, 1:].tolist()}


def test_equivalent_reflections_with_their_mates() -> None:
    assert len(equivalent_reflections(220, (3, 2, 1))) == 48
    assert equivalent_reflections(1, (1, 2, 3)).tolist() == [[-1, -2, -3], [1, 2, 3]]
