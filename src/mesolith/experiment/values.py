"""One value of cell.toml against the declaration of its key."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from mesolith.errors import ClockError, InvalidValueError
from mesolith.experiment.mistakes import Book, did_you_mean
from mesolith.experiment.places import KeyPath
from mesolith.pipeline.settings import Setting
from mesolith.pipeline.technique import load

INVALID: Any = object()
LONGEST_TEXT = 4_000


def checked(value: Any, declared: Setting, path: KeyPath, book: Book) -> Any:
    """The value as the program uses it; `INVALID` after its mistakes were noted in the book.

    Numbers become float, lists become tuples, times become aware `datetime`.
    """
    key = str(path[-1])
    match declared.kind:
        case "number" | "integer":
            return _number(value, declared, path, key, book)
        case "numbers":
            if isinstance(value, list):
                return _list_of_numbers(value, declared, path, key, book)
            return _number(value, declared, path, key, book)
        case "series":
            if isinstance(value, list):
                return _series(value, declared, path, key, book)
            return _number(value, declared, path, key, book)
        case "text":
            return _readable(_text(value, path, key, book), declared, path, book)
        case "file":
            return _text(value, path, key, book)
        case "choice":
            return _choice(value, declared, path, key, book)
        case "flag":
            if isinstance(value, bool):
                return value
            return _wrong_type(value, "true or false", path, key, book)
        case "time":
            return _time(value, path, key, book)
        case "list":
            if isinstance(value, list):
                return _frozen(value)
            return _wrong_type(value, "a list in square brackets", path, key, book)
        case "files":
            return _texts(value, path, key, book)
        case "table":
            if isinstance(value, Mapping):
                return dict(value)
            return _wrong_type(value, "a table, as { ... }", path, key, book)
    raise ValueError(f"{key} is declared with the unknown kind {declared.kind!r}")


def json_value(value: Any) -> Any:
    """Plain JSON form of a checked value."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    return value


