"""A Dask cluster as executor: the same bytes as here, lost workers named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mesolith.errors import MesolithError, MissingExtraError
from mesolith.pipeline.dask_executor import DaskExecutor
from mesolith.pipeline.graph import Graph
from tests.pipeline.bench import Bench, diamond, part, tree_digest

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

KILLED = """
import os, signal, sys, threading, time
from pathlib import Path
import dask
from distributed import LocalCluster
from mesolith.pipeline.dask_executor import DaskExecutor
from mesolith.pipeline.graph import Graph
from tests.pipeline.bench import Bench
from tests.pipeline.test_dask import chain

def kill_the_lingering(place):
    while not place.exists():
        time.sleep(0.01)
    pid = int(place.read_text())
    assert pid != os.getpid()
    os.kill(pid, signal.SIGKILL)

if __name__ == "__main__":
    place = Path(sys.argv[1]) / "lingering"
    os.environ["MESOLITH_TEST_LINGER"] = str(place)
    dask.config.set({"distributed.scheduler.allowed-failures": int(sys.argv[2])})
    killer = threading.Thread(target=kill_the_lingering, args=(place,), daemon=True)
    killer.start()
    bench = Bench(Path(sys.argv[1]))
    options = dict(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
    with LocalCluster(**options) as cluster, DaskExecutor(cluster.scheduler_address) as executor:
        outcome = bench.run(chain(bench), executor)
        again = bench.run(chain(bench), executor)
    killer.join()
    print(executor.slots, outcome.complete, len(outcome.computed), len(again.computed))
"""

EMPTIED = """
import sys, threading, time
from pathlib import Path
from distributed import LocalCluster
from mesolith.errors import MesolithError
from mesolith.pipeline.dask_executor import DaskExecutor
from mesolith.pipeline.graph import Graph
from tests.pipeline.bench import Bench, part

if __name__ == "__main__":
    bench = Bench(Path(sys.argv[1]))
    first = part("first")
    graph = Graph([first, part("long", "slow", after=[first], settings={"seconds": 2.0})])
    options = dict(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None)
    with LocalCluster(**options) as cluster:
        address = cluster.scheduler_address
        def empty():
            while len(bench.starts()) < 2:
                time.sleep(0.05)
            cluster.scale(0)
        threading.Thread(target=empty, daemon=True).start()
        try:
            with DaskExecutor(address, patience_seconds=0.4) as executor:
                bench.run(graph, executor)
        except MesolithError as error:
            print(str(error).replace(address, "ADDRESS"))
        print(len(bench.store.all_keys()))
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


def chain(bench: Bench) -> Graph:
    """Readers, a part that lingers until its process is killed, and what hangs on it."""
    read = [part(f"{k}", raw=bench.raw(f"{k}.txt")) for k in range(3)]
    frail = part("frail", "linger_once", after=read[:2])
    beside = part("beside", "slow", after=read[2:], settings={"seconds": 0.3})
    return Graph([*read, frail, beside, part("end", after=[frail, beside])])


@pytest.mark.skipif(sys.platform == "win32", reason="kills processes")
@pytest.mark.parametrize("failures_that_dask_forgives", [3, 0])
def test_a_killed_worker_of_two_processes_loses_nothing(
    bench: Bench, tmp_path: Path, failures_that_dask_forgives: int
) -> None:
    pytest.importorskip("distributed")
    assert bench.run(chain(bench)).complete
    place = tmp_path / "cluster"
    place.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(place), str(failures_that_dask_forgives)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert (place / "lingering").exists()
    assert done.stdout.splitlines()[-1:] == ["2 True 6 0"], done.stderr
    other = Bench(place)
    assert tree_digest(other.store.results) == tree_digest(bench.store.results)
    # forgiven, Dask itself gives the part to the other worker; else the engine does, alone
    expected = 0 if failures_that_dask_forgives else 1
    assert len(other.events("worker lost")) == expected
    assert other.starts().count("toy.linger_once [frail]") == 1 + expected
    assert list(other.store.temporary.iterdir()) == []


def test_a_cluster_without_workers_is_not_waited_for_without_end(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    done = subprocess.run(
        [sys.executable, "-c", EMPTIED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert "ADDRESS: the Dask cluster has had no worker for 0.4 s" in said, done.stderr
    assert "run the same line again: it goes on from there" in said
    # what was finished is kept
    assert said.splitlines()[-1] == "1"


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
