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
