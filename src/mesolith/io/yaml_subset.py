"""The part of YAML that instrument files use: nested mappings and sequences of plain scalars.

Block and flow forms, comments, quoted text, one document. Anchors, tags, block scalars and
several documents are refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mesolith.errors import DuplicateError, FileFormatError
from mesolith.io.numbers import text_lines

_INTEGER = re.compile(r"[-+]?[0-9]+$")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")
_KEY = re.compile(r"""("[^"]*"|'[^']*'|[^\s'"\[\]{}#&*!|>%@,-][^#]*?|-[^\s#][^#]*?)\s*:(\s+|$)""")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("null", "~", ""), None),
    **dict.fromkeys(("true", "yes", "on"), True),
    **dict.fromkeys(("false", "no", "off"), False),
    ".nan": float("nan"),
    ".inf": float("inf"),
    "-.inf": float("-inf"),
}
_REFUSED = {"&": "an anchor", "*": "an alias", "!": "a tag", "|": "a block of text", ">": "a block"}

Line = tuple[int, int, str]  # number, indentation, text


def read_yaml(path: Path) -> Any:
    """Content of a YAML file as dictionaries, lists, numbers, words, truth values and None.

    Raises
    ------
    FileFormatError, DuplicateError
        With file, line and what is wrong.
    """
    reader = _Reader(path, _logical_lines(path))
    if not reader.lines:
        return None
    value = reader.block(reader.lines[0][1])
    if reader.place < len(reader.lines):
        raise reader.wrong("the indentation fits nothing above")
    return value


def write_yaml(path: Path, value: Mapping[str, Any]) -> None:
    """Write nested mappings and sequences of scalars in block form; floats to the last bit."""
    path.write_text("\n".join(_written(value, 0)) + "\n", encoding="utf-8", newline="\n")


def _logical_lines(path: Path) -> list[Line]:
    """Lines without comments and blanks; flow collections over several lines are joined."""
    found: list[Line] = []
    open_brackets = 0
    for number, raw in enumerate(text_lines(path), 1):
        text = _without_comment(raw).rstrip()
        stripped = text.lstrip(" ")
        if not stripped or (stripped == "---" and not found):
            continue
        if stripped.startswith("\t") or stripped in ("---", "..."):
            what = "a tab indents" if stripped.startswith("\t") else "a second document begins"
            raise FileFormatError(
                what,
                where=f"{path}, line {number}",
                remedy="Indent with spaces; keep one document a file.",
            )
        if open_brackets:
            before = found[-1]
            found[-1] = (before[0], before[1], f"{before[2]} {stripped}")
        else:
            found.append((number, len(text) - len(stripped), stripped))
        bare = re.sub(r"\"[^\"]*\"|'[^']*'", "", stripped)
        open_brackets += sum(bare.count(c) for c in "[{") - sum(bare.count(c) for c in "]}")
    return found


def _without_comment(line: str) -> str:
    quote = ""
    for k, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'" and (k == 0 or line[k - 1] in " [{,:-"):
            quote = letter
        elif letter == "#" and (k == 0 or line[k - 1] in " \t"):
            return line[:k]
    return line


