"""Rings are chosen by what a grain shows on them."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.hedm.ring_choice import (
    reflection_strengths,
    rings_in_reach,
    rings_of_materials,
    strongest_rings,
)
from mesolith.instrument.ring_coverage import ring_coverage
from mesolith.materials.loader import load_material
from mesolith.virtual.hedm.station import Station
from tests.hedm.virtual_station import instrument_of

MATERIAL = load_material("LLZTO-I-43d")
INSTRUMENT = instrument_of(Station())


def _squares(**asked: int | None) -> list[int]:
    (phase,) = rings_of_materials(
        MATERIAL,
        None,
        INSTRUMENT,
        **({"first_ring": 1, "count": None, "strongest": 5, "strain": 2.5e-3} | asked),
    )
    return [int((phase.hkl[phase.ring == row][0] ** 2).sum()) for row in range(len(phase.spacing))]


def test_the_strongest_reflections_of_garnet_are_those_of_its_heavy_atoms() -> None:
    # {400}, {420}, {422}, {642} and {800}: La and Zr scatter in phase
    assert _squares() == [16, 20, 24, 56, 64]


def test_rings_that_nobody_sees_are_left_out() -> None:
    # {310} and {332} are among the seven inner ones
    assert {10, 22} <= set(_squares(count=7, strongest=60))
    assert not {10, 22} & set(_squares(strongest=12))


def test_a_number_of_rings_bounds_the_choice_and_a_first_ring_starts_it() -> None:
    assert _squares(count=7, strongest=60) == [6, 8, 10, 14, 16, 20, 22]
    assert _squares(first_ring=5, count=4, strongest=3) == [16, 20, 24]
    assert _squares(first_ring=5, count=2) == [16, 20]


def test_rings_beyond_the_detector_are_not_chosen() -> None:
    near = rings_in_reach(MATERIAL, INSTRUMENT, first_ring=1, count=None)
    covered = ring_coverage(INSTRUMENT, near.spacing)
    assert covered[-1] >= 0.5
    far = instrument_of(Station(distance=3.0 * Station().distance))
    fewer = rings_in_reach(MATERIAL, far, first_ring=1, count=None)
    assert 0 < len(fewer.spacing) < len(near.spacing)
    assert ring_coverage(far, fewer.spacing)[-1] >= 0.5


def test_rings_that_strain_could_exchange_are_left_out() -> None:
    rings = rings_in_reach(MATERIAL, INSTRUMENT, first_ring=1, count=None)
    far, near = (
        strongest_rings(rings, MATERIAL, INSTRUMENT, strongest=16, strain=strain)
        for strain in (2.5e-3, 1.5e-2)
    )
    assert len(near.spacing) < len(far.spacing) == 16
    assert np.diff(np.log(near.spacing)).max() < -2.0 * 1.5e-2


def test_strengths_go_with_structure_and_lorentz_factors() -> None:
    rings = rings_in_reach(MATERIAL, INSTRUMENT, first_ring=1, count=7)
    strength = reflection_strengths(rings, MATERIAL, INSTRUMENT)
    assert np.argmax(strength) == 4  # {400}
    assert strength[2] < 0.05 * strength[4]  # {310}


def test_a_second_phase_has_its_own_strongest_rings_in_the_same_reach() -> None:
    one, two = rings_of_materials(
        MATERIAL,
        load_material("LLZTO-Ia-3d"),
        INSTRUMENT,
        first_ring=1,
        count=8,
        strongest=4,
        strain=2.5e-3,
    )
    assert len(one.spacing) == len(two.spacing) == 4
    assert two.spacing.min() == pytest.approx(one.spacing.min(), rel=0.01)
