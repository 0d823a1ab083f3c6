"""Kill -9 at any moment, run again: the same bytes, and only what was in work is repeated."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mesolith.pipeline.store import Store
from tests.faults.store_run import wide_graph
from tests.pipeline.bench import Bench, tree_digest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills processes")

COMMITS = """
import sys
from pathlib import Path
from mesolith.pipeline.store import Store
store = Store.open(Path(sys.argv[1]))
for k in range(100000):
    with store.workspace() as folder:
        for name in range(8):
            (folder / f"{name}.bin").write_bytes(bytes([k % 256]) * 5000)
        store.commit(f"{k % 7:064x}" if k % 2 else f"{k:064x}", folder, {"inputs": {}})
    print("committed", flush=True)
"""


def start(folder: Path, workers: int, seconds: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.faults.store_run", folder, workers, seconds]
    return subprocess.Popen([str(word) for word in command], cwd=ROOT, stdout=subprocess.PIPE)


def test_a_run_killed_again_and_again_ends_with_the_same_bytes(tmp_path: Path) -> None:
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole, killed = Bench(tmp_path / "whole"), Bench(tmp_path / "killed")
    graph = wide_graph(whole, seconds=0.2)
    assert whole.run(graph).complete
    chance = random.Random(8)
    workers, kills = 2, 4
    for _ in range(kills):
        before = len(killed.starts())
        with start(killed.folder, workers, 0.2) as child:
            while len(killed.starts()) == before:
                assert child.poll() is None, "it ended before it began"
                time.sleep(0.005)
            time.sleep(0.15 * chance.random())
            child.send_signal(signal.SIGKILL)
    with start(killed.folder, workers, 0.2) as child:
        output, _ = child.communicate()
    assert output.startswith(b"computed"), output
    assert output != b"computed 0\n"
    with start(killed.folder, workers, 0.2) as child:
        assert child.stdout is not None
        assert child.stdout.read() == b"computed 0\n"
    assert tree_digest(killed.store.results) == tree_digest(whole.store.results)
    repeats = len(killed.starts()) - len(set(killed.starts()))
    assert repeats <= workers * kills
    assert list(killed.store.temporary.iterdir()) == []
    assert killed.store.runs_in_progress() == []


def test_killed_in_the_middle_of_commits_every_result_is_whole(tmp_path: Path) -> None:
    place = tmp_path / "store"
    for round_ in range(6):
        command = [sys.executable, "-c", COMMITS, str(place)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(0.013 * round_)
            child.send_signal(signal.SIGKILL)
        store = Store.open(place)
        keys = store.all_keys()
        assert keys
        assert [store.examine(key).damage for key in keys] == [None] * len(keys)
        store.clean_leftovers()
        assert list(store.temporary.iterdir()) == []
