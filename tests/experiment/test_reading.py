"""What a cell.toml says, with defaults; and that every mistake is found at its line."""

from __future__ import annotations

import os
import pickle
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mesolith.errors import SettingsError
from mesolith.experiment import CellFileError, Experiment, load_experiment
from mesolith.pipeline.technique import Step
from tests.experiment.toy import CELL, TECHNIQUES, write_cell


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    return load_experiment(write_cell(tmp_path), TECHNIQUES)


def mistakes_of(folder: Path, text: str) -> list[tuple[int, str]]:
    """Line and text of every mistake."""
    with pytest.raises(CellFileError) as caught:
        load_experiment(write_cell(folder, text), TECHNIQUES)
    return [(mistake.place.line, str(mistake)) for mistake in caught.value.mistakes]


def line_of(text: str, words: str) -> int:
    """Line of the only place where the words stand."""
    assert text.count(words) == 1, words
    return text[: text.index(words)].count("\n") + 1


def test_values_and_defaults(experiment: Experiment, tmp_path: Path) -> None:
    assert experiment.name == "virtual LLZTO 1"
    assert experiment.folder == tmp_path.resolve()
    assert experiment.cell.diameter_um == 1600.0
    assert experiment.clock.cycler is not None
    assert experiment.clock.cycler.zone == "Europe/Berlin"
    assert experiment.setting("conditions.stack_pressure_mpa") == 5.0
    assert experiment.setting("conditions.forming_pressure_mpa") is None
    assert experiment.setting("clock.beamline") == {"zone": "America/Chicago", "offset_s": 0.0}
    assert experiment.setting("maps.merge") is True
    assert experiment.setting("logs") == {"limit": 100}
    assert experiment.setting("electrolyte") == {
        "material": "LLZTO-I-43d",
        "stiffness_gpa": None,
        "second_phase": None,
    }
    assert experiment.techniques["maps"].sigma_um == 20.0


def test_states(experiment: Experiment, tmp_path: Path) -> None:
    pristine, plated = experiment.states
    assert pristine.after is None
    assert plated.measured_at == datetime(2024, 5, 3, 11, tzinfo=UTC)
    assert [file.name for file in plated.files["maps"]] == ["map.toy", "second.toy"]
    assert plated.entries["maps"] == (0, 1)
    # A pattern gives its files in natural order, all from one entry.
    assert [file.name for file in plated.files["logs"]] == ["a9.log", "a10.log"]
    assert plated.entries["logs"] == (0, 0)
    assert all(file.is_absolute() for file in experiment.raw_files())
    after = {"half_cycles": 1, "current_ma_cm2": 0.1, "duration_h": 3.75}
    assert experiment.setting("state.after") == [
        {"state": "pristine", "value": None},
        {"state": "plating 1", "value": after},
    ]
    assert experiment.setting("state.after.duration_h", "plating 1") == 3.75
    assert experiment.setting("state.maps", "pristine") == {"format": "toy"}
    assert experiment.state_setting(1, "logs") == {"format": None, "date_order": None}
    assert experiment.state_setting(0, "logs") is None


def test_what_the_user_wrote(experiment: Experiment) -> None:
    assert experiment.given("conditions.lateral")
    assert not experiment.given("conditions.protocol")
    assert experiment.given("clock.cycler.zone")
    assert experiment.given("state.after")
    assert not experiment.given("state.logs.format")
    assert experiment.missing_conditions() == (
        "conditions.forming_pressure_mpa",
        "conditions.lithium_thickness_um",
        "conditions.interlayer_material",
        "conditions.interlayer_thickness_um",
        "conditions.protocol",
    )


def test_no_interlayer_has_no_thickness(tmp_path: Path) -> None:
    text = CELL.replace('lateral = "free"', 'interlayer_material = "none"')
    experiment = load_experiment(write_cell(tmp_path, text), TECHNIQUES)
    assert "conditions.interlayer_thickness_um" not in experiment.missing_conditions()


def test_unknown_settings_are_refused(experiment: Experiment) -> None:
    with pytest.raises(SettingsError, match=r"stack_pressure_mpa"):
        experiment.setting("conditions.stack_presure_mpa")
    with pytest.raises(SettingsError, match="there is no setting"):
        experiment.setting("nothing.like.it")
    with pytest.raises(SettingsError, match=r"state\.aftr"):
        experiment.state_setting(0, "aftr")
    with pytest.raises(SettingsError, match="'plating 1'"):
        experiment.setting("state.after", "plating")


