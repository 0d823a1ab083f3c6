"""Graphs: parts after their inputs, each once."""

from __future__ import annotations

import pytest

from mesolith.pipeline.graph import Graph
from mesolith.pipeline.work import Cost
from tests.pipeline.bench import Bench, diamond, part


def labels(parts: object) -> list[str]:
    return [p.label for p in parts]  # type: ignore[attr-defined]


def test_a_part_comes_after_its_inputs(bench: Bench) -> None:
    _, parts = diamond(bench)
    with pytest.raises(KeyError, match="not in the graph"):
        Graph([parts["c"]])


def test_the_same_part_is_there_once(bench: Bench) -> None:
    graph, parts = diamond(bench)
    assert graph.add(part("a", step="toy.read", raw=bench.raw("a.txt"))) is parts["a"]
    assert len(graph) == 5


def test_what_hangs_on_a_part(bench: Bench) -> None:
    graph, parts = diamond(bench)
    assert labels(graph.dependents(parts["a"].key)) == ["c", "d"]
    assert labels(graph.all_dependents([parts["b"].key])) == ["d", "e"]
    assert labels(graph.all_dependents([parts["a"].key, parts["c"].key])) == ["d", "e"]


def test_what_a_part_needs(bench: Bench) -> None:
    graph, parts = diamond(bench)
    assert labels(graph.upstream([parts["d"].key])) == ["a", "b", "d"]
    assert len(graph.upstream([])) == 0


def test_raw_files_are_listed_once(bench: Bench) -> None:
    graph, _ = diamond(bench)
    assert [path.name for path in graph.raw_files()] == ["a.txt", "b.txt"]


def test_the_longest_chain_counts() -> None:
    a = part("a", cost=Cost(seconds=1.0))
    b = part("b", after=[a], cost=Cost(seconds=5.0))
    c = part("c", after=[a], cost=Cost(seconds=2.0))
    d = part("d", after=[c], cost=Cost(seconds=4.0))
    left = Graph([a, b, c, d]).remaining_seconds()
    assert [left[p.key] for p in (a, b, c, d)] == [7.0, 5.0, 6.0, 4.0]


def test_titles_and_identities(bench: Bench) -> None:
    plain = part("x", raw=bench.raw("a.txt"))
    cut = part("x", selector={"slab": 2})
    assert plain.title == "toy.join [x]"
    assert cut.title == 'toy.join [x] {"slab":2}'
    assert part("x", settings={"a": 1}).identity == plain.identity
    assert len({plain.identity, cut.identity, part("x", group="cell B").identity}) == 3
