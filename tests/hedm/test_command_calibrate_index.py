"""``mesolith hedm calibrate`` and ``index``: from files to a detector file and to grains."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from mesolith.cli.main import main
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.hedm.agreement import reversed_rotation
from mesolith.instrument.station import StationCalibration, station_parameters
from mesolith.io.frames_hdf5 import write_frame_stack
from mesolith.io.imaged11 import read_ubi
from mesolith.io.imaged11_peaks import read_flt, write_flt
from mesolith.io.instrument_formats import read_instrument
from mesolith.io.midas import read_midas
from mesolith.io.midas_instrument import write_midas_instrument
from mesolith.io.record_file import read_record, write_record
from mesolith.records.indexed import IndexedGrains, SpotAssignment
from mesolith.virtual.hedm.calibrant import calibrant_frame
from mesolith.virtual.hedm.station import Station
from tests.hedm.virtual_layers import UPRIGHT, instrument_of, layer, rows_of

CROOKED = Station(tilt=(0.0015, -0.001, 0.002), wedge=0.0009, centre=(150.0, -100.0))
GRAINS = 25
COARSE = {"shape": (512, 512), "pitch": 800.0}
SAMPLE = ("--material", "LLZTO-I-43d", "--beam-height-um", "100")


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Spots of grains whose mean lattice is the library's, and a nominal detector file."""
    folder = tmp_path_factory.mktemp("station")
    spots = layer(GRAINS, 5, CROOKED, false=0.02).spots
    write_record(folder / "spots.h5", spots)
    write_flt(folder / "peaks.flt", spots, UPRIGHT.panels[0])
    write_midas_instrument(folder / "nominal.txt", UPRIGHT)
    return folder


