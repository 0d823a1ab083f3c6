"""status, verify, report, export and clean: what is done with results."""

from __future__ import annotations

import csv
import os
import re
import shutil
from pathlib import Path

import h5py
import pytest


def stored_record(folder: Path) -> Path:
    return sorted((folder / ".mesolith/results").glob("*/*/record.h5"))[0]


def damage(file: Path) -> None:
    """Flip one bit."""
    file.chmod(0o644)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def test_status_of_a_finished_cell(mesolith, analysed: Path) -> None:
    code, said, _ = mesolith("status", analysed)
    assert code == 0
    assert re.search(r"(?m)^  hedm\.read +5 of 5  done$", said)
    assert "missing" not in said
    assert "report.html" in said


def test_status_names_what_is_missing_and_damaged(mesolith, demo: Path) -> None:
    damage(stored_record(demo))
    _, said, _ = mesolith("status", demo)
    assert "damaged: " in said
    shutil.rmtree(demo / ".mesolith")
    shutil.rmtree(demo / "result")
    _, said, _ = mesolith("status", demo)
    missing = "0 of 5  missing: pristine, plating 1, stripping 1, plating 2, stripping 2"
    assert re.search(rf"(?m)^  hedm\.read +{missing}$", said)
    assert "report: none yet" in said


def test_verify_of_a_sound_cell(mesolith, analysed: Path) -> None:
    code, said, _ = mesolith("verify", analysed)
    assert code == 0
    assert "of 20 raw files" not in said.partition("20 of")[0]
    assert " are as they were" in said


def test_verify_names_a_damaged_result(mesolith, demo: Path) -> None:
    damage(stored_record(demo))
    code, said, _ = mesolith("verify", demo)
    assert code == 4
    assert "\n  damaged: " in said
    assert "`mesolith run` computes the damaged result again" in said


def test_verify_names_a_raw_file_that_changed(mesolith, demo: Path) -> None:
    # The same size and time stamps, so that nothing but the content tells.
    grains = demo / "raw/plating1/Grains.csv"
    mesolith("status", demo)
    before = grains.stat()
    data = grains.read_bytes()
    place = data.rindex(b"1")
    grains.write_bytes(data[:place] + b"2" + data[place + 1 :])
    os.utime(grains, ns=(before.st_atime_ns, before.st_mtime_ns))
    code, said, _ = mesolith("verify", demo)
    assert code == 3
    assert said.count("Grains.csv: ") == 1
    assert "  changed: plating 1: raw/plating1/Grains.csv: " in said


def test_verify_names_files_of_the_result_folder_that_were_edited(mesolith, demo: Path) -> None:
    damage(demo / "result/cell.nxs")
    table = sorted((demo / "result/tables").glob("*.csv"))[0]
    table.unlink()
    code, said, _ = mesolith("verify", demo)
    assert code == 4
    assert "  changed: result: result/cell.nxs: it is not what was written" in said
    assert f"  missing: result: result/tables/{table.name}: " in said
    assert "`mesolith report` writes the result folder again" in said
    mesolith("report", demo)
    assert mesolith("verify", demo)[0] == 0


def test_verify_takes_a_result_folder_that_was_copied(
    mesolith, analysed: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(analysed / "result", tmp_path / "copy"))
    code, said, _ = mesolith("verify", copy)
    assert code == 0
    assert "files in the result folder are as they were" in said
    with (copy / "report.html").open("a") as page:
        page.write("edited")
    code, said, _ = mesolith("verify", copy)
    assert code == 4
    assert "  changed: copy: report.html: " in said
    (copy / ".mesolith-result").unlink()
    assert mesolith("verify", copy)[0] == 4


def test_verify_traces_a_result_to_inputs_settings_and_versions(mesolith, analysed: Path) -> None:
    _, said, _ = mesolith("verify", analysed, "--trace")
    block = said[said.index("  hedm.read [pristine]") :].splitlines()
    assert '"hedm.sigma_position_um"' in next(line for line in block if "settings: " in line)
    assert "inputs: " in "\n".join(block[:6])
    assert '"numpy"' in "\n".join(block[:6])


