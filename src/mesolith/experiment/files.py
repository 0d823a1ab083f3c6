"""From the file names of a cell.toml to files that exist."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path

from mesolith.experiment.mistakes import Book, nearest
from mesolith.experiment.places import KeyPath


def natural(text: str) -> list[tuple[int, int | str]]:
    """Sort key in which scan_9 stands before scan_10."""
    return [
        (0, int(piece)) if piece.isdecimal() else (1, piece.casefold())
        for piece in re.split(r"(\d+)", text)
        if piece
    ]


def file_name(file: Path, folder: Path) -> str:
    """Name of a file as cell.toml in ``folder`` says it: states often share the last part."""
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else file.name


def resolve_files(
    names: tuple[str, ...], folder: Path, path: KeyPath, book: Book
) -> tuple[tuple[Path, ...], tuple[int, ...]]:
    """Files behind a list of names and patterns, and which entry named each.

    Files of one pattern are in natural order. What does not exist, cannot be read or comes
    twice is noted.
    """
    files: list[Path] = []
    items: list[int] = []
    for item, name in enumerate(names):
        here = (*path, item)
        for file in _matches(name, folder, here, book):
            if file in files:
                book.value(here, f"the file {name} is listed twice in this state")
            else:
                files.append(file)
                items.append(item)
    return tuple(files), tuple(items)


def _matches(name: str, folder: Path, path: KeyPath, book: Book) -> list[Path]:
    exact = Path(os.path.abspath(folder / name))
    if exact.is_dir():
        book.value(path, f"{name} is a folder, not a file", f'Write "{name.rstrip("/")}/*".')
        return []
    if exact.is_file():
        if not os.access(exact, os.R_OK):
            book.value(path, f"the file {name} cannot be read: permission denied")
            return []
        return [exact]
    if glob.has_magic(name):
        found = glob.glob(name, root_dir=folder, recursive=True)
        files = [Path(os.path.abspath(folder / match)) for match in found]
        files = sorted((file for file in files if file.is_file()), key=lambda f: natural(str(f)))
        if not files:
            book.value(path, f"no file matches {name}", f"The path is taken from {folder}.")
        return files
    book.value(path, f"the file {name} does not exist", _remedy(exact, folder, book))
    return []


def _remedy(file: Path, folder: Path, book: Book) -> str:
    """What may be meant: a like name in the same folder, or the first folder that is missing.

    A file that the cell.toml names elsewhere is not meant.
    """
    place = file.parent
    if place.is_dir():
        free = [
            name
            for name in sorted(os.listdir(place))
            if place / name not in book.named and (place / name).is_file()
        ]
        match = nearest(file.name, free)
        if match:
            return f"Did you mean {match!r}?"
        return f"The folder {os.path.relpath(place, folder)} holds no such name."
    while not place.parent.is_dir():
        place = place.parent
    used = {named.parent for named in book.named if named.exists()}
    beside = sorted(os.listdir(place.parent))
    match = nearest(place.name, (name for name in beside if place.parent / name not in used))
    hint = f"Did you mean {match!r}?" if match else f"The path is taken from {folder}."
    return f"There is no folder {os.path.relpath(place, folder)}. {hint}"
