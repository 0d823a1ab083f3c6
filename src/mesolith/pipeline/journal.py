"""The journal: when, where, how long and how much memory. All that is no part of a result."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mesolith.pipeline.faults import storage
from mesolith.pipeline.graph import PartSpec
from mesolith.pipeline.jsonlines import append_line, read_lines


class Journal:
    """Append-only events of one run.

    Events: ``run started``, ``part started``, ``part finished`` (seconds, peak_memory_bytes,
    disk_bytes, and host and pid of the worker), ``part failed`` (error, traceback), ``worker
    lost``, ``run finished``, ``run interrupted``. A part that is found in the store leaves none.
    """

    def __init__(self, file: Path, run: str) -> None:
        self._file = file
        self._run = run

    def write(self, event: str, part: PartSpec | None = None, **facts: Any) -> None:
        """Add one event with time, host, process and run."""
        about = {} if part is None else {"part": part.title, "key": part.key}
        with storage(self._file.parent):
            append_line(
                self._file,
                {
                    "time": datetime.now(UTC).isoformat(),
                    "event": event,
                    "run": self._run,
                    "host": socket.gethostname(),
                    "pid": os.getpid(),
                }
                | about
                | facts,
            )


def read_journal(file: Path) -> Iterator[dict[str, Any]]:
    """Events in order; lines cut short by a kill are left out."""
    return read_lines(file)
