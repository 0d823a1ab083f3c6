"""Keys: the same for the same definition, another for another, and the same in every version."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesolith.errors import InvalidValueError
from mesolith.pipeline.keys import canonical_json, digest_of, part_key, plain, seed_from_key
from tests.pipeline.bench import Bench, part

FINITE = st.none() | st.booleans() | st.integers() | st.text()
FINITE |= st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    FINITE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(VALUES)
def test_canonical_json_gives_the_value_back(value: Any) -> None:
    assert plain(value) == value
    assert canonical_json(plain(value)) == canonical_json(value)


@given(st.dictionaries(st.text(), FINITE, max_size=6), st.randoms())
def test_the_order_of_settings_does_not_matter(table: dict[str, Any], chance: Any) -> None:
    names = list(table)
    chance.shuffle(names)
    assert digest_of({name: table[name] for name in names}) == digest_of(table)


@given(VALUES, VALUES)
def test_other_settings_give_another_key(a: Any, b: Any) -> None:
    same = canonical_json(a) == canonical_json(b)
    assert (digest_of({"x": a}) == digest_of({"x": b})) is same


def test_lists_and_tuples_are_the_same() -> None:
    assert digest_of((1, (2, 3))) == digest_of([1, [2, 3]])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [-float("inf")]}])
def test_numbers_that_are_not_finite_are_refused(value: Any) -> None:
    with pytest.raises(InvalidValueError, match="not finite"):
        canonical_json(value)


@pytest.mark.parametrize("value", [{1: 2}, Path("a"), {"a": {1, 2}}, b"x"])
def test_only_plain_values_have_a_key(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


def test_the_scheme_is_what_it_was() -> None:
    """A key written by version 0.1 must be found by later ones."""
    key = part_key(
        "hedm.read",
        1,
        "pristine",
        {"hedm.sigma_strain": 1e-4, "state.grains": {"format": "midas"}},
        {"raw": [("pristine", "raw", "ab" * 32)]},
        {},
    )
    text = (
        '{"inputs":{"raw":[["pristine","raw","' + "ab" * 32 + '"]]},"label":"pristine",'
        '"scheme":1,"selector":{},"settings":{"hedm.sigma_strain":0.0001,'
        '"state.grains":{"format":"midas"}},"step":"hedm.read","version":1}'
    )
    assert key == hashlib.sha256(text.encode()).hexdigest()
    assert seed_from_key(key) == int(key[:16], 16) // 2


def test_every_part_of_the_definition_counts(bench: Bench) -> None:
    raw, other = bench.raw("a.txt"), bench.raw("b.txt")
    first = part("x", raw=raw)
    variants = [
        first,
        part("y", raw=raw),
        part("x", raw=other),
        part("x", raw=[*raw, *other]),
        part("x", raw=raw, version=2),
        part("x", raw=raw, step="toy.other"),
        part("x", raw=raw, settings={"a": 1}),
        part("x", raw=raw, settings={"a": 1.0}),
        part("x", raw=raw, selector={"slab": 1}),
        part("x", after=[first]),
    ]
    assert len({variant.key for variant in variants}) == len(variants)


def test_neither_place_nor_time_nor_source_text_counts(bench: Bench, tmp_path: Path) -> None:
    here = part("x", raw=bench.raw("a.txt", "same"))
    (tmp_path / "elsewhere").mkdir()
    there = Bench(tmp_path / "elsewhere")
    raw = there.raw("a.txt", "same")
    os.utime(raw[0].path, (1, 1))
    assert part("x", "slow", step="toy.join", raw=raw, group="other").key == here.key
