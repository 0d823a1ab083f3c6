"""A technique from a package outside joins everywhere, with no file of src changed."""

from __future__ import annotations

import csv
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from tests.examples.command import started

Command = Callable[..., str]
PACKAGE = Path(__file__).parent / "thermometer"
MEANS_DEGC = {"first": 25.5, "second": 30.25}

CELL = """
[cell]
name = "warm cell"
stack = "Li|LLZO|Li"
diameter_um = 1600.0
thickness_um = 900.0
area_mm2 = 2.011
plates_under_positive_current = "working"

[electrolyte]
material = "LLZTO-I-43d"

[clock]
cycler = { zone = "UTC", offset_s = 0.0 }
beamline = { zone = "UTC", offset_s = 0.0 }

[thermometer]
offset_k = 0.5

[[state]]
name = "first"
temperature = { files = ["raw/first.log"], format = "thermometer-log" }

[[state]]
name = "second"
temperature = { files = ["raw/second.log"], format = "thermometer-log" }
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for sys.path that holds the package as pip would have installed it."""
    site = tmp_path_factory.mktemp("site")
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    shutil.copytree(PACKAGE / "mesolith_thermometer", site / "mesolith_thermometer")
    info = site / f"mesolith_thermometer-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = ["[mesolith.techniques]"]
    entries = project["entry-points"]["mesolith.techniques"]
    lines += [f"{name} = {target}" for name, target in entries.items()]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return site


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    raw = folder / "raw"
    raw.mkdir()
    for day, (name, mean) in enumerate(MEANS_DEGC.items(), 1):
        # The thermometer of this story shows 0.5 K too much.
        rows = [f"{60 * k},{mean + 0.5 + 0.1 * (k % 3 - 1):.2f}" for k in range(9)]
        head = f"# thermometer log, started 2024-03-0{day}T09:00:00+00:00"
        text = "\n".join([head, "seconds,degree_celsius", *rows])
        (raw / f"{name}.log").write_text(text + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def mesolith(site: Path, project: Path) -> Command:
    """``mesolith("check")``: the command in a process that has the package on its path."""

    def run(*words: str, code: int = 0, folder: Path = project) -> str:
        done = started(["mesolith", *words], folder, PYTHONPATH=str(site))
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


@pytest.fixture(scope="module")
def analysed(mesolith: Command, project: Path) -> Path:
    (project / "cell.toml").write_text(CELL, encoding="utf-8")
    mesolith("run", "--workers", "1")
    return project / "result"


def test_new_recognises_its_files(mesolith: Command, tmp_path: Path, project: Path) -> None:
    mesolith("new", str(tmp_path / "fresh"), "--from", str(project / "raw"))
    written = tomllib.loads((tmp_path / "fresh" / "cell.toml").read_text(encoding="utf-8"))
    tables = [state["temperature"] for state in written["state"]]
    assert [Path(table["files"][0]).name for table in tables] == ["first.log", "second.log"]
    assert {table["format"] for table in tables} == {"thermometer-log"}


def test_check_knows_its_settings(mesolith: Command, analysed: Path, tmp_path: Path) -> None:
    mesolith("check")
    lines = CELL.replace("offset_k = 0.5", "offset_kk = 0.5").splitlines()
    (tmp_path / "cell.toml").write_text("\n".join(lines), encoding="utf-8")
    shutil.copytree(analysed.parent / "raw", tmp_path / "raw")
    said = mesolith("check", code=2, folder=tmp_path)
    assert f"cell.toml:{lines.index('offset_kk = 0.5') + 1}" in said
    assert "offset_k" in said.replace("offset_kk", "")


def test_explain_shows_unit_range_and_default(mesolith: Command) -> None:
    said = mesolith("explain", "thermometer.offset_k")
    assert "shows too much" in said
    assert "-20" in said


def test_the_record_reaches_cell_nxs(analysed: Path) -> None:
    means: list[float] = []

    def visit(name: str, item: object) -> None:
        if name.endswith("/mean") and isinstance(item, h5py.Dataset):
            assert item.attrs["units"] == "K"
            means.append(float(item[()]) - 273.15)

    with h5py.File(analysed / "cell.nxs") as file:
        file.visititems(visit)
    assert sorted(means) == pytest.approx(sorted(MEANS_DEGC.values()))


def test_the_figure_stands_in_the_report(analysed: Path) -> None:
    page = (analysed / "report.html").read_text(encoding="utf-8")
    assert "Temperature of each state" in page
    assert "Mean of all readings of a state" in page
    with (analysed / "tables" / "temperature.csv").open(encoding="utf-8") as file:
        rows = {row["state"]: float(row["temperature_degc"]) for row in csv.DictReader(file)}
    assert rows == pytest.approx(MEANS_DEGC)


def test_status_lists_its_step(mesolith: Command, analysed: Path) -> None:
    assert "thermometer.read" in mesolith("status")


def test_report_can_be_written_again(mesolith: Command, analysed: Path) -> None:
    (analysed / "report.html").unlink()
    mesolith("report")
    assert "Temperature of each state" in (analysed / "report.html").read_text(encoding="utf-8")


def test_export_writes_its_file(mesolith: Command, analysed: Path, tmp_path: Path) -> None:
    mesolith("export", "temperatures", "--to", str(tmp_path))
    with (tmp_path / "temperatures.csv").open(encoding="utf-8") as file:
        rows = {row["state"]: float(row["temperature_degc"]) for row in csv.DictReader(file)}
    assert rows == pytest.approx(MEANS_DEGC)


def test_a_setting_changes_only_what_hangs_on_it(mesolith: Command, analysed: Path) -> None:
    said = mesolith("run", "--dry-run")
    assert "thermometer.read" not in said or "nothing" in said.lower()
    cell = analysed.parent / "cell.toml"
    cell.write_text(CELL.replace("offset_k = 0.5", "offset_k = 0.75"), encoding="utf-8")
    said = mesolith("run", "--dry-run")
    assert "offset_k" in said
    assert "0.5" in said
    assert "0.75" in said
    cell.write_text(CELL, encoding="utf-8")


def test_a_cut_log_is_named(mesolith: Command, analysed: Path, tmp_path: Path) -> None:
    shutil.copytree(analysed.parent / "raw", tmp_path / "raw")
    (tmp_path / "cell.toml").write_text(CELL, encoding="utf-8")
    log = tmp_path / "raw" / "second.log"
    log.write_text("\n".join(log.read_text(encoding="utf-8").splitlines()[:3]) + "\n")
    said = mesolith("run", "--workers", "1", code=3, folder=tmp_path)
    assert "second.log: 1 readings, at least 2 are needed" in said
    assert "Copy the log again." in said
