"""`mesolith check`: all mistakes of all cells, then notes."""

from __future__ import annotations

import shutil
import time
from pathlib import Path


def test_a_good_cell(mesolith, analysed: Path) -> None:
    began = time.perf_counter()
    code, said, _ = mesolith("check", analysed)
    assert time.perf_counter() - began < 2.0
    assert code == 0
    assert "no mistake in 5 states and 11 files" in said
    assert "Is it this one?" not in said
    assert "the area that lithium covers?" in said


def test_an_area_that_is_never_given(mesolith, demo: Path) -> None:
    cell = demo / "cell.toml"
    text = cell.read_text(encoding="utf-8")
    cell.write_text(text.replace("area_mm2", "# area_mm2"), encoding="utf-8")
    code, said, _ = mesolith("check", demo)
    assert code == 2
    line = text[: text.index("[cell]")].count("\n") + 1
    assert f"cell.toml:{line}:1: [cell] lacks the key 'area_mm2': `after` of 'plating 1'" in said
    cell.write_text(
        text.replace("area_mm2", "# area_mm2").replace("after =", "# after ="), encoding="utf-8"
    )
    code, said, _ = mesolith("check", demo)
    assert code == 0
    assert "cell.area_mm2 is not given: nothing is said per area." in said


def test_quiet_leaves_the_notes_out(mesolith, analysed: Path) -> None:
    _, said, _ = mesolith("check", analysed, "--quiet")
    assert said.count("\n") == 1


def test_mistakes_are_listed_with_line_and_column(mesolith, demo: Path) -> None:
    cell = demo / "cell.toml"
    text = cell.read_text(encoding="utf-8")
    cell.write_text(
        text.replace("temperature_c", "temprature_c").replace("pristine/Gr", "pristine/Gx"),
        encoding="utf-8",
    )
    line = text[: text.index("temperature_c")].count("\n") + 1
    code, said, _ = mesolith("check", cell)
    assert code == 2
    assert "2 mistakes" in said
    assert f"{cell}:{line}:1: [conditions] has no key 'temprature_c'." in said
    assert "Did you mean 'Grains.csv'?" in said


def test_a_damaged_file_alone_ends_with_3(mesolith, demo: Path) -> None:
    grains = demo / "raw/pristine/Grains.csv"
    grains.write_bytes(grains.read_bytes()[:20_000])
    code, said, _ = mesolith("check", demo)
    assert code == 3
    assert "Grains.csv" in said
    (demo / "cell.toml").write_text("", encoding="utf-8")
    assert mesolith("check", demo)[0] == 2


def test_every_cell_of_a_project_is_checked(mesolith, demo: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(demo, project / "a")
    shutil.copytree(demo, project / "b")
    (project / "a" / "cell.toml").write_text("[cell]\n", encoding="utf-8")
    code, said, _ = mesolith("check", project)
    assert code == 2
    assert "lacks the key 'name'" in said
    assert f"{project / 'b' / 'cell.toml'}: no mistake" in said


def test_results_among_raw_data_are_refused(mesolith, demo: Path) -> None:
    code, _, error = mesolith("check", demo, "--store", demo / "raw" / "store")
    assert code == 3
    assert error.startswith("OutputPlaceError: ")
    cell = demo / "raw" / "pristine" / "cell.toml"
    cell.write_text((demo / "cell.toml").read_text().replace("raw/", "../"), encoding="utf-8")
    shutil.copytree(demo / "truth", demo / "raw" / "pristine" / "truth")
    code, _, error = mesolith("check", cell)
    assert (code, "inside the raw data folder" in error) == (3, True)


def test_no_cell_at_all(mesolith, tmp_path: Path) -> None:
    code, _, error = mesolith("check", tmp_path)
    assert code == 2
    assert "`mesolith new DIR --from RAW` writes one" in error
