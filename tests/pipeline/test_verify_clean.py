"""Reading everything again, and removing what nothing reaches."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mesolith.errors import CorruptResultError, StoreError
from mesolith.pipeline.clean import Cleaned, clean
from mesolith.pipeline.graph import Graph
from mesolith.pipeline.verify import trace, verify
from tests.pipeline.bench import Bench, diamond, flip_bit, part

DEAD_OWNER = "from mesolith.pipeline.ownership import owner_tag; print(owner_tag())"


def test_a_sound_store_is_sound(bench: Bench) -> None:
    graph, _ = diamond(bench)
    bench.run(graph)
    found = verify(graph, bench.store)
    assert found.sound
    assert [f.kind for f in found.files] == ["raw"] * 2 + ["result"] * 5
    assert {f.verdict for f in found.files} == {"ok"}


def test_what_was_never_computed_is_no_fault(bench: Bench) -> None:
    graph, _ = diamond(bench)
    found = verify(graph, bench.store)
    assert found.sound
    assert [f.verdict for f in found.files] == ["ok"] * 2 + ["not computed"] * 5


def test_every_kind_of_damage_is_named(bench: Bench) -> None:
    graph, parts = diamond(bench)
    bench.run(graph)
    raw_a, raw_b = graph.raw_files()
    stat = raw_a.stat()
    flip_bit(raw_a, 0)
    os.utime(raw_a, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    raw_b.unlink()
    flip_bit(bench.store.folder(parts["c"].key) / "out.txt", 0)
    found = verify(graph, bench.store)
    assert not found.sound
    wrong = {(f.about, f.verdict) for f in found.files if f.verdict != "ok"}
    assert wrong == {("a.txt", "changed"), ("b.txt", "missing"), ("toy.one [c]", "damaged")}
    (damaged,) = [f for f in found.files if f.verdict == "damaged"]
    assert damaged.detail == "the checksum of out.txt differs"


def test_raw_files_are_compared_with_what_the_last_run_analysed(bench: Bench) -> None:
    graph, _ = diamond(bench)
    assert verify(graph, bench.store, source=bench.source).sound
    bench.run(graph)
    bench.raw("a.txt", "edited, at another time and of another size")
    edited, _ = diamond(bench)
    assert verify(edited, bench.store).sound
    found = verify(edited, bench.store, source=bench.source)
    assert [f.path.name for f in found.files if f.verdict == "changed"] == ["a.txt"]
    bench.run(edited)
    assert verify(edited, bench.store, source=bench.source).sound


def test_results_of_other_plans_are_verified_too(bench: Bench) -> None:
    graph, parts = diamond(bench)
    bench.run(graph)
    flip_bit(bench.store.folder(parts["e"].key) / "out.txt", 0)
    found = verify(Graph(), bench.store)
    assert sorted(f.verdict for f in found.files) == ["damaged"] + ["ok"] * 4


def test_a_number_traces_back_to_raw_files(bench: Bench) -> None:
    graph, parts = diamond(bench)
    bench.run(graph)
    found = trace(graph, bench.store, parts["d"].key)
    assert found.stored.facts["settings"] == {"toy.rule": "optimal"}
    raw = [inner.stored.facts["inputs"]["raw"][0]["raw"] for inner in found.inputs]
    assert raw == [f.sha256 for f in graph.raw_files().values()]
    flip_bit(bench.store.folder(parts["b"].key) / "out.txt", 0)
    with pytest.raises(CorruptResultError, match="checksum"):
        trace(graph, bench.store, parts["d"].key)


def test_only_what_is_reached_stays(bench: Bench) -> None:
    bench.run(diamond(bench)[0])
    graph, _ = diamond(bench, rule="nearest")
    bench.run(graph)
    sizes = {
        p.key: sum(f.stat().st_size for f in bench.store.folder(p.key).iterdir()) for p in graph
    }
    old = set(bench.store.all_keys()) - set(sizes)
    freed = sum(f.stat().st_size for key in old for f in bench.store.folder(key).iterdir())
    would = clean(bench.store, {bench.source: graph}, dry_run=True)
    assert would == Cleaned(results=2, leftovers=0, freed_bytes=freed)
    assert len(bench.store.all_keys()) == 7
    assert clean(bench.store, {bench.source: graph}) == would
    assert set(bench.store.all_keys()) == set(sizes)
    assert not bench.run(graph).computed


def test_what_another_cell_wants_stays_while_it_exists(bench: Bench) -> None:
    bench.run(diamond(bench)[0])
    other = bench.folder / "other.toml"
    assert clean(bench.store, {other: Graph()}).results == 0
    bench.source.unlink()
    assert clean(bench.store, {other: Graph()}).results == 5
    assert list(bench.store.plans.iterdir()) == []


def test_leftovers_of_killed_runs_are_removed(bench: Bench) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", DEAD_OWNER], capture_output=True, text=True, check=True
    ).stdout.strip()
    (bench.store.temporary / dead).mkdir()
    (bench.store.temporary / dead / "half.h5").write_bytes(bytes(1000))
    assert clean(bench.store, {}) == Cleaned(results=0, leftovers=1, freed_bytes=1000)
    assert list(bench.store.temporary.iterdir()) == []


def test_nothing_is_cleaned_under_a_run(bench: Bench) -> None:
    bench.run(Graph([part("x")]))
    with bench.store.running(), pytest.raises(StoreError, match="a run is in progress"):
        clean(bench.store, {bench.source: Graph()})
    assert len(bench.store.all_keys()) == 1
