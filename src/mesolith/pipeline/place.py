"""Where results may go: never among raw data."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mesolith.errors import OutputPlaceError


def refuse_inside(place: Path, raw_files: Iterable[Path], *, project: Path | None = None) -> None:
    """Refuse a store or result folder that lies inside an input folder, or around raw files.

    Parameters
    ----------
    place
        The folder to be written; it need not exist.
    raw_files
        Raw files of the run. The folder of each is an input folder.
    project
        Folder of cell.toml. For raw files in folders below it, the folder next to cell.toml is
        the input folder (``raw`` for ``raw/pristine/Grains.csv``).

    Raises
    ------
    OutputPlaceError
        The place lies in an input folder, or holds a raw file.
    """
    target = place.resolve()
    root = None if project is None else project.resolve()
    for file in raw_files:
        raw = file.resolve()
        folder = _input_folder(raw, root)
        if target.is_relative_to(folder):
            raise OutputPlaceError(
                f"this place for results lies inside the raw data folder {folder}",
                where=str(place),
                remedy="Raw data is never written to: keep raw files in a folder of their own, or "
                "choose another place with --store or --output.",
            )
        if raw.is_relative_to(target):
            raise OutputPlaceError(
                f"this place for results holds the raw file {raw}",
                where=str(place),
                remedy="Results replace what is in their folder: choose a folder without raw data.",
            )


def _input_folder(raw: Path, project: Path | None) -> Path:
    if project is not None and raw.is_relative_to(project):
        below = raw.relative_to(project).parts
        if len(below) > 1:
            return project / below[0]
    return raw.parent
