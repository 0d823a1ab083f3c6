"""The headers of a cell's files are looked into before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesolith.experiment import CellFileError
from mesolith.experiment.inspection import Inspection, inspect_cell
from mesolith.experiment.notes import notes
from tests.experiment.toy import CELL, TECHNIQUES, write_cell


def inspect(folder: Path, text: str = CELL, **contents: str) -> Inspection:
    """Inspection of a cell some of whose files hold something else."""
    path = write_cell(folder, text)
    for name, content in contents.items():
        (folder / FILE[name]).write_text(content, encoding="utf-8")
    return inspect_cell(path, TECHNIQUES)


FILE = {
    "pristine": "raw/pristine/map.toy",
    "plated": "raw/plating1/map.toy",
    "second": "raw/plating1/second.toy",
    "log": "raw/plating1/a9.log",
}


def said(inspection: Inspection) -> list[str]:
    return [str(mistake) for mistake in inspection.mistakes]


def test_a_good_cell(tmp_path: Path) -> None:
    inspection = inspect(tmp_path)
    assert said(inspection) == []
    assert inspection.require() is inspection.experiment
    assert [(f.state.name, f.file.name, f.description.format) for f in inspection.files] == [
        ("pristine", "map.toy", "toy"),
        ("plating 1", "map.toy", "toy"),
        ("plating 1", "second.toy", "toy"),
        ("plating 1", "a9.log", "log"),
        ("plating 1", "a10.log", "log"),
    ]


def test_files_are_looked_into_even_beside_another_mistake(tmp_path: Path) -> None:
    text = CELL.replace("temperature_c", "temprature_c")
    inspection = inspect(tmp_path, text, second="TOY\nthis is cut\n")
    assert [mistake.place.line for mistake in inspection.mistakes] == [
        CELL[: CELL.index("temperature_c")].count("\n") + 1,
        CELL[: CELL.index("raw/plating1/second.toy")].count("\n") + 1,
    ]
    with pytest.raises(CellFileError, match="2 mistakes"):
        inspection.require()


def test_a_damaged_file_stops_nothing_where_gaps_are_allowed(tmp_path: Path) -> None:
    inspection = inspect(tmp_path, second="TOY\nthis is cut\n")
    with pytest.raises(CellFileError, match="cut short"):
        inspection.require()
    assert inspection.require(allow_partial=True).name == "virtual LLZTO 1"


def test_gaps_excuse_no_contradiction(tmp_path: Path) -> None:
    late, early = "TOY\nstart=2024-05-03T10:00:00", "TOY\nstart=2024-05-03T09:00:00"
    with pytest.raises(CellFileError, match="swapped"):
        inspect(tmp_path, pristine=late, plated=early).require(allow_partial=True)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("plated", "nothing known", None),
        ("log", "nothing known", "UnknownFormatError: raw/plating1/a9.log is in no format"),
        (
            "plated",
            "LOG\nrows=1",
            "FileFormatError: raw/plating1/map.toy looks like 'log', not like 'toy'",
        ),
        ("plated", "TOY", "EmptyFileError: map.toy: no rows at all. Copy it again."),
        ("plated", "TOY\ncut here", "FileFormatError: raw/plating1/map.toy: the header is cut"),
        ("log", "LOG\nneeds=date_order", "raw/plating1/a9.log: something is open. Say date_order"),
        (
            "log",
            "LOG\nneeds=cell.truth",
            "raw/plating1/a9.log: something is open. Say [cell] truth",
        ),
        ("log", "LOG\nneeds=cell.name", None),
        ("log", "LOG\nstart=no time", None),
    ],
)
def test_what_a_header_says(tmp_path: Path, name: str, content: str, words: str | None) -> None:
    found = said(inspect(tmp_path, **{name: content}))
    assert found == [] if words is None else len(found) == 1 and found[0].startswith(words), found


def test_states_that_are_swapped_against_their_time_stamps(tmp_path: Path) -> None:
    late, early = "TOY\nstart=2024-05-03T10:00:00", "TOY\nstart=2024-05-03T09:00:00"
    (text,) = said(inspect(tmp_path, pristine=late, plated=early))
    first = CELL[: CELL.index("raw/pristine/map.toy")].count("\n") + 1
    assert text == (
        "ContradictionError: map.toy of 'plating 1' begins at 2024-05-03T09:00:00, before "
        f"map.toy of 'pristine' at 2024-05-03T10:00:00 (line {first}). "
        "States stand in the order of time: are two of them swapped?"
    )
    assert said(inspect(tmp_path, pristine=early, plated=late)) == []


def test_times_in_one_state_may_stand_in_any_order(tmp_path: Path) -> None:
    late, early = "TOY\nstart=2024-05-03T10:00:00", "TOY\nstart=2024-05-03T09:00:00"
    assert said(inspect(tmp_path, plated=late, second=early)) == []


def test_a_naive_time_needs_the_zone_of_its_clock(tmp_path: Path) -> None:
    text = CELL.replace('cycler = { zone = "Europe/Berlin", offset_s = 0.0 }\n', "")
    (found,) = said(inspect(tmp_path, text))
    begin = "ClockError: raw/plating1/a9.log begins at 2024-05-03T09:00:00, in no time zone ("
    assert found.startswith(begin)
    assert "and 1 more file)" in found
    assert "[clock] cycler = { zone" in found
    aware = "LOG\nstart=2024-05-03T09:00:00+02:00"
    (tmp_path / "raw/plating1/a10.log").unlink()
    assert len(said(inspect_again(tmp_path, aware))) == 0


def inspect_again(folder: Path, log: str) -> Inspection:
    (folder / FILE["log"]).write_text(log, encoding="utf-8")
    return inspect_cell(folder, TECHNIQUES)


def test_notes_ask_what_no_file_can_contradict(tmp_path: Path) -> None:
    inspection = inspect(tmp_path)
    found = notes(inspection.require(), inspection.files)
    assert "conditions.protocol is not given; the report names it on its first page." in found
    assert any("Is 2.01 mm2 the area that lithium covers?" in note for note in found)
    assert any("plate on the working electrode" in note for note in found)
    assert any("sides of the pellet free" in note for note in found)
    assert not any("in which order" in note for note in found)


def test_notes_name_what_is_missing(tmp_path: Path) -> None:
    text = (
        CELL.replace("area_mm2", "# area_mm2")
        .replace("plates_under_positive", "# plates_under_positive")
        .replace("lateral =", "# lateral =")
        .replace("measured_at", "# measured_at")
        .replace("after =", "# after =")
        .replace('logs = { files = ["raw/plating1/*.log"] }', '[[state]]\nname = "last"')
    )
    inspection = inspect(tmp_path, text)
    found = notes(inspection.require(), inspection.files)
    assert "State 'last' lists no files." in found
    assert any("'plating 1' does not say what it follows" in note for note in found)
    assert any("nothing is said per area" in note for note in found)
    assert any("taken as free" in note for note in found)
    assert any("pristine, plating 1, last. Is it this one?" in note for note in found)
