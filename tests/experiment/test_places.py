"""The scanner finds the same keys and values as tomllib, and where they stand."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesolith.experiment.places import (
    KeyPath,
    Place,
    ScanError,
    find_places,
    place_of_syntax_error,
)
from tests.experiment.toy import CELL

DOCUMENT = '''\
top = 1
"quoted key" = 2
a.b."c d" = 3

[table] # comment with = and [
x = [1, [2, "]"], # comment "
  {y = 2, z.w = 'a # b'},
]
when = 1979-05-27 07:32:00Z
long = """
two "lines" with \\"""quotes\\"""
and five"""""
raw = \'\'\'
no \\ escape\'\'\'

[[item]]
name = "one"
[item.inner]
k = true
[[item.deep]]
v = 1
[[item.deep]]
v = 2

[[item]]
name = "two"
deep = [{v = 3}]
'''


def paths_of(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    if path:
        yield path
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from paths_of(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths_of(item, (*path, index))


def text_at(text: str, place: Place, length: int) -> str:
    return text.splitlines()[place.line - 1][place.column - 1 :][:length]


@pytest.mark.parametrize("text", [DOCUMENT, CELL, "", "# only a comment", "a = 1\r\nb = 2\r\n"])
def test_paths_agree_with_tomllib(text: str) -> None:
    places = find_places(text)
    expected = set(paths_of(tomllib.loads(text)))
    assert set(places.keys) == set(places.values) == expected


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("top",), "top", "1"),
        (("quoted key",), '"quoted key"', "2"),
        (("a", "b", "c d"), 'a.b."c d"', "3"),
        (("table",), "[table]", "[table]"),
        (("table", "x", 1, 1), '"]"', '"]"'),
        (("table", "x", 2, "z", "w"), "z.w", "'a # b'"),
        (("table", "when"), "when", "1979-05-27 07:32:00Z"),
        (("table", "raw"), "raw", "'''"),
        (("item", 0, "inner", "k"), "k", "true"),
        (("item", 0, "deep", 1), "[[item.deep]]", "[[item.deep]]"),
        (("item", 1, "deep", 0, "v"), "v = 3", "3"),
    ],
)
def test_places_point_at_what_they_name(path: KeyPath, key: str, value: str) -> None:
    places = find_places(DOCUMENT)
    assert text_at(DOCUMENT, places.key(path), len(key)) == key
    assert text_at(DOCUMENT, places.value(path), len(value)) == value


def test_what_is_not_written_has_the_place_of_the_table_around_it() -> None:
    places = find_places(DOCUMENT)
    assert places.key(("item", 1, "absent")) == places.key(("item", 1))
    assert places.key(("absent",)) == Place(1, 1)


KEYS = st.one_of(
    st.text("abz_-9", min_size=1, max_size=3),
    st.text('a."\\ #=[\n', max_size=3),
)
SCALARS = st.one_of(
    st.integers(-9, 9),
    st.floats(allow_nan=False),
    st.booleans(),
    st.text("ab#'\"\\\n]}, ", max_size=6),
    st.datetimes(),
    st.dates(),
    st.times(),
)
INLINE = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
TABLES = st.recursive(
    st.dictionaries(KEYS, INLINE, max_size=3),
    lambda inner: st.dictionaries(
        KEYS, inner | st.lists(inner, min_size=1, max_size=2) | INLINE, max_size=3
    ),
    max_leaves=6,
)


class Writer:
    """Writes a document in one of the many ways that TOML allows."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def space(self) -> str:
        return self.random.choice(["", " ", "\t "])

    def gap(self) -> str:
        return self.random.choice(["", " ", "\n", ' # ] } = "\n', "\n\n"])

    def basic(self, text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'

    def key(self, text: str) -> str:
        bare = text and all(letter.isalnum() or letter in "_-" for letter in text)
        if bare and self.random.random() < 0.7:
            return text
        return self.basic(text)

    def string(self, text: str) -> str:
        forms = [self.basic(text), '"""\n' + self.basic(text)[1:-1] + '"""']
        if "'" not in text:
            forms.append(f"'''\n{text}'''")
            if "\n" not in text:
                forms.append(f"'{text}'")
        return self.random.choice(forms)

    def value(self, value: Any) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, str):
            return self.string(value)
        if isinstance(value, Mapping):
            pairs = [
                f"{self.space()}{self.key(k)}{self.space()}={self.space()}{self.value(v)}"
                for k, v in value.items()
            ]
            return "{" + f"{self.space()},".join(pairs) + self.space() + "}"
        if isinstance(value, list):
            items = [self.gap() + self.value(item) + self.gap() for item in value]
            comma = "," if items and self.random.random() < 0.5 else ""
            return "[" + ",".join(items) + comma + self.gap() + "]"
        if hasattr(value, "isoformat"):
            return str(
                value.isoformat(self.random.choice("T "))
                if hasattr(value, "hour") and hasattr(value, "year")
                else value.isoformat()
            )
        return repr(value)

    def document(self, table: Mapping[str, Any], name: tuple[str, ...] = ()) -> str:
        pairs, tables = [], []
        for key, value in table.items():
            is_table = isinstance(value, Mapping)
            is_array = (
                isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value)
            )
            if not (is_table or is_array) or self.random.random() < 0.3:
                line = f"{self.key(key)}{self.space()}={self.space()}{self.value(value)}"
                pairs.append(f"{self.space()}{line}{self.space()}\n")
                continue
            header = ".".join(self.key(word) for word in (*name, key))
            for item in value if is_array else [value]:
                brackets = ("[[", "]]") if is_array else ("[", "]")
                tables.append(
                    f"{self.gap().rstrip(' ')}\n{brackets[0]}{header}{brackets[1]} # x\n"
                    + self.document(item, (*name, key))
                )
        return "".join(pairs) + "".join(tables)


