"""What the store asks of the disk: files and folders brought there, made read-only, removed."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from mesolith.errors import StoreError
from mesolith.pipeline.fingerprint import hash_file


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_tree(folder: Path) -> None:
    """Remove a folder with its read-only files; what is gone already is no error."""
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink(missing_ok=True)
        return
    for place, folders, files in os.walk(folder, topdown=False):
        for name in files:
            if os.name == "nt":
                os.chmod(os.path.join(place, name), stat.S_IWRITE)
            Path(place, name).unlink(missing_ok=True)
        for name in folders:
            _remove_folder(Path(place, name))
    _remove_folder(folder)


def _remove_folder(folder: Path) -> None:
    try:
        if folder.is_symlink():
            folder.unlink()
        else:
            folder.rmdir()
    except FileNotFoundError:
        return


def seal(path: Path) -> dict[str, Any]:
    """Bring a file to the disk, make it read-only, and give its size and checksum."""
    if path.is_symlink() or not path.is_file():
        raise StoreError("a part may only leave plain files", where=str(path))
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
    os.chmod(path, stat.S_IMODE(path.stat().st_mode) & ~0o222)
    return {"size": path.stat().st_size, "sha256": hash_file(path)}


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet."""
    with open(path, "xb") as file:
        file.write(data)
