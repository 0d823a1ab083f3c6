"""The preview says what a run will do, and why; then the run does it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from mesolith.pipeline.clean import clean
from mesolith.pipeline.disk import remove_tree
from mesolith.pipeline.dryrun import Preview, preview
from mesolith.pipeline.engine import execute
from mesolith.pipeline.graph import Graph
from mesolith.pipeline.plans import read_plan, read_plans
from mesolith.pipeline.work import Cost
from tests.pipeline.bench import Bench, diamond, flip_bit, part, tree_digest


def reasons(seen: Preview) -> dict[str, tuple[str, ...]]:
    return {item.part.label: item.reasons for item in seen.to_compute}


def look(bench: Bench, graph: Graph) -> Preview:
    """Preview, checked against what the run then computes."""
    before = tree_digest(bench.folder)
    seen = preview(graph, bench.store, source=bench.source, slots=2)
    assert tree_digest(bench.folder) == before
    computed = {p.label for p in bench.run(graph).computed}
    assert computed == {item.part.label for item in seen.to_compute}
    return seen


def test_everything_is_new_at_first(bench: Bench) -> None:
    assert reasons(look(bench, diamond(bench)[0])) == dict.fromkeys("abcde", ("new",))
    assert look(bench, diamond(bench)[0]).to_compute == ()


def test_a_setting_is_told_from_old_to_new(bench: Bench) -> None:
    look(bench, diamond(bench)[0])
    assert reasons(look(bench, diamond(bench, rule="nearest")[0])) == {
        "d": ('setting toy.rule: "optimal" -> "nearest"',),
        "e": ("follows toy.both [d]",),
    }


def test_settings_that_come_and_go(bench: Bench) -> None:
    look(bench, Graph([part("x", settings={"old": 1.5, "same": True})]))
    assert reasons(look(bench, Graph([part("x", settings={"new": None, "same": True})]))) == {
        "x": ("setting new: (not set) -> null", "setting old: 1.5 -> (not set)")
    }


def test_a_setting_inside_a_table_is_told_alone(bench: Bench) -> None:
    cell = {"name": "x", "conditions": {"pressure": 5.0, "series": list(range(100))}}
    look(bench, Graph([part("x", settings={"cell": cell})]))
    other = {"name": "x", "conditions": {"pressure": 7.0, "series": [*range(99), 7]}}
    first, second = reasons(look(bench, Graph([part("x", settings={"cell": other})])))["x"]
    assert first == "setting cell.conditions.pressure: 5.0 -> 7.0"
    assert second == (
        "setting cell.conditions.series: …94, 95, 96, 97, 98, 99] -> …94, 95, 96, 97, 98, 7]"
    )


def test_changed_raw_files_are_named(bench: Bench) -> None:
    look(bench, diamond(bench)[0])
    bench.raw("a.txt", "other text")
    found = reasons(look(bench, diamond(bench)[0]))
    assert found["a"] == ("input a.txt changed",)
    assert found["d"] == ("follows toy.read [a]",)
    assert "b" not in found


def test_raw_files_that_come_and_go_are_named(bench: Bench) -> None:
    look(bench, Graph([part("x", raw=bench.raw("a.txt"))]))
    assert reasons(look(bench, Graph([part("x", raw=bench.raw("b.txt"))]))) == {
        "x": ("input b.txt is new", "input a.txt is no longer there")
    }


def test_a_step_version_is_told(bench: Bench) -> None:
    look(bench, Graph([part("x")]))
    assert reasons(look(bench, Graph([part("x", version=2)]))) == {"x": ("step version: 1 -> 2",)}


def test_damage_is_told_and_what_hangs_on_it_is_kept(bench: Bench) -> None:
    graph, parts = diamond(bench)
    look(bench, graph)
    flip_bit(bench.store.folder(parts["d"].key) / "out.txt", 3)
    seen = look(bench, graph)
    assert reasons(seen) == {"d": ("result damaged: the checksum of out.txt differs",)}
    end = seen.parts[-1]
    assert end.reasons == ("kept if toy.both [d] comes out the same again",)


def test_a_result_that_was_removed_is_told(bench: Bench) -> None:
    graph, parts = diamond(bench)
    look(bench, graph)
    remove_tree(bench.store.folder(parts["e"].key))
    assert reasons(look(bench, graph)) == {"e": ("its result is no longer in the store",)}


def test_a_run_that_failed_still_knows_the_setting_before(bench: Bench) -> None:
    look(bench, Graph([part("x", settings={"a": 1}), part("y")]))
    bench.run(Graph([part("x", "fail", step="toy.join", settings={"a": 2}), part("y")]))
    assert reasons(
        preview(Graph([part("x", settings={"a": 3})]), bench.store, source=bench.source)
    ) == {"x": ("setting a: 1 -> 3",)}


def test_a_run_of_some_parts_forgets_nothing_of_the_others(bench: Bench) -> None:
    graph, parts = diamond(bench)
    bench.run(graph)
    bench.run(graph.upstream([parts["c"].key]), whole=graph)
    (plan,) = read_plans(bench.store)
    assert plan.keys() == {part.key for part in graph}
    assert clean(bench.store, {}, dry_run=True).results == 0


def test_costs_are_added_up(bench: Bench) -> None:
    a = part("a", cost=Cost(seconds=6.0, memory_bytes=10, disk_bytes=1))
    b = part("b", cost=Cost(seconds=1.0, memory_bytes=70, disk_bytes=2))
    c = part("c", after=[a], cost=Cost(seconds=3.0, memory_bytes=30, disk_bytes=3))
    graph = Graph([a, b, c])
    seen = preview(graph, bench.store, slots=2, memory_bytes=1000)
    assert (seen.seconds, seen.peak_memory_bytes, seen.disk_bytes) == (9.0, 100, 6)
    seen = preview(graph, bench.store, slots=1, memory_bytes=1000)
    assert (seen.seconds, seen.peak_memory_bytes) == (10.0, 70)
    assert preview(graph, bench.store, slots=3, memory_bytes=80).peak_memory_bytes == 80
    assert preview(graph, bench.store, slots=3, memory_bytes=5).peak_memory_bytes == 70
    bench.run(graph)
    seen = preview(graph, bench.store)
    assert (seen.seconds, seen.peak_memory_bytes, seen.disk_bytes) == (0.0, 0, 0)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"source": 1, "parts": {}}', '{"parts": [1]}'])
def test_a_damaged_plan_costs_words_only(bench: Bench, text: str) -> None:
    graph, _ = diamond(bench)
    bench.run(graph)
    (file,) = bench.store.plans.iterdir()
    file.write_text(text)
    assert look(bench, graph).to_compute == ()
    assert read_plans(bench.store) != []


def test_plans_of_two_cells_stay_apart(bench: Bench) -> None:
    graph = Graph([part("x", settings={"a": 1})])
    other = bench.folder / "other.toml"
    bench.run(graph)
    with ThreadPoolExecutor(1) as threads:
        execute(Graph([part("x", settings={"a": 2})]), bench.store, threads, source=other)
    assert {plan.source for plan in read_plans(bench.store)} == {bench.source, other}
    assert read_plan(bench.store, bench.source).keys() == {graph_part.key for graph_part in graph}
