"""How a setting is declared: once, with unit, range, default and help.

The keys of cell.toml, their checks, ``mesolith explain``, the editors' schema and the docs page
all come from these declarations.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

_KEY = "mesolith"
_REQUIRED: Any = object()


@dataclass(frozen=True, slots=True)
class Setting:
    """Declaration of one key.

    ``kind`` is "number", "integer", "text", "choice", "flag", "table", "list", "files", "file" (its
    content counts as an input of the steps that ask for the key), "numbers" (a number, or a list
    of numbers), "series" (a number, or a list of tables {state, value}) or "time" (a date-time
    with its offset).
    ``minimum`` and ``maximum`` bound a number and are allowed values themselves.
    ``important`` marks a condition that the report names on its first page when it is missing.
    ``reads`` is the dotted name of a function that reads a text and raises `InvalidValueError`
    where it cannot.
    """

    kind: str
    help: str
    unit: str | None
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]
    required: bool
    important: bool
    example: str | None
    reads: str | None = None


def setting(
    kind: str,
    help: str,
    *,
    default: Any = _REQUIRED,
    unit: str | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    important: bool = False,
    example: str | None = None,
    reads: str | None = None,
) -> Any:
    """Declare a key of cell.toml as a field of a frozen settings dataclass."""
    declared = Setting(
        kind,
        help,
        unit,
        minimum,
        maximum,
        choices,
        default is _REQUIRED,
        important,
        example,
        reads,
    )
    if default is _REQUIRED:
        return dataclasses.field(metadata={_KEY: declared})
    return dataclasses.field(default=default, metadata={_KEY: declared})


def declared_settings(settings: type) -> dict[str, Setting]:
    """Declared keys of a settings dataclass, in order."""
    return {f.name: f.metadata[_KEY] for f in dataclasses.fields(settings) if _KEY in f.metadata}
