"""What the disk says, turned into the store's own errors.

No space, no quota and no file size left are one and the same to a user. HDF5 reports them in the
text of errors of several types, so the text is read as well.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mesolith.errors import StoreError, StoreFullError, StorePermissionError

_FULL = {
    errno.ENOSPC: "no space is left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the largest file size allowed here is reached",
}
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_HDF5_ERRNO = re.compile(r"errno = (\d+)")


def storage_error(error: BaseException, place: Path) -> StoreError | None:
    """The store's error behind an exception or its causes, or None.

    A refused permission counts only for files inside ``place``: raw data that cannot be read is
    another matter.
    """
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if isinstance(current, (StoreFullError, StorePermissionError)):
            return current
        number = _number(current)
        if number in _FULL:
            return StoreFullError(
                f"{_FULL[number]}{_free_space(place)}",
                where=str(place),
                remedy="Make room (`mesolith clean` removes what no cell.toml reaches) or choose "
                "another place with --store; then run again: what is finished is kept.",
            )
        if number in _DENIED and _concerns(current, place):
            return permission_error(current, place)
        current = current.__cause__ or current.__context__
    return None


def permission_error(error: BaseException, place: Path) -> StorePermissionError:
    """The refused permission, with the file it concerns."""
    name = getattr(error, "filename", None) or place
    return StorePermissionError(
        f"the store cannot be read or written ({getattr(error, 'strerror', None) or error})",
        where=str(name),
        remedy="Give yourself the right to write there, or choose another place with --store.",
    )


@contextmanager
def storage(place: Path) -> Iterator[None]:
    """Turn disk errors of the block into `StoreFullError` and `StorePermissionError`."""
    try:
        yield
    except OSError as error:
        known = storage_error(error, place)
        if known is None:
            raise
        raise known from error


def _number(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = _HDF5_ERRNO.search(str(error))
    return int(found.group(1)) if found else None


def _concerns(error: BaseException, place: Path) -> bool:
    name = getattr(error, "filename", None)
    if isinstance(name, (str, os.PathLike)):
        file, root = os.path.abspath(name), os.path.abspath(place)
        return file == root or file.startswith(root + os.sep)
    return name is None and str(place) in str(error)


def _free_space(place: Path) -> str:
    for folder in (place, *place.parents):
        try:
            state = os.statvfs(folder)
        except (OSError, AttributeError):
            continue
        return f" ({state.f_bavail * state.f_frsize / 1e6:.0f} MB are free)"
    return ""
