"""compare and table: finished results side by side."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def two(analysed: Path, tmp_path: Path) -> list[Path]:
    """Two result folders, as if copied from two cells."""
    return [Path(shutil.copytree(analysed / "result", tmp_path / name)) for name in ("a", "b")]


def test_a_page_of_two_cells(mesolith, two: list[Path], tmp_path: Path) -> None:
    page = tmp_path / "pages" / "both.html"
    code, said, _ = mesolith("compare", *two, "--output", page)
    assert code == 0
    assert said.startswith("2 cells: virtual LLZTO 1, virtual LLZTO 1\n")
    assert "differences tested: " in said
    text = page.read_text(encoding="utf-8")
    assert "<h1>virtual LLZTO 1 (1) and virtual LLZTO 1 (2)</h1>" in text
    # the same cell twice differs in nothing
    assert " differ<" not in text
    assert text.count("<figure") >= 4


def test_a_cell_is_named_in_any_way(mesolith, analysed: Path, tmp_path: Path) -> None:
    cells = []
    for number, way in enumerate(("", "cell.toml", "result", "result/cell.nxs")):
        without_store = shutil.ignore_patterns(".mesolith")
        copy = shutil.copytree(analysed, tmp_path / str(number), ignore=without_store)
        cells.append(Path(copy) / way)
    page = tmp_path / "page.html"
    code, said, error = mesolith("compare", *cells, "--output", page)
    assert code == 0, error
    assert said.startswith("4 cells: ")
    text = page.read_text(encoding="utf-8")
    assert all(f"virtual LLZTO 1 ({k})" in text for k in (1, 2, 3, 4))


def test_a_project_folder_is_all_its_cells(mesolith, analysed: Path, tmp_path: Path) -> None:
    for name in ("p1", "p2"):
        (tmp_path / "project" / name).mkdir(parents=True)
        shutil.copy(analysed / "cell.toml", tmp_path / "project" / name)
        shutil.copytree(analysed / "result", tmp_path / "project" / name / "result")
    _, said, _ = mesolith("table", tmp_path / "project")
    assert said.count("virtual LLZTO 1") == 2


def test_one_cell_is_no_comparison(mesolith, analysed: Path, tmp_path: Path) -> None:
    for paths in ([analysed], [analysed, analysed / "result"]):
        code, _, error = mesolith("compare", *paths, "--output", tmp_path / "c.html")
        assert code == 2
        assert "1 cell behind these paths: a comparison needs two or more" in error
        assert "`mesolith report`" in error
        assert not (tmp_path / "c.html").exists()


@pytest.mark.parametrize("command", ["compare", "table"])
def test_a_path_that_is_no_cell_is_named(
    mesolith, analysed: Path, tmp_path: Path, command: str
) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        code, _, error = mesolith(command, analysed, path)
        assert code == 2
        assert f"{path}: here is no cell" in error
        assert "Name a cell's folder" in error


@pytest.mark.parametrize("command", ["compare", "table"])
def test_a_result_that_is_not_made_yet_is_asked_for(mesolith, demo: Path, command: str) -> None:
    shutil.rmtree(demo / "result")
    for path in (demo, demo / "cell.toml"):
        code, _, error = mesolith(command, path)
        assert code == 3
        assert "the result of this cell is not made yet" in error
        assert "`mesolith run " in error


def test_a_file_that_is_no_result_is_told(mesolith, analysed: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "notes.txt"
    wrong.write_text("not a result", encoding="utf-8")
    code, _, error = mesolith("table", analysed, wrong)
    assert code == 3
    assert "notes.txt" in error


def test_a_table_has_one_row_a_cell(mesolith, two: list[Path], tmp_path: Path) -> None:
    file = tmp_path / "tables" / "cells.csv"
    code, said, _ = mesolith("table", *two, "--output", file)
    assert code == 0
    lines = said.splitlines()
    assert lines[0].startswith("cell ")
    assert [line.startswith("virtual LLZTO 1 ") for line in lines[1:3]] == [True, True]
    assert "MPa" in lines[3]
    with file.open(encoding="utf-8", newline="") as stream:
        first, second = csv.DictReader(stream)
    assert first == second
    assert first["cell"] == "virtual LLZTO 1"
    assert float(first["stress_hydrostatic_spread_last_mpa"]) > 5.0
    assert float(first["stress_hydrostatic_spread_last_mpa_se"]) > 0.0
    assert float(first["charge_passed_mah_cm2"]) > 0.5
    assert float(first["stack_pressure_mpa"]) == 5.0
    assert int(first["findings_direction_of_the_current_asked"]) == 6


@pytest.mark.parametrize("command", ["compare", "table"])
def test_an_output_that_is_no_place_for_it_is_refused(
    mesolith, analysed: Path, two: list[Path], tmp_path: Path, command: str
) -> None:
    before = (two[0] / "cell.nxs").read_bytes()
    for output, told in (
        (tmp_path, "this is a folder"),
        (two[0] / "cell.nxs", "is not written over"),
        (tmp_path / "other.nxs", "is not written over"),
        (analysed / "raw" / "page.html", "inside the raw data folder"),
    ):
        code, _, error = mesolith(command, analysed, *two, "--output", output)
        assert code == 3
        assert error.startswith("OutputPlaceError: ")
        assert told in error
    assert (two[0] / "cell.nxs").read_bytes() == before
    assert not (analysed / "raw" / "page.html").exists()