def test_report_is_written_again(mesolith, demo: Path) -> None:
    shutil.rmtree(demo / "result")
    code, said, _ = mesolith("report", demo)
    assert code == 0
    assert said.startswith("report: ")
    assert (demo / "result/report.html").is_file()


def test_report_opens_the_page(mesolith, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: bool(opened.append(url)) or True)
    mesolith("report", demo, "--open")
    assert opened == [(demo / "result/report.html").resolve().as_uri()]
    monkeypatch.setattr("webbrowser.open", lambda url: False)
    assert "No browser was found" in mesolith("report", demo, "--open")[1]


def test_report_asks_for_a_run_where_steps_are_missing(mesolith, demo: Path) -> None:
    shutil.rmtree(demo / ".mesolith")
    code, _, error = mesolith("report", demo)
    assert code == 3
    assert "not computed yet" in error
    assert "`mesolith run`" in error


def test_exports_are_listed(mesolith) -> None:
    code, said, _ = mesolith("export")
    assert code == 0
    assert {line.partition(":")[0] for line in said.splitlines()} >= {"csv", "paraview"}


@pytest.mark.parametrize("where", ["", "result", "result/cell.nxs", "cell.toml"])
def test_tables_are_exported(mesolith, analysed: Path, tmp_path: Path, where: str) -> None:
    code, said, _ = mesolith("export", "csv", analysed / where, "--to", tmp_path)
    assert code == 0
    table = tmp_path / "0_pristine_grains.csv"
    assert len(said.splitlines()) == len(list(tmp_path.glob("*.csv")))
    with table.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) > 100
    assert float(rows[0]["radius_um"]) > 0.0
    inside = analysed / "result/tables/0_pristine_grains.csv"
    assert table.read_bytes() == inside.read_bytes()


def test_a_series_for_paraview_is_exported(mesolith, analysed: Path, tmp_path: Path) -> None:
    code, said, _ = mesolith("export", "paraview", analysed, "--to", tmp_path)
    assert code == 0
    with h5py.File(tmp_path / Path(said.strip()).name) as file:
        assert file["VTKHDF/Steps"].attrs["NSteps"] == 5


def test_an_unknown_export_is_refused(mesolith, analysed: Path) -> None:
    code, _, error = mesolith("export", "paravew", analysed)
    assert (code, "Did you mean 'paraview'?" in error) == (2, True)


def test_an_export_among_raw_data_is_refused(mesolith, analysed: Path) -> None:
    code, _, error = mesolith("export", "csv", analysed, "--to", analysed / "raw/tables")
    assert (code, error.partition(":")[0]) == (3, "OutputPlaceError")
    assert not (analysed / "raw/tables").exists()


def test_an_export_without_a_result_says_how_to_get_one(mesolith, demo: Path) -> None:
    shutil.rmtree(demo / "result")
    code, _, error = mesolith("export", "csv", demo)
    assert (code, "`mesolith run`" in error) == (3, True)


def test_clean_removes_what_no_cell_file_reaches(mesolith, demo: Path) -> None:
    _, said, _ = mesolith("clean", demo)
    assert ": 0 results and 0 leftovers, freed 0 B" in said
    cell = demo / "cell.toml"
    text = cell.read_text(encoding="utf-8")
    cell.write_text(text.replace("current_share", "current_share"), encoding="utf-8")
    cell.write_text(text.replace("sigma_strain = ", "sigma_strain = 0.1"), encoding="utf-8")
    cell.write_text(text.replace("stack_pressure_mpa = ", "stack_pressure_mpa = 1"), "utf-8")
    results = len(list((demo / ".mesolith/results").glob("*/*")))
    _, planned, _ = mesolith("clean", demo, "--dry-run")
    assert "would free" in planned
    assert len(list((demo / ".mesolith/results").glob("*/*"))) == results
    _, done, _ = mesolith("clean", demo)
    assert done == planned.replace("would free", "freed")
    assert len(list((demo / ".mesolith/results").glob("*/*"))) < results
    assert (demo / "result/report.html").is_file()
