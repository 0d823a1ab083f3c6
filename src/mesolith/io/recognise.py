"""Which format a file has, by its content."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Protocol, TypeVar

HEAD_BYTES = 65536


class NamedFormat(Protocol):
    """A format with the dotted name of its ``recognise(path, head) -> float``."""

    @property
    def recognise(self) -> str: ...


F = TypeVar("F", bound=NamedFormat)


def recognise(path: Path, formats: Iterable[F]) -> list[tuple[F, float]]:
    """Formats that the content may have, surest first, each with its score (0 to 1].

    Empty where no format knows the content; the file's name counts for nothing.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    scores = []
    for known in formats:
        module, _, name = known.recognise.partition(":")
        score = float(getattr(import_module(module), name)(path, head))
        if score > 0.0:
            scores.append((known, score))
    return sorted(scores, key=lambda pair: -pair[1])
