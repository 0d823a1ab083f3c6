"""Grains and detectors for other programs, read back through the house's own readers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesolith.axes import FloatArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.errors import InputError, InvalidValueError, SettingsError
from mesolith.hedm.exports import write_hexrd_folder, write_imaged11_folder, write_midas_folder
from mesolith.hedm.indexed import grain_map_from_indexed
from mesolith.hedm.program_files import (
    write_detector_files,
    write_grain_files,
    write_program_files,
)
from mesolith.instrument.goniometer import Goniometer
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.predict import predict_spots
from mesolith.instrument.station import StationCalibration, station_calibration
from mesolith.io.grain_file import GrainErrors
from mesolith.io.hexrd import grain_map_from_hexrd, read_hexrd
from mesolith.io.imaged11 import grain_map_from_ubi, read_grains_h5, read_ubi
from mesolith.io.instrument_formats import read_instrument
from mesolith.io.midas import read_midas
from mesolith.io.midas_h5 import read_midas_h5
from mesolith.numerics.rotations import matrix_from_quaternion, random_quaternions
from mesolith.records.cell import Cell, State
from mesolith.records.grains import GrainMap
from mesolith.records.spots import Spots
from tests.hedm.layers import station
from tests.hedm.test_indexed import CUBIC, grains_of
from tests.hedm.virtual_layers import layer

ERRORS = GrainErrors()
CROOKED = Goniometer(0.02, 0.0)


@pytest.fixture(scope="module")
def grain_map() -> GrainMap:
    rng = np.random.default_rng(2)
    turn = matrix_from_quaternion(random_quaternions(rng, 6))
    strain = rng.normal(0.0, 1e-3, (6, 3, 3))
    vectors = (np.eye(3) + strain + strain.swapaxes(1, 2)) @ turn @ basis_from_lattice(CUBIC)
    indexed = grains_of(vectors, np.tile(np.eye(12), (6, 1, 1)))
    found = grain_map_from_indexed(indexed, volume=6e6)
    object.__setattr__(found, "position", rng.normal(0.0, 300.0, (6, 3)))
    return found


def _midas(path: Path, _: GrainMap) -> GrainMap:
    return read_midas(path).grain_map


def _midas_h5(path: Path, _: GrainMap) -> GrainMap:
    return read_midas_h5(path, errors=ERRORS).grain_map


def _ubi(path: Path, own: GrainMap) -> GrainMap:
    read = read_grains_h5 if path.suffix == ".h5" else read_ubi
    return grain_map_from_ubi(
        read(path), path, phases=own.phases, radius=own.radius[0], errors=ERRORS
    ).grain_map


def _hexrd(path: Path, own: GrainMap) -> GrainMap:
    return grain_map_from_hexrd(
        read_hexrd(path), path, phases=own.phases, radius=own.radius[0], errors=ERRORS
    ).grain_map


READERS: list[tuple[str, str, Callable[[Path, GrainMap], GrainMap], float]] = [
    ("midas", "a_Grains.csv", _midas, 1e-5),  # six decimals
    ("midas", "a_grains.h5", _midas_h5, 1e-12),
    ("imaged11", "a_grains.map", _ubi, 1e-12),
    ("imaged11", "a_grains.h5", _ubi, 1e-12),
    ("hexrd", "a_grains.out", _hexrd, 1e-12),
]


def _vectors(grain_map: GrainMap) -> FloatArray:
    return matrix_from_quaternion(grain_map.orientation) @ basis_from_lattice(grain_map.lattice)


@pytest.mark.parametrize(("program", "name", "read", "tolerance"), READERS)
def test_grains_come_back_on_the_axes_of_the_detector_file(
    grain_map: GrainMap,
    tmp_path: Path,
    program: str,
    name: str,
    read: Callable[[Path, GrainMap], GrainMap],
    tolerance: float,
) -> None:
    """With the lean of the stage in the file beside them, as `read_instrument` tells it."""
    instrument = station(wedge=0.02)
    # HEXRD's panels face the sample
    mirror = np.diag([1.0, -1.0, -1.0])
    panel = instrument.panels[0]
    object.__setattr__(panel, "rotation", panel.rotation @ mirror)
    paths, left_out = write_program_files(
        tmp_path,
        "a_",
        program,
        grain_map=grain_map,
        station=station_calibration(instrument, None, source="detector file"),
        beam_height=100.0,
    )
    assert left_out == []
    assert tmp_path / name in paths
    (detector,) = (path for path in paths if "detector" in path.name)
    described = read_instrument(detector, shape=(2048, 2048))
    found = read(tmp_path / name, grain_map)
    # the readers know the static axes; the lean is left
    lean = described.sample_axes @ _static(program).T
    assert np.allclose(found.position @ lean.T, grain_map.position, atol=tolerance * 300.0)
    assert np.allclose(lean @ _vectors(found), _vectors(grain_map), atol=tolerance * 30.0)
    assert np.array_equal(np.sort(found.grain_id), np.arange(6))
    assert not np.allclose(_vectors(found), _vectors(grain_map), atol=0.01)


def _static(program: str) -> FloatArray:
    from mesolith.axes import FRAME_BY_FORMAT

    return np.array(FRAME_BY_FORMAT[program])


@pytest.mark.parametrize("kind", ["hexrd", "imaged11", "midas", "poni"])
def test_a_written_detector_puts_spots_where_they_were(
    grain_map: GrainMap, tmp_path: Path, kind: str
) -> None:
    instrument = station(
        wedge=0.001 if kind != "poni" else 0.0, tilt_x=0.002, tilt_y=-0.003, shift_z=400.0
    )
    panel = instrument.panels[0]
    object.__setattr__(panel, "rotation", panel.rotation @ np.diag([1.0, -1.0, -1.0]))
    (path,) = write_detector_files(tmp_path, "", instrument, kind)
    other = read_instrument(path, shape=(2048, 2048)).instrument
    hkl = np.array([[4.0, 0.0, 0.0], [3.0, 2.0, 1.0], [-2.0, 1.0, 1.0]])
    ours, theirs = (
        predict_spots(one, _vectors(grain_map), grain_map.position, hkl)
        for one in (instrument, other)
    )
    for name in ("fast", "slow", "omega"):
        one, two = getattr(ours, name), getattr(theirs, name)
        assert np.allclose(one, two, atol=1e-6, equal_nan=True), name


def test_a_cell_is_exported_as_a_folder(grain_map: GrainMap, tmp_path: Path) -> None:
    """Grains read from files stay on the axes they came on; those of frames lean with the stage."""
    station_record = station_calibration(station(wedge=0.02), None, source="detector file")
    spots = layer(2, 4).spots
    read = replace(grain_map, error_source="given")
    of_frames = {GrainMap: lambda: grain_map, Spots: lambda: replace(spots, panel_name=("flat",))}
    cell = Cell(
        "a",
        {},
        (State("pristine", 0, {}, of_frames), State("plating 1", 1, {}, {GrainMap: lambda: read})),
        {StationCalibration: lambda: station_record},
    )
    folder = tmp_path / "imaged11"
    write_imaged11_folder(cell, folder)
    names = {path.name for path in folder.iterdir()}
    assert {"0_pristine_grains.map", "0_pristine_detector.par", "0_pristine_peaks.flt"} <= names
    assert "1_plating_1_grains.map" in names
    assert "1_plating_1_detector.par" not in names
    first, second = (
        _ubi(folder / f"{stem}_grains.map", grain_map) for stem in ("0_pristine", "1_plating_1")
    )
    assert np.allclose(_vectors(second), _vectors(grain_map))
    assert not np.allclose(_vectors(first), _vectors(grain_map), atol=0.01)
    for write, name in ((write_midas_folder, "Grains.csv"), (write_hexrd_folder, "grains.out")):
        write(cell, tmp_path / name)
        assert (tmp_path / name / f"1_plating_1_{name}").is_file()
    told = (tmp_path / "grains.out" / "left_out.txt").read_text(encoding="utf-8")
    assert told.startswith("pristine: the detector file of hexrd is not written")
    with pytest.raises(InputError, match="has no grain map to export"):
        write_midas_folder(Cell("b", {}, ()), tmp_path / "none")


def test_what_a_program_has_no_word_for_is_said(grain_map: GrainMap, tmp_path: Path) -> None:
    instrument: Instrument = station()  # its frames are stored as seen along the beam
    _, left_out = write_program_files(
        tmp_path,
        "",
        "hexrd",
        grain_map=grain_map,
        station=station_calibration(instrument, None, source="detector file"),
    )
    assert "the detector file of hexrd is not written" in left_out[0]
    with pytest.raises(InvalidValueError, match="HEXRD's detectors face the sample"):
        write_detector_files(tmp_path, "", instrument, "hexrd")
    with pytest.raises(SettingsError, match="no detector file is called 'xds'"):
        write_detector_files(tmp_path, "", instrument, "xds")
    with pytest.raises(SettingsError, match="cannot be written for 'xds'"):
        write_grain_files(tmp_path, "", grain_map, "xds")
