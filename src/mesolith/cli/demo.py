"""``mesolith demo``: a virtual cell from its raw files to the report."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from mesolith.cli.run import add_machine

MARK = ".mesolith-demo"


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "demo",
        help="make a virtual cell, analyse it, and write its report",
        description="Write the raw files of a virtual cell with known truth, run them like "
        "anyone's, and write a report that shows recovered against true.",
    )
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        nargs="?",
        type=Path,
        default=Path("mesolith-demo"),
        help="folder for the demo (default: mesolith-demo)",
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the virtual cell (default: 1)")
    parser.add_argument("--preset", default="demo", help="size of the virtual cell (default: demo)")
    add_machine(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write, run and sum up the demo."""
    from mesolith.cli.run import run_one
    from mesolith.experiment import load_experiment
    from mesolith.experiment.finding import find_places_of_cells
    from mesolith.techniques import all_techniques

    began = time.perf_counter()
    folder: Path = arguments.folder
    _write(folder, arguments.seed, arguments.preset)
    written = time.perf_counter()
    (place,) = find_places_of_cells([folder])
    experiment = load_experiment(place.file, all_techniques())
    run_arguments = argparse.Namespace(
        **vars(arguments) | {"run": None},
        paths=[folder],
        store=None,
        output=None,
        state=[],
        only=[],
        from_=[],
        allow_partial=False,
    )
    code = run_one(experiment, place, run_arguments)
    if code == 0 and not arguments.quiet:
        seconds = time.perf_counter() - began
        print(_size(folder))
        print(f"demo: {seconds:.1f} s ({written - began:.1f} s of them to make the virtual cell)")
    return code


def _write(folder: Path, seed: int, preset: str) -> None:
    """Write the virtual cell, unless exactly this one is there already."""
    import mesolith
    from mesolith.errors import OutputPlaceError
    from mesolith.pipeline.faults import storage

    mark = folder / MARK
    wanted = {"seed": seed, "preset": preset, "version": mesolith.__version__}
    if folder.exists() and not mark.is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputPlaceError(
            "this folder was not made by the demo, so nothing is written into it",
            where=str(folder),
            remedy="Name a folder that does not exist: mesolith demo FOLDER.",
        )
    if mark.is_file() and mark.read_text(encoding="utf-8") == json.dumps(wanted):
        return
    from mesolith.virtual.demo import write_demo

    print("making a virtual cell ...", file=sys.stderr)
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        mark.write_text("being written", encoding="utf-8")
        write_demo(folder, seed=seed, preset=preset)
        mark.write_text(json.dumps(wanted), encoding="utf-8")


def _size(folder: Path) -> str:
    """ "2,345 grains x 5 states": the fewest that a state holds."""
    from mesolith.records.grains import GrainMap
    from mesolith.workflow import open_cell

    counts = [len(grains) for _, grains in open_cell(folder).having(GrainMap)]
    return f"{min(counts, default=0):,} grains x {len(counts)} states"
