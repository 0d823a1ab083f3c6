"""``mesolith run``: compute what is missing, and put the result in its place."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesolith.cli.paths import add_paths, add_store
from mesolith.cli.sizes import size_from_text, text_from_seconds, text_from_size

if TYPE_CHECKING:
    from mesolith.experiment import Experiment
    from mesolith.experiment.finding import CellPlace
    from mesolith.pipeline.dryrun import Foreseen

LONGEST_REASON = 160
_LISTED = 8


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "run",
        help="compute what is missing and write the report",
        description="Compute whatever the store does not hold yet, then write result/ with "
        "report.html, cell.nxs and tables/. Ctrl-C at any time: the same line goes on from there.",
    )
    add_paths(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be computed, why, and what it costs"
    )
    _add_choice(parser)
    add_machine(parser)
    add_store(parser)
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="folder of the result (default: result)"
    )
    parser.set_defaults(run=run)


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--state", action="append", default=[], metavar="NAME", help="only this state; repeatable"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="STEP",
        help="only this step (`mesolith status` lists them) and what it needs; repeatable",
    )
    parser.add_argument(
        "--from",
        dest="from_",
        action="append",
        default=[],
        metavar="STEP",
        help="compute this step anew, with all that hangs on it; repeatable",
    )
    parser.add_argument(
        "--allow-partial",
        action="store_true",
        help="go on where a file is damaged; the gap is named on the report's first page",
    )


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Add what says where and how widely a run computes."""
    parser.add_argument(
        "--workers", type=_positive, metavar="N", help="processes (default: one a core)"
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="a Dask scheduler to compute on, tcp://host:port"
    )
    parser.add_argument(
        "--memory",
        type=size_from_text,
        metavar="SIZE",
        help="memory for all workers together, such as 4GB (default: 80 %% of what is free)",
    )
    parser.add_argument("--quiet", action="store_true", help="no bar and no summary")


def run(arguments: argparse.Namespace) -> int:
    """Run each cell; the exit code of the first that fails, else 0."""
    from mesolith.errors import RunInterrupted, SettingsError
    from mesolith.experiment.finding import find_places_of_cells
    from mesolith.experiment.inspection import inspect_cell
    from mesolith.techniques import all_techniques

    places = find_places_of_cells(arguments.paths)
    if arguments.output is not None and len(places) > 1:
        raise SettingsError(
            f"--output names one folder, but there are {len(places)} cells",
            remedy="Leave it out: each cell has its own result folder.",
        )
    code = 0
    try:
        for place in places:
            inspection = inspect_cell(place.file, all_techniques())
            experiment = inspection.require(allow_partial=arguments.allow_partial)
            work = preview_of_cell if arguments.dry_run else run_one
            code = work(experiment, place, arguments) or code
    except KeyboardInterrupt:
        line = resume_line(arguments)
        raise RunInterrupted(
            "the run was stopped; what is finished is kept", remedy=f"To go on from there: {line}"
        ) from None
    return code


def run_one(experiment: Experiment, place: CellPlace, arguments: argparse.Namespace) -> int:
    """Run one cell, print its errors and its summary; returns the exit code."""
    from mesolith.cli.progress import Bar
    from mesolith.cli.summary import summary
    from mesolith.workflow import run_cell

    with Bar(quiet=arguments.quiet) as bar:
        finished = run_cell(
            experiment,
            store=arguments.store or place.store,
            result=arguments.output,
            workers=arguments.workers,
            scheduler=arguments.scheduler,
            memory=arguments.memory,
            states=arguments.state,
            only=arguments.only,
            from_=arguments.from_,
            allow_partial=arguments.allow_partial,
            progress=bar,
            resume=f"To go on from there: {resume_line(arguments)}",
        )
    for failure in finished.outcome.failures:
        print(
            f"{type(failure.error).__name__}: {failure.part.title}: {failure.error}",
            file=sys.stderr,
        )
    if not arguments.quiet:
        print("\n".join(summary(finished)))
    failures = finished.outcome.failures
    return failures[0].error.exit_code if failures else 0


def preview_of_cell(experiment: Experiment, place: CellPlace, arguments: argparse.Namespace) -> int:
    """Say what a run would compute, why, and what it would cost."""
    from mesolith.pipeline.dryrun import preview
    from mesolith.workflow.plan import make_plan

    plan = make_plan(
        experiment,
        store=arguments.store or place.store,
        states=arguments.state,
        only=arguments.only,
        from_=arguments.from_,
        allow_partial=arguments.allow_partial,
    )
    seen = preview(
        plan.wanted,
        plan.store,
        source=experiment.path,
        slots=arguments.workers,
        memory_bytes=arguments.memory,
        anew={part.key for part in plan.renewed},
    )
    print(f"{experiment.name}:")
    due = seen.to_compute
    kept = len(seen.parts) - len(due)
    if not due:
        print(f"  nothing to compute: all {kept} parts are in the store")
        return 0
    print("\n".join(_because(due)))
    print(f"  {len(due)} parts to compute, {kept} from the store")
    memory, disk = text_from_size(seen.peak_memory_bytes), text_from_size(seen.disk_bytes)
    print(f"  about {text_from_seconds(seen.seconds)}, at most {memory} of memory, {disk} on disk")
    return 0


def _because(due: Sequence[Foreseen]) -> list[str]:
    """One line for all parts of a step that are computed for the same reasons."""
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for item in due:
        reasons = dict.fromkeys(_short(reason) for reason in item.reasons)
        groups.setdefault((item.part.step, tuple(reasons)), []).append(item.part.label)
    return [
        f"  compute {step} [{_listed(labels)}]: {'; '.join(reasons)}"
        for (step, reasons), labels in groups.items()
    ]


def _listed(labels: Sequence[str]) -> str:
    """Labels, each once; of many the first and how many more."""
    names = list(dict.fromkeys(labels))
    if len(names) > _LISTED:
        names = [*names[:_LISTED], f"{len(names) - _LISTED} more"]
    return ", ".join(names)


def _short(reason: str) -> str:
    """A reason without the states that it names, and not longer than a line."""
    if reason.startswith("follows "):
        reason = reason.partition(" [")[0]
    if len(reason) > LONGEST_REASON:
        reason = f"{reason.partition(':')[0]} changed"
    return reason


def resume_line(arguments: argparse.Namespace) -> str:
    """The command that goes on where this one was stopped; --from is done with already."""
    words = ["mesolith", "run", *(str(path) for path in arguments.paths if path != Path())]
    for option, values in (("--state", arguments.state), ("--only", arguments.only)):
        for value in values:
            words += [option, value]
    for option in ("workers", "scheduler", "memory", "store", "output"):
        value = getattr(arguments, option)
        if value is not None:
            words += [f"--{option}", str(value)]
    for option in ("allow_partial", "quiet"):
        if getattr(arguments, option):
            words.append(f"--{option.replace('_', '-')}")
    return shlex.join(words)


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes")
    return number
