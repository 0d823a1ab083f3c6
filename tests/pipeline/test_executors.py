"""The local executor: processes that cost no more than their part when they die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mesolith.errors import MesolithError
from mesolith.pipeline.executors import LocalExecutor, WorkerDied
from mesolith.pipeline.memory import default_memory_limit, default_workers, peak_memory_bytes
from tests.pipeline.bench import Bench, diamond
from tests.pipeline.parts import meet

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def gone(pid: int, *, within: float = 10.0) -> bool:
    end = time.monotonic() + within
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(pid)


def test_answers_and_errors_come_back(workers: LocalExecutor) -> None:
    assert workers.submit(divmod, 17, 5).result() == (3, 2)
    assert workers.submit(int, "101", base=2).result() == 5
    with pytest.raises(ZeroDivisionError):
        workers.submit(divmod, 1, 0).result()
    with pytest.raises(RuntimeError, match="cannot be sent"):
        workers.submit(memoryview, b"abc").result()


def test_what_a_part_prints_does_not_mix_with_answers(workers: LocalExecutor) -> None:
    assert workers.submit(print, "loud").result() is None
    assert workers.submit(os.write, 1, b"louder").result() == 6


def test_tasks_run_in_other_processes_at_the_same_time(
    workers: LocalExecutor, tmp_path: Path
) -> None:
    one = workers.submit(meet, tmp_path / "one", tmp_path / "two")
    two = workers.submit(meet, tmp_path / "two", tmp_path / "one")
    assert len({one.result(), two.result(), os.getpid()}) == 3


def test_a_dead_worker_costs_one_task(workers: LocalExecutor) -> None:
    doomed = workers.submit(os._exit, 3)
    others = [workers.submit(divmod, k, 3) for k in range(6)]
    with pytest.raises(WorkerDied, match="ended with code 3"):
        doomed.result()
    assert [f.result() for f in others] == [divmod(k, 3) for k in range(6)]


@LINUX
def test_the_last_words_of_a_dead_worker_are_kept() -> None:
    with LocalExecutor(1) as executor:
        pid = executor.submit(os.getpid).result()
        executor.submit(os.write, 2, b"the last straw\n").result()
        sleeper = executor.submit(time.sleep, 60)
        time.sleep(0.3)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(WorkerDied, match="SIGKILL") as died:
            sleeper.result()
    assert died.value.last_words == "the last straw"
    assert died.value.peak_memory_bytes is not None
    assert 2e6 < died.value.peak_memory_bytes < 2e8


def test_a_worker_that_cannot_start_ends_the_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with LocalExecutor(1) as executor, pytest.raises(MesolithError) as told:
        bench.run(diamond(bench)[0], executor)
    assert f"{tmp_path / 'python'}: no worker process can be started" in str(told.value)


def test_nothing_is_taken_after_the_end() -> None:
    executor = LocalExecutor(1)
    first = executor.submit(divmod, 7, 2)
    executor.shutdown()
    assert first.result() == (3, 1)
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(divmod, 7, 2)


def test_queued_tasks_can_be_cancelled() -> None:
    executor = LocalExecutor(1)
    running = executor.submit(time.sleep, 0.2)
    while not running.running():
        time.sleep(0.01)
    queued = executor.submit(divmod, 7, 2)
    executor.shutdown(cancel_futures=True)
    assert queued.cancelled()
    assert running.result() is None


def test_kill_ends_what_runs() -> None:
    executor = LocalExecutor(1)
    pid = executor.submit(os.getpid).result()
    sleeper = executor.submit(time.sleep, 60)
    while not sleeper.running():
        time.sleep(0.01)
    before = time.monotonic()
    executor.kill()
    assert time.monotonic() - before < 5
    with pytest.raises(WorkerDied):
        sleeper.result()
    assert not alive(pid)


@LINUX
def test_workers_end_with_a_killed_parent() -> None:
    script = (
        "import os, time\n"
        "from mesolith.pipeline.executors import LocalExecutor\n"
        "executor = LocalExecutor(2)\n"
        "futures = [executor.submit(os.getpid) for _ in range(20)]\n"
        "print(*{future.result() for future in futures}, flush=True)\n"
        "busy = [executor.submit(time.sleep, 600) for _ in range(2)]\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        parent.kill()
    assert pids
    assert all(gone(pid) for pid in pids)


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from mesolith.pipeline.executors import LocalExecutor\n"
        "with LocalExecutor(1) as executor:\n"
        "    print(executor.submit(divmod, 17, 5).result())\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == "(3, 2)\n"


def test_a_worker_starts_without_numpy(workers: LocalExecutor) -> None:
    with LocalExecutor(1) as executor:
        found = executor.submit(eval, "'numpy' in __import__('sys').modules").result()
    assert found is False


def test_sets_have_one_order_in_all_workers(workers: LocalExecutor) -> None:
    words = "list({'grain', 'pore', 'lithium', 'short', 'stress'})"
    with LocalExecutor(1) as executor:
        assert executor.submit(eval, words).result() == workers.submit(eval, words).result()


def listening(pids: set[int]) -> list[str]:
    """Sockets on which one of the processes listens, TCP and UDP."""
    inodes = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(os.readlink(link))
            except OSError:
                continue
    found = []
    for name in ("tcp", "tcp6", "udp", "udp6"):
        table = Path(f"/proc/net/{name}")
        for line in table.read_text().splitlines()[1:] if table.exists() else []:
            fields = line.split()
            if f"socket:[{fields[9]}]" in inodes:
                found.append(f"{name} {fields[1]}")
    return found


@LINUX
def test_no_port_is_opened() -> None:
    with LocalExecutor(2) as executor:
        pids = {f.result() for f in [executor.submit(os.getpid) for _ in range(20)]}
        assert listening(pids | {os.getpid()}) == []


@LINUX
def test_a_port_would_be_seen() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)):
        assert len(listening({os.getpid()})) == 1


@LINUX
def test_memory_and_cores_are_known() -> None:
    assert 2**26 < default_memory_limit() < 2**50
    assert 1 <= default_workers() <= (os.cpu_count() or 1)
    assert (peak_memory_bytes() or 0) > 2**23
