"""`mesolith check`: all mistakes of all cells, then notes."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest


def test_a_good_cell(mesolith, analysed: Path) -> None:
    code, said, _ = mesolith("check", analysed)
    assert code == 0
    assert "no mistake in 5 states and 11 files" in said
    assert "Is it this one?" not in said
    assert "the area that lithium covers?" in said


def test_an_area_that_is_never_given(mesolith, described: Path) -> None:
    cell = described / "cell.toml"
    text = cell.read_text(encoding="utf-8")
    cell.write_text(text.replace("area_mm2", "# area_mm2"), encoding="utf-8")
    code, said, _ = mesolith("check", described)
    assert code == 2
    line = text[: text.index("[cell]")].count("\n") + 1
    assert f"cell.toml:{line}:1: [cell] lacks the key 'area_mm2': `after` of 'plating 1'" in said
    cell.write_text(
        text.replace("area_mm2", "# area_mm2").replace("after =", "# after ="), encoding="utf-8"
    )
    code, said, _ = mesolith("check", described)
    assert code == 0
    assert "cell.area_mm2 is not given: nothing is said per area." in said


def test_quiet_leaves_the_notes_out(mesolith, analysed: Path) -> None:
    _, said, _ = mesolith("check", analysed, "--quiet")
    assert said.count("\n") == 1


def test_mistakes_are_listed_with_line_and_column(mesolith, described: Path) -> None:
    cell = described / "cell.toml"
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


def test_a_circuit_that_cannot_be_read_is_a_mistake(mesolith, described: Path) -> None:
    cell = described / "cell.toml"
    text = cell.read_text(encoding="utf-8")
    wrong = text + '\n[echem]\ncircuit = "R0-p(R1,CPE1"\n'
    assert "[echem]" not in text
    cell.write_text(wrong, encoding="utf-8")
    code, said, _ = mesolith("check", cell)
    assert code == 2
    line = wrong.count("\n")
    assert f"{cell}:{line}:" in said
    assert "the circuit 'R0-p(R1,CPE1' cannot be read from its character 13 on" in said
    assert "Write elements R C L CPE W Ws Wo" in said


def test_a_damaged_file_alone_ends_with_3(mesolith, described: Path) -> None:
    grains = described / "raw/pristine/Grains.csv"
    grains.write_bytes(grains.read_bytes()[:20_000])
    code, said, _ = mesolith("check", described)
    assert code == 3
    assert "Grains.csv" in said
    (described / "cell.toml").write_text("", encoding="utf-8")
    assert mesolith("check", described)[0] == 2


def test_every_cell_of_a_project_is_checked(mesolith, described: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(described, project / "a")
    shutil.copytree(described, project / "b")
    (project / "a" / "cell.toml").write_text("[cell]\n", encoding="utf-8")
    code, said, _ = mesolith("check", project)
    assert code == 2
    assert "lacks the key 'name'" in said
    assert f"{project / 'b' / 'cell.toml'}: no mistake" in said


def test_results_among_raw_data_are_refused(mesolith, described: Path) -> None:
    code, _, error = mesolith("check", described, "--store", described / "raw" / "store")
    assert code == 3
    assert error.startswith("OutputPlaceError: ")
    cell = described / "raw" / "pristine" / "cell.toml"
    cell.write_text((described / "cell.toml").read_text().replace("raw/", "../"), encoding="utf-8")
    shutil.copytree(described / "truth", described / "raw" / "pristine" / "truth")
    code, _, error = mesolith("check", cell)
    assert (code, "inside the raw data folder" in error) == (3, True)


def test_no_cell_at_all(mesolith, tmp_path: Path) -> None:
    code, _, error = mesolith("check", tmp_path)
    assert code == 2
    assert "`mesolith new DIR --from RAW` writes one" in error


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("area_mm2 = ", "area_mm2 = 0.001 #", "Correct cell.area_mm2"),
        ("current_ma_cm2 = 0.1", "current_ma_cm2 = -0.1", "`after` strip the working electrode"),
        ('= "working"', '= "counter"', "its cycler files strip, `after` plate the working"),
    ],
)
def test_charge_is_set_against_the_protocol(
    mesolith, described: Path, old: str, new: str, said: str
) -> None:
    cell = described / "cell.toml"
    text = cell.read_text(encoding="utf-8")
    cell.write_text(text.replace(old, new), encoding="utf-8")
    code, out, _ = mesolith("check", described)
    assert code == 3
    assert "ContradictionError: state 'plating 1': " in out
    assert said in out
    line = text[: text.index("after = ")].count("\n") + 1
    assert f"cell.toml:{line}:9: " in out


def test_current_in_another_unit(mesolith, described: Path) -> None:
    record = described / "raw/plating1.mpt"
    record.write_bytes(record.read_bytes().replace(b"I/mA", b"I/A"))
    code, out, _ = mesolith("check", described)
    assert (code, "a ratio of 1e+03" in out) == (3, True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: f"{float(x) / 1e3:.6f}", "UnitError: raw/pristine/Grains.csv: "),
        (lambda _: "nan", "InvalidValueError: raw/pristine/Grains.csv"),
        (lambda _: "abc", "FileFormatError: raw/pristine/Grains.csv"),
    ],
)
def test_rows_are_read(mesolith, described: Path, change: Callable[[str], str], said: str) -> None:
    grains = described / "raw/pristine/Grains.csv"
    lines = []
    for line in grains.read_text(encoding="utf-8").splitlines():
        words = line.split("\t")
        if not line.startswith("%"):
            words[10:13] = map(change, words[10:13])
        lines.append("\t".join(words))
    grains.write_text("\n".join(lines) + "\n", encoding="utf-8")
    code, out, _ = mesolith("check", described)
    assert (code, said in out) == (3, True)


def test_a_difference_that_is_no_contradiction_is_told(mesolith, described: Path) -> None:
    cell = described / "cell.toml"
    text = cell.read_text(encoding="utf-8")
    area = 0.8 * tomllib.loads(text)["cell"]["area_mm2"]
    cell.write_text(text.replace("area_mm2 = ", f"area_mm2 = {area} #"), encoding="utf-8")
    code, out, _ = mesolith("check", described)
    assert code == 0
    assert "To beware of: state 'plating 1': " in out


def test_a_file_of_another_key(mesolith, described: Path) -> None:
    cell = described / "cell.toml"
    text = cell.read_text(encoding="utf-8")
    cell.write_text(text.replace("raw/plating1.mpt", "raw/plating1/Grains.csv"), encoding="utf-8")
    code, out, _ = mesolith("check", described)
    assert code == 2
    assert "is a file of grains (MIDAS" in out
    assert "Move it: grains = { files = [...] }." in out


def test_a_file_of_another_state_is_not_proposed(mesolith, described: Path) -> None:
    cell = described / "cell.toml"
    text = cell.read_text(encoding="utf-8")
    cell.write_text(text.replace('"raw/plating1.mpt"', '"raw/plating3.mpt"'), encoding="utf-8")
    code, out, _ = mesolith("check", described)
    assert code == 2
    assert "Did you mean 'plating1.mpt'?" in out
    cell.write_text(text.replace('"raw/stripping2.z"', '"raw/plating3.mpt"'), encoding="utf-8")
    assert "Did you mean 'plating" not in mesolith("check", described)[1]


def test_what_no_time_stamp_tells_is_asked(mesolith, analysed: Path) -> None:
    assert "Are the files of grains in the right states?" in mesolith("check", analysed)[1]
