"""One-token edits of a cell.toml, and an oracle of its own for what is harmless.

The oracle shares no code with the checks: it compares what tomllib reads before and after the
edit, value by value, and knows by itself what each value may be.
"""

from __future__ import annotations

import itertools
import math
import random
import re
import tomllib
import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

KINDS = (
    ("comment", r"#[^\n]*"),
    ("text", r"\"[^\"\n]*\"|'[^'\n]*'"),
    ("time", r"\d{4}-\d{2}-\d{2}T[0-9:.+\-Z]+"),
    ("number", r"[+-]?\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w-])"),
    ("flag", r"\b(?:true|false)\b"),
    ("word", r"[A-Za-z0-9_-]+"),
    ("mark", r"\[\[|\]\]|[\[\]{}=,.]"),
    ("newline", r"\n"),
    ("space", r"[ \t]+"),
)
TOKEN = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in KINDS))
LETTERS = "abcdefghijklmnopqrstuvwxyz"
KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@dataclass(frozen=True)
class Edit:
    """An edited text; ``lines`` are those at which a report is right."""

    what: str
    text: str
    lines: frozenset[int]


def tokens_of(text: str) -> list[Token]:
    found = [Token(str(m.lastgroup), m[0], m.start()) for m in TOKEN.finditer(text)]
    assert "".join(token.text for token in found) == text
    return found


def random_edit(text: str, chance: random.Random) -> Edit:
    """An edit of one token: deleted, doubled, misspelled, swapped, of another type or size."""
    tokens = [token for token in tokens_of(text) if token.kind != "space"]
    solid = [t for t in tokens if t.kind not in ("comment", "newline")]
    while True:
        token = chance.choice(tokens)
        kind = chance.choice(("delete", "double", "misspell", "swap", "type", "number", "quote"))
        edit = _edit(kind, token, solid, text, chance)
        if edit is not None and edit.text != text:
            return edit


def _edit(
    kind: str, token: Token, solid: list[Token], text: str, chance: random.Random
) -> Edit | None:
    touched = [token]
    if kind == "delete" or kind == "double":
        if token.kind == "newline" and "#" in _line_before(text, token.start):
            return None  # it would take the next line into the comment: no edit of one token
        new = "" if kind == "delete" else _double(token)
    elif kind == "misspell" and token.kind in ("word", "text"):
        new = _misspelled(token.text, chance)
    elif kind == "type":
        new = _of_other_type(token, chance)
    elif kind == "number" and token.kind == "number":
        new = _other_number(token.text, chance)
    elif kind == "quote" and token.kind == "text":
        new = chance.choice((token.text[1:], token.text[:-1], f'"{token.text}', f'{token.text}"'))
    elif kind == "swap" and token in solid:
        alike = chance.random() < 0.5
        after = [t for t in solid if t.start > token.start and (t.kind == token.kind or not alike)]
        if not after:
            return None
        other = after[0]
        touched.append(other)
        between = text[token.end : other.start]
        changed = text[: token.start] + other.text + between + token.text + text[other.end :]
        what = f"swap {token.text!r} and {other.text!r}"
        return Edit(what, changed, _right_lines(text, changed, touched, solid))
    else:
        return None
    if new is None:
        return None
    changed = text[: token.start] + new + text[token.end :]
    return Edit(
        f"{kind} {token.text!r} -> {new!r}", changed, _right_lines(text, changed, touched, solid)
    )


def _right_lines(
    text: str, changed: str, touched: list[Token], solid: list[Token]
) -> frozenset[int]:
    """Lines of the edited tokens; for brackets and commas also that of the token before.

    Between two values a list may go on in the next line, so a comma or bracket that is missing
    there is missed after the value before it.
    """
    lines = set()
    for token in touched:
        lines.add(text.count("\n", 0, token.start) + 1)
        if token.kind in ("mark", "newline"):
            before = [t for t in solid if t.end <= token.start]
            if before:
                lines.add(text.count("\n", 0, before[-1].start) + 1)
    return frozenset(lines)


def _line_before(text: str, position: int) -> str:
    return text[text.rfind("\n", 0, position) + 1 : position]


def _double(token: Token) -> str:
    glue = "" if token.kind in ("mark", "newline") else " "
    return f"{token.text}{glue}{token.text}"


def _misspelled(text: str, chance: random.Random) -> str | None:
    places = [k for k, letter in enumerate(text) if letter.isalnum()]
    if not places:
        return None
    k = chance.choice(places)
    return chance.choice(
        (
            text[:k] + text[k + 1 :],
            text[:k] + text[k] + text[k:],
            text[:k] + chance.choice(LETTERS) + text[k + 1 :],
            text[:k] + text[k].swapcase() + text[k + 1 :],
            text[:k] + text[k + 1 : k + 2] + text[k] + text[k + 2 :],
        )
    )


def _of_other_type(token: Token, chance: random.Random) -> str | None:
    if token.kind not in ("text", "number", "time", "flag"):
        return None
    bare = token.text.strip("\"'")
    other = {
        "text": (bare, "7", "true", f"[{token.text}]", "{}"),
        "number": (f'"{bare}"', "true", f"[{bare}]", "{}", "2024-05-03", "nan"),
        "time": (f'"{bare}"', bare[:10], bare[:19], "7.5", "true"),
        "flag": (f'"{bare}"', "1"),
    }
    return chance.choice(other[token.kind])


def _other_number(text: str, chance: random.Random) -> str:
    value = float(text)
    whole = "." not in text and "e" not in text.lower()
    factor = chance.choice((-1.0, 0.0, 0.1, 0.5, 1.1, 2.0, 10.0, 1e3, 1e-3, 1e6))
    new = value * factor
    return str(round(new)) if whole and chance.random() < 0.5 else repr(new)


