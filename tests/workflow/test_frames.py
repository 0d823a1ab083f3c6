"""From frames to a grain map by a cell file, and what `check` says of frames it cannot use."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from mesolith.cli.main import main
from mesolith.errors import ContradictionError
from mesolith.experiment import load_experiment
from mesolith.hedm.frames_layers import files_by_layer
from mesolith.instrument.instrument import Instrument
from mesolith.io.record_file import read_record
from mesolith.records.grains import GrainMap
from mesolith.techniques import all_techniques
from mesolith.virtual.hedm.fragments import Fragments
from mesolith.workflow.plan import make_plan
from tests.hedm.frame_cell import STATION, write_frame_cell

Said = tuple[int, str]


@dataclass(frozen=True)
class Recorded:
    folder: Path
    lit: Fragments


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("frames") / "cell"
    return Recorded(folder, write_frame_cell(folder))


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def run(*words: object) -> Said:
        capsys.readouterr()
        code = main([str(word) for word in words])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def test_frames_lead_to_the_grains_that_the_beam_lit(
    recorded: Recorded, said: Callable[..., Said]
) -> None:
    wanted = ["hedm.read", "frames.instrument"]
    only = [word for step in wanted for word in ("--only", step)]
    code, text = said("run", *only, "--workers", "1", recorded.folder)
    assert code == 0, text
    plan = make_plan(load_experiment(recorded.folder / "cell.toml", all_techniques()), only=wanted)
    parts = {part.step: part for part in plan.graph}

    def record_of(step: str) -> Path:
        return Path(plan.store.require(parts[step].key).folder) / "record.h5"

    found = read_record(record_of("hedm.read"), GrainMap)
    (panel,) = read_record(record_of("frames.instrument"), Instrument).panels
    # as calibrated on a handful of grains: the distance to some 180 um, tilts to 0.2 mrad
    assert panel.origin == pytest.approx(STATION.panel_origin, abs=700.0)
    assert panel.rotation == pytest.approx(STATION.panel_axes, abs=1e-3)
    diameter = 2.0 * np.cbrt(3.0 * recorded.lit.volume / (4.0 * np.pi))
    distance, row = cKDTree(found.position).query(recorded.lit.position)
    large = diameter > 35.0
    assert large.sum() >= 5
    assert np.all(distance[large] < 15.0)
    # no grain is invented or found twice
    assert len(found) <= len(diameter)
    assert len(np.unique(row[large])) == large.sum()
    ratio = 2.0 * found.radius[row[large]] / diameter[large]
    assert np.all((ratio > 0.8) & (ratio < 1.3))
    assert np.all(np.abs(found.lattice[:, :3] - 12.945) < 0.02)


def test_check_opens_the_frames(recorded: Recorded, said: Callable[..., Said]) -> None:
    code, text = said("check", recorded.folder)
    assert code == 0
    assert "frame-cache; 360 frames of 512 x 512; omega -180 to 180 deg" in text


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('detector = "raw/detector.txt"', "", "frames do not say where the detector stood"),
        ("raw/detector.txt", "raw/other.txt", "the file raw/other.txt does not exist"),
        ("raw/detector.txt", "raw/half.txt", "panel detector of the detector file has 256 x 512"),
        (
            'files = ["raw/scan.npz"]',
            'files = ["raw/scan.npz"], layer_z_um = [0, 100]',
            "1 files of frames for 2 layers",
        ),
    ],
)
def test_frames_that_cannot_be_used_are_told(
    recorded: Recorded, tmp_path: Path, said: Callable[..., Said], old: str, new: str, words: str
) -> None:
    folder = Path(
        shutil.copytree(recorded.folder, tmp_path / "cell", ignore=lambda *_: {".mesolith"})
    )
    detector = (folder / "raw" / "detector.txt").read_text(encoding="utf-8")
    half = detector.replace("NrPixelsZ 512", "NrPixelsZ 256")
    assert half != detector
    (folder / "raw" / "half.txt").write_text(half, encoding="utf-8")
    text = (folder / "cell.toml").read_text(encoding="utf-8")
    assert old in text
    (folder / "cell.toml").write_text(text.replace(old, new), encoding="utf-8")
    code, told = said("check", folder)
    assert code in (2, 3)
    assert words in told


def test_files_are_shared_out_over_layers() -> None:
    files = [Path(f"{k}.ge3") for k in range(6)]
    assert files_by_layer(files, [-100.0, 0.0, 100.0], "a") == [files[:2], files[2:4], files[4:]]
    with pytest.raises(ContradictionError, match="the same height"):
        files_by_layer(files, [0.0, 0.0], "a")
