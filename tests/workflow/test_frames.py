"""From frames to a grain map by a cell file, and what `check` says of frames it cannot use."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from mesolith.axes import IntArray
from mesolith.cli.main import main
from mesolith.errors import ContradictionError
from mesolith.experiment import load_experiment
from mesolith.hedm.frames_layers import files_by_layer
from mesolith.instrument.instrument import Instrument
from mesolith.io.record_file import read_record
from mesolith.records.grains import GrainMap
from mesolith.records.indexed import IndexedGrains
from mesolith.records.layer_finds import LayerFinds
from mesolith.techniques import all_techniques
from mesolith.virtual.hedm.fragments import Fragments
from mesolith.workflow.plan import make_plan
from tests.hedm.frame_cell import MIDDLES, STATION, write_frame_cell

Said = tuple[int, str]


@dataclass(frozen=True)
class Recorded:
    folder: Path
    lit: tuple[Fragments, ...]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("frames") / "cell"
    return Recorded(folder, tuple(write_frame_cell(folder)))


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def run(*words: object) -> Said:
        capsys.readouterr()
        code = main([str(word) for word in words])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def owners(found: IndexedGrains, lit: Fragments) -> IntArray:
    """Whole grain whose lit part each find of a layer is; every find is one."""
    distance, row = cKDTree(lit.position).query(found.position)
    assert np.all(distance < 20.0)  # a few um, of the faintest a third of their size
    assert len(np.unique(row)) == len(row)
    return np.asarray(lit.grain[row])


def test_frames_of_two_layers_lead_to_whole_grains(
    recorded: Recorded, said: Callable[..., Said]
) -> None:
    code, text = said("run", "--workers", "1", recorded.folder)
    assert code == 0, text
    plan = make_plan(load_experiment(recorded.folder / "cell.toml", all_techniques()))

    def of_step(step: str) -> list[Path]:
        keys = [part.key for part in plan.graph if part.step == step]
        return [Path(plan.store.require(key).folder) / "record.h5" for key in keys]

    # as calibrated on a handful of grains, and the beam's middle by their volumes
    (panel,) = read_record(of_step("frames.instrument")[0], Instrument).panels
    assert panel.origin[0] == pytest.approx(STATION.distance, abs=100.0)
    assert panel.origin[1:] == pytest.approx([0.0, 0.0], abs=2.0)
    assert panel.rotation == pytest.approx(STATION.panel_axes, abs=5e-4)

    # each layer: what is large is found within its errors, and nothing is invented
    owner = []
    for file, lit in zip(of_step("frames.index"), recorded.lit, strict=True):
        grains = read_record(file, IndexedGrains)
        owner.append(owners(grains, lit))
        row = np.array([int(np.flatnonzero(lit.grain == k)[0]) for k in owner[-1]])
        large = lit.diameter > 35.0
        assert large.sum() >= 10
        assert np.isin(lit.grain[large], owner[-1]).all()
        off = (grains.position - lit.position[row])[lit.diameter[row] > 35.0]
        assert np.all(np.sqrt(np.mean(off**2, axis=0)) < 3.0)

    # grains that the border cuts, and only those, are joined over it
    finds = read_record(of_step("frames.finds")[0], LayerFinds)
    whose = [owner[k][find] for k, find in zip(finds.layer, finds.layer_grain_id, strict=True)]
    both = np.intersect1d(*owner)
    assert len(both) >= 5
    assert sorted(np.array(whose)[finds.lower]) == sorted(np.array(whose)[finds.upper])
    assert sorted(np.array(whose)[finds.lower]) == both.tolist()
    assert finds.grains == len(finds) - len(both)

    # whole grains lie in the sample, where the middle of both lit parts is
    found = read_record(of_step("hedm.read")[0], GrainMap)
    assert len(found) == finds.grains
    for grain in both:
        rows = [int(np.flatnonzero(lit.grain == grain)[0]) for lit in recorded.lit]
        volume = np.array([lit.volume[k] for lit, k in zip(recorded.lit, rows, strict=True)])
        place = [
            lit.position[k] + [0.0, 0.0, middle]
            for lit, k, middle in zip(recorded.lit, rows, MIDDLES, strict=True)
        ]
        number = finds.grain_id[whose.index(grain)]
        row = int(np.flatnonzero(found.grain_id == number)[0])
        # parts below 35 um show a fifth of their reflections above the threshold of the frames
        faint = volume.min() < np.pi / 6.0 * 35.0**3
        middle = volume @ place / volume.sum()
        assert found.position[row] == pytest.approx(middle, abs=10.0 if faint else 3.0)
        assert found.radius[row] == pytest.approx(
            np.cbrt(3.0 * volume.sum() / (4.0 * np.pi)), rel=0.15
        )
    assert np.all(np.abs(found.lattice[:, :3] - 12.945) < 0.01)

    # what a reader is told, and shown
    report = (recorded.folder / "result" / "report.html").read_text(encoding="utf-8")
    for sentence in (
        f"{len(finds)} finds in 2 layers are {finds.grains} grains: {len(both)} pairs of parts",
        "two parts of a grain differ by",
        "the beam lit 83 % of the pellet",
        "layer at -50 um (1 of 2)",
        f"parts of {len(both)} grains that a border cuts",
    ):
        assert sentence in report, sentence
    tables = {file.name for file in (recorded.folder / "result" / "tables").iterdir()}
    assert {"rings.csv", "residuals.csv", "completeness.csv", "layers.csv"} <= tables
    code, text = said("export", "midas", recorded.folder)
    assert code == 0, text
    assert "0_pristine_SpotMatrix.csv" in text
    left_out = recorded.folder / "export" / "midas" / "left_out.txt"
    assert "layer at -50 um (1 of 2): its spots are written" in left_out.read_text("utf-8")


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
            "layer_z_um = [-50, 50]",
            "layer_z_um = [-50, 50, 150]",
            "2 files for 3 layers",
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