def test_a_folder_means_its_cell_file(tmp_path: Path) -> None:
    write_cell(tmp_path)
    assert load_experiment(tmp_path, TECHNIQUES).path == (tmp_path / "cell.toml").resolve()


def test_a_cif_of_the_user_is_a_file(tmp_path: Path) -> None:
    text = CELL.replace('"LLZTO-I-43d"', '"gold.cif"')
    path = write_cell(tmp_path, text)
    (tmp_path / "gold.cif").write_text("data_gold\n", encoding="utf-8")
    experiment = load_experiment(path, TECHNIQUES)
    expected = {"electrolyte.material": tmp_path.resolve() / "gold.cif"}
    assert experiment.files_behind("electrolyte") == expected
    assert experiment.files_behind("electrolyte.material") == expected
    assert experiment.files_behind("cell") == {}


def test_a_pressure_for_each_state(tmp_path: Path) -> None:
    series = '[{ state = "pristine", value = 5 }, { state = "plating 1", value = 6.5 }]'
    text = CELL.replace("stack_pressure_mpa = 5.0", f"stack_pressure_mpa = {series}")
    experiment = load_experiment(write_cell(tmp_path, text), TECHNIQUES)
    assert experiment.setting("conditions.stack_pressure_mpa") == [
        {"state": "pristine", "value": 5.0},
        {"state": "plating 1", "value": 6.5},
    ]


def test_cycles_with_currents_of_their_own(tmp_path: Path) -> None:
    text = CELL.replace(
        "{ half_cycles = 1, current_ma_cm2 = 0.1, duration_h = 3.75 }",
        "{ cycles = 3, current_ma_cm2 = [0.1, 0.2, 0.1], duration_h = 1 }",
    )
    experiment = load_experiment(write_cell(tmp_path, text), TECHNIQUES)
    assert experiment.setting("state.after", "plating 1") == {
        "cycles": 3,
        "current_ma_cm2": [0.1, 0.2, 0.1],
        "duration_h": 1.0,
    }


