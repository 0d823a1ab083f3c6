"""Frames that cannot be right, from the file to what the user is told: file, place and remedy."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mesolith.cli.main import main
from mesolith.errors import ContradictionError, DuplicateError, EmptyFileError
from mesolith.hedm import frames_calibrate, frames_index, frames_spots
from mesolith.hedm.agreement import reversed_rotation
from mesolith.hedm.frames_layers import INSTRUMENT
from mesolith.hedm.frames_settings import Settings
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.station import StationCalibration
from mesolith.io.frames_ge import write_ge
from mesolith.io.midas_instrument import write_midas_instrument
from mesolith.io.record_file import read_record, write_record
from mesolith.pipeline.work import Source, Work
from mesolith.records.spots import Spots
from mesolith.virtual.hedm.station import Station
from tests.hedm.virtual_layers import UPRIGHT, A, instrument_of, layer, rows_of

SIZE, FRAMES = 64, 16
CELL = """
[cell]
name = "frames"
stack = "Li|LLZO|Li"
diameter_um = 1600.0
thickness_um = 240.0

[electrolyte]
material = "LLZTO-I-43d"

[clock]
cycler = { zone = "UTC", offset_s = 0.0 }

[frames]
detector = "raw/detector.txt"
MORE

[[state]]
name = "pristine"
frames = { files = FILES, omega_start_deg = 0.0, omega_step_deg = 0.5 }
"""
Said = Callable[..., tuple[int, str]]


def _noise(frames: int = FRAMES) -> np.ndarray:
    return np.random.default_rng(0).poisson(40.0, (frames, SIZE, SIZE)).astype(np.uint16)


def _stack(path: Path, frames: np.ndarray, omega: np.ndarray | None = None) -> None:
    with h5py.File(path, "w") as file:
        file["entry/data"] = frames
        if omega is not None:
            file["entry/omega"] = omega


@pytest.fixture
def cell(tmp_path: Path) -> Callable[..., Path]:
    """A cell of noise, and the detector that sees all seven rings."""

    def made(more: str = "", files: tuple[str, ...] = ("raw/scan_1.h5",)) -> Path:
        raw = tmp_path / "cell" / "raw"
        raw.mkdir(parents=True, exist_ok=True)
        for number in (1, 2, 3):
            if not (raw / f"scan_{number}.h5").exists():
                _stack(raw / f"scan_{number}.h5", _noise())
        station = Station(shape=(SIZE, SIZE), pitch=6400.0)
        write_midas_instrument(raw / "detector.txt", instrument_of(station))
        text = CELL.replace("MORE", more).replace("FILES", json.dumps(list(files)))
        (raw.parent / "cell.toml").write_text(text, encoding="utf-8")
        return raw.parent

    return made


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    def run(*words: object) -> tuple[int, str]:
        capsys.readouterr()
        code = main([str(word) for word in words])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def test_a_good_cell_of_frames_passes(cell: Callable[..., Path], said: Said) -> None:
    code, text = said("check", cell())
    assert code == 0, text


def test_files_that_are_missing_or_listed_twice(cell: Callable[..., Path], said: Said) -> None:
    code, text = said("check", cell(files=("raw/scan_1.h5", "raw/scan_3.h5")))
    assert code == 3
    assert "1 files are missing: number 3 follows 1" in text
    assert "scan_3.h5" in text
    code, text = said("check", cell(files=("raw/scan_2.h5", "raw/scan_1.h5")))
    assert code == 3
    assert "file number 1 follows 2" in text


@pytest.mark.parametrize(
    ("omega", "words"),
    [
        (np.delete(0.5 * np.arange(FRAMES + 2), [5, 6]), "2 frames are missing"),
        (np.r_[0.5 * np.arange(FRAMES - 1), 1.0], "before frame"),
    ],
)
def test_angles_that_are_missing_or_come_twice(
    omega: np.ndarray, words: str, cell: Callable[..., Path], said: Said
) -> None:
    folder = cell()
    _stack(folder / "raw" / "scan_1.h5", _noise(), omega)
    text = (folder / "cell.toml").read_text(encoding="utf-8")
    plain = text.replace(", omega_start_deg = 0.0, omega_step_deg = 0.5", "")
    (folder / "cell.toml").write_text(plain, encoding="utf-8")
    code, told = said("check", folder)
    assert code == 3
    assert words in told
    assert "scan_1.h5" in told


def test_a_truncated_file(cell: Callable[..., Path], said: Said) -> None:
    folder = cell(files=("raw/scan.ge3",))
    path = folder / "raw" / "scan.ge3"
    write_ge(path, _noise())
    path.write_bytes(path.read_bytes()[:-SIZE])
    code, text = said("check", folder)
    assert code == 3
    assert "scan.ge3" in text
    assert "15" in text
    assert "--allow-partial" in text


@pytest.mark.parametrize("name", ["dark", "mask", "calibrant"])
def test_an_image_of_another_size_is_named(
    name: str, cell: Callable[..., Path], said: Said
) -> None:
    folder = cell(more=f'{name} = "raw/other.h5"')
    _stack(folder / "raw" / "other.h5", _noise(2)[:, :-4])
    code, text = said("check", folder)
    assert code == 3
    assert "raw/other.h5" in text
    assert "60 x 64 pixels" in text
    assert "of this detector and binning" in text


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (
            "first_ring = 40\nrings = 7",
            0,
            "1.202 angstrom) lies outside the detector: 4 rings are seen",
        ),
        ("rings = 60", 0, "ring 44 to 60 of LLZTO-I-43d"),
        ("first_ring = 50", 3, "raw/detector.txt: ring 50 to 56 of LLZTO-I-43d"),
        ('calibrate = "rings"', 3, "no frame of a calibrant is given"),
        ('calibrate_on = "plated"', 2, "there is no state 'plated'"),
    ],
)
def test_settings_that_the_frames_contradict(
    more: str, code: int, words: str, cell: Callable[..., Path], said: Said
) -> None:
    found, text = said("check", cell(more=more))
    assert (found, words in text) == (code, True), text


def test_frames_without_a_peak_end_with_what_to_do(cell: Callable[..., Path], said: Said) -> None:
    code, text = said("run", "--only", "frames.index", "--workers", "1", cell())
    assert code == 3
    assert "no spot stands out of the noise" in text
    assert "pristine, layer 1" in text
    assert "Was the shutter open" in text


# the steps alone, on spots of a layer


def _settings(**given: Any) -> dict[str, Any]:
    plain = Settings()
    found = {f"frames.{name}": getattr(plain, name) for name in Settings.__slots__}
    found |= {
        "state.frames": {"omega_start_deg": 0.0, "omega_step_deg": 0.5},
        "electrolyte.material": "LLZTO-I-43d",
        "electrolyte.second_phase": None,
        "cell.diameter_um": 1600.0,
    }
    return found | {f"frames.{name}": value for name, value in given.items()}


def _calibrated(folder: Path, spots: Spots, instrument: Instrument = UPRIGHT, **given: Any) -> Work:
    """A part of frames.calibrate on these spots, ready to compute."""
    (folder / "spots").mkdir(exist_ok=True)
    (folder / "out").mkdir(exist_ok=True)
    write_record(folder / "spots" / "record.h5", spots)
    write_record(folder / "spots" / INSTRUMENT, instrument)
    return Work(
        "frames.calibrate",
        "pristine",
        _settings(**given),
        {"frames.spots": (Source("pristine", folder / "spots"),)},
        folder / "out",
    )


def _remarks(folder: Path) -> str:
    return (folder / "remarks.json").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def spots() -> Spots:
    return layer(20, 8, Station(wedge=math.radians(0.05))).spots


def test_the_step_calibrates_and_says_so(spots: Spots, tmp_path: Path) -> None:
    work = _calibrated(tmp_path, spots)
    frames_calibrate.compute(work)
    record = read_record(work.folder / "record.h5", StationCalibration)
    after = dict(zip(record.name, record.after, strict=True))
    assert after["wedge"] == pytest.approx(math.radians(0.05), abs=math.radians(0.003))
    assert record.state == "pristine, layer 1"
    told = _remarks(work.folder)
    assert "wedge 0.0000 to 0.0" in told
    assert "known only together" in told


def test_omega_the_wrong_way_is_said_before_and_after_calibration(
    spots: Spots, tmp_path: Path
) -> None:
    work = _calibrated(tmp_path, reversed_rotation(spots))
    with pytest.raises(ContradictionError, match="turned against omega") as caught:
        frames_calibrate.compute(work)
    assert caught.value.where == "pristine, layer 1"
    assert "Reverse the sign of omega" in str(caught.value)
    # taken as the detector file says, indexing notices
    plain = _calibrated(tmp_path, reversed_rotation(spots), calibrate="none")
    frames_calibrate.compute(plain)
    (tmp_path / "grains").mkdir()
    index = Work(
        "frames.index",
        "pristine",
        plain.settings,
        {**plain.inputs, "frames.calibrate": (Source("pristine", plain.folder),)},
        tmp_path / "grains",
        {"layer": 0},
    )
    with pytest.raises(ContradictionError, match="the sign of omega is wrong") as caught:
        frames_index.compute(index)
    assert caught.value.where == "pristine, layer 1"


def test_a_wrong_lattice_or_distance_is_said_by_how_much(spots: Spots, tmp_path: Path) -> None:
    far = instrument_of(Station(distance=2.189e6 * 1.03, wedge=math.radians(0.05)))
    with pytest.raises(ContradictionError, match=r"all d are \+3\.\d\d% off") as caught:
        frames_calibrate.compute(_calibrated(tmp_path, spots, far))
    assert caught.value.where == "pristine, layer 1"
    assert "the detector stands at 218" in str(caught.value.remedy)
    assert f"{1.03 * A / 12.945:.2f}" in str(caught.value.remedy)


def test_too_few_spots_leave_the_detector_file_and_a_warning(spots: Spots, tmp_path: Path) -> None:
    work = _calibrated(tmp_path, rows_of(spots, np.arange(0, len(spots), 50)))
    frames_calibrate.compute(work)
    record = read_record(work.folder / "record.h5", StationCalibration)
    assert record.source == "detector file"
    assert np.array_equal(record.before, record.after)
    assert "the detector file is taken as it is" in _remarks(work.folder)


def test_no_spots_are_said_where_they_are_missed(spots: Spots, tmp_path: Path) -> None:
    none = rows_of(spots, np.arange(0))
    with pytest.raises(EmptyFileError, match="no spot stands out") as caught:
        frames_calibrate.compute(_calibrated(tmp_path, none))
    assert caught.value.where == "pristine, layer 1"


def _searched(folder: Path, frames: np.ndarray, **given: Any) -> Work:
    raw = folder / "raw"
    raw.mkdir(exist_ok=True)
    (folder / "out").mkdir(exist_ok=True)
    _stack(raw / "scan.h5", frames)
    station = Station(shape=(SIZE, SIZE), pitch=6400.0)
    write_midas_instrument(raw / "detector.txt", instrument_of(station))
    return Work(
        "frames.spots",
        "pristine",
        _settings(**given),
        {
            "raw": (Source("pristine", raw / "scan.h5"),),
            "frames.detector": (Source("detector", raw / "detector.txt"),),
        },
        folder / "out",
        {"layer": 0},
    )


def test_a_frame_that_was_written_twice(tmp_path: Path) -> None:
    frames = _noise()
    frames[7] = frames[6]
    with pytest.raises(DuplicateError, match=r"frame 7 .* is bit for bit frame 6") as caught:
        frames_spots.compute(_searched(tmp_path, frames))
    assert "scan.h5" in str(caught.value)
    assert caught.value.remedy


def test_a_saturated_ring_reaches_the_remarks(tmp_path: Path) -> None:
    frames = _noise().astype(np.int64)
    row, column = np.indices((SIZE, SIZE)) - SIZE / 2.0
    ring = np.abs(np.hypot(row, column) - 20.0) < 1.0
    frames[:, ring] = 15_800 + np.arange(FRAMES)[:, None]
    work = _searched(tmp_path, frames.astype(np.uint16), saturation=15_800.0)
    frames_spots.compute(work)
    told = json.loads(_remarks(work.folder))
    (warning,) = (one for one in told if one["level"] == "warning" and "saturated" in one["text"])
    assert f"{int(ring.sum())} pixels" in warning["text"]
    assert warning["where"].startswith("pristine")
