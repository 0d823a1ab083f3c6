"""The demo's files: real formats that the readers take, the same bytes from the same seed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from mesolith.experiment.inspection import inspect_cell
from mesolith.io.midas import read_midas
from mesolith.io.truth_table import read_truth
from mesolith.io.zplot import read_zplot
from mesolith.techniques import all_techniques
from mesolith.virtual.cell import VirtualCell
from mesolith.virtual.demo import folder_name, write_demo
from mesolith.virtual.elasticity import isotropic_moduli
from mesolith.virtual.planted import Planted

STATES = ("pristine", "plating 1", "stripping 1", "plating 2", "stripping 2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("virtual") / "demo"
    write_demo(place, seed=5, preset="tiny")
    return place


def test_the_same_seed_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_demo(tmp_path, seed=5, preset="tiny")
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    again = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert files == again
    assert len(files) == 5 + 4 + 2 + 5 + 1
    for file in files:
        assert (folder / file).read_bytes() == (tmp_path / file).read_bytes()


def test_every_file_that_cell_toml_names_is_there(folder: Path) -> None:
    cell = tomllib.loads((folder / "cell.toml").read_text(encoding="utf-8"))
    assert [state["name"] for state in cell["state"]] == list(STATES)
    for state in cell["state"]:
        for key in ("grains", "cycling"):
            assert state[key]["files"]
            for file in state[key]["files"]:
                assert (folder / file).is_file()
        assert state["measured_at"].tzinfo is not None
    assert [state["after"]["current_ma_cm2"] for state in cell["state"][1:]] == [0.1, -0.1] * 2
    assert cell["cell"]["area_mm2"] == pytest.approx(np.pi / 4.0 * 0.38**2, rel=1e-5)


def test_check_finds_no_mistake(folder: Path) -> None:
    inspection = inspect_cell(folder / "cell.toml", all_techniques())
    assert inspection.mistakes == ()
    problems = [found.description.problems for found in inspection.files]
    assert len(problems) == 11
    assert not any(problems)


@pytest.mark.parametrize("state", STATES)
def test_truth_and_grain_list_belong_together(folder: Path, state: str) -> None:
    truth = read_truth(folder / "truth" / f"grains_{state}.csv")
    grains = read_midas(folder / "raw" / folder_name(state) / "Grains.csv").grain_map
    found = truth.found_id >= 0
    order = np.argsort(grains.grain_id)
    row = order[np.searchsorted(grains.grain_id[order], truth.found_id[found])]
    assert np.array_equal(grains.grain_id[row], truth.found_id[found])
    error = grains.position[row] - truth.position[found]
    assert error.std() == pytest.approx(6.0, rel=0.12)
    assert np.abs(error.mean(axis=0)).max() < 1.5
    assert (~found).sum() == round(0.03 * len(found))
    assert np.corrcoef(grains.radius[row], truth.radius[found])[0, 1] > 0.85


def test_impedance_of_the_failed_cell_is_low(folder: Path) -> None:
    pristine = read_zplot(folder / "raw" / "pristine.z")
    failed = read_zplot(folder / "raw" / "stripping2.z")
    assert failed.real.max() < 0.1 * pristine.real.max()
    assert len(pristine.frequency) == 50


def test_planted_effects_reach_the_files(folder: Path, tmp_path: Path) -> None:
    planted = Planted(trend_mpa=60.0, drift_mpa=30.0, soft_short=2)
    write_demo(tmp_path, seed=5, preset="tiny", planted=planted)

    def gain(state: str) -> tuple[np.ndarray, np.ndarray]:
        plain, other = (read_truth(p / "truth" / f"grains_{state}.csv") for p in (folder, tmp_path))
        return plain.position[:, 2], other.stress_hydrostatic - plain.stress_hydrostatic

    assert np.polyfit(*gain("stripping 2"), 1)[0] * 290.0 == pytest.approx(60.0, rel=0.02)
    # the noise is the same in both: what differs is the planted stress and the drift
    name = Path("raw") / folder_name("plating 2") / "Grains.csv"
    before, after = (
        read_midas(p / name).grain_map.lattice[:, :3].mean() for p in (folder, tmp_path)
    )
    cell = VirtualCell.draw(5, "tiny", planted=planted)
    stressed = gain("plating 2")[1].mean() / (3.0 * isotropic_moduli(cell.plan.stiffness_mpa)[0])
    assert after / before - 1.0 == pytest.approx(cell.drift[3] + stressed, abs=5e-7)
    assert abs(cell.drift[3]) > 1e-5
    record = Path("raw") / f"{folder_name('stripping 1')}.mpt"
    assert (folder / record).read_bytes() != (tmp_path / record).read_bytes()