EDITS = [
    # unknown, missing and misplaced keys
    ("temperature_c = 50.0", "temprature_c = 50.0", "Did you mean 'temperature_c'?"),
    ("temperature_c = 50.0", "offset_s = 50.0", "belongs to [clock.cycler]"),
    ("temperature_c = 50.0", "qqqqq = 50.0", "It knows: stack_pressure_mpa"),
    ("[maps]", "[mapps]", "there is no table [mapps]. Did you mean 'maps'?"),
    ("# A cell for tests.", "temperature_c = 50.0", "Write it below [conditions]"),
    ('zone = "Europe/Berlin", ', 'zon = "Europe/Berlin", ', "cycler] has no key 'zon'"),
    ("half_cycles = 1", "half_cycle = 1", "after has no key 'half_cycle'"),
    ('files = ["raw/pristine/map.toy"]', "form = 1", "maps lacks the key 'files'"),
    ('name = "pristine"', 'after = { cycles = 1, current_ma_cm2 = 1, duration_h = 1 }',
     "the first state follows nothing"),
    ("current_ma_cm2 = 0.1, ", "", "after lacks the key 'current_ma_cm2'"),
    # types, ranges, choices
    ("diameter_um = 1600.0", 'diameter_um = "1600.0"', "Write 1600.0 without quotes."),
    ("diameter_um = 1600.0", 'diameter_um = "1,6"', "Write 1.6 without quotes."),
    ("diameter_um = 1600.0", 'diameter_um = "1.6 mm"', "The unit is fixed: um."),
    ("diameter_um = 1600.0", "diameter_um = true", "must be a number in um, found true"),
    ("diameter_um = 1600.0", "diameter_um = 1.6", "outside its range, 10 to 100000 um"),
    ("diameter_um = 1600.0", "diameter_um = nan", "found nan"),
    ("diameter_um = 1600.0", "diameter_um = inf", "found inf"),
    ("diameter_um = 1600.0", "diameter_um = [1]", "found a list"),
    ("diameter_um = 1600.0", "diameter_um = {}", "found a table"),
    ("diameter_um = 1600.0", "diameter_um = 12:00:00", "found the time 12:00:00"),
    ("temperature_c = 50.0", "temperature_c = 323.15", "Is it in degC?"),
    ("half_cycles = 1", "half_cycles = 1.0", "must be a whole number"),
    ("half_cycles = 1", "half_cycles = 0", "1 to 1e+06"),
    ('name = "virtual LLZTO 1"', "name = 1", "must be a text in quotes"),
    ('name = "virtual LLZTO 1"', 'name = " "', "name is empty"),
    ('name = "virtual LLZTO 1"', 'name = "a\\u0007"', "control character"),
    ('name = "virtual LLZTO 1"', f'name = "{"x" * 5000}"', "5000 characters"),
    ('lateral = "free"', 'lateral = "fre"', "Did you mean 'free'?"),
    ('lateral = "free"', 'lateral = "zzz"', "Known: free, confined."),
    ('lateral = "free"', "lateral = 1", "must be a text in quotes"),
    ("sigma_um = 20.0", "merge = 1", "must be true or false"),
    ("sigma_um = 20.0", "sigma_um = 0.05", "0.1 to 500 um"),
    ('format = "toy" }\n\n', 'format = "ty" }\n\n', "Did you mean 'toy'?"),
    ("cycler = {", "cycler = 1 # {", "must be a table"),
    ('["raw/pristine/map.toy"]', '"raw/pristine/map.toy"', 'Write ["raw/pristine/map.toy"].'),
    ('["raw/pristine/map.toy"]', "1", "must be a list in square brackets"),
    ('["raw/pristine/map.toy"]', "[]", "is an empty list"),
    ('["raw/pristine/map.toy"]', "[1]", "files must be a text"),
    ('{ files = ["raw/plating1/*.log"] }', '["raw/plating1/*.log"]', "logs must be a table"),
    ("duration_h = 3.75", "duration_h = []", "empty list"),
    ("duration_h = 3.75", "duration_h = [1, 2]", "lists 2 values for half_cycles = 1"),
    ("duration_h = 3.75", 'duration_h = ["1"]', "Write 1 without quotes"),
    ("half_cycles = 1, ", "", "after lacks half_cycles or cycles"),
    ("half_cycles = 1, ", "half_cycles = 1, cycles = 1, ", "after holds half_cycles and cycles"),
    # times and zones
    ("2024-05-03T08:00:00+02:00", "2024-05-03T08:00:00", "ClockError: measured_at"),
    ("2024-05-03T08:00:00+02:00", "2024-05-03", "must be a date and time"),
    ("2024-05-03T08:00:00+02:00", '"noon"', "must be a date and time"),
    ("2024-05-03T13:00:00+02:00", "2024-05-03T07:00:00+02:00", "not after 'pristine'"),
    ("2024-05-03T13:00:00+02:00", "2024-05-03T09:00:00+02:00", "take 3.75 h"),
    ("Europe/Berlin", "Europe/Berln", "Did you mean 'Europe/Berlin'?"),
    ("Europe/Berlin", "nowhere", "there is no time zone 'nowhere'"),
    # files
    ("raw/pristine/map.toy", "raw/pristine/mop.toy", "Did you mean 'map.toy'?"),
    ("raw/pristine/map.toy", "raw/pristin/map.toy", "Did you mean 'pristine'?"),
    ("raw/pristine/map.toy", "raw/zzzzz/map.toy", "There is no folder"),
    ("raw/pristine/map.toy", "raw/pristine/zzzzz", "holds no such name"),
    ("raw/pristine/map.toy", "raw/pristine", "is a folder, not a file"),
    ("raw/plating1/*.log", "raw/plating1/*.lug", "no file matches"),
    ("raw/plating1/second.toy", "raw/plating1/map.toy", "listed twice"),
    ("raw/plating1/second.toy", "raw/pristine/map.toy", "of 'pristine' already"),
    # what cannot be true together
    ('name = "plating 1"', 'name = "Pristine"', "given to two states"),
    ("area_mm2 = 2.01", "area_mm2 = 20.1", "larger than the face of the pellet, 2.011 mm2"),
    ('"LLZTO-I-43d"', '"LLZTO-I-43"', "Did you mean 'LLZTO-I-43d'?"),
    ('"LLZTO-I-43d"', '"gold.cif"', "the file gold.cif does not exist"),
    ('stack = "Li|LLZO|Li"', 'truth = "trth"', "there is no folder trth"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), EDITS)
