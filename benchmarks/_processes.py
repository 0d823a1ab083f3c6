"""Processes seen from outside: their descendants, their ports, their end, their rights. Linux."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

NOBODY = 65534


class PortWatch:
    """Looks again and again which sockets a process and its descendants listen on."""

    def __init__(self, pid: int) -> None:
        self.seen: set[int] = set()
        self.ports: set[str] = set()
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> None:
        """End the watch."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            family = descendants(self._pid)
            self.seen |= family
            self.ports |= listening(family)


def descendants(pid: int) -> set[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, left = set(), [pid]
    while left:
        found.add(left[-1])
        left += children.get(left.pop(), [])
    return found


def listening(pids: set[int]) -> set[str]:
    """TCP sockets that listen and UDP sockets that are bound, of those processes."""
    sockets = set()
    for pid in pids:
        try:
            links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            continue
        sockets.update(links)
    found = set()
    for name, states in (("tcp", {"0A"}), ("tcp6", {"0A"}), ("udp", None), ("udp6", None)):
        table = Path(f"/proc/net/{name}")
        for line in table.read_text().splitlines()[1:] if table.exists() else []:
            fields = line.split()
            counts = states is None or fields[3] in states
            if counts and f"socket:[{fields[9]}]" in sockets:
                found.add(f"{name} {fields[1]}")
    return found


def watch_sees_a_port() -> bool:
    """Control: a child that does listen is seen."""
    script = "import socket, time; s = socket.create_server(('127.0.0.1', 0)); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        watch = PortWatch(process.pid)
        time.sleep(1.0)
        process.kill()
        watch.stop()
    return bool(watch.ports)


def wait_for_the_end(family: set[int]) -> None:
    """Workers must end by themselves once the process that started them is gone."""
    end = time.monotonic() + 20.0
    while time.monotonic() < end:
        if not [pid for pid in family if is_alive(pid)]:
            return
        time.sleep(0.01)
    raise RuntimeError("workers of a killed run are still there after 20 s")


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be asked about does not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return False
    return fields[0] != b"Z"


def as_nobody(words: list[str]) -> list[str]:
    """The line under another account, since root writes anywhere.

    Where that account cannot read this Python, it gets the right to read, and to read only.
    """
    if os.getuid() != 0:
        return words
    account = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', ''], check=True)"
    trial = [*account, sys.executable, "-c", script]
    if subprocess.run(trial, capture_output=True, check=False).returncode != 0:
        account += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return [*account, *words]
