"""`mesolith new`: raw files become a cell.toml that check understands."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest


def written(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "cell.toml").read_text(encoding="utf-8"))


def listing(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_states_of_the_demo_are_found_again(mesolith, analysed: Path, tmp_path: Path) -> None:
    before = listing(analysed / "raw")
    code, said, _ = mesolith("new", tmp_path / "fresh", "--from", analysed / "raw")
    assert code == 0
    assert listing(analysed / "raw") == before
    states = written(tmp_path / "fresh")["state"]
    names = ["pristine", "plating1", "stripping1", "plating2", "stripping2"]
    assert [state["name"] for state in states] == names
    for name, state in zip(names, states, strict=True):
        assert [Path(f).parts[-2:] for f in state["grains"]["files"]] == [(name, "Grains.csv")]
        assert state["grains"]["format"] == "midas"
        assert {Path(file).stem for file in state["cycling"]["files"]} == {name}
    assert "order of the times in their files." in said
    assert f"mesolith check {tmp_path / 'fresh'}" in said


def test_what_is_unknown_is_marked_and_check_asks_for_it(
    mesolith, analysed: Path, tmp_path: Path
) -> None:
    mesolith("new", tmp_path, "--from", analysed / "raw", "--name", 'cell "7"')
    text = (tmp_path / "cell.toml").read_text(encoding="utf-8")
    assert written(tmp_path)["cell"] == {"name": 'cell "7"'}
    assert "\n# ? area_mm2 =    # Active area" in text
    assert "# ? plates_under_positive_current =    # " in text
    assert 'EC-Lab counts oxidation positive: "counter" there' in text
    code, said, _ = mesolith("check", tmp_path)
    assert code == 2
    assert "lacks the key 'material'" in said
    assert "in no time zone" in said


def test_completing_the_marked_lines_makes_it_right(
    mesolith, analysed: Path, tmp_path: Path
) -> None:
    mesolith("new", tmp_path, "--from", analysed / "raw")
    cell = tmp_path / "cell.toml"
    lines = cell.read_text(encoding="utf-8").splitlines()
    values = {
        "# ? material": 'material = "LLZTO-I-43d"',
        "# ? cycler": 'cycler = { zone = "Europe/Berlin" }',
        "# ? plates": 'plates_under_positive_current = "working"',
    }
    text = "\n".join(
        next((value for mark, value in values.items() if line.startswith(mark)), line)
        for line in lines
    )
    cell.write_text(text, encoding="utf-8")
    code, said, _ = mesolith("check", tmp_path)
    assert code == 0, said


def test_a_mark_taken_away_without_a_value_is_a_mistake(
    mesolith, analysed: Path, tmp_path: Path
) -> None:
    mesolith("new", tmp_path, "--from", analysed / "raw")
    cell = tmp_path / "cell.toml"
    text = cell.read_text(encoding="utf-8")
    marked = [line for line in text.splitlines() if line.startswith("# ? ")]
    assert len(marked) > 15
    for line in marked:
        cell.write_text(text.replace(line, line[4:], 1), encoding="utf-8")
        with pytest.raises(tomllib.TOMLDecodeError):
            written(tmp_path)
    cell.write_text(text.replace("# ? ", ""), encoding="utf-8")
    assert mesolith("check", tmp_path)[0] == 2


def test_names_decide_where_no_time_does(mesolith, analysed: Path, tmp_path: Path) -> None:
    for number in (10, 9, 1):
        folder = tmp_path / "raw" / f"scan_{number}"
        folder.mkdir(parents=True)
        shutil.copy(analysed / "raw/pristine/Grains.csv", folder)
    (tmp_path / "raw" / "notes.txt").write_text("nothing", encoding="utf-8")
    (tmp_path / "raw" / ".hidden").write_text("nothing", encoding="utf-8")
    _, said, _ = mesolith("new", tmp_path, "--from", tmp_path / "raw")
    names = [state["name"] for state in written(tmp_path)["state"]]
    assert names == ["scan_1", "scan_9", "scan_10"]
    assert "is it that of time?" in said
    assert "Not recognised: notes.txt." in said


def test_files_without_a_common_name_are_paired_by_order(
    mesolith, analysed: Path, tmp_path: Path
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for number, name in enumerate(("plating1", "stripping1"), start=1):
        shutil.copy(analysed / f"raw/{name}/Grains.csv", raw / f"Grains_{number}.csv")
        shutil.copy(analysed / f"raw/{name}.mpt", raw / f"run_{number}.mpt")
    mesolith("new", tmp_path, "--from", raw)
    states = written(tmp_path)["state"]
    files = [(s["grains"]["files"], s["cycling"]["files"]) for s in states]
    assert files == [([f"raw/Grains_{number}.csv"], [f"raw/run_{number}.mpt"]) for number in (1, 2)]
    text = (tmp_path / "cell.toml").read_text(encoding="utf-8")
    assert "# ? Grains_1 and run_1 were put together by their order alone" in text


def test_a_damaged_file_is_listed_with_its_problem(
    mesolith, analysed: Path, tmp_path: Path
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    head = (analysed / "raw/pristine/Grains.csv").read_bytes()[:20_000]
    (raw / "Grains.csv").write_bytes(head)
    assert mesolith("new", tmp_path, "--from", raw)[0] == 0
    text = (tmp_path / "cell.toml").read_text(encoding="utf-8")
    assert "# ? Grains.csv: " in text


@pytest.mark.parametrize("place", ["raw", "raw/inside"])
def test_nothing_is_written_among_raw_files(mesolith, analysed: Path, place: str) -> None:
    before = listing(analysed / "raw")
    code, _, error = mesolith("new", analysed / place, "--from", analysed / "raw")
    assert (code, error.partition(":")[0]) == (3, "OutputPlaceError")
    assert listing(analysed / "raw") == before


def test_a_cell_file_is_never_overwritten(mesolith, demo: Path) -> None:
    before = (demo / "cell.toml").read_bytes()
    code, _, error = mesolith("new", demo, "--from", demo / "raw")
    assert code == 2
    assert "there is a cell.toml already" in error
    assert (demo / "cell.toml").read_bytes() == before


def test_a_folder_without_files_of_any_format(mesolith, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    code, _, error = mesolith("new", tmp_path / "new", "--from", tmp_path / "raw")
    assert (code, "no reader knows any" in error) == (3, True)
    code, _, error = mesolith("new", tmp_path / "new", "--from", tmp_path / "absent")
    assert (code, "no such folder" in error) == (3, True)
