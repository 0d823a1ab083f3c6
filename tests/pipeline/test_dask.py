"""A Dask cluster as executor: the same bytes as here, lost workers named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mesolith.errors import MesolithError, MissingExtraError
from mesolith.pipeline.dask_executor import DaskExecutor
from tests.pipeline.bench import Bench, diamond, tree_digest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys
from pathlib import Path
from types import SimpleNamespace
from distributed import LocalCluster
from mesolith.pipeline.dask_executor import DaskExecutor
from tests.pipeline.bench import Bench, diamond, part
from distributed.scheduler import KilledWorker
from mesolith.pipeline.graph import Graph

def give_up():
    raise KilledWorker("task", SimpleNamespace(address="tcp://gone:1"), 3)

if __name__ == "__main__":
    bench = Bench(Path(sys.argv[1]))
    options = dict(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None)
    with LocalCluster(**options) as cluster, DaskExecutor(cluster.scheduler_address) as executor:
        outcome = bench.run(diamond(bench)[0], executor)
        failing = bench.run(Graph([part("x", "fail")]), executor)
        lost = executor.submit(give_up).exception()
        print(type(lost).__name__, lost)
        print(executor.slots, outcome.complete, failing.failures[0].error.what)
"""

NOBODY = """
from mesolith.pipeline.dask_executor import DaskExecutor
DaskExecutor("tcp://127.0.0.1:1", timeout_seconds=0.5)
"""


def test_a_cluster_gives_the_same_bytes(bench: Bench, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    bench.run(diamond(bench)[0])
    (tmp_path / "cluster").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "cluster")],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert "WorkerDied Dask lost its worker" in done.stdout
    assert done.stdout.splitlines()[-1:] == ["2 True ZeroDivisionError: nothing to divide in x"], (
        done.stderr
    )
    assert tree_digest(tmp_path / "cluster" / ".mesolith" / "results") == tree_digest(
        bench.store.results
    )


def test_without_dask_the_line_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r'pip install "mesolith\[cluster\]"'):
        DaskExecutor("tcp://127.0.0.1:1")


def test_an_address_without_scheduler_is_named() -> None:
    pytest.importorskip("distributed")
    done = subprocess.run(
        [sys.executable, "-c", NOBODY], capture_output=True, text=True, check=False
    )
    assert f"{MesolithError.__name__}: tcp://127.0.0.1:1: no Dask scheduler answers" in done.stderr
