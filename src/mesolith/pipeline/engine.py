"""The engine: works off a graph of parts with an executor, and leaves everything in the store."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesolith.errors import (
    MesolithError,
    PartError,
    RunInterrupted,
    StoreFullError,
    StorePermissionError,
    WorkerLostError,
)
from mesolith.pipeline.executors import WorkerDied
from mesolith.pipeline.graph import Graph, PartSpec
from mesolith.pipeline.inspection import current_findings
from mesolith.pipeline.journal import Journal
from mesolith.pipeline.memory import default_memory_limit, default_workers
from mesolith.pipeline.ownership import owner_tag
from mesolith.pipeline.plans import update_plan
from mesolith.pipeline.progress import Progress, Silent, Totals
from mesolith.pipeline.store import Store, Stored
from mesolith.pipeline.worker import Computed, Failed, Task, compute_part, input_facts


@dataclass(frozen=True, slots=True)
class Failure:
    """A part that failed, with its error."""

    part: PartSpec
    error: MesolithError


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. Every tuple is in the order of the graph.

    ``results`` holds what is verified and in the store, by key; ``skipped`` are the parts that
    hang on a failed one.
    """

    results: Mapping[str, Stored]
    computed: tuple[PartSpec, ...]
    reused: tuple[PartSpec, ...]
    failures: tuple[Failure, ...]
    skipped: tuple[PartSpec, ...]

    @property
    def complete(self) -> bool:
        """Every part has its result."""
        return not self.failures

    def raise_first_error(self) -> None:
        """Raise the error of the first failed part, if any."""
        if self.failures:
            raise self.failures[0].error


def execute(
    graph: Graph,
    store: Store,
    executor: Executor,
    *,
    source: Path | None = None,
    whole: Graph | None = None,
    slots: int | None = None,
    memory_bytes: int | None = None,
    versions: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    resume: str = "Run the same command again: it goes on from there.",
    on_interrupt: Callable[[], None] | None = None,
) -> Outcome:
    """Compute every part of a graph whose result is not in the store, or not valid.

    Parameters
    ----------
    source
        The cell.toml behind the graph; remembered for the dry run.
    whole
        All parts of that cell.toml where the graph holds some of them: what is known of the
        others stays.
    slots
        Parts at a time; None: what the executor says, or one a core.
    memory_bytes
        What parts in work may declare together; None: 80 % of what is free. A part that declares
        more runs alone.
    versions
        Software versions, for the manifests.
    resume
        What a user can do after an interruption; the remedy of `RunInterrupted`.
    on_interrupt
        Called before workers are killed on Ctrl-C.

    Returns
    -------
    outcome
        With the errors of parts: one that fails stops only what hangs on it.

    Raises
    ------
    StoreFullError, StorePermissionError
        The disk refuses; what is finished is kept.
    MesolithError
        The executor cannot work.
    RunInterrupted
        Ctrl-C; what is finished is kept.
    """
    if slots is None:
        slots = int(getattr(executor, "slots", default_workers()))
    run = _Run(
        graph,
        store,
        executor,
        max(1, slots),
        default_memory_limit() if memory_bytes is None else memory_bytes,
        dict(versions or {}),
        progress or Silent(),
    )
    store.clean_leftovers()
    with store.running():
        try:
            run.work_off()
        except KeyboardInterrupt:
            if on_interrupt is not None:
                on_interrupt()
            run.stop()
            raise RunInterrupted(
                f"the run was stopped; {len(run.results)} of {len(graph)} parts are in the store",
                remedy=resume,
            ) from None
        finally:
            if source is not None:
                update_plan(store, source, graph if whole is None else whole, run.results)
    return run.outcome()


