"""Where each key and value of a TOML text stands.

`tomllib` parses the values; this scanner only finds places, and says more about a bracket or a
quote that is never closed: where it was opened.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

KeyPath = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = re.compile(r"[ \t]*")
_SPACE_COMMENT_NEWLINE = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
# A date may be parted from its time by one space.
_SCALAR = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:[0-9:.+\-Zz]+|[A-Za-z0-9_+\-.:]+")
_KEY_AND_EQUALS = re.compile(r"[A-Za-z0-9_-]+[ \t]*=")
_STRINGS = tuple(
    (quote, re.compile(pattern, re.DOTALL))
    for quote, pattern in (
        ('"""', r'"{3}(?:\\.|(?!""").)*"{3,5}'),
        ("'''", r"'{3}(?:(?!''').)*'{3,5}"),
        ('"', r'"(?:\\[^\n]|[^"\\\n])*"'),
        ("'", r"'[^'\n]*'"),
    )
)


class ScanError(ValueError):
    """The text is not TOML.

    ``position`` is the character where the mistake is seen, ``opened`` that of the bracket around
    it, where there is one.
    """

    def __init__(self, text: str, position: int, opened: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.position = position
        self.opened = opened


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line and a column, both counted from 1; the column counts characters."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


@dataclass(frozen=True)
class Places:
    """Places of all keys and values of one text, by path.

    A path holds table names, keys and list positions: ("state", 1, "grains", "files", 0). The key
    of a table is its header, the key of a list item the item itself.
    """

    text: str
    keys: Mapping[KeyPath, int]
    values: Mapping[KeyPath, int]

    @cached_property
    def _starts(self) -> list[int]:
        return [0] + [found.end() for found in re.finditer("\n", self.text)]

    def at(self, position: int) -> Place:
        """Line and column of a character."""
        line = bisect_right(self._starts, position)
        return Place(line, position - self._starts[line - 1] + 1)

    def key(self, path: KeyPath) -> Place:
        """Place of the key, or of the innermost table around it that is written down."""
        return self.at(_nearest(self.keys, path))

    def value(self, path: KeyPath) -> Place:
        """Place of the value, or of the innermost one around it that is written down."""
        return self.at(_nearest(self.values, path))


def find_places(text: str) -> Places:
    """Places in a text that `tomllib` accepts; line ends are LF or CR LF.

    Raises `ScanError` where the text cannot be TOML.
    """
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.document()
    return Places(scanner.text, scanner.keys, scanner.values)


def place_of_syntax_error(
    text: str, error: tomllib.TOMLDecodeError
) -> tuple[Place, str, Place | None]:
    """Where the user should look first, what to say, and where the bracket around it opens.

    `tomllib` points to where it gave up; behind a bracket that is never closed, that is lines
    too late.
    """
    text = text.replace("\r\n", "\n")
    locate = Places(text, {}, {}).at
    message = str(error)
    found = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    stop = locate(len(text))
    if found:
        message = message[: found.start()]
        if found[1]:
            stop = Place(int(found[1]), int(found[2]))
    try:
        find_places(text)
    except ScanError as scan:
        begun = locate(scan.position)
        if begun.line <= stop.line:
            return begun, scan.text, None if scan.opened is None else locate(scan.opened)
    return stop, message[:1].lower() + message[1:], None


def _nearest(places: Mapping[KeyPath, int], path: KeyPath) -> int:
    while path and path not in places:
        path = path[:-1]
    return places.get(path, 0)


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.keys: dict[KeyPath, int] = {}
        self.values: dict[KeyPath, int] = {}
        self.lengths: dict[KeyPath, int] = {}  # of arrays of tables

    def document(self) -> None:
        here: KeyPath = ()
        while True:
            self._skip(_SPACE_COMMENT_NEWLINE)
            if self.position >= len(self.text):
                return
            if self._at("["):
                here = self._header()
            else:
                self._pair(here)
            self._skip(_SPACE)
            if self.position < len(self.text) and not self._at("\n") and not self._at("#"):
                raise ScanError("a line end is missing here", self.position)

    def _header(self) -> KeyPath:
        start = self.position
        repeated = self._at("[[")
        self.position += 2 if repeated else 1
        parts = self._dotted_key()
        closing = "]]" if repeated else "]"
        if not self._at(closing):
            raise ScanError(f"the table's name is not closed by {closing}", start)
        self.position += len(closing)
        parent = self._open((), parts[:-1], start)
        path = (*parent, parts[-1])
        if repeated:
            self.keys.setdefault(path, start)
            self.values.setdefault(path, start)
            item = self.lengths.get(path, 0)
            self.lengths[path] = item + 1
            path = (*path, item)
        elif path in self.lengths:
            raise ScanError("the table is repeated elsewhere with double brackets", start)
        # A table that stood implicitly before is now written down.
        self.keys[path] = self.values[path] = start
        return path

    def _open(self, path: KeyPath, parts: list[str], start: int) -> KeyPath:
        """KeyPath of a table inside, the last one of each array of tables; new ones begin here."""
        for part in parts:
            path = (*path, part)
            self.keys.setdefault(path, start)
            self.values.setdefault(path, start)
            if path in self.lengths:
                path = (*path, self.lengths[path] - 1)
        return path

    def _pair(self, here: KeyPath) -> None:
        start = self.position
        parts = self._dotted_key()
        if not self._at("="):
            raise ScanError("an equals sign is missing after this key", start)
        self.position += 1
        self._skip(_SPACE)
        path = (*self._open(here, parts[:-1], start), parts[-1])
        if path in self.keys:
            raise ScanError(f"the key {parts[-1]!r} is given twice", start)
        self.keys[path] = start
        self._value(path, start)

    def _dotted_key(self) -> list[str]:
        parts = []
        while True:
            self._skip(_SPACE)
            start = self.position
            if self._at('"') or self._at("'"):
                parts.append(str(tomllib.loads(f"k = {self._string()}")["k"]))
            elif bare := _BARE_KEY.match(self.text, start):
                self.position = bare.end()
                parts.append(bare[0])
            else:
                raise ScanError("a key is missing here", start)
            self._skip(_SPACE)
            if not self._at("."):
                return parts
            self.position += 1

    def _value(self, path: KeyPath, owner: int) -> None:
        start = self.position
        self.values[path] = start
        if self._at('"') or self._at("'"):
            self._string()
        elif self._at("["):
            self._array(path)
        elif self._at("{"):
            self._inline_table(path)
        elif scalar := _SCALAR.match(self.text, start):
            self.position = scalar.end()
        else:
            raise ScanError("a value is missing here", owner)

    def _string(self) -> str:
        start = self.position
        for quote, pattern in _STRINGS:
            if self._at(quote):
                found = pattern.match(self.text, start)
                if not found:
                    raise ScanError(f"the text is opened by {quote} and never closed", start)
                self.position = found.end()
                return found[0]
        raise ScanError("a text is missing here", start)

    def _array(self, path: KeyPath) -> None:
        opened = self.position
        self.position += 1
        last = opened  # where the last thing that is right ends
        item = 0
        while True:
            self._skip(_SPACE_COMMENT_NEWLINE)
            if self._at("]"):
                self.position += 1
                return
            if _KEY_AND_EQUALS.match(self.text, self.position):
                raise ScanError("the closing ] of the list is missing after this", last, opened)
            inner = (*path, item)
            self.keys[inner] = self.position
            self._value(inner, last)
            last = self.position - 1
            self._skip(_SPACE_COMMENT_NEWLINE)
            if self._at(","):
                self.position += 1
            elif not self._at("]"):
                raise ScanError(
                    "a comma or the closing ] of the list is missing after this value",
                    last,
                    opened,
                )
            item += 1

    def _inline_table(self, path: KeyPath) -> None:
        opened = self.position
        self.position += 1
        self._skip(_SPACE)
        if self._at("}"):
            self.position += 1
            return
        while True:
            self._skip(_SPACE)
            self._pair(path)
            last = self.position - 1
            self._skip(_SPACE)
            if self._at("}"):
                self.position += 1
                return
            if not self._at(","):
                raise ScanError(
                    "a comma or the closing } of the table is missing after this value",
                    last,
                    opened,
                )
            self.position += 1

    def _at(self, text: str) -> bool:
        return self.text.startswith(text, self.position)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.position)
        if found:
            self.position = found.end()
