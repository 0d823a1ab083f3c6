"""Mistakes in a cell.toml: collected, each with its place, and reported together."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mesolith.errors import InputError, MesolithError, SettingsError
from mesolith.experiment.places import KeyPath, Place, Places


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake: where it is written, what is wrong, what to write instead.

    ``kind`` is the error that the mistake would be if it came alone; ``also`` is the other place
    where two of them contradict each other; ``in_file`` says that the fault lies in a file that
    cell.toml lists, or between such a file and cell.toml.
    """

    place: Place
    text: str
    remedy: str | None = None
    kind: type[MesolithError] = SettingsError
    also: Place | None = None
    in_file: bool = False

    def __str__(self) -> str:
        name = "" if self.kind is SettingsError else f"{self.kind.__name__}: "
        other = "" if self.also is None else f" (line {self.also.line})"
        tail = "" if self.remedy is None else f" {self.remedy}"
        return f"{name}{self.text}{other}.{tail}"


class CellFileError(SettingsError):
    """A cell.toml holds mistakes; ``mistakes`` lists all of them, in order.

    The exit code is that of an unusable input where every mistake lies in a file that the
    cell.toml lists, not in cell.toml itself.
    """

    def __init__(self, path: str, mistakes: Iterable[Mistake]) -> None:
        self.path = path
        self.mistakes = tuple(sorted(set(mistakes), key=lambda m: (m.place, m.text)))
        count = len(self.mistakes)
        lines = [f"  {path}:{mistake.place}: {mistake}" for mistake in self.mistakes]
        super().__init__(
            "\n".join([f"{count} mistake{'s' if count > 1 else ''} in the cell file", *lines]),
            where=path,
        )
        if all(mistake.in_file for mistake in self.mistakes):
            self.exit_code = InputError.exit_code

    def __reduce__(self) -> tuple[type[CellFileError], tuple[str, tuple[Mistake, ...]]]:
        return CellFileError, (self.path, self.mistakes)


@dataclass(slots=True)
class Book:
    """Where mistakes are written down while a cell.toml is read.

    ``folder`` is that of the cell.toml; ``named`` are the files that its states list.
    """

    places: Places
    folder: Path = field(default_factory=Path)
    named: frozenset[Path] = frozenset()
    mistakes: list[Mistake] = field(default_factory=list)

    def key(
        self,
        path: KeyPath,
        text: str,
        remedy: str | None = None,
        kind: type[MesolithError] = SettingsError,
        *,
        also: Place | None = None,
    ) -> None:
        """Note a mistake about a key, or about a table as a whole."""
        self.mistakes.append(Mistake(self.places.key(path), text, remedy, kind, also))

    def value(
        self,
        path: KeyPath,
        text: str,
        remedy: str | None = None,
        kind: type[MesolithError] = SettingsError,
        *,
        also: Place | None = None,
        in_file: bool = False,
    ) -> None:
        """Note a mistake about a value, or with ``in_file`` about the file that it names."""
        place = self.places.value(path)
        self.mistakes.append(Mistake(place, text, remedy, kind, also, in_file))


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The known word most like ``word``, the first of several, or None where none is like it."""
    best, likeness = None, cutoff
    matcher = difflib.SequenceMatcher(b=word.casefold())
    for candidate in known:
        matcher.set_seq1(candidate.casefold())
        if matcher.real_quick_ratio() > likeness and (ratio := matcher.ratio()) > likeness:
            best, likeness = candidate, ratio
    return best


def did_you_mean(word: str, known: Iterable[str], *, listing: str) -> str:
    """The remedy for an unknown word: the nearest known one, or all of them."""
    words = list(known)
    if match := nearest(word, words):
        return f"Did you mean {match!r}?"
    return f"{listing}: {', '.join(words)}."
