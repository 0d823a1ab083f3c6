"""Rings of a phase as indexing takes them."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.hedm.phase_rings import phase_rings, reflection_table

CUBIC = np.array([12.95, 12.95, 12.95, *[np.pi / 2] * 3])


def test_the_first_seven_rings_of_the_garnet() -> None:
    phase = phase_rings("LLZO", 220, CUBIC, count=7)
    assert np.bincount(phase.ring).tolist() == [24, 12, 24, 48, 6, 24, 24]
    squares = np.sum(phase.hkl**2, axis=1)
    assert np.unique(squares).tolist() == [6, 8, 10, 14, 16, 20, 22]
    assert np.allclose(12.95 / np.sqrt(squares), phase.spacing[phase.ring])
    half = {tuple(row) for row in phase.hkl[phase.half].tolist()}
    assert len(half) == 81
    assert not any(tuple(-k for k in row) in half for row in half)


def test_rings_by_families_and_by_spacing_are_the_same() -> None:
    named = phase_rings("LLZO", 220, CUBIC, families=[(3, 2, 1), (4, 0, 0), (4, 2, 0), (3, 3, 2)])
    assert np.allclose(named.spacing, 12.95 / np.sqrt([14, 16, 20, 22]))
    down = phase_rings("LLZO", 220, CUBIC, d_min=12.95 / np.sqrt(22.5))
    assert np.allclose(down.spacing[3:], named.spacing)


def test_what_the_group_forbids_is_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"\(3, 1, 0\)"):
        phase_rings("LLZO", 230, CUBIC, families=[(3, 1, 0)])
    with pytest.raises(InvalidValueError, match="which rings"):
        phase_rings("LLZO", 220, CUBIC)


def test_phases_side_by_side() -> None:
    one, two = phase_rings("a", 220, CUBIC, count=2), phase_rings("b", 229, CUBIC, count=1)
    table = reflection_table((one, two))
    assert table.rings == 3
    assert table.hkl.shape == (2, 36, 3)
    assert np.all(table.ring[1, :12] == 2)
    assert not table.hkl[1, 12:].any()
