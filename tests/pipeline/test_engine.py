"""The engine: what is due is computed, in any order, and nothing else."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesolith.errors import InputError, InvalidValueError, PartError, RunInterrupted, StoreError
from mesolith.pipeline.engine import execute
from mesolith.pipeline.executors import LocalExecutor
from mesolith.pipeline.graph import Graph, PartSpec
from mesolith.pipeline.progress import Totals
from mesolith.pipeline.store import Store
from mesolith.pipeline.work import Cost
from tests.pipeline.bench import Bench, Diary, diamond, flip_bit, part, tree_digest


def labels(parts: tuple[PartSpec, ...]) -> list[str]:
    return [p.label for p in parts]


def test_every_part_is_computed_once(bench: Bench) -> None:
    graph, parts = diamond(bench)
    outcome = bench.run(graph)
    assert outcome.complete
    assert labels(outcome.computed) == ["a", "b", "c", "d", "e"]
    assert sorted(bench.starts()) == sorted(p.title for p in graph)
    end = bench.output(parts["e"])
    assert end.count("raw text of a.txt") == 2
    assert '["e", {}, {}]' in end
    again = bench.run(graph)
    assert labels(again.reused) == ["a", "b", "c", "d", "e"]
    assert len(bench.starts()) == 5


def test_a_setting_reaches_only_what_hangs_on_it(bench: Bench) -> None:
    bench.run(diamond(bench)[0])
    outcome = bench.run(diamond(bench, rule="nearest")[0])
    assert labels(outcome.computed) == ["d", "e"]


def test_a_changed_raw_file_reaches_only_what_hangs_on_it(bench: Bench) -> None:
    bench.run(diamond(bench)[0])
    bench.raw("b.txt", "new text")
    outcome = bench.run(diamond(bench)[0])
    assert labels(outcome.computed) == ["b", "d", "e"]


@pytest.mark.parametrize("label", ["a", "b", "c", "d", "e"])
def test_a_damaged_result_is_computed_again_alone(bench: Bench, label: str) -> None:
    graph, parts = diamond(bench)
    bench.run(graph)
    before = tree_digest(bench.store.results)
    flip_bit(bench.store.folder(parts[label].key) / "out.txt", 5)
    outcome = bench.run(graph)
    assert labels(outcome.computed) == [label]
    assert tree_digest(bench.store.results) == before


def test_what_hangs_on_a_result_that_came_out_different_follows(bench: Bench) -> None:
    a = part("a", "of_the_moment", raw=bench.raw("a.txt"))
    b = part("b", after=[a])
    c = part("c", raw=bench.raw("c.txt"))
    graph = Graph([a, b, c])
    bench.run(graph)
    old = bench.output(b)
    flip_bit(bench.store.folder(a.key) / "out.txt", 0)
    assert labels(bench.run(graph).computed) == ["a", "b"]
    assert bench.output(b) != old
    assert bench.output(a) in bench.output(b)
    assert labels(bench.run(graph).reused) == ["a", "b", "c"]


def test_a_failing_part_stops_only_what_hangs_on_it(bench: Bench) -> None:
    a = part("a", raw=bench.raw("a.txt"))
    bad = part("bad", "fail", after=[a])
    refused = part("refused", "refuse", after=[a])
    after = part("after", after=[bad])
    last = part("last", after=[after, refused])
    good = part("good", after=[a])
    outcome = bench.run(Graph([a, bad, refused, after, last, good]))
    assert labels(outcome.computed) == ["a", "good"]
    assert labels(outcome.skipped) == ["after", "last"]
    assert [failure.part.label for failure in outcome.failures] == ["bad", "refused"]
    fault, refusal = (failure.error for failure in outcome.failures)
    assert isinstance(fault, PartError)
    assert "toy.fail [bad]: ZeroDivisionError: nothing to divide in bad" in str(fault)
    assert str(refusal) == str(
        InvalidValueError("three grains are too few", where="Grains.csv", remedy="Add some.")
    )
    with pytest.raises(PartError, match="nothing to divide"):
        outcome.raise_first_error()
    (event,) = [e for e in bench.events("part failed") if "bad" in e["part"]]
    assert "raise ZeroDivisionError" in event["traceback"]
    assert list(bench.store.temporary.iterdir()) == []


def test_a_raw_file_that_changes_during_the_run_gives_no_result(bench: Bench) -> None:
    a = part("a", "rewrite_raw", raw=bench.raw("a.txt"))
    outcome = bench.run(Graph([a]))
    (failure,) = outcome.failures
    assert isinstance(failure.error, InputError)
    assert "changed while it was read" in str(failure.error)
    assert bench.store.all_keys() == []


def test_a_part_leaves_plain_files_only(bench: Bench) -> None:
    outcome = bench.run(Graph([part("a", "link_out", raw=bench.raw("a.txt"))]))
    assert isinstance(outcome.failures[0].error, StoreError)


def test_progress_is_told(bench: Bench) -> None:
    graph, _ = diamond(bench)
    diary = Diary()
    bench.run(graph, progress=diary)
    assert diary.totals == Totals(parts=5, to_compute=5, seconds=5.0, slots=2)
    assert diary.heard.index(("finished", "a")) < diary.heard.index(("started", "c"))
    second = Diary()
    bench.run(diamond(bench, rule="nearest")[0], progress=second)
    assert second.totals == Totals(parts=5, to_compute=2, seconds=2.0, slots=2)
    assert second.heard == [
        *(("stored", label) for label in "abc"),
        *((event, label) for label in "de" for event in ("started", "finished")),
    ]
    third = Diary()
    bench.run(Graph([part("x", "fail")]), progress=third)
    assert third.heard == [("started", "x"), ("failed", "x")]


def crowd(bench: Bench, *, memory: int, all_cores: bool = False) -> list[tuple[float, float]]:
    """Times at which eight parts ran that share four threads."""
    log = bench.folder / "log"
    graph = Graph(
        part(
            f"{k}",
            "timed",
            settings={"log": str(log)},
            cost=Cost(memory_bytes=memory),
            all_cores=all_cores and k == 3,
        )
        for k in range(8)
    )
    with ThreadPoolExecutor(4) as threads:
        assert execute(graph, bench.store, threads, slots=4, memory_bytes=1000).complete
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    return [(began, ended) for _, began, ended in sorted(entries)]


def together(times: list[tuple[float, float]]) -> int:
    return max(sum(a <= began < b for a, b in times) for began, _ in times)


@pytest.mark.parametrize(("memory", "most"), [(400, 2), (500, 2), (501, 1), (5000, 1), (10, 4)])
def test_parts_share_the_memory(bench: Bench, memory: int, most: int) -> None:
    times = crowd(bench, memory=memory)
    assert together(times) <= most
    if most == 4:
        assert together(times) > 1


def test_a_part_on_all_cores_runs_alone(bench: Bench) -> None:
    times = crowd(bench, memory=10, all_cores=True)
    began, ended = times.pop(3)
    assert all(b <= began or ended <= a for a, b in times)


def test_workers_hold_libraries_to_one_thread(bench: Bench, workers: LocalExecutor) -> None:
    one, all_ = part("one", "surroundings"), part("all", "surroundings", all_cores=True)
    assert bench.run(Graph([one, all_]), workers).complete
    limits = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    assert json.loads(bench.output(one)) == {"cores": 1} | limits
    assert json.loads(bench.output(all_)) == {"cores": 2} | limits


class Shuffled(Executor):
    """One thread that always takes a random one of the tasks that wait."""

    def __init__(self, seed: int, slots: int) -> None:
        self.slots = slots
        self._chance = random.Random(seed)
        self._waiting: list[tuple[Future[Any], Callable[[], Any]]] = []
        self._thread = ThreadPoolExecutor(1)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._waiting.append((future, lambda: fn(*args, **kwargs)))
        self._thread.submit(self._take)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._thread.shutdown(wait)

    def _take(self) -> None:
        future, call = self._waiting.pop(self._chance.randrange(len(self._waiting)))
        future.set_result(call())


def random_graph(bench: Bench, seed: int) -> Graph:
    chance = random.Random(seed)
    graph = Graph()
    for k in range(chance.randrange(1, 12)):
        known = list(graph)
        before = chance.sample(known, chance.randrange(0, min(3, len(known)) + 1))
        compute = "noise" if chance.random() < 0.4 else "join"
        raw = bench.raw(f"{chance.randrange(3)}.txt")
        cost = Cost(seconds=chance.random(), memory_bytes=chance.randrange(100))
        graph.add(part(f"{k}", compute, raw=raw, after=before, cost=cost))
    return graph


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_any_order_gives_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("order")
    bench = Bench(folder)
    graph = random_graph(bench, seed)
    with ThreadPoolExecutor(1) as one:
        assert bench.run(graph, one, slots=1, memory_bytes=10**9).complete
    other = Store.open(folder / "other")
    with Shuffled(seed, 3) as shuffled:
        assert execute(graph, other, shuffled, memory_bytes=150).complete
    assert tree_digest(other.results) == tree_digest(bench.store.results)


def test_one_process_or_three_give_the_same_bytes(bench: Bench) -> None:
    graph = random_graph(bench, 5)
    others = []
    for count in (1, 3):
        store = Store.open(bench.folder / f"store{count}")
        with LocalExecutor(count) as executor:
            assert execute(graph, store, executor).complete
        others.append(tree_digest(store.results))
    assert others[0] == others[1]
    assert len(others[0]) >= 2 * len(graph)


def test_an_interruption_leaves_a_store_to_resume(bench: Bench) -> None:
    graph, _ = diamond(bench)

    class Impatient(Diary):
        def finished(self, part: PartSpec, seconds: float, from_store: bool) -> None:
            super().finished(part, seconds, from_store)
            if part.label == "c":
                raise KeyboardInterrupt

    told: list[bool] = []
    with LocalExecutor(1) as executor, pytest.raises(RunInterrupted) as stopped:
        bench.run(
            graph,
            executor,
            progress=Impatient(),
            resume="mesolith run here",
            on_interrupt=lambda: told.append(True),
        )
    done = len(bench.store.all_keys())
    assert f"of {len(graph)} parts are in the store" in str(stopped.value)
    assert str(stopped.value).endswith("mesolith run here")
    assert stopped.value.exit_code == 130
    assert told == [True]
    assert list(bench.store.temporary.iterdir()) == []
    assert bench.store.runs_in_progress() == []
    assert 2 <= done < 5
    assert len(bench.run(graph).computed) == 5 - done


def test_no_time_host_or_place_is_in_a_result(bench: Bench) -> None:
    graph, _ = diamond(bench)
    bench.run(graph)
    first = tree_digest(bench.store.results)
    (bench.folder / "deeper").mkdir()
    moved = Bench(bench.folder / "deeper")
    moved.run(diamond(moved)[0])
    assert tree_digest(moved.store.results) == first
    texts = [path.read_text() for path in moved.store.results.rglob("manifest.json")]
    assert not [text for text in texts if str(bench.folder) in text]


def test_the_journal_tells_what_results_do_not(bench: Bench) -> None:
    graph, _ = diamond(bench)
    bench.run(graph)
    finished = bench.events("part finished")
    assert len(finished) == 5
    for event in finished:
        assert event["seconds"] >= 0
        assert event["disk_bytes"] > 0
        assert {"time", "host", "pid", "worker_pid", "worker_host", "run", "key"} <= set(event)


def test_the_software_is_named_in_the_manifest(bench: Bench) -> None:
    a = part("a")
    bench.run(Graph([a]), versions={"mesolith": "0.1.0"})
    assert bench.store.require(a.key).facts["software"] == {"mesolith": "0.1.0"}


def test_an_executor_that_breaks_is_reported(bench: Bench, tmp_path: Path) -> None:
    class Broken(Executor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(OSError("the line is dead"))
            return future

    outcome = bench.run(Graph([part("a")]), Broken())
    assert "the line is dead" in str(outcome.failures[0].error)
