"""A detector that moved between two states looks like a strain of all grains, and is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesolith.hedm import frames_drift
from mesolith.hedm.calibrate_grains import best_matches, calibrate_from_grains
from mesolith.hedm.calibrate_spots import dilation_spread, grain_spots
from mesolith.hedm.frames_index import ASSIGNMENT
from mesolith.hedm.indexed import IndexedLayer, grain_map_from_indexed, index_spots
from mesolith.hedm.station_drift import drift_sentences, station_drift
from mesolith.instrument.station import StationCalibration, station_calibration
from mesolith.io.record_file import write_record
from mesolith.link.balance import reference_from_equilibrium
from mesolith.link.balance_remarks import remarks_on
from mesolith.link.track import track_grains
from mesolith.materials.loader import load_material
from mesolith.pipeline.work import Source, Work, read_remarks
from mesolith.records.grains import GrainMap
from mesolith.records.reference import Reference
from mesolith.records.spots import Spots
from mesolith.virtual.hedm.grains import CrystalGrains, random_grains
from mesolith.virtual.hedm.reflections import reflections_of
from mesolith.virtual.hedm.spot_lists import SpotPlan, measure_spots
from mesolith.virtual.hedm.station import Station
from tests.hedm.virtual_layers import SETTINGS, UPRIGHT, llzo

MOVED = 100.0  # um


def indexed(
    grains: CrystalGrains, seed: int, *, moved: float, aside: float = 0.0
) -> tuple[Spots, IndexedLayer]:
    """Spots and grains of a state, all with the station of the first."""
    station = Station(distance=Station().distance + moved, centre=(aside, 0.0))
    rng = np.random.default_rng(seed)
    spots = measure_spots(grains, reflections_of(), station, SpotPlan(), rng).spots
    return spots, index_spots(spots, UPRIGHT, (llzo(),), SETTINGS)


@pytest.fixture(scope="module")
def states() -> dict[str, tuple[Spots, IndexedLayer]]:
    grains = random_grains(np.random.default_rng(5), 60)
    # the mean lattice is the reference's, as a calibration takes it
    grains = replace(grains, strain=grains.strain - grains.strain.mean(axis=0))
    return {
        "pristine": indexed(grains, 1, moved=0.0),
        "steady": indexed(grains, 2, moved=0.0),
        "moved": indexed(grains, 3, moved=MOVED, aside=30.0),
    }


def map_of(state: tuple[Spots, IndexedLayer]) -> GrainMap:
    return grain_map_from_indexed(state[1].grains, volume=np.pi * 800.0**2 * 100.0)


def calibrated(state: tuple[Spots, IndexedLayer]) -> StationCalibration:
    """The station as the first state's own grains confirm it."""
    matches = best_matches(grain_spots(state[1]))
    found = calibrate_from_grains(
        UPRIGHT, state[0], matches, dilation=dilation_spread(matches)
    ).calibration
    return station_calibration(UPRIGHT, found, source="grains", tied=True)


def balanced(maps: list[GrainMap]) -> Reference:
    return reference_from_equilibrium(
        ("pristine", "plating"),
        maps,
        materials=[load_material("LLZTO-I-43d")],
        trackings=[track_grains(*maps)],
        pressure=np.zeros(2),
    )


def test_a_detector_that_moved_is_told_and_widens_the_stresses(
    states: dict[str, tuple[Spots, IndexedLayer]],
) -> None:
    pristine = map_of(states["pristine"])
    steady = balanced([pristine, map_of(states["steady"])])
    moved = balanced([pristine, map_of(states["moved"])])
    relative = MOVED / Station().distance
    assert steady.drift_sigma == 0.0
    # of two states d apart the standard deviation is d over the root of two
    assert moved.drift_sigma == pytest.approx(relative / np.sqrt(2.0), rel=0.25)
    assert moved.dilatation_se[0] > relative / 4.0
    (told,) = [r.text for r in remarks_on(moved) if "drifted" in r.text]
    assert "distance, energy or temperature drifted between states" in told
    assert not [r for r in remarks_on(steady) if "drifted" in r.text]


def test_grains_tell_that_the_detector_of_their_state_moved(
    states: dict[str, tuple[Spots, IndexedLayer]],
) -> None:
    known = replace(calibrated(states["pristine"]), state="pristine, layer 1")
    drift = station_drift(known, *states["moved"])
    assert drift is not None
    change = dict(zip(drift.name, drift.change, strict=True))
    error = dict(zip(drift.name, drift.error, strict=True))
    assert change["shift_y"] == pytest.approx(30.0, abs=3.0 * error["shift_y"])
    assert change["distance"] == pytest.approx(MOVED, abs=20.0)
    told = drift_sentences(drift, known)
    assert len(told) == 1
    assert "moved since pristine, layer 1" in told[0]
    assert "shift_y +30 +- " in told[0]
    still = station_drift(known, *states["steady"])
    assert still is not None
    assert drift_sentences(still, known) == []
    # lattices scatter by 5e-4 here, so 60 grains know their mean to 5e-5 only and the distance is
    # left to tracked grains; thousands know it to 5e-6
    assert error["distance"] > 50.0
    far = drift.name.index("distance")
    sure = replace(drift, error=np.where(np.arange(6) == far, 4.0, drift.error))
    (_, second) = drift_sentences(sure, known)
    assert f"or a detector that moved by {drift.change[far]:+.0f} +- 4 um" in second


def test_the_step_says_so_of_every_state_but_its_own(
    tmp_path: Path, states: dict[str, tuple[Spots, IndexedLayer]]
) -> None:
    known = replace(calibrated(states["pristine"]), state="pristine, layer 1")
    folders = {name: tmp_path / name for name in ("spots", "index", "calibrate")}
    for folder in folders.values():
        folder.mkdir()
    spots, layer = states["moved"]
    write_record(folders["spots"] / "record.h5", spots)
    write_record(folders["index"] / "record.h5", layer.grains)
    write_record(folders["index"] / ASSIGNMENT, layer.assignment)
    write_record(folders["calibrate"] / "record.h5", known)
    for label, count in (("pristine", 0), ("plating", 1)):
        place = tmp_path / label
        place.mkdir()
        inputs = {f"frames.{name}": (Source(label, path),) for name, path in folders.items()}
        frames_drift.compute(Work("frames.drift", label, {}, inputs, place))
        told = read_remarks(place)
        assert len(told) == count
        assert all("moved since pristine, layer 1" in remark.text for remark in told)
