"""`mesolith explain`: keys in words, the schema, the page of the docs."""

from __future__ import annotations

import json
from collections.abc import Callable

Command = Callable[..., tuple[int, str, str]]


def test_a_key(mesolith: Command) -> None:
    code, said, _ = mesolith("explain", "conditions.stack_pressure_mpa")
    assert code == 0
    assert "range: 0 to 1000 MPa" in said


def test_the_nearest_key_is_offered(mesolith: Command) -> None:
    code, _, error = mesolith("explain", "conditions.stack_presure")
    assert code == 2
    assert "Did you mean 'conditions.stack_pressure_mpa'?" in error


def test_all_keys(mesolith: Command) -> None:
    _, said, _ = mesolith("explain")
    assert "\nhedm.sigma_position_um: " in said
    assert "\nstate.cycling.date_order: " in said


def test_the_schema_is_json(mesolith: Command) -> None:
    _, said, _ = mesolith("explain", "--schema")
    schema = json.loads(said)
    assert schema["properties"]["state"]["items"]["properties"]["grains"]["required"] == ["files"]


def test_the_page(mesolith: Command) -> None:
    _, said, _ = mesolith("explain", "--markdown")
    assert said.startswith("# Every key of cell.toml\n")