def shown(value: Any) -> str:
    """A wrong value, as the message quotes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = value if len(value) <= 60 else f"{value[:57]}..."
        return f"the text {text!r}"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, datetime | date | time):
        return f"the time {value.isoformat()}"
    return f"the number {value!r}"


def _wrong_type(
    value: Any, wanted: str, path: KeyPath, key: str, book: Book, remedy: str | None = None
) -> Any:
    book.value(path, f"{key} must be {wanted}, found {shown(value)}", remedy)
    return INVALID


def _unit(declared: Setting) -> str:
    return "" if declared.unit in (None, "1") else f" {declared.unit}"


def range_text(declared: Setting) -> str:
    """ "0 to 1000 MPa", "at least 1", or nothing."""
    low, high = declared.minimum, declared.maximum
    if low is not None and high is not None:
        return f"{low:g} to {high:g}{_unit(declared)}"
    if low is not None:
        return f"at least {low:g}{_unit(declared)}"
    if high is not None:
        return f"at most {high:g}{_unit(declared)}"
    return ""


def _number(value: Any, declared: Setting, path: KeyPath, key: str, book: Book) -> Any:
    whole = declared.kind == "integer"
    wanted = f"{'a whole' if whole else 'a'} number{_of_unit(declared)}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _wrong_type(value, wanted, path, key, book, _remedy_for_number(value, declared))
    if whole and isinstance(value, float):
        return _wrong_type(value, wanted, path, key, book)
    if not math.isfinite(value):
        book.value(path, f"{key} must be {wanted}, found {value}", "Leave the key out if unknown.")
        return INVALID
    low, high = declared.minimum, declared.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        book.value(
            path,
            f"{key} = {value} lies outside its range, {range_text(declared)}",
            f"Is it in {declared.unit}?" if declared.unit not in (None, "1") else None,
        )
        return INVALID
    return value if whole else float(value)


def _of_unit(declared: Setting) -> str:
    return "" if declared.unit in (None, "1") else f" in {declared.unit}"


def _remedy_for_number(value: Any, declared: Setting) -> str | None:
    if isinstance(value, str):
        try:
            float(value.replace(",", "."))
        except ValueError:
            return f"The unit is fixed: {declared.unit}." if declared.unit else None
        return f"Write {value.replace(',', '.')} without quotes."
    return None


def _list_of_numbers(
    value: list[Any], declared: Setting, path: KeyPath, key: str, book: Book
) -> Any:
    if not value:
        book.value(path, f"{key} is an empty list")
        return INVALID
    items = [_number(item, declared, (*path, k), key, book) for k, item in enumerate(value)]
    return INVALID if any(item is INVALID for item in items) else tuple(items)


def _series(value: list[Any], declared: Setting, path: KeyPath, key: str, book: Book) -> Any:
    """A value for each state; whether the states exist is checked once they are known."""
    entries = []
    if not value:
        book.value(path, f"{key} is an empty list")
        return INVALID
    for k, item in enumerate(value):
        inner = (*path, k)
        if not isinstance(item, Mapping):
            book.value(
                inner,
                f"{key} must be a list of tables, found {shown(item)}",
                'Write { state = "NAME", value = NUMBER }.',
            )
            continue
        for unknown in [name for name in item if name not in ("state", "value")]:
            book.key(
                (*inner, unknown),
                f"{key} has no key {unknown!r}",
                did_you_mean(unknown, ("state", "value"), listing="Known keys"),
            )
        for missing in [name for name in ("state", "value") if name not in item]:
            book.value(inner, f"{key}: the key {missing!r} is missing")
        if "state" in item and "value" in item:
            state = _text(item["state"], (*inner, "state"), "state", book)
            number = _number(item["value"], declared, (*inner, "value"), key, book)
            if state is not INVALID and number is not INVALID:
                entries.append({"state": state, "value": number})
    return tuple(entries) if len(entries) == len(value) else INVALID


def _text(value: Any, path: KeyPath, key: str, book: Book) -> Any:
    if not isinstance(value, str):
        return _wrong_type(value, "a text in quotes", path, key, book)
    if not value.strip():
        book.value(path, f"{key} is empty", "Leave the key out if unknown.")
        return INVALID
    if any(ord(letter) < 32 and letter not in "\n\t" for letter in value):
        book.value(path, f"{key} holds a control character")
        return INVALID
    if len(value) > LONGEST_TEXT:
        book.value(path, f"{key} has {len(value)} characters, at most {LONGEST_TEXT} are allowed")
        return INVALID
    return value


def _readable(value: Any, declared: Setting, path: KeyPath, book: Book) -> Any:
    """The text, if the function that will read it can."""
    if value is INVALID or declared.reads is None:
        return value
    try:
        load(declared.reads)(value)
    except InvalidValueError as problem:
        book.value(path, problem.what, problem.remedy)
        return INVALID
    return value


def _texts(value: Any, path: KeyPath, key: str, book: Book) -> Any:
    if isinstance(value, str):
        return _wrong_type(
            value, "a list in square brackets", path, key, book, f'Write ["{value}"].'
        )
    if not isinstance(value, list):
        return _wrong_type(value, "a list in square brackets", path, key, book)
    if not value:
        book.value(path, f"{key} is an empty list")
        return INVALID
    items = [_text(item, (*path, k), key, book) for k, item in enumerate(value)]
    return INVALID if any(item is INVALID for item in items) else tuple(items)


def _choice(value: Any, declared: Setting, path: KeyPath, key: str, book: Book) -> Any:
    if not isinstance(value, str):
        return _wrong_type(value, "a text in quotes", path, key, book)
    if value not in declared.choices:
        book.value(
            path,
            f"{key} = {value!r} is not known",
            did_you_mean(value, declared.choices, listing="Known"),
        )
        return INVALID
    return value


def _time(value: Any, path: KeyPath, key: str, book: Book) -> Any:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return _wrong_type(
                value,
                "a date and time",
                path,
                key,
                book,
                "Write it without quotes as 2024-05-03T12:00:00+02:00.",
            )
    if not isinstance(value, datetime):
        return _wrong_type(
            value, "a date and time", path, key, book, "Write it as 2024-05-03T12:00:00+02:00."
        )
    if value.tzinfo is None:
        book.value(
            path,
            f"{key} = {value.isoformat()} is a naive time: it names no zone",
            f"Add its offset from UTC, as {value.isoformat()}+02:00 in central European summer; "
            "[clock] states the zone of the cycler's and the beamline's files, not of this time.",
            ClockError,
        )
        return INVALID
    return value


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    return value
