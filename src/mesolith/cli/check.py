"""``mesolith check``: every mistake before anything runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesolith.cli.paths import add_paths, add_store

if TYPE_CHECKING:
    from mesolith.experiment.inspection import Inspection
    from mesolith.pipeline.work import Remark


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "check",
        help="find every mistake in cell.toml and its files before anything runs",
        description="Read cell.toml and its files, as a run would, and compare their charge with "
        "the protocol. Every mistake is listed with file, line and column; then what is missing, "
        "and what only you can know. Nothing is written.",
    )
    add_paths(parser)
    add_store(parser)
    parser.add_argument("--quiet", action="store_true", help="print mistakes only, no notes")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check each cell; 2 where a cell.toml holds a mistake, 3 where only its files do, else 0."""
    from mesolith.experiment.finding import find_places_of_cells
    from mesolith.experiment.inspection import inspect_cell
    from mesolith.experiment.mistakes import CellFileError
    from mesolith.techniques import all_techniques
    from mesolith.workflow.trial import trial

    code = 0
    for place in find_places_of_cells(arguments.paths):
        inspection = inspect_cell(place.file, all_techniques())
        mistakes = inspection.mistakes
        remarks: list[Remark] = []
        if not mistakes:
            _check_places(inspection, arguments.store or place.store)
            found, remarks = trial(inspection.require())
            mistakes = tuple(found)
        if mistakes:
            error = CellFileError(str(place.file), mistakes)
            print(error)
            code = max(code, error.exit_code) if code != 2 else code
            continue
        _print_good(place.file, inspection, quiet=arguments.quiet)
        for remark in remarks:
            if remark.level in ("warning", "gap"):
                print(f"To beware of: {remark.where}: {remark.text}.")
    return code


def _check_places(inspection: Inspection, store: Path) -> None:
    """Refuse a store or a result among raw data now, not after an hour."""
    from mesolith.pipeline.place import refuse_inside

    experiment = inspection.require()
    for folder in (store, experiment.folder / "result"):
        refuse_inside(folder, experiment.raw_files(), project=experiment.folder)


def _print_good(file: Path, inspection: Inspection, *, quiet: bool) -> None:
    from mesolith.cli.sizes import counted
    from mesolith.experiment.files import file_name
    from mesolith.experiment.notes import notes

    experiment = inspection.require()
    count = len(experiment.raw_files())
    states = counted(len(experiment.states), "state")
    print(f"{file}: no mistake in {states} and {counted(count, 'file')}.")
    if quiet:
        return
    for found in inspection.files:
        facts = "; ".join((found.description.format, *found.description.facts))
        print(f"  {found.state.name}: {file_name(found.file, experiment.folder)} ({facts})")
    remarks = notes(experiment, inspection.files)
    if remarks:
        print("What is missing, and what only you can know:")
        for remark in remarks:
            print(f"  - {remark}")
