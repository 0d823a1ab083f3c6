"""Hashes of files: read once, remembered while the file looks the same.

A file looks the same while its path, size, times and inode do. Files younger than two seconds are
not remembered, since a second change could hide within the clock's grain.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mesolith.errors import InputError
from mesolith.pipeline.jsonlines import append_line, read_lines
from mesolith.pipeline.keys import digest_of

_BLOCK = 1 << 20
_YOUNG_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Signature:
    """What the file system says of a file without reading it."""

    size: int
    modified_ns: int
    changed_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A file's content in 64 hexadecimal digits, and how it looked when it was read."""

    sha256: str
    signature: Signature


def signature_of(path: Path) -> Signature:
    """Signature of a file, links followed."""
    state = os.stat(path)
    return Signature(state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)


def hash_file(path: Path) -> str:
    """SHA-256 of a file's content, read in blocks, read-only."""
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


class Fingerprints:
    """Fingerprints of raw files, remembered in one file of the store."""

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._known: dict[str, Fingerprint] | None = None
        self._lock = threading.Lock()

    def of(self, path: Path) -> Fingerprint:
        """Fingerprint of a file; read only where it is new or looks different.

        Raises
        ------
        InputError
            The file is missing, unreadable, no file, or changes while it is read.
        """
        return self._of(path, trust=True)

    def fresh(self, path: Path) -> Fingerprint:
        """Fingerprint of a file, read again in any case."""
        return self._of(path, trust=False)

    def of_all(self, paths: Iterable[Path]) -> list[Fingerprint]:
        """Fingerprints in the order of the paths; several files are read at a time."""
        listed = list(paths)
        if len(listed) < 2:
            return [self.of(path) for path in listed]
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            return list(pool.map(self.of, listed))

    def _of(self, path: Path, *, trust: bool) -> Fingerprint:
        name = os.path.abspath(path)
        try:
            before = signature_of(path)
            if trust:
                with self._lock:
                    known = self._load().get(name)
                if known is not None and known.signature == before:
                    return known
            started = time.time_ns()
            found = Fingerprint(hash_file(path), before)
            after = signature_of(path)
        except OSError as error:
            raise _unreadable(path, error) from error
        if after != before:
            raise changed_while_read(path)
        if started - max(before.modified_ns, before.changed_ns) > _YOUNG_NS:
            self._remember(name, found)
        return found

    def _load(self) -> dict[str, Fingerprint]:
        if self._known is None:
            self._known = {}
            for line in read_lines(self._memory):
                check = line.pop("check", None)
                if check == digest_of(line):  # a flipped bit in here must not become a wrong key
                    found = Fingerprint(line["sha256"], Signature(*line["signature"]))
                    self._known[line["path"]] = found
        return self._known

    def _remember(self, name: str, found: Fingerprint) -> None:
        s = found.signature
        with self._lock:
            known = self._load()
            if known.get(name) == found:
                return
            known[name] = found
            line = {
                "path": name,
                "signature": [s.size, s.modified_ns, s.changed_ns, s.inode],
                "sha256": found.sha256,
            }
            append_line(self._memory, line | {"check": digest_of(line)})


def changed_while_read(path: Path) -> InputError:
    """The error for a raw file that another program changes during the run."""
    return InputError(
        "the file changed while it was read",
        where=str(path),
        remedy="Wait until nothing writes to it any more, then run again.",
    )


def _unreadable(path: Path, error: OSError) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(
            "no such file", where=str(path), remedy="Correct the path in cell.toml, or put it back."
        )
    return InputError(
        f"the file cannot be read ({error.strerror or error})",
        where=str(path),
        remedy="Check its permissions, and that it is a file.",
    )
