"""Two runs on one store: both end well, with the same bytes as one alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.faults.store_run import wide_graph
from tests.pipeline.bench import Bench, tree_digest

ROOT = Path(__file__).resolve().parents[2]


def test_two_runs_on_one_store(tmp_path: Path) -> None:
    for name in ("alone", "shared"):
        (tmp_path / name).mkdir()
    alone, shared = Bench(tmp_path / "alone"), Bench(tmp_path / "shared")
    graph = wide_graph(alone, seconds=0.02)
    wide_graph(shared, seconds=0.02)
    assert alone.run(graph).complete
    command = [sys.executable, "-m", "tests.faults.store_run", str(shared.folder), "2", "0.02"]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(2)]
    outputs = [run.communicate()[0].decode() for run in both]
    assert [run.returncode for run in both] == [0, 0], outputs
    computed = [int(output.removeprefix("computed ")) for output in outputs]
    assert len(graph) <= sum(computed) <= 2 * len(graph)
    assert tree_digest(shared.store.results) == tree_digest(alone.store.results)
    assert list(shared.store.temporary.iterdir()) == []
    assert shared.run(graph).computed == ()
