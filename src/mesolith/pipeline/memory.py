"""How much memory there is, and how much a process has used at its peak."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

_SHARE = 0.8
_FALLBACK = 4 * 2**30


def default_memory_limit() -> int:
    """Bytes that all parts together may declare: 80 % of what is free now, cgroups respected."""
    found = [_meminfo(), _cgroup()]
    known = [value for value in found if value is not None]
    return int(_SHARE * min(known)) if known else _FALLBACK


def default_workers() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def restart_peak_memory() -> None:
    """Let the peak count from now on, where the system can (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_memory_bytes(process: int | None = None) -> int | None:
    """Peak of the resident memory of a living process (None: this one); None where unknown."""
    try:
        status = Path(f"/proc/{process or 'self'}/status").read_text()
    except OSError:
        return _own_peak() if process is None else None
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found.group(1)) * 1024 if found else None


def _own_peak() -> int | None:
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _meminfo() -> int | None:
    try:
        found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    except OSError:
        return _physical()
    return int(found.group(1)) * 1024 if found else None


def _physical() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _cgroup() -> int | None:
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text().strip()
        cached = re.search(r"inactive_file (\d+)", Path("/sys/fs/cgroup/memory.stat").read_text())
    except OSError:
        return None
    if limit == "max":
        return None
    return max(0, int(limit) - int(used) + (int(cached.group(1)) if cached else 0))
