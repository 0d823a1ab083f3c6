"""One declaration, four uses: explanation, docs page, schema, nearest key."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from mesolith.errors import SettingsError
from mesolith.experiment.catalogue import catalogue
from mesolith.experiment.explain import explain, json_schema, settings_page
from tests.experiment.toy import CELL, TECHNIQUES

KEYS = catalogue(TECHNIQUES)


def test_a_key_in_words() -> None:
    (entry,) = KEYS.find("maps.sigma_um")
    assert explain(entry).splitlines() == [
        "maps.sigma_um",
        "  Error of a position.",
        "  kind: number, um",
        "  range: 0.1 to 500 um",
        "  default: 10.0",
    ]


def test_an_important_key_says_so() -> None:
    (entry,) = KEYS.find("stack_pressure_mpa")
    assert "first page" in explain(entry)
    assert "example: stack_pressure_mpa = 5.0" in explain(entry)


def test_a_required_key_says_so() -> None:
    (entry,) = KEYS.find("cell.name")
    assert "none, the key is required" in explain(entry)


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("logs", ["logs.limit"]),
        ("state.logs", ["state.logs.files", "state.logs.format", "state.logs.date_order"]),
        ("zone", ["clock.cycler.zone", "clock.beamline.zone"]),
    ],
)
def test_a_table_or_a_last_word_finds_all_its_keys(key: str, found: list[str]) -> None:
    assert [entry.key for entry in KEYS.find(key)] == found


def test_formats_are_the_choices_of_a_state() -> None:
    (entry,) = KEYS.find("state.maps.format")
    assert entry.setting.choices == ("toy", "log")


@pytest.mark.parametrize(
    ("key", "near"),
    [("conditions.stack_presure", "conditions.stack_pressure_mpa"), ("temprature_c", "temp")],
)
def test_the_nearest_key_is_offered(key: str, near: str) -> None:
    with pytest.raises(SettingsError, match=f"Did you mean '{near}"):
        KEYS.find(key)


def test_the_page_holds_every_key_once() -> None:
    page = settings_page(KEYS)
    for entry in KEYS.entries():
        assert f"| `{entry.key.rpartition('.')[2]}`" in page
    assert page.count("`sigma_um`") == 1
    assert "`temperature_c`* | number, degC | -80 to 250 degC | none |" in page
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert {row.replace("\\|", "").count("|") for row in rows} == {6}


def test_the_schema_accepts_what_check_accepts() -> None:
    schema = json_schema(KEYS)
    assert schema_mistakes(schema, tomllib.loads(CELL)) == []


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("temperature_c = 50.0", "temprature_c = 50.0", "conditions.temprature_c"),
        ("temperature_c = 50.0", "temperature_c = 500.0", "conditions.temperature_c"),
        ("temperature_c = 50.0", 'temperature_c = "50"', "conditions.temperature_c"),
        ('lateral = "free"', 'lateral = "loose"', "conditions.lateral"),
        ('name = "pristine"', "", "state.0.name"),
        ("half_cycles = 1", "half_cycles = 1.5", "state.1.after.half_cycles"),
        ('["raw/plating1/*.log"]', "[]", "state.1.logs.files"),
        ("stack_pressure_mpa = 5.0", "stack_pressure_mpa = [5]", "conditions.stack_pressure_mpa"),
        ("duration_h = 3.75", "duration_h = [-1]", "state.1.after.duration_h"),
    ],
)
def test_the_schema_refuses_what_check_refuses(old: str, new: str, where: str) -> None:
    assert CELL.count(old) == 1
    schema = json_schema(KEYS)
    assert schema_mistakes(schema, tomllib.loads(CELL.replace(old, new))) == [where]


def schema_mistakes(schema: dict[str, Any], value: Any, path: str = "") -> list[str]:
    """Paths at which a value breaks the part of JSON schema that is used here."""
    kinds = {
        "object": dict,
        "array": list,
        "string": str,
        "boolean": bool,
        "integer": int,
        "number": (int, float),
    }
    if "anyOf" in schema:
        each = [schema_mistakes(option, value, path) for option in schema["anyOf"]]
        return [] if [] in each else [path]
    if schema.get("format") == "date-time":
        return [] if hasattr(value, "isoformat") else [path]
    kind = schema["type"]
    if not isinstance(value, kinds[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return [path]
    if kind in ("integer", "number"):
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        return [] if low <= value <= high else [path]
    if kind == "string":
        return [] if value in schema.get("enum", [value]) and value else [path]
    if kind == "array":
        if len(value) < schema.get("minItems", 0):
            return [path]
        items = schema.get("items")
        found = (
            []
            if items is None
            else [schema_mistakes(items, item, f"{path}.{k}") for k, item in enumerate(value)]
        )
        return [text.lstrip(".") for each in found for text in each]
    found = []
    properties = schema.get("properties", {})
    for key, item in value.items():
        here = f"{path}.{key}".lstrip(".")
        if key in properties:
            found.append(schema_mistakes(properties[key], item, here))
        elif schema.get("additionalProperties") is False:
            found.append([here])
    for key in schema.get("required", []):
        if key not in value:
            found.append([f"{path}.{key}".lstrip(".")])
    return [text for each in found for text in each]
