"""``mesolith hedm peaks``: from files on disk to a file of spots."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mesolith.cli.main import main
from mesolith.io.frames_ge import write_ge
from mesolith.io.record_file import read_record
from mesolith.records.spots import Spots
from tests.hedm.peak_frames import expected, noisy, ring_background, spot_table

SHAPE = (160, 176)
ANGLES = ("--omega-start-deg", "-30", "--omega-step-deg", "0.1")


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    truth = spot_table([[8000, 60.3, 80.1, 15.2, 0.8, 0.8, 1.3]])
    path = tmp_path_factory.mktemp("raw") / "scan_00001.ge3"
    write_ge(path, noisy(expected(SHAPE, 30, truth, ring_background(SHAPE)), seed=0))
    return path


def test_spots_are_written(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out" / "spots.h5"
    words = ["hedm", "peaks", str(frames), "--output", str(output), *ANGLES, "--panel", "ff1"]
    assert main(words) == 0
    spots = read_record(output, Spots)
    best = int(np.argmax(spots.intensity))
    assert spots.fast[best] == pytest.approx(60.3, abs=0.1)
    assert np.rad2deg(spots.omega[best]) == pytest.approx(-30.0 + 1.57, abs=0.02)
    assert spots.panel_name == ("ff1",)
    told = capsys.readouterr().out
    assert "frames: 30 of 160 x 176, -30 to -27 deg" in told
    assert f"spots: {len(spots)}" in told


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (ANGLES[:2], 2, "without the other"),
        ((), 3, "angles of its 30 frames are not known"),
        ((*ANGLES, "--gain", "-1"), 2, "no number of counts"),
    ],
)
def test_mistakes(
    words: tuple[str, ...],
    code: int,
    message: str,
    frames: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "spots.h5"
    assert main(["hedm", "peaks", str(frames), "--output", str(output), *words]) == code
    assert message in capsys.readouterr().err
    assert not output.exists()


def test_nothing_is_written_beside_raw_data(
    frames: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = frames.parent / "spots.h5"
    assert main(["hedm", "peaks", str(frames), "--output", str(output), *ANGLES]) == 3
    assert "OutputPlaceError" in capsys.readouterr().err
    assert not output.exists()
