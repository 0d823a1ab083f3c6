"""A detector that moved between two states looks like a strain of all grains, and is told."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.hedm.indexed import grain_map_from_indexed, index_spots
from mesolith.link.balance import reference_from_equilibrium
from mesolith.link.balance_remarks import remarks_on
from mesolith.link.track import track_grains
from mesolith.materials.loader import load_material
from mesolith.records.grains import GrainMap
from mesolith.records.reference import Reference
from mesolith.virtual.hedm.grains import CrystalGrains, random_grains
from mesolith.virtual.hedm.reflections import reflections_of
from mesolith.virtual.hedm.spot_lists import SpotPlan, measure_spots
from mesolith.virtual.hedm.station import Station
from tests.hedm.virtual_layers import SETTINGS, UPRIGHT, llzo

MOVED = 100.0  # um


def indexed(grains: CrystalGrains, seed: int, *, moved: float) -> GrainMap:
    """Grains of a state, all with the station of the first."""
    station = Station(distance=Station().distance + moved)
    rng = np.random.default_rng(seed)
    spots = measure_spots(grains, reflections_of(), station, SpotPlan(), rng).spots
    found = index_spots(spots, UPRIGHT, (llzo(),), SETTINGS)
    return grain_map_from_indexed(found.grains, volume=np.pi * 800.0**2 * 100.0)


def balanced(maps: list[GrainMap]) -> Reference:
    return reference_from_equilibrium(
        ("pristine", "plating"),
        maps,
        materials=[load_material("LLZTO-I-43d")],
        trackings=[track_grains(*maps)],
        pressure=np.zeros(2),
    )


def test_a_detector_that_moved_is_told_and_widens_the_stresses() -> None:
    grains = random_grains(np.random.default_rng(5), 80)
    pristine = indexed(grains, 1, moved=0.0)
    steady = balanced([pristine, indexed(grains, 2, moved=0.0)])
    moved = balanced([pristine, indexed(grains, 3, moved=MOVED)])
    relative = MOVED / Station().distance
    assert steady.drift_sigma == 0.0
    # of two states d apart the standard deviation is d over the root of two
    assert moved.drift_sigma == pytest.approx(relative / np.sqrt(2.0), rel=0.25)
    assert moved.dilatation_se[0] > relative / 4.0
    (told,) = [r.text for r in remarks_on(moved) if "drifted" in r.text]
    assert "distance, energy or temperature drifted between states" in told
    assert not [r for r in remarks_on(steady) if "drifted" in r.text]