# What each value may be: (type, smallest, largest) of numbers, or a tuple of words.
NUMBERS: Mapping[str, tuple[float, float]] = {
    "diameter_um": (10, 1e5),
    "thickness_um": (1, 2e4),
    "area_mm2": (1e-4, 1e4),
    "stack_pressure_mpa": (0, 1e3),
    "value": (0, 1e3),
    "forming_pressure_mpa": (0, 2e3),
    "temperature_c": (-80, 250),
    "lithium_thickness_um": (0, 5e3),
    "interlayer_thickness_um": (0, 1e3),
    "offset_s": (-9e4, 9e4),
    "sigma_position_um": (1e-3, 1e3),
    "sigma_orientation_deg": (1e-4, 10),
    "sigma_strain": (1e-7, 1e-2),
    "minimum_completeness": (0, 1),
    "current_share": (0, 1),
    "current_ma_cm2": (-1e3, 1e3),
    "duration_h": (1e-6, 1e5),
}
WHOLE = {"half_cycles", "cycles"}
WORDS: Mapping[str, tuple[str, ...]] = {
    "plates_under_positive_current": ("working", "counter"),
    "lateral": ("free", "confined"),
    "track_rule": ("optimal", "nearest"),
    "reference": ("cell", "state", "given"),
    "equilibrium": ("hydrostatic", "all"),
    "strain_columns": ("check", "ignore"),
    "strain_definition": ("infinitesimal", "biot", "green-lagrange"),
    "date_order": ("month-first", "day-first"),
}
FREE = {"name", "stack", "protocol", "interlayer_material"}
LISTS = {"files", "current_ma_cm2", "duration_h"}


def leaves(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every value that is no table; a list that may have any length is one value."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list) and path[-1] not in LISTS:
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def harm(original: str, edited: str, folder: Path, materials: tuple[str, ...]) -> str | None:
    """Why the edited text is not harmless, or None where it is.

    Harmless: the same keys, and each changed value is one that the user may have meant.
    """
    try:
        after = tomllib.loads(edited)
    except tomllib.TOMLDecodeError as error:
        return f"no TOML: {error}"
    before = tomllib.loads(original)
    old, new = dict(leaves(before)), dict(leaves(after))
    if old.keys() != new.keys():
        return f"other keys: {sorted(old.keys() ^ new.keys(), key=str)}"
    for path, value in new.items():
        if type(value) is type(old[path]) and value == old[path]:
            continue
        if not _may_be(path, value, old[path], folder, materials):
            return f"{path} = {value!r}"
    return _contradiction(after)


def _may_be(path: KeyPath, value: Any, old: Any, folder: Path, materials: tuple[str, ...]) -> bool:
    key = next(str(word) for word in reversed(path) if isinstance(word, str))
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if key in ("current_ma_cm2", "duration_h") and isinstance(value, list):
        return bool(value) and all(_may_be(path, item, old, folder, materials) for item in value)
    if key in NUMBERS:
        low, high = NUMBERS[key]
        return number and math.isfinite(value) and low <= value <= high
    if key == "stiffness_gpa":
        return number and math.isfinite(value)  # stability is looked at with all of them
    if key in WHOLE:
        return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 10**6
    if key == "measured_at":
        aware = datetime.fromisoformat(value) if isinstance(value, str) else value
        return isinstance(aware, datetime) and aware.tzinfo is not None
    if key == "files":
        names = value if isinstance(value, list) else []
        return bool(names) and set(names) <= set(old) and len(set(names)) == len(names)
    if not isinstance(value, str):
        return False
    if key in WORDS:
        return value in WORDS[key]
    if key == "zone":
        return value in zoneinfo.available_timezones()
    if key in ("material", "second_phase"):
        return value in materials
    if key == "truth":
        return (folder / value).is_dir()
    if key == "format":
        return False  # the files of the base are of the format that it states
    # the states of a series must be those of the cell, which is looked at with all of them
    return (key in FREE or path[-1] == "state") and bool(value.strip())


def _contradiction(cell: Mapping[str, Any]) -> str | None:
    states = cell["state"]
    names = [state["name"].casefold() for state in states]
    if len(set(names)) < len(names):
        return "two states of one name"
    times = [state["measured_at"] for state in states if "measured_at" in state]
    times = [datetime.fromisoformat(t) if isinstance(t, str) else t for t in times]
    if any(a >= b for a, b in itertools.pairwise(times)):
        return "times do not rise"
    files = [f for state in states for t in state.values() if isinstance(t, dict)
             for f in t.get("files", [])]  # fmt: skip
    if len(set(files)) < len(files):
        return "a file in two states"
    radius = cell["cell"]["diameter_um"] / 2e3
    if cell["cell"]["area_mm2"] > 1.03 * math.pi * radius**2:
        return "area larger than the pellet"
    for state in states:
        after = state.get("after")
        if after and not _fits(after):
            return "a list of another length than the count"
    series = cell["conditions"]["stack_pressure_mpa"]
    if isinstance(series, list) and sorted(e["state"].casefold() for e in series) != sorted(names):
        return "pressures of other states"
    c11, c12, c44 = cell["electrolyte"]["stiffness_gpa"]
    if not (c44 > 0 and c11 > abs(c12) and c11 + 2 * c12 > 0 and c11 <= 2000):
        return "no stable crystal"
    return None


def _fits(after: Mapping[str, Any]) -> bool:
    count = after.get("half_cycles", after.get("cycles"))
    lists = [v for v in (after["current_ma_cm2"], after["duration_h"]) if isinstance(v, list)]
    return all(len(item) == count for item in lists)
