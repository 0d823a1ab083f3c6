"""Who made a temporary folder, and whether that process still lives.

Two runs may share a store, so only what a dead process left behind may be removed.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import time
from pathlib import Path

_STALE_SECONDS = 86_400.0
_TAG = re.compile(r"(?P<host>.+)-(?P<pid>\d+)-[0-9a-f]{8}$")


def owner_tag() -> str:
    """A new name that tells host and process; never the same twice."""
    return f"{_host()}-{os.getpid()}-{secrets.token_hex(4)}"


def is_orphan(path: Path, tag: str) -> bool:
    """Whether the owner of a tagged file or folder is gone.

    A process of this host is asked for; of another host nothing is known, so what it left counts
    as orphaned after a day without change.
    """
    found = _TAG.match(tag)
    if found is not None and found["host"] == _host() and os.name == "posix":
        return not _alive(int(found["pid"]))
    try:
        return time.time() - path.stat().st_mtime > _STALE_SECONDS
    except OSError:
        return False


def _host() -> str:
    """Host name and process name space: containers may share the one, not the other."""
    name = re.sub(r"[^A-Za-z0-9.]", "_", socket.gethostname())
    try:
        return f"{name}-{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return name


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return not _is_zombie(process)


def _is_zombie(process: int) -> bool:
    """A dead process that nobody has asked about yet, as in containers without an init."""
    try:
        fields = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return False
    return fields[:1] == [b"Z"]