def test_each_mistake_is_found_at_its_line(tmp_path: Path, old: str, new: str, words: str) -> None:
    line = line_of(CELL, old)
    found = mistakes_of(tmp_path, CELL.replace(old, new))
    assert any(at == line and words in text for at, text in found), found


def test_a_key_that_a_step_needs(tmp_path: Path) -> None:
    text = CELL.replace("material =", "# material =")
    ((line, said),) = mistakes_of(tmp_path, text)
    assert line == line_of(CELL, "[electrolyte]")
    assert said == (
        "[electrolyte] lacks the key 'material', which the step maps.read works with. "
        "`mesolith explain electrolyte.material` says what it is."
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('[{ state = "pristine", value = 5 }]', "no value for the state 'plating 1'"),
        ('[{ state = "pristin", value = 5 }]', "Did you mean 'pristine'?"),
        ('[{ state = "pristine", value = 5 }, { state = "pristine", value = 5 }]', "twice"),
        ('[{ state = "pristine", value = -5 }]', "0 to 1000 MPa"),
        ('[{ state = "pristine", valu = 5 }]', "Did you mean 'value'?"),
        ('[{ state = "pristine" }]', "the key 'value' is missing"),
        ("[5.0]", "must be a list of tables"),
        ("[]", "is an empty list"),
    ],
)
def test_mistakes_in_a_series(tmp_path: Path, value: str, words: str) -> None:
    text = CELL.replace("stack_pressure_mpa = 5.0", f"stack_pressure_mpa = {value}")
    assert any(words in said for _, said in mistakes_of(tmp_path, text))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("[[169.8], 63.9, 69.8]", "must be [c11, c12, c44] or six rows"),
        ("[169.8, 63.9]", "must be [c11, c12, c44] or six rows"),
        ('[169.8, 63.9, "69.8"]', "must hold numbers only"),
        ("[63.9, 169.8, 69.8]", "no stable cubic crystal"),
        ("[169800.0, 63900.0, 69800.0]", "UnitError"),
        ("[" + "[1, 2, 3, 4, 5, 6], " * 6 + "]", "not symmetric"),
        ("[" + "[1, 1, 1, 1, 1, 1], " * 6 + "]", "not positive definite"),
        ("169.8", "must be a list"),
    ],
)
def test_a_stiffness_that_is_none(tmp_path: Path, value: str, words: str) -> None:
    text = CELL.replace("[clock]", f"stiffness_gpa = {value}\n[clock]")
    assert any(words in said for _, said in mistakes_of(tmp_path, text))


def test_a_full_stiffness(tmp_path: Path) -> None:
    rows = [[0.0] * 6 for _ in range(6)]
    for i in range(6):
        rows[i][i] = 100.0
    text = CELL.replace("[clock]", f"stiffness_gpa = {rows}\n[clock]")
    experiment = load_experiment(write_cell(tmp_path, text), TECHNIQUES)
    assert experiment.setting("electrolyte.stiffness_gpa") == rows


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "[cell] lacks the key 'name'"),
        ("", "there is no state"),
        ("cell = 1", "[cell] must be a table"),
        ("[state]", "Write [[state]]."),
        ("state = [1]", "a state must be a table"),
        ("nothing = 1", "stands before the first table"),
    ],
)
def test_files_that_are_wrong_from_the_start(tmp_path: Path, text: str, words: str) -> None:
    assert any(words in said for _, said in mistakes_of(tmp_path, text))


def test_all_mistakes_come_together(tmp_path: Path) -> None:
    text = (
        CELL.replace("temperature_c", "temprature_c")
        .replace("area_mm2 = 2.01", "area_mm2 = -1")
        .replace("Europe/Berlin", "Europe/Berln")
        .replace("raw/plating1/second.toy", "raw/plating1/third.toy")
    )
    found = mistakes_of(tmp_path, text)
    expected = ["area_mm2 =", "temprature_c", "Europe/Berln", "third.toy"]
    assert [line for line, _ in found] == [line_of(text, words) for words in expected]