@given(TABLES, st.integers(0, 2**32))
def test_any_document_has_the_paths_of_tomllib(table: dict[str, Any], seed: int) -> None:
    text = Writer(seed).document(table)
    parsed = tomllib.loads(text)
    places = find_places(text)
    assert set(places.keys) == set(places.values) == set(paths_of(parsed))


@given(st.integers(0, 2**32))
def test_what_tomllib_accepts_after_an_edit_the_scanner_accepts_too(seed: int) -> None:
    chance = random.Random(seed)
    text = list(chance.choice([DOCUMENT, CELL]))
    for _ in range(chance.randint(1, 3)):
        position = chance.randrange(len(text))
        if chance.random() < 0.5:
            del text[position]
        else:
            text.insert(position, chance.choice("[]{}=\"'#,.\n1a"))
    edited = "".join(text)
    try:
        parsed = tomllib.loads(edited)
    except tomllib.TOMLDecodeError as error:
        place, what, _ = place_of_syntax_error(edited, error)
        assert 1 <= place.line <= edited.count("\n") + 1
        assert what
        return
    places = find_places(edited)
    assert set(places.keys) == set(places.values) == set(paths_of(parsed))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('a = ["x"\nb = 1\n', 1, "closing ]"),
        ('a = [\n"x",\n"y"\n"z",\n]\n', 3, "comma"),
        ('a = "x\nb = 1\n', 1, "never closed"),
        ('a = """x\nb = 1\n', 1, "never closed"),
        ("[a\nb = 1\n", 1, "not closed by ]"),
        ("[[a]\nb = 1\n", 1, "not closed by ]]"),
        ("a = { b = 1\nc = 2\n", 1, "closing }"),
        ("a 1\n", 1, "equals sign"),
        ("a =\nb = 1\n", 1, "value is missing"),
        ("= 1\n", 1, "key is missing"),
        ("a = 1 b = 2\n", 1, "line end"),
        ("a = 1\nb = 2\na = 3\n", 3, "given twice"),
        ("[a]\nx = 1\n[b]\n[a]\n", 4, "twice"),
        ("a = 1979-02-30\n", 1, "invalid date"),
        ("[[a]]\n[a]\n", 2, "double brackets"),
    ],
)
def test_a_syntax_error_is_placed_where_it_was_made(text: str, line: int, words: str) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    place, what, _ = place_of_syntax_error(text, caught.value)
    assert (place.line, words in what) == (line, True), what


@pytest.mark.parametrize(
    ("text", "line", "opened"),
    [
        ('a = [[\n"x",\n]\nb = 1\n', 3, 1),
        ('a = [\n"x",\n"y"\nb = 1\n', 3, 1),
        ('a = [\n"x",\nb = 1\n', 2, 1),
        ('a = { b = [\n"x",\n], c 1 }\n', 3, None),
        ('a = { b = [\n"x",\n] c = 1 }\n', 3, 1),
    ],
)
def test_a_bracket_that_is_not_closed_is_named_where_it_opens(
    text: str, line: int, opened: int | None
) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    place, what, other = place_of_syntax_error(text, caught.value)
    assert (place.line, other and other.line) == (line, opened), what


def test_the_scanner_refuses_what_is_no_toml() -> None:
    with pytest.raises(ScanError, match="never closed"):
        find_places("a = 'x")
