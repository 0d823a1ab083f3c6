"""The keys of cell.toml in words: one key, the docs page, and the schema for editors."""

from __future__ import annotations

import re
from typing import Any

from mesolith.experiment.catalogue import Catalogue, Entry, Table
from mesolith.experiment.sections import STATE
from mesolith.experiment.values import json_value, range_text
from mesolith.pipeline.settings import Setting

KINDS = {
    "number": "number",
    "integer": "whole number",
    "text": "text",
    "choice": "one of",
    "flag": "true or false",
    "table": "table",
    "list": "list",
    "files": "list of files",
    "file": "file",
    "numbers": "number, or list of numbers",
    "series": "number, or a value for each state",
    "time": "date and time with its offset from UTC",
}


def explain(entry: Entry) -> str:
    """What one key means, for a terminal."""
    declared = entry.setting
    lines = [entry.key, f"  {declared.help}", f"  kind: {_kind(declared)}"]
    if allowed := range_text(declared):
        lines.append(f"  range: {allowed}")
    lines.append(f"  default: {_default(entry)}")
    if declared.important:
        lines.append("  The report names it on its first page when it is missing.")
    if declared.example:
        lines.append(f"  example: {entry.key.rpartition('.')[2]} = {declared.example}")
    return "\n".join(lines)


def settings_page(keys: Catalogue) -> str:
    """The docs page of all keys, as Markdown."""
    lines = [
        "# Every key of cell.toml",
        "",
        "Made by `mesolith explain --markdown` from the declarations that also check the file.",
        "One file describes one cell. Conditions marked with * are named on the first page of the",
        "report when they are missing.",
        "",
    ]
    for name, table in keys.tables.items():
        lines += _section(f"[{name}]", name, table)
    lines += _section("[[state]]", STATE, keys.state)
    return "\n".join(lines)


def json_schema(keys: Catalogue) -> dict[str, Any]:
    """JSON schema of cell.toml, for editors that complete and check TOML."""
    properties = {name: _table_schema(table) for name, table in keys.tables.items()}
    properties[STATE] = {
        "type": "array",
        "minItems": 1,
        "items": _table_schema(keys.state),
        "description": _words(keys.state),
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "cell.toml of Mesolith",
        "type": "object",
        "properties": properties,
        "required": ["cell", STATE],
        "additionalProperties": False,
    }


def _kind(declared: Setting) -> str:
    words = KINDS[declared.kind]
    if declared.choices:
        words = f"{words} {', '.join(declared.choices)}"
    if declared.unit not in (None, "1"):
        words = f"{words}, {declared.unit}"
    return words


def _default(entry: Entry) -> str:
    if entry.setting.required:
        return "none, the key is required"
    if entry.default is None:
        return "none"
    return _toml(entry.default)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return str(value)


def _section(title: str, name: str, table: Table) -> list[str]:
    lines = [f"## {title}", "", _words(table), ""]
    lines += ["| key | kind | range | default | meaning |", "|---|---|---|---|---|"]
    lines += [_row(key, table.settings[key], table.defaults.get(key)) for key in table.settings]
    lines.append("")
    for key, inner in table.tables.items():
        lines += _section(f"{title} {key}", f"{name}.{key}", inner)
    return lines


def _words(table: Table) -> str:
    """First line of what a table is for, without its name in front."""
    first = table.doc.strip().partition("\n")[0]
    text = re.sub(r"^\[.*?\]+: ", "", first)
    return text[:1].upper() + text[1:]


def _row(key: str, declared: Setting, default: Any) -> str:
    star = "*" if declared.important else ""
    cells = [
        f"`{key}`{star}",
        _kind(declared),
        range_text(declared),
        _default(Entry(key, declared, default)),
        declared.help + (f" Example: `{declared.example}`" if declared.example else ""),
    ]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _table_schema(table: Table) -> dict[str, Any]:
    properties = {}
    for key, declared in table.settings.items():
        inner = table.tables.get(key)
        properties[key] = (
            _table_schema(inner)
            if inner is not None
            else _value_schema(declared, table.defaults.get(key))
        )
        properties[key]["description"] = declared.help
    for key, inner in table.tables.items():
        if key not in properties:
            properties[key] = _table_schema(inner)
    schema: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    schema["description"] = _words(table)
    if required := [key for key, declared in table.settings.items() if declared.required]:
        schema["required"] = required
    return schema


def _value_schema(declared: Setting, default: Any) -> dict[str, Any]:
    number: dict[str, Any] = {"type": "integer" if declared.kind == "integer" else "number"}
    if declared.minimum is not None:
        number["minimum"] = declared.minimum
    if declared.maximum is not None:
        number["maximum"] = declared.maximum
    per_state = {
        "type": "object",
        "properties": {"state": {"type": "string"}, "value": number},
        "required": ["state", "value"],
        "additionalProperties": False,
    }
    schemas: dict[str, dict[str, Any]] = {
        "number": number,
        "integer": number,
        "numbers": {"anyOf": [number, {"type": "array", "items": number, "minItems": 1}]},
        "series": {"anyOf": [number, {"type": "array", "items": per_state, "minItems": 1}]},
        "text": {"type": "string", "minLength": 1},
        "choice": {"type": "string", "enum": list(declared.choices)},
        "flag": {"type": "boolean"},
        "time": {"type": "string", "format": "date-time"},
        "list": {"type": "array"},
        "files": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "file": {"type": "string", "minLength": 1},
        "table": {"type": "object"},
    }
    schema = dict(schemas[declared.kind])
    if default is not None:
        schema["default"] = json_value(default)
    return schema