class _Run:
    """State of one run."""

    def __init__(
        self,
        graph: Graph,
        store: Store,
        executor: Executor,
        slots: int,
        memory_bytes: int,
        versions: dict[str, str],
        progress: Progress,
    ) -> None:
        self.results: dict[str, Stored] = {}
        self._graph = graph
        self._store = store
        self._executor = executor
        self._slots = slots
        self._memory_bytes = memory_bytes
        self._versions = versions
        self._progress = progress
        self._journal = Journal(store.journal_file, owner_tag())
        self._found: dict[str, Stored] = {}
        self._ready: list[PartSpec] = []
        self._alone: list[PartSpec] = []
        self._in_work: dict[Future[Computed | Failed], PartSpec] = {}
        self._deaths: dict[str, int] = {}
        self._computed: set[str] = set()
        self._errors: dict[str, MesolithError] = {}
        self._fatal: MesolithError | None = None

    def work_off(self) -> None:
        """Compute until nothing is left to compute."""
        findings = current_findings(self._store, self._graph)
        self._found = {key: f.stored for key, f in findings.items() if f.stored is not None}
        left = [part for part in self._graph if part.key not in self._found]
        self._progress.planned(
            Totals(
                len(self._graph),
                len(left),
                sum(part.cost.seconds for part in left),
                self._slots,
            )
        )
        self._journal.write("run started", parts=len(self._graph), to_compute=len(left))
        order = self._graph.remaining_seconds()
        self._settle([part for part in self._graph if not part.part_inputs])
        while self._ready or self._alone or self._in_work:
            self._ready.sort(key=lambda part: -order[part.key])
            self._hand_out()
            # the timeout lets Ctrl-C through on Windows
            done, _ = wait(self._in_work, timeout=1.0, return_when=FIRST_COMPLETED)
            for future in done:
                self._receive(self._in_work.pop(future), future)
            if self._fatal is not None:
                self._ready.clear()
                self._alone.clear()
        if self._fatal is not None:
            raise self._fatal
        self._journal.write("run finished", computed=len(self._computed))

    def stop(self) -> None:
        """Give up what is in work; what is committed stays."""
        kill = getattr(self._executor, "kill", None)
        if kill is not None:
            kill()
        else:
            self._executor.shutdown(wait=True, cancel_futures=True)
        self._store.clean_leftovers()
        self._journal.write("run interrupted", computed=len(self._computed))

    def outcome(self) -> Outcome:
        """What came of it."""
        skipped = {part.key for part in self._graph.all_dependents(self._errors)}
        done = [part for part in self._graph if part.key in self.results]
        return Outcome(
            results={part.key: self.results[part.key] for part in done},
            computed=tuple(part for part in done if part.key in self._computed),
            reused=tuple(part for part in done if part.key not in self._computed),
            failures=tuple(
                Failure(part, self._errors[part.key])
                for part in self._graph
                if part.key in self._errors
            ),
            skipped=tuple(part for part in self._graph if part.key in skipped),
        )

    def _settle(self, parts: list[PartSpec]) -> None:
        """Inputs of these are there: take the stored result where it was made from them."""
        left = deque(parts)
        while left:
            part = left.popleft()
            found = self._found.get(part.key)
            if found is not None and found.facts["inputs"] == self._input_facts(part):
                left.extend(self._finish(part, found, 0.0, from_store=True))
            else:
                self._ready.append(part)

    def _input_facts(self, part: PartSpec) -> dict[str, list[dict[str, str]]]:
        return input_facts(part, self._contents(part))

    def _contents(self, part: PartSpec) -> dict[str, str]:
        return {source.key: self.results[source.key].content for source in part.part_inputs}

    def _finish(
        self, part: PartSpec, stored: Stored, seconds: float, *, from_store: bool
    ) -> list[PartSpec]:
        """Take note of a result; returns the parts that have all their inputs now."""
        self.results[part.key] = stored
        self._progress.finished(part, seconds, from_store)
        return [
            dependent
            for dependent in self._graph.dependents(part.key)
            if all(source.key in self.results for source in dependent.part_inputs)
        ]

    def _hand_out(self) -> None:
        """Submit what fits: parts that run alone wait until nothing else is in work."""
        if self._alone:
            if not self._in_work:
                self._submit(self._alone.pop(0))
            return
        for part in list(self._ready):
            if len(self._in_work) >= self._slots or self._alone:
                return
            if any(other.all_cores for other in self._in_work.values()):
                return
            if self._in_work and (part.all_cores or not self._fits(part)):
                continue
            self._ready.remove(part)
            if not self._finished_elsewhere(part):
                self._submit(part)

    def _fits(self, part: PartSpec) -> bool:
        used = sum(other.cost.memory_bytes for other in self._in_work.values())
        return used + part.cost.memory_bytes <= self._memory_bytes

    def _finished_elsewhere(self, part: PartSpec) -> bool:
        """Another run on the same store may have been faster."""
        if not self._store.folder(part.key).is_dir():
            return False
        found = self._store.lookup(part.key)
        if found is None or found.facts["inputs"] != self._input_facts(part):
            return False
        self._settle(self._finish(part, found, 0.0, from_store=True))
        return True

    def _submit(self, part: PartSpec) -> None:
        cores = self._slots if part.all_cores else 1
        task = Task(part, self._store.root, self._contents(part), cores, self._versions)
        self._journal.write("part started", part)
        self._progress.started(part)
        try:
            future: Future[Computed | Failed] = self._executor.submit(compute_part, task)
        except BrokenExecutor as error:
            future = Future()
            future.set_exception(error)
        self._in_work[future] = part

    def _receive(self, part: PartSpec, future: Future[Computed | Failed]) -> None:
        try:
            answer = future.result()
        except (WorkerDied, BrokenExecutor) as error:
            self._lost(part, error)
            return
        except MesolithError as error:  # of the executor; those of a part come as an answer
            self._fatal = error
            self._fail(part, error)
            return
        except Exception as error:
            self._fail(part, PartError(f"{type(error).__name__}: {error}", where=part.title))
            return
        about: dict[str, Any] = {
            "seconds": round(answer.seconds, 3),
            "peak_memory_bytes": answer.peak_memory_bytes,
            "worker_host": answer.host,
            "worker_pid": answer.pid,
        }
        if isinstance(answer, Failed):
            self._journal.write("part failed", part, traceback=answer.traceback, **about)
            self._fail(part, answer.error)
            return
        stored = self._store.committed(part.key, answer.content)
        if stored is None:
            self._fail(part, PartError("its result vanished from the store", where=part.title))
            return
        self._journal.write("part finished", part, disk_bytes=answer.disk_bytes, **about)
        self._computed.add(part.key)
        self._settle(self._finish(part, stored, answer.seconds, from_store=False))

    def _lost(self, part: PartSpec, error: Exception) -> None:
        peak = getattr(error, "peak_memory_bytes", None)
        words = getattr(error, "last_words", "")
        self._journal.write(
            "worker lost", part, error=str(error), peak_memory_bytes=peak, last_words=words
        )
        self._deaths[part.key] = self._deaths.get(part.key, 0) + 1
        if self._deaths[part.key] == 1:
            self._alone.append(part)
            return
        memory = "unknown" if peak is None else f"{peak / 1e6:.0f} MB"
        last = f"; its last words: {words.splitlines()[-1]}" if words else ""
        self._fail(
            part,
            WorkerLostError(
                f"the worker process died twice, the second time alone: {error} "
                f"(peak memory {memory}, declared {part.cost.memory_bytes / 1e6:.0f} MB){last}",
                where=part.title,
                remedy="If memory ran out, use a machine with more, or smaller input; "
                "`mesolith doctor` bundles what a bug report needs.",
            ),
        )

    def _fail(self, part: PartSpec, error: MesolithError) -> None:
        self._errors[part.key] = error
        self._progress.failed(part, error)
        if isinstance(error, (StoreFullError, StorePermissionError)):
            self._fatal = self._fatal or error
