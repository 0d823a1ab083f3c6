"""``mesolith new``: a cell.toml for raw files that lie somewhere."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "new",
        help="write a cell.toml for your raw files",
        description="Recognise raw files by their content, put them in order, propose states, and "
        "mark with '# ?' what only you know. Nothing is written among the raw files.",
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder for the new cell.toml")
    parser.add_argument(
        "--from", dest="raw", metavar="RAW", type=Path, required=True, help="folder of raw files"
    )
    parser.add_argument("--name", help="name of the cell (default: that of DIR)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write DIR/cell.toml."""
    from mesolith.errors import SettingsError
    from mesolith.experiment.proposal import cell_text, propose
    from mesolith.experiment.reading import CELL_FILE
    from mesolith.pipeline.faults import storage
    from mesolith.techniques import all_techniques

    folder, raw = arguments.folder.resolve(), arguments.raw.resolve()
    _refuse(folder, raw)
    techniques = all_techniques()
    proposal = propose(raw, techniques)
    name = arguments.name or folder.name
    text = cell_text(proposal, name=name, folder=folder, techniques=techniques)
    file = folder / CELL_FILE
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with file.open("x", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
        except FileExistsError:
            raise SettingsError(
                "there is a cell.toml already",
                where=str(file),
                remedy="Move it away, or choose another folder.",
            ) from None
    for state in proposal.states:
        print(f"{state.name}:")
        for found in state.files:
            facts = "; ".join((found.format.title, *found.description.facts))
            print(f"  {found.technique.key}: {found.file.relative_to(raw)} ({facts})")
    print(f"The states are in the order of {proposal.order}")
    if proposal.unknown:
        names = ", ".join(str(file.relative_to(raw)) for file in proposal.unknown[:8])
        more = len(proposal.unknown) - 8
        print(f"Not recognised: {names}{f' and {more} more' if more > 0 else ''}.")
    print(f"Wrote {file}. Complete the lines with # ?, then run: mesolith check {folder}")
    return 0


def _refuse(folder: Path, raw: Path) -> None:
    from mesolith.errors import InputError, OutputPlaceError

    if not raw.is_dir():
        raise InputError("there is no such folder of raw files", where=str(raw))
    if folder.is_relative_to(raw):
        raise OutputPlaceError(
            f"this folder lies inside the raw data {raw}",
            where=str(folder),
            remedy="Raw data is never written to: choose a folder beside it.",
        )
