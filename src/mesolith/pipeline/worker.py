"""What a worker does with one part: compute into a workspace, then commit.

`compute_part` is the one function that the engine submits, whatever the executor.
"""

from __future__ import annotations

import os
import socket
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesolith.errors import MesolithError, PartError
from mesolith.pipeline.faults import storage_error
from mesolith.pipeline.fingerprint import changed_while_read, signature_of
from mesolith.pipeline.graph import PartSpec, RawInput
from mesolith.pipeline.memory import peak_memory_bytes, restart_peak_memory
from mesolith.pipeline.store import Store
from mesolith.pipeline.technique import load
from mesolith.pipeline.work import Source, Work


@dataclass(frozen=True, slots=True)
class Task:
    """A part ready to compute. ``contents`` are the contents of its stored inputs, by key."""

    part: PartSpec
    store: Path
    contents: Mapping[str, str]
    cores: int
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Computed:
    """A part that is in the store now."""

    key: str
    content: str
    disk_bytes: int
    seconds: float
    peak_memory_bytes: int | None
    host: str
    pid: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A part that ended with an error."""

    key: str
    error: MesolithError
    traceback: str
    seconds: float
    peak_memory_bytes: int | None
    host: str
    pid: int


def compute_part(task: Task) -> Computed | Failed:
    """Compute and commit one part; errors come back as a value, with their traceback."""
    part = task.part
    started = time.perf_counter()
    restart_peak_memory()
    try:
        store = Store(task.store)
        with store.workspace() as folder:
            _check_unchanged(part)
            compute = load(part.compute)
            compute(_work(task, store, folder))
            _check_unchanged(part)
            stored = store.commit(part.key, folder, part_facts(part, task.contents, task.versions))
    except (Exception, SystemExit) as error:
        return Failed(
            part.key,
            _as_ours(error, part, task.store),
            "".join(traceback.format_exception(error)),
            time.perf_counter() - started,
            peak_memory_bytes(),
            socket.gethostname(),
            os.getpid(),
        )
    return Computed(
        part.key,
        stored.content,
        stored.size,
        time.perf_counter() - started,
        peak_memory_bytes(),
        socket.gethostname(),
        os.getpid(),
    )


def part_facts(
    part: PartSpec, contents: Mapping[str, str], versions: Mapping[str, str]
) -> dict[str, Any]:
    """What the manifest tells of a part: the same for the same computation, on any day."""
    return {
        "step": part.step,
        "version": part.version,
        "label": part.label,
        "settings": part.settings,
        "selector": part.selector,
        "inputs": input_facts(part, contents),
        "software": dict(versions),
    }


def input_facts(part: PartSpec, contents: Mapping[str, str]) -> dict[str, list[dict[str, str]]]:
    """Inputs by name: label, and the hash of a raw file or the key and content of a result."""
    return {
        name: [
            {"label": source.label, "raw": source.fingerprint.sha256}
            if isinstance(source, RawInput)
            else {"label": source.label, "key": source.key, "content": contents[source.key]}
            for source in found
        ]
        for name, found in part.inputs.items()
    }


def _work(task: Task, store: Store, folder: Path) -> Work:
    part = task.part
    inputs = {
        name: tuple(
            Source(source.label, source.path)
            if isinstance(source, RawInput)
            else Source(source.label, store.folder(source.key))
            for source in found
        )
        for name, found in part.inputs.items()
    }
    return Work(
        step=part.step,
        label=part.label,
        settings=part.settings,
        inputs=inputs,
        folder=folder,
        selector=part.selector,
        seed=part.seed,
        cores=task.cores,
    )


def _check_unchanged(part: PartSpec) -> None:
    """A raw file that changes after it was hashed would give a result under a wrong key."""
    for source in part.raw_inputs:
        try:
            now = signature_of(source.path)
        except FileNotFoundError:
            raise changed_while_read(source.path) from None
        then = source.fingerprint.signature
        if (now.size, now.modified_ns) != (then.size, then.modified_ns):
            raise changed_while_read(source.path)


def _as_ours(error: BaseException, part: PartSpec, store: Path) -> MesolithError:
    known = storage_error(error, store)
    if known is not None:
        return known
    if isinstance(error, MesolithError):
        if error.where is None:
            error.where = part.title
        return error
    if isinstance(error, MemoryError):
        return PartError(
            f"the part ran out of memory ({error or 'no more could be allocated'})",
            where=part.title,
            remedy="Run again with fewer --workers, or on a machine with more memory.",
        )
    return PartError(
        f"{type(error).__name__}: {error}",
        where=part.title,
        remedy="This is a fault of the program; its traceback stands in the store's journal.jsonl "
        "(`mesolith doctor` bundles what a report needs).",
    )
