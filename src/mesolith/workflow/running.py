"""Run a cell: plan, compute what is missing, put the result in its place."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mesolith.errors import InputError
from mesolith.pipeline.engine import Outcome, execute
from mesolith.pipeline.executors import LocalExecutor
from mesolith.pipeline.progress import Progress
from mesolith.records.cell import Cell
from mesolith.techniques import all_techniques
from mesolith.workflow.plan import Plan, make_plan, result_place
from mesolith.workflow.result import publish_result
from mesolith.workflow.versions import software_versions

if TYPE_CHECKING:
    from mesolith.experiment import Experiment


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that ended: what it did, and where the result is (None where none was made)."""

    plan: Plan
    outcome: Outcome
    result: Path | None
    seconds: float

    @property
    def cell(self) -> Cell:
        """The cell of the result; ``InputError`` where the run made no result."""
        if self.result is None:
            raise InputError(
                "this run made no result folder",
                where=self.plan.experiment.path.name,
                remedy="Run without states and steps chosen, or look at the errors of its parts.",
            )
        return open_cell(self.result)


def run_cell(
    cell: Path | Experiment,
    *,
    store: Path | None = None,
    result: Path | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    memory: int | None = None,
    states: Sequence[str] = (),
    only: Sequence[str] = (),
    from_: Sequence[str] = (),
    allow_partial: bool = False,
    progress: Progress | None = None,
    resume: str | None = None,
) -> Finished:
    """Run one cell and return how it ended; the errors of parts are in the outcome.

    Parameters
    ----------
    cell
        A cell.toml, a folder that holds one, or an experiment that was loaded.
    store, result
        Folders; None: ``.mesolith`` and ``result`` beside cell.toml.
    workers
        Processes; None: one a core.
    scheduler
        Address of a Dask scheduler instead of local processes.
    memory
        Bytes that parts in work may use together; None: 80 % of what is free.
    states, only, from_, allow_partial
        As in `make_plan`.
    resume
        The line that resumes an interrupted run, for the message.

    Raises
    ------
    MesolithError
        Mistakes in cell.toml, unusable places, a full disk, an interruption.
    """
    started = time.perf_counter()
    experiment = load(cell, allow_partial=allow_partial)
    place = result_place(experiment, result)
    plan = make_plan(
        experiment,
        store=store,
        states=states,
        only=only,
        from_=from_,
        allow_partial=allow_partial,
    )
    for part in plan.renewed:
        plan.store.remove(part.key)
    line = resume or f"To go on from there: mesolith run {experiment.folder}"
    with _executor(workers, scheduler) as executor:
        outcome = execute(
            plan.wanted,
            plan.store,
            executor,
            source=experiment.path,
            whole=plan.graph,
            memory_bytes=memory,
            versions=software_versions(),
            progress=progress,
            resume=line,
        )
    made: Path | None = None
    if plan.whole and outcome.complete:
        publish_result(plan, outcome, place)
        made = place
    return Finished(plan, outcome, made, time.perf_counter() - started)


def run(
    cell: Path | str | Experiment,
    *,
    store: Path | None = None,
    result: Path | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    memory: int | None = None,
    allow_partial: bool = False,
    progress: Progress | None = None,
) -> Cell:
    """Run one cell and open its result, for notebooks; parameters as in `run_cell`.

    Raises the first error of a part that failed.
    """
    finished = run_cell(
        Path(cell) if isinstance(cell, str) else cell,
        store=store,
        result=result,
        workers=workers,
        scheduler=scheduler,
        memory=memory,
        allow_partial=allow_partial,
        progress=progress,
    )
    finished.outcome.raise_first_error()
    return finished.cell


def open_cell(path: Path | str) -> Cell:
    """Cell of a result: a cell.nxs, a result folder, or the folder of a cell.toml."""
    from mesolith.io import nexus

    place = Path(path)
    for candidate in (place, place / "cell.nxs", place / "result" / "cell.nxs"):
        if candidate.is_file():
            return nexus.open_cell(candidate)
    raise InputError(
        "there is no cell.nxs here",
        where=str(place),
        remedy="Make one with `mesolith run`, or give the path of a result folder.",
    )


def load(cell: Path | Experiment, *, allow_partial: bool = False) -> Experiment:
    """The experiment behind a path, its files' headers inspected; another is returned as it is."""
    from mesolith.experiment.inspection import inspect_cell

    if not isinstance(cell, Path):
        return cell
    return inspect_cell(cell, all_techniques()).require(allow_partial=allow_partial)


def _executor(workers: int | None, scheduler: str | None) -> Executor:
    if scheduler is None:
        return LocalExecutor(workers)
    from mesolith.pipeline.dask_executor import DaskExecutor

    return DaskExecutor(scheduler)
