"""``mesolith export``: files for other programs, from a result."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesolith.cli.results import refuse_among_raw

if TYPE_CHECKING:
    from mesolith.pipeline.technique import Export

TABLES = "csv"


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "export",
        help="write files for other programs, such as tables or a series for ParaView",
        description="Write files for other programs from a result. Without a name, list them.",
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help='such as "csv" or "paraview"')
    parser.add_argument(
        "path",
        metavar="PATH",
        nargs="?",
        type=Path,
        default=Path(),
        help="a result folder, a cell.nxs, or the folder of a cell.toml (default: this folder)",
    )
    parser.add_argument(
        "--to", type=Path, metavar="DIR", help="folder for the files (default: export in PATH)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write one export and print its files."""
    from mesolith.cli.summary import shown
    from mesolith.errors import SettingsError
    from mesolith.experiment.mistakes import did_you_mean
    from mesolith.pipeline.faults import storage
    from mesolith.pipeline.technique import load
    from mesolith.workflow import open_cell

    exports = known_exports()
    name = arguments.name
    if name is None:
        print(f"{TABLES}: every record as tables")
        for export in exports.values():
            print(f"{export.name}: {export.help} ({export.file})")
        return 0
    if name != TABLES and name not in exports:
        raise SettingsError(
            f"there is no export {name!r}",
            remedy=did_you_mean(name, [TABLES, *exports], listing="Exports"),
        )
    place = arguments.path.parent if arguments.path.is_file() else arguments.path
    folder = arguments.to or place / "export"
    refuse_among_raw(place, folder)
    cell = open_cell(_result_of(arguments.path))
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if name == TABLES:
            from mesolith.techniques import all_techniques
            from mesolith.workflow.result import write_cell_tables

            keys = {technique.record: technique.key for technique in all_techniques()}
            written = write_cell_tables(cell, folder, keys)
        else:
            written = [folder / exports[name].file]
            load(exports[name].write)(cell, written[0])
            if written[0].is_dir():
                written = sorted(written[0].iterdir())
    for file in written:
        print(shown(file))
    return 0


def known_exports() -> dict[str, Export]:
    """Exports of all techniques by name."""
    from mesolith.techniques import all_techniques

    return {e.name: e for technique in all_techniques() for e in technique.exports}


def _result_of(path: Path) -> Path:
    """A cell.toml means the result beside it."""
    return path.parent if path.suffix == ".toml" else path
