"""Put a complete result folder in the place of the old one.

The new folder is made beside the old one and swapped in by renaming. A kill leaves either the old
folder or the new one; what else it leaves is cleaned by the next call. Files of the user in the
old folder move along.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from mesolith.errors import OutputPlaceError, StoreError
from mesolith.pipeline.disk import remove_tree, sync_folder
from mesolith.pipeline.faults import storage
from mesolith.pipeline.fingerprint import hash_file
from mesolith.pipeline.keys import canonical_json
from mesolith.pipeline.manifest import list_files
from mesolith.pipeline.ownership import is_orphan, owner_tag

CONTENTS_FILE = ".mesolith-result"
_LINK_FROM_BYTES = 64 * 2**20
_TRIES = 50


def publish(folder: Path, files: Mapping[str, Path]) -> None:
    """Make ``folder`` hold exactly these files, given by relative name, and what the user added.

    Small files are copied, so that an edit of the result never reaches the store; from 64 MiB on
    a file is linked where the file system can, and stays read-only.

    Raises
    ------
    OutputPlaceError
        The folder holds other things and no earlier result.
    StoreFullError, StorePermissionError
        The disk refuses; the old folder stays.
    """
    with replacing(folder) as new:
        for name, path in files.items():
            _bring(path, new / name)


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """An empty folder to fill; it takes the place of ``folder`` when the block ends without error.

    Raises
    ------
    OutputPlaceError, StoreFullError, StorePermissionError
        As `publish`.
    """
    place = Path(os.path.abspath(folder))
    with storage(place.parent):
        place.parent.mkdir(parents=True, exist_ok=True)
        _restore(place)
        _refuse_foreign(place)
        new = place.parent / f".{place.name}.new-{owner_tag()}"
        new.mkdir()
        try:
            yield new
            _complete(place, new)
            _swap(place, new)
        finally:
            remove_tree(new)


def _complete(place: Path, new: Path) -> None:
    """Note what is ours, take the user's files along, and bring all to the disk."""
    ours = {name: hash_file(new / name) for name in list_files(new)}
    (new / CONTENTS_FILE).write_text(canonical_json(ours) + "\n", encoding="utf-8")
    before = contents(place) or {}
    for name in list_files(place) if place.is_dir() else []:
        if name not in before and name != CONTENTS_FILE and not (new / name).exists():
            _bring(place / name, new / name)
    for name in [*ours, CONTENTS_FILE]:
        if os.access(new / name, os.W_OK):
            with open(new / name, "rb+") as file:
                os.fsync(file.fileno())
    sync_folder(new)


def _swap(place: Path, new: Path) -> None:
    for _ in range(_TRIES):
        old = place.parent / f".{place.name}.old-{owner_tag()}"
        with suppress(FileNotFoundError):
            os.rename(place, old)
        try:
            os.rename(new, place)
        except OSError:
            if not place.exists():
                os.rename(old, place)
                raise
            remove_tree(old)  # another run published meanwhile
            continue
        sync_folder(place.parent)
        remove_tree(old)
        return
    raise StoreError("the result folder is replaced again and again", where=str(place))


def _restore(place: Path) -> None:
    """Clean what a killed run left beside the folder; bring the old result back if it is all."""
    made, replaced = f".{place.name}.new-", f".{place.name}.old-"
    for path in sorted(place.parent.iterdir()):
        tag = path.name.removeprefix(made).removeprefix(replaced)
        if tag == path.name or not is_orphan(path, tag):
            continue
        if path.name.startswith(replaced) and not place.exists():
            os.rename(path, place)
        else:
            remove_tree(path)


def _refuse_foreign(place: Path) -> None:
    if not place.exists():
        return
    if not place.is_dir():
        raise OutputPlaceError(
            "a file is in the way of the result folder",
            where=str(place),
            remedy="Choose another folder with --output.",
        )
    found = sorted(path.name for path in place.iterdir())
    if found and CONTENTS_FILE not in found:
        raise OutputPlaceError(
            f"the folder holds other files, such as {found[0]}, and no earlier result",
            where=str(place),
            remedy="Choose a new or empty folder with --output.",
        )


def contents(place: Path) -> dict[str, str | None] | None:
    """Names of the files that were published here, each with its SHA-256.

    The sum is None where an earlier version wrote the list without sums; all is None where there
    is no list that can be read.
    """
    try:
        listed = json.loads((place / CONTENTS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if isinstance(listed, dict):
        return {str(name): str(digest) for name, digest in listed.items()}
    return dict.fromkeys(map(str, listed)) if isinstance(listed, list) else None


def _bring(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.stat().st_size >= _LINK_FROM_BYTES:
        try:
            os.link(source, target)
        except OSError:  # another file system, or none with links
            shutil.copyfile(source, target)
    else:
        shutil.copyfile(source, target)
