"""Which cells a command is about: a path is a cell.toml, a cell's folder or a project's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mesolith.errors import SettingsError
from mesolith.experiment.reading import CELL_FILE

STORE_FOLDER = ".mesolith"


@dataclass(frozen=True, slots=True)
class CellPlace:
    """A cell.toml and the folder of the store that its results go to."""

    file: Path
    store: Path


def find_cells(paths: Sequence[Path]) -> list[Path]:
    """The cell.toml files behind paths, each once, in order.

    A path is a cell.toml, a folder with one, or a project folder whose subfolders hold them.
    Raises ``SettingsError`` where a path leads to none.
    """
    return [place.file for place in find_places_of_cells(paths)]


def find_places_of_cells(paths: Sequence[Path]) -> list[CellPlace]:
    """Cells with their stores: those of one project share the store at the project's folder.

    A cell that is named alone uses its project's store where that exists already.
    """
    found: dict[Path, CellPlace] = {}
    for path in paths:
        for place in _cells_at(path):
            found.setdefault(place.file.resolve(), place)
    return list(found.values())


def _cells_at(path: Path) -> list[CellPlace]:
    if path.is_dir():
        if (path / CELL_FILE).is_file():
            return [_alone(path / CELL_FILE)]
        inside = sorted(path.glob(f"*/{CELL_FILE}"))
        if inside:
            return [CellPlace(file, path / STORE_FOLDER) for file in inside]
        raise SettingsError(
            f"neither the folder nor one of its subfolders holds a {CELL_FILE}",
            where=str(path),
            remedy="`mesolith new DIR --from RAW` writes one.",
        )
    if path.exists():
        return [_alone(path)]
    raise SettingsError(
        "there is no such file or folder",
        where=str(path),
        remedy=f"Name a {CELL_FILE}, a folder with one, or a project folder.",
    )


def _alone(file: Path) -> CellPlace:
    folder = file.resolve().parent
    shared = folder.parent / STORE_FOLDER
    own = folder / STORE_FOLDER
    project = shared.is_dir() and not own.exists() and not (folder.parent / CELL_FILE).exists()
    return CellPlace(file, shared if project else own)