class _Reader:
    def __init__(self, path: Path, lines: list[Line]) -> None:
        self.path = path
        self.lines = lines
        self.place = 0

    def wrong(self, what: str) -> FileFormatError:
        number = self.lines[min(self.place, len(self.lines) - 1)][0]
        return FileFormatError(
            what,
            where=f"{self.path}, line {number}",
            remedy="Nested mappings and lists of numbers and words are read here.",
        )

    def block(self, indent: int) -> Any:
        """The mapping, sequence or scalar whose lines stand at this indentation."""
        text = self.lines[self.place][2]
        if text == "-" or text.startswith("- "):
            return self.sequence(indent)
        if _KEY.match(text):
            return self.mapping(indent)
        self.place += 1
        return self.scalar(text)

    def sequence(self, indent: int) -> list[Any]:
        items = []
        while self.place < len(self.lines):
            number, at, text = self.lines[self.place]
            if at != indent or not (text == "-" or text.startswith("- ")):
                break
            rest = text[1:].lstrip(" ")
            if rest:
                # what follows the dash is a block of its own, indented to where it stands
                inner = indent + len(text) - len(rest)
                self.lines[self.place] = (number, inner, rest)
                items.append(self.block(inner))
            else:
                self.place += 1
                items.append(self.nested(indent, sequence_at_same=False))
        return items

    def mapping(self, indent: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        while self.place < len(self.lines):
            _, at, text = self.lines[self.place]
            match = _KEY.match(text)
            if at != indent or match is None:
                break
            key = self.scalar(match.group(1))
            if key in found:
                raise DuplicateError(
                    f"the key {key!r} occurs twice",
                    where=f"{self.path}, line {self.lines[self.place][0]}",
                    remedy="Remove one of the two.",
                )
            rest = text[match.end() :]
            if rest:
                found[key] = self.scalar(rest)
                self.place += 1
            else:
                self.place += 1
                found[key] = self.nested(indent, sequence_at_same=True)
        return found

    def nested(self, indent: int, *, sequence_at_same: bool) -> Any:
        if self.place == len(self.lines):
            return None
        _, at, text = self.lines[self.place]
        dash = text == "-" or text.startswith("- ")
        if at > indent or (sequence_at_same and at == indent and dash):
            return self.block(at)
        return None

    def scalar(self, text: str) -> Any:
        if text[0] in _REFUSED:
            raise self.wrong(f"{_REFUSED[text[0]]} ({text.split()[0]}) is not read")
        value, rest = self.flow(text, ())
        if rest.strip():
            raise self.wrong(f"{rest.strip()!r} follows a value")
        return value

    def flow(self, text: str, ends: Sequence[str]) -> tuple[Any, str]:
        """One value and what stands behind it; ``ends`` are the letters that end a bare word."""
        text = text.lstrip()
        if text[:1] in ("[", "{"):
            return self.collection(text)
        if text[:1] in ('"', "'"):
            close = text.find(text[0], 1)
            if close < 0:
                raise self.wrong("a quotation is not closed")
            return text[1:close], text[close + 1 :]
        stop = min((text.find(e) for e in ends if e in text), default=len(text))
        return _plain(text[:stop].strip()), text[stop:]

    def collection(self, text: str) -> tuple[Any, str]:
        close = "]" if text[0] == "[" else "}"
        items: list[Any] = []
        pairs: dict[Any, Any] = {}
        rest = text[1:].lstrip()
        while not rest.startswith(close):
            if not rest:
                raise self.wrong(f"{close!r} is missing")
            if close == "}":
                key, rest = self.flow(rest, (":",))
                if not rest.startswith(":"):
                    raise self.wrong("a key in braces has no value")
                pairs[key], rest = self.flow(rest[1:], (",", "}"))
            else:
                value, rest = self.flow(rest, (",", "]"))
                items.append(value)
            rest = rest.lstrip()
            if rest.startswith(","):
                rest = rest[1:].lstrip()
            elif not rest.startswith(close):
                raise self.wrong(f"a comma or {close!r} is missing")
        return (items if close == "]" else pairs), rest[1:]


def _plain(word: str) -> Any:
    if word.lower() in _WORDS:
        return _WORDS[word.lower()]
    if _INTEGER.match(word):
        return int(word)
    if _NUMBER.match(word):
        return float(word)
    return word


def _written(value: Any, indent: int) -> list[str]:
    space = " " * indent
    lines = []
    for key, item in value.items():
        if isinstance(item, Mapping):
            lines += [f"{space}{key}:", *_written(item, indent + 2)]
        elif isinstance(item, Sequence) and not isinstance(item, str):
            lines += [f"{space}{key}:", *(f"{space}- {_word(one)}" for one in item)]
        else:
            lines.append(f"{space}{key}: {_word(item)}")
    return lines


def _word(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    plain = text and not re.search(r"""[:#\[\]{},&*!|>'"%@`]|^[-?\s]|\s$""", text)
    if plain and isinstance(_plain(text), str):
        return text
    return '"' + text.replace('"', "'") + '"'
