"""A worker of a real two-process Dask cluster killed in the middle of a run: nothing is lost.

A virtual frames cell is run twice: by the local executor undisturbed, and on a Dask cluster of
two processes of which one is killed (SIGKILL) while it searches the frames for spots, again while
it indexes them, and again while it draws a figure. Compared are every file of every part in the
store, the tables, cell.nxs, and report.html without its provenance block. Bar: the same bytes,
three kills, every part computed once besides those in work, nothing left over.

    python benchmarks/dask_killed.py
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from _harness import ROOT, fresh_seed, write_result
from endurance import difference, digest_of

from mesolith.pipeline.journal import read_journal
from mesolith.pipeline.store import Store
from mesolith.workflow import run_cell

sys.path.insert(0, str(ROOT))

from tests.hedm.frame_cell import write_frame_cell

STEPS = ("frames.spots", "frames.index", "result.figure")
_LOOK_SECONDS = 0.02


class Killer(threading.Thread):
    """Kills the worker that is on a part of each step, once, after a moment of chance."""

    def __init__(self, store: Path, chance: random.Random) -> None:
        super().__init__(daemon=True)
        self.store, self.chance = store, chance
        self.killed: list[tuple[str, int]] = []
        self.ended = threading.Event()

    def run(self) -> None:
        for step in STEPS:
            while not self.ended.is_set() and not self._kill(step):
                time.sleep(_LOOK_SECONDS)

    def _kill(self, step: str) -> bool:
        if step not in {title.partition(" ")[0] for title in self._in_work()}:
            return False
        # a worker's workspace carries its process number
        for place in (self.store / "tmp").glob("*"):
            pid = int(place.name.rsplit("-", 2)[1])
            # that of a worker killed before lies there until the next run
            if pid == os.getpid() or pid in {gone for _, gone in self.killed}:
                continue
            time.sleep(0.3 * self.chance.random())
            if place.is_dir() and step in " ".join(self._in_work()):
                os.kill(pid, signal.SIGKILL)
                self.killed.append((step, pid))
                return True
        return False

    def _in_work(self) -> set[str]:
        """Titles of the parts that were handed out and did not come back."""
        titles: set[str] = set()
        journal = self.store / "journal.jsonl"
        for event in read_journal(journal) if journal.is_file() else ():
            if event["event"] == "part started":
                titles.add(event["part"])
            elif event["event"].startswith("part "):
                titles.discard(event["part"])
        return titles


def main() -> int:
    """Run both; 0 where the bar is met."""
    import dask
    from distributed import Client, LocalCluster

    # a worker that is slow to come back is not given up, as a busy machine makes them
    dask.config.set({"distributed.deploy.lost-worker-timeout": "20 minutes"})
    chance = random.Random(fresh_seed("dask_killed"))
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="mesolith-dask-") as name:
        whole, killed = Path(name) / "whole", Path(name) / "killed"
        write_frame_cell(whole)
        shutil.copytree(whole, killed)
        if not run_cell(whole, workers=2).outcome.complete:
            raise SystemExit("the undisturbed run failed")
        options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
        with LocalCluster(processes=True, **options) as cluster:
            with Client(cluster, set_as_default=False) as client:
                pids = set(client.run(os.getpid).values())
            killer = Killer(killed / ".mesolith", chance)
            killer.start()
            finished = run_cell(killed, scheduler=cluster.scheduler_address)
            killer.ended.set()
            killer.join()
            again = run_cell(killed, scheduler=cluster.scheduler_address)
        store = Store.open(killed / ".mesolith")
        events = list(read_journal(store.journal_file))
        if len(pids) != 2 or os.getpid() in pids:
            faults.append(f"no two processes of their own: {pids}")
        if [step for step, _ in killer.killed] != list(STEPS):
            faults.append(f"killed in {killer.killed}, not once in each of {STEPS}")
        for failure in finished.outcome.failures:
            faults.append(f"{failure.part.title}: {failure.error}")
        starts = [event["part"] for event in events if event["event"] == "part started"]
        repeats = len(starts) - len(set(starts))
        if repeats > len(killer.killed):
            faults.append(f"{repeats} parts were handed out again for {len(killer.killed)} kills")
        if again.outcome.computed:
            faults.append(f"{len(again.outcome.computed)} parts were missing afterwards")
        left = [path.name for path in store.temporary.iterdir()]
        if left:
            faults.append(f"left over: {left}")
        differing = difference(digest_of(whole), digest_of(killed))
        if differing:
            faults.append(f"differing: {differing}")
        compared = len(digest_of(whole))
    result = {
        "parts": len(set(starts)),
        "killed": [step for step, _ in killer.killed],
        "handed out again": repeats,
        "files compared": compared,
        "faults": faults,
        "met": not faults,
    }
    write_result("dask_killed", result)
    for key, value in result.items():
        print(f"{key}: {value}")
    print(f"dask killed: {'met' if not faults else 'NOT met'}")
    return 0 if not faults else 1


if __name__ == "__main__":
    sys.exit(main())