def test_calibrate_and_index_from_spots(
    raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["hedm", "calibrate", raw / "spots.h5", "--detector", raw / "nominal.txt", *SAMPLE]
    assert main([str(word) for word in [*words, "--output", tmp_path / "cal"]]) == 0
    told = capsys.readouterr().out
    assert "parameter" in told.splitlines()[0]
    assert "known only together" in told
    station = read_record(tmp_path / "cal" / "station.h5", StationCalibration)
    written = read_instrument(tmp_path / "cal" / "detector.txt").instrument
    true = station_parameters(instrument_of(CROOKED))
    for name, after, error in zip(station.name, station.after, station.error, strict=True):
        assert station_parameters(written)[name] == pytest.approx(after, abs=1e-6)
        if name in ("shift_y", "tilt_x", "tilt_y", "tilt_z", "wedge"):
            assert abs(after - true[name]) < 4.0 * error

    words = ["hedm", "index", raw / "peaks.flt", "--detector", tmp_path / "cal" / "detector.txt"]
    words += [*SAMPLE, "--output", tmp_path / "out", "--export", "midas", "imaged11"]
    assert main([str(word) for word in words]) == 0
    told = capsys.readouterr().out
    assert f"grains: {GRAINS}, on 9" in told
    grains = read_record(tmp_path / "out" / "grains.h5", IndexedGrains)
    assignment = read_record(tmp_path / "out" / "assignment.h5", SpotAssignment)
    assert len(grains) == GRAINS
    assert len(assignment) == grains.spots.sum()
    midas = read_midas(tmp_path / "out" / "midas" / "Grains.csv").grain_map
    assert np.allclose(midas.position, grains.position, atol=2.0)  # the lean of the stage
    ubi = read_ubi(tmp_path / "out" / "imaged11" / "grains.map")
    lengths = np.linalg.norm(np.array([grain.ubi for grain in ubi]), axis=2)
    assert np.allclose(lengths, np.linalg.norm(grains.lattice_vectors, axis=1), rtol=1e-9)
    peaks = read_flt(tmp_path / "out" / "imaged11" / "peaks.flt").spots
    assert len(peaks) == len(read_flt(raw / "peaks.flt").spots)
    assert (tmp_path / "out" / "grains.csv").read_text(encoding="utf-8").count("\n") == GRAINS + 1
    basis = basis_from_lattice(grains.phases.lattice[0])
    assert np.allclose(np.linalg.det(grains.lattice_vectors), np.linalg.det(basis), rtol=0.01)


def test_calibrate_from_a_powder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    true = Station(tilt=(0.0, -0.006, 0.008), centre=(900.0, -1400.0), **COARSE)  # type: ignore[arg-type]
    raw = tmp_path / "raw"
    raw.mkdir()
    frame = calibrant_frame(true, np.random.default_rng(1))
    write_frame_stack(raw / "ceria.h5", frame[None], np.array([[0.0, 0.01]]))
    nominal = instrument_of(Station(**COARSE))  # type: ignore[arg-type]
    write_midas_instrument(raw / "nominal.txt", nominal)
    words = ["hedm", "calibrate", raw / "ceria.h5", "--detector", raw / "nominal.txt"]
    words += ["--calibrant", "CeO2", "--output", tmp_path / "cal", "--format", "poni"]
    assert main([str(word) for word in words]) == 0
    told = capsys.readouterr().out
    assert "points on rings" in told
    assert "roll and wedge are not seen by rings" in told
    found = station_parameters(read_instrument(tmp_path / "cal" / "detector.poni").instrument)
    wanted = station_parameters(instrument_of(true))
    assert found["distance"] == pytest.approx(wanted["distance"], abs=60.0)
    assert found["shift_z"] == pytest.approx(wanted["shift_z"], abs=15.0)


def test_frames_are_searched_before_they_are_indexed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Frames without a spot end as frames without a spot."""
    (tmp_path / "raw").mkdir()
    rng = np.random.default_rng(0)
    frames = rng.poisson(40.0, (12, 64, 64)).astype(np.uint16)
    with h5py.File(tmp_path / "raw" / "scan.h5", "w") as file:
        file["entry/data"] = frames
    small = instrument_of(Station(shape=(64, 64), pitch=6400.0))
    write_midas_instrument(tmp_path / "raw" / "nominal.txt", small)
    words = ["hedm", "index", tmp_path / "raw" / "scan.h5", *SAMPLE, "--output", tmp_path / "out"]
    words += ["--detector", tmp_path / "raw" / "nominal.txt"]
    angles = ["--omega-start-deg", "0", "--omega-step-deg", "0.1"]
    assert main([str(word) for word in words]) == 3
    assert "angles of its 12 frames are not known" in capsys.readouterr().err
    assert main([str(word) for word in [*words, *angles]]) == 3
    error = capsys.readouterr().err
    assert "no spot stands out of the noise" in error or "belongs to a grain" in error
    assert "scan.h5" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("action", "words", "code", "message"),
    [
        ("calibrate", (), 2, "either --calibrant or --material"),
        ("calibrate", (*SAMPLE, "--hold", "x"), 2, "'x' is nothing that is fitted"),
        ("calibrate", ("--material", "LLZO"), 3, "no material is called 'LLZO'"),
        ("calibrate", (*SAMPLE, "--format", "hexrd"), 3, "HEXRD's detectors face the sample"),
        ("index", (*SAMPLE, "--first-ring", "0"), 2, "are none"),
        ("index", (*SAMPLE, "--first-ring", "60"), 3, "falls onto the detector"),
        ("index", (*SAMPLE, "--completeness", "-1"), 2, "--completeness -1 cannot be"),
    ],
)
def test_mistakes_on_the_command_line(
    action: str,
    words: tuple[str, ...],
    code: int,
    message: str,
    raw: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = ["hedm", action, str(raw / "spots.h5"), "--detector", str(raw / "nominal.txt"), *words]
    assert main([*line, "--output", str(tmp_path / "out")]) == code
    printed = capsys.readouterr()
    assert message in printed.err
    assert not (tmp_path / "out").exists()


def test_files_that_do_not_fit_are_refused_by_name(
    raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(spots: Path, *more: str, code: int = 3) -> str:
        line = ["hedm", "index", str(spots), "--detector", str(raw / "nominal.txt"), *SAMPLE]
        assert main([*line, "--output", str(tmp_path / "out"), *more]) == code
        return capsys.readouterr().err

    assert "no such file" in said(raw / "absent.h5")
    assert "this is no file of spots" in said(raw / "nominal.txt")
    assert "beside the raw data" in said(raw / "spots.h5", "--output", str(raw))
    spots = layer(GRAINS, 5).spots
    turned = tmp_path / "turned" / "spots.h5"
    turned.parent.mkdir()
    write_record(turned, reversed_rotation(spots))
    error = said(turned, "--calibrate")
    assert "turned against omega" in error
    assert str(turned) in error
    assert "Reverse the sign of omega" in error
    write_record(turned, rows_of(spots, np.arange(0)))
    assert "no spot stands out of the noise" in said(turned)
