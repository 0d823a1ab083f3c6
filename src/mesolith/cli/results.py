"""The finished results that a command reads, behind paths of several kinds."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesolith.records.cell import Cell

RESULT_FILE = "cell.nxs"


def add_results(parser: argparse.ArgumentParser) -> None:
    """Add CELL...: cells whose results are read."""
    parser.add_argument(
        "paths",
        metavar="CELL",
        nargs="+",
        type=Path,
        help="a cell's folder, its cell.toml, a result folder, a cell.nxs, or a project folder "
        "whose subfolders hold cells",
    )


def cells_behind(paths: Sequence[Path]) -> list[Cell]:
    """The cell of each result, each once, in order.

    Raises
    ------
    SettingsError
        A path that is no cell.
    InputError
        A cell whose result is not made yet.
    """
    from mesolith.workflow import open_cell

    files: dict[Path, Path] = {}
    for path in paths:
        for file in _result_files(path):
            files.setdefault(file.resolve(), file)
    return [open_cell(file) for file in files.values()]


def refuse_output(output: Path, paths: Sequence[Path]) -> None:
    """Refuse a file to be written that is a folder, an input, or lies among raw data.

    Raises ``OutputPlaceError``.
    """
    from mesolith.errors import OutputPlaceError

    if output.is_dir():
        raise OutputPlaceError(
            "this is a folder, and one file is to be written",
            where=str(output),
            remedy="Name a file in it with --output.",
        )
    inputs = {file.resolve() for path in paths for file in _result_files(path)}
    if output.resolve() in inputs or output.suffix in (".toml", ".nxs"):
        raise OutputPlaceError(
            "this file holds a cell or its result and is not written over",
            where=str(output),
            remedy="Choose another name with --output.",
        )
    for path in paths:
        refuse_among_raw(path.parent if path.is_file() else path, output)


def refuse_among_raw(place: Path, target: Path) -> None:
    """Where the cell.toml of a result is at hand, refuse to write among its raw data."""
    from mesolith.experiment import load_experiment
    from mesolith.experiment.reading import CELL_FILE
    from mesolith.pipeline.place import refuse_inside
    from mesolith.techniques import all_techniques

    for candidate in (place / CELL_FILE, place.parent / CELL_FILE):
        if candidate.is_file():
            experiment = load_experiment(candidate, all_techniques())
            refuse_inside(target, experiment.raw_files(), project=experiment.folder)
            return


def _result_files(path: Path) -> list[Path]:
    from mesolith.cli.summary import shown
    from mesolith.errors import InputError, SettingsError
    from mesolith.experiment.reading import CELL_FILE

    if path.is_file() and path.suffix != ".toml":
        return [path]
    folder = path.parent if path.is_file() else path
    for candidate in (folder / RESULT_FILE, folder / "result" / RESULT_FILE):
        if candidate.is_file():
            return [candidate]
    if path.is_file() or (folder / CELL_FILE).is_file():
        raise InputError(
            "the result of this cell is not made yet",
            where=shown(path),
            remedy=f"`mesolith run {shown(folder)}` makes it.",
        )
    inside = sorted(folder.glob(f"*/{CELL_FILE}"))
    if inside:
        return [file for cell in inside for file in _result_files(cell.parent)]
    raise SettingsError(
        "here is no cell: neither a cell.toml nor a cell.nxs",
        where=str(path),
        remedy="Name a cell's folder, its cell.toml, a result folder or a cell.nxs.",
    )