def test_the_listing_names_file_line_and_column(tmp_path: Path) -> None:
    path = write_cell(tmp_path, CELL.replace("temperature_c", "temprature_c"))
    with pytest.raises(CellFileError) as caught:
        load_experiment(path, TECHNIQUES)
    line = line_of(CELL, "temperature_c")
    assert str(caught.value) == (
        "cell.toml: 1 mistake in the cell file\n"
        f"  cell.toml:{line}:1: [conditions] has no key 'temprature_c'. "
        "Did you mean 'temperature_c'?"
    )
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.mistakes) == (str(caught.value), caught.value.mistakes)


def test_any_mistake_in_the_cell_file_ends_with_2(tmp_path: Path) -> None:
    swapped = CELL.replace("2024-05-03T13:00:00+02:00", "2024-05-03T07:00:00+02:00")
    for text in (swapped, swapped.replace("[maps]", "[mapps]")):
        with pytest.raises(CellFileError) as caught:
            load_experiment(write_cell(tmp_path, text), TECHNIQUES)
        assert caught.value.exit_code == 2


def test_no_cell_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="mesolith new"):
        load_experiment(tmp_path, TECHNIQUES)


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "cell.toml"
    path.write_bytes(b'[cell]\nname = "Z\xfcrich"\n')
    with pytest.raises(CellFileError, match=r"cell.toml:2:10: the byte 0xfc is not UTF-8"):
        load_experiment(path, TECHNIQUES)


def test_a_byte_order_mark_and_windows_lines_change_nothing(tmp_path: Path) -> None:
    path = write_cell(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + CELL.replace("\n", "\r\n").encode("utf-8"))
    assert load_experiment(path, TECHNIQUES).name == "virtual LLZTO 1"


def test_a_syntax_error_is_listed_like_any_other(tmp_path: Path) -> None:
    found = mistakes_of(tmp_path, CELL.replace('"raw/pristine/map.toy"]', '"raw/pristine/map.toy"'))
    assert found == [
        (line_of(CELL, "raw/pristine/map.toy"), found[0][1]),
    ]
    assert "not valid TOML" in found[0][1]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = write_cell(tmp_path)
    (tmp_path / "raw/pristine/map.toy").chmod(0)
    with pytest.raises(CellFileError, match="permission denied"):
        load_experiment(path, TECHNIQUES)


def test_a_mistake_of_two_places_names_both(tmp_path: Path) -> None:
    ((line, said),) = mistakes_of(tmp_path, CELL.replace("area_mm2 = 2.01", "area_mm2 = 20.1"))
    assert line == line_of(CELL, "area_mm2 = 2.01")
    assert f"(line {line_of(CELL, 'diameter_um')})" in said


def test_the_area_between_a_protocol_and_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Step("link.toy", 1, "none:none", "cell", ("logs.read?",), ("cell.area_mm2",))
    monkeypatch.setattr("mesolith.link.STEPS", (step,))
    without = CELL.replace("area_mm2", "# area_mm2")
    ((line, said),) = mistakes_of(tmp_path, without)
    assert line == line_of(CELL, "[cell]")
    assert "lacks the key 'area_mm2': `after` of 'plating 1' is per area, its logs is not" in said
    load_experiment(write_cell(tmp_path, CELL), TECHNIQUES)
    no_protocol = without.replace("after =", "# after =")
    load_experiment(write_cell(tmp_path, no_protocol), TECHNIQUES)


def test_a_link_that_finds_its_inputs_needs_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = CELL.replace("material =", "# material =").replace("maps = {", "logs = {")
    without = without.replace('logs = { files = ["raw/plating1/*.log"] }', "").replace(
        "[maps]\nsigma_um = 20.0\nrule", "[logs]\n# rule"
    )
    path = write_cell(tmp_path, without)
    load_experiment(path, TECHNIQUES)
    absent = Step("link.absent", 1, "none:none", "cell", ("maps.read",), ("electrolyte",))
    monkeypatch.setattr("mesolith.link.STEPS", (absent,))
    load_experiment(path, TECHNIQUES)
    there = Step("link.there", 1, "none:none", "cell", ("logs.read",), ("electrolyte",))
    monkeypatch.setattr("mesolith.link.STEPS", (absent, there))
    with pytest.raises(CellFileError, match=r"the step link\.there works with"):
        load_experiment(path, TECHNIQUES)
