"""A worker that dies costs its part, which is tried once more alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mesolith.errors import WorkerLostError
from mesolith.pipeline.executors import LocalExecutor
from mesolith.pipeline.graph import Graph
from mesolith.pipeline.work import Cost
from tests.pipeline.bench import Bench, part

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills processes")


def test_a_part_whose_worker_died_once_succeeds_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    log = tmp_path / "log"
    fragile = part(
        "fragile",
        "die_once",
        settings={"marker": str(tmp_path / "marker")},
        cost=Cost(seconds=100.0),
    )
    others = [part(f"{k}", "timed", settings={"log": str(log)}) for k in range(8)]
    with LocalExecutor(3) as executor:
        outcome = bench.run(Graph([*others, fragile]), executor)
    assert outcome.complete
    assert bench.starts().count(fragile.title) == 2
    (lost,) = bench.events("worker lost")
    assert lost["part"] == fragile.title
    assert "SIGKILL" in lost["error"]
    assert len(log.read_text().splitlines()) == 8
    events = [
        json.loads(line)
        for line in bench.store.journal_file.read_text().splitlines()
        if '"part ' in line
    ]
    second = [k for k, e in enumerate(events) if e["part"] == fragile.title][1]
    before = events[:second]
    begun = [e["part"] for e in before if e["event"] == "part started"]
    ended = [e["part"] for e in before if e["event"] == "part finished"]
    assert set(begun) - set(ended) == {fragile.title}
    assert events[second + 1]["event"] == "part finished"
    assert events[second + 1]["part"] == fragile.title


def test_a_part_that_kills_its_worker_twice_is_reported_with_its_memory(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    greedy = part(
        "greedy",
        "spend_and_die",
        # more than this process itself ever held: a lower peak of a child is not told apart
        settings={"megabytes": 1200},
        cost=Cost(memory_bytes=100_000_000),
    )
    after, apart = part("after", after=[greedy]), part("apart")
    with LocalExecutor(2) as executor:
        outcome = bench.run(Graph([greedy, after, apart]), executor)
    (failure,) = outcome.failures
    assert isinstance(failure.error, WorkerLostError)
    text = str(failure.error)
    assert "toy.spend_and_die [greedy]: the worker process died twice" in text
    assert "declared 100 MB" in text
    peak = float(text.partition("peak memory ")[2].partition(" MB")[0])
    assert 1200 <= peak <= 1400
    assert [p.label for p in outcome.skipped] == ["after"]
    assert [p.label for p in outcome.computed] == ["apart"]
    assert bench.starts().count(greedy.title) == 2
