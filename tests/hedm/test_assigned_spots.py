"""Spots of grains in files of MIDAS and HEXRD, by their own rules and a measured file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesolith.axes import FloatArray
from mesolith.hedm.indexed import IndexedLayer, grain_map_from_indexed, index_spots
from mesolith.hedm.program_files import assigned_spots, write_program_files
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import laboratory_from_pixels
from mesolith.instrument.station import station_calibration
from mesolith.io.assigned_spots import AssignedSpots
from mesolith.io.hexrd_instrument import read_hexrd_instrument
from mesolith.io.hexrd_spots import write_hexrd_spots
from mesolith.io.instrument_formats import read_instrument
from mesolith.io.numbers import text_lines
from mesolith.records.spots import Spots
from tests.hedm.virtual_layers import SETTINGS, UPRIGHT, layer, llzo

HEIGHT = 150.0  # of the layer in the sample


@pytest.fixture(scope="module")
def shown() -> tuple[Spots, IndexedLayer]:
    spots = layer(3, 4).spots
    return spots, index_spots(spots, UPRIGHT, (llzo(),), SETTINGS)


def facing(instrument: Instrument) -> Instrument:
    """The same panel with rows running down, as HEXRD has them."""
    panel = instrument.panels[0]
    return replace(
        instrument, panels=(replace(panel, rotation=panel.rotation @ np.diag([1.0, -1.0, -1.0])),)
    )


def table(path: Path) -> FloatArray:
    lines = [line for line in text_lines(path) if not line.startswith(("#", "%"))]
    return np.array([[float(word) for word in line.split()] for line in lines])


def write(
    folder: Path, program: str, shown: tuple[Spots, IndexedLayer], instrument: Instrument
) -> tuple[list[Path], AssignedSpots]:
    spots, found = shown
    grains = grain_map_from_indexed(found.grains, volume=1e8)
    grains = replace(grains, position=grains.position + np.array([0.0, 0.0, HEIGHT]))
    paths, left_out = write_program_files(
        folder,
        "a_",
        program,
        grain_map=grains,
        station=station_calibration(instrument, None, source="detector file"),
        spots=spots,
        assignment=found.assignment,
        height=HEIGHT,
    )
    assert left_out == []
    return paths, assigned_spots(spots, found.assignment, grains, height=HEIGHT)


def test_midas_takes_each_spot_to_where_it_was_recorded(
    tmp_path: Path, shown: tuple[Spots, IndexedLayer]
) -> None:
    paths, own = write(tmp_path, "midas", shown, UPRIGHT)
    rows = table(tmp_path / "a_SpotMatrix.csv")
    assert rows.shape == (len(own), 12)
    assert rows[:, 0].astype(int).tolist() == own.grain_id.tolist()
    # pixels by MIDAS' own rule, with the numbers of the parameter file beside: (Lsd, (BC_y - Y)
    # px, (Z - BC_z) px), and the detector file as the reader takes it
    (detector,) = (path for path in paths if "detector" in path.name)
    words = {line.split()[0]: line.split()[1:] for line in detector.read_text().splitlines()}
    pitch, centre = float(words["px"][0]), [float(word) for word in words["BC"]]
    y, z = (centre[0] - rows[:, 3]) * pitch, (rows[:, 4] - centre[1]) * pitch
    assert rows[:, 8] == pytest.approx(y, abs=1e-3)
    assert rows[:, 9] == pytest.approx(z, abs=1e-3)
    assert rows[:, 6] == pytest.approx(np.rad2deg(np.arctan2(-y, z)), abs=1e-5)
    two_theta = np.arctan(np.hypot(y, z) / float(words["Lsd"][0]))
    assert rows[:, 10] == pytest.approx(np.rad2deg(two_theta) / 2.0, abs=1e-5)
    assert rows[:, 2] == pytest.approx(np.rad2deg(own.place[:, 2]), abs=1e-6)
    square = (own.hkl**2).sum(axis=1)
    for ring, length in enumerate((6, 8, 10, 14, 16, 20, 22)):
        assert np.all(rows[square == length, 7] == ring + 1)
    assert np.median(rows[:, 11]) < 2e-4
    panel = read_instrument(detector, shape=(2048, 2048)).instrument.panels[0]
    points = laboratory_from_pixels(panel, own.place[:, 0], own.place[:, 1])
    assert rows[:, 8:10] == pytest.approx(points[:, 1:], abs=1e-3)


def test_hexrd_lists_the_spots_of_each_grain(
    tmp_path: Path, shown: tuple[Spots, IndexedLayer]
) -> None:
    instrument = facing(UPRIGHT)
    _, own = write(tmp_path, "hexrd", shown, instrument)
    folder = tmp_path / "a_spots" / "panel"
    assert len(list(folder.iterdir())) == len(np.unique(own.grain_id)) == 3
    for grain in np.unique(own.grain_id):
        rows = table(folder / f"spots_{grain:05d}.out")
        here = np.flatnonzero(own.grain_id == grain)
        assert rows.shape == (len(here), 17)
        assert rows[:, 0].astype(int).tolist() == list(range(len(here)))
        # Bragg's angle of the reflection, whatever the grain's place and strain make of it
        d = 12.95 / np.sqrt((rows[:, 2:5] ** 2).sum(axis=1))
        bragg = 2.0 * np.arcsin(instrument.beam.wavelength / (2.0 * d))
        assert rows[:, 7] == pytest.approx(bragg, rel=2e-3)
        assert np.abs(rows[:, 10] - rows[:, 7]).max() < 1e-4
        # X to the right, Y up, mm; a grain off the axis is off by its place over the distance
        eta = np.arctan2(rows[:, 16], rows[:, 15])
        assert np.abs(np.sin(eta - rows[:, 11])).max() < 0.02
        assert rows[:, 12] == pytest.approx(own.place[here, 2], abs=1e-12)
        assert rows[:, 9] == pytest.approx(own.predicted[here, 2], abs=1e-12)


@pytest.mark.data
def test_the_angles_are_those_of_a_measured_file(
    tmp_path: Path, measured: Callable[[str], Path]
) -> None:
    """HEXRD's own X and Y, taken for recorded places, give HEXRD's own angles."""
    place = measured("hedm/hexrd_single_GE")
    rows = np.array(
        [row for row in table(place / "results/RUBY_SWEEP_0/spots_00000.out") if row[0] >= 0]
    )
    rows = rows[np.isfinite(rows[:, 10])]
    instrument = read_hexrd_instrument(place / "include/ge_detector.yml").instrument
    panel, count = instrument.panels[0], len(rows)
    fast = 1000.0 * rows[:, 13] / panel.pitch[1] + (panel.shape[1] - 1) / 2.0
    slow = (panel.shape[0] - 1) / 2.0 - 1000.0 * rows[:, 14] / panel.pitch[0]
    where = np.column_stack([fast, slow, rows[:, 12]])
    zeros = np.zeros(count, dtype=np.int64)
    spots = AssignedSpots(
        zeros, zeros, rows[:, 2:5].astype(np.int64), zeros, zeros, where, where,
        np.zeros((count, 3)), rows[:, 5], rows[:, 6],
    )  # fmt: skip
    (path,) = write_hexrd_spots(tmp_path, spots, instrument)
    again = table(path)
    assert again[:, 15:17] == pytest.approx(rows[:, 13:15], abs=1e-9)
    # to a tenth of a pixel at 1 m: its geometry was refined on since
    assert again[:, 10] == pytest.approx(rows[:, 10], abs=6e-5)
    assert np.abs(np.sin(again[:, 11] - rows[:, 11])).max() < 1e-3
