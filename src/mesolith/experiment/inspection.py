"""Look into a cell's files before anything runs: headers and time stamps, no data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mesolith.errors import (
    ClockError,
    ContradictionError,
    FileFormatError,
    InputError,
    MesolithError,
    UnknownFormatError,
)
from mesolith.experiment.catalogue import formats_of
from mesolith.experiment.experiment import Experiment, ExperimentState
from mesolith.experiment.files import file_name
from mesolith.experiment.mistakes import Book, CellFileError, Mistake
from mesolith.experiment.places import KeyPath
from mesolith.experiment.reading import Reading, read_cell_file
from mesolith.experiment.sections import STATE
from mesolith.pipeline.technique import Description, Format, Technique, load


@dataclass(frozen=True, slots=True)
class Described:
    """One file of one state, and what its header says."""

    state: ExperimentState
    technique: Technique
    file: Path
    place: KeyPath
    description: Description


@dataclass(frozen=True, slots=True)
class Inspection:
    """What `check` finds: every mistake, and the experiment where cell.toml itself holds none."""

    path: Path
    mistakes: tuple[Mistake, ...]
    experiment: Experiment | None
    files: tuple[Described, ...]

    def require(self, *, allow_partial: bool = False) -> Experiment:
        """The experiment; `CellFileError` with every mistake where there is one.

        With ``allow_partial`` damaged files are no reason to stop: their readers say what they
        can use.
        """
        against = [
            mistake
            for mistake in self.mistakes
            if not (allow_partial and issubclass(mistake.kind, FileFormatError))
        ]
        if against or self.experiment is None:
            raise CellFileError(self.path.name, against)
        return self.experiment


def inspect_cell(path: Path, techniques: tuple[Technique, ...]) -> Inspection:
    """Read a cell.toml and the headers of its files.

    Files are looked into even where another line is wrong, so that one look finds all.
    """
    reading = read_cell_file(path, techniques)
    files = tuple(_described(reading, techniques))
    _check_clocks(files, reading)
    for found in files:
        _check_needs(found, reading)
    _check_order(files, reading.book)
    mistakes = tuple(sorted(set(reading.book.mistakes), key=lambda m: (m.place, m.text)))
    return Inspection(reading.path, mistakes, reading.experiment, files)


def _described(reading: Reading, techniques: tuple[Technique, ...]) -> Iterator[Described]:
    for state in reading.states:
        for technique in techniques:
            files = state.files.get(technique.key, ())
            if not files:
                continue
            formats = formats_of(technique)
            stated = state.options[technique.key].get("format")
            table: KeyPath = (STATE, state.index, technique.key)
            for file, entry in zip(files, state.entries[technique.key], strict=True):
                place = (*table, "files", entry)
                if elsewhere := _belongs(file, technique, techniques):
                    key, title = elsewhere
                    reading.book.value(
                        place,
                        f"{file_name(file, reading.book.folder)} is a file of {key} ({title}), "
                        f"but is listed under {technique.key}",
                        f"Move it: {key} = {{ files = [...] }}.",
                    )
                    continue
                found = _describe(file, stated, formats, table, place, reading.book)
                if found is not None:
                    yield Described(state, technique, file, place, found)


def _belongs(
    file: Path, technique: Technique, techniques: tuple[Technique, ...]
) -> tuple[str, str] | None:
    """Key and format of another technique that knows a file which this one does not."""
    from mesolith.io.recognise import recognise

    try:
        if recognise(file, formats_of(technique).values()):
            return None
        for other in techniques:
            if other is not technique:
                for known, _ in recognise(file, formats_of(other).values()):
                    return other.key, str(known.title)
    except (MesolithError, OSError):  # said by what reads it next
        return None
    return None


def _describe(
    file: Path,
    stated: str | None,
    formats: dict[str, Format],
    table: KeyPath,
    place: KeyPath,
    book: Book,
) -> Description | None:
    """What the header says; every problem is noted at the file's place in cell.toml."""
    from mesolith.io.recognise import recognise

    try:
        found = [known for known, _ in recognise(file, formats.values())]
        if stated is not None:
            chosen = formats[stated]
            if found and chosen not in found:
                book.value(
                    (*table, "format"),
                    f"{file_name(file, book.folder)} looks like {found[0].name!r}, "
                    f"not like {stated!r}",
                    "Leave the format out: it is recognised by content.",
                    FileFormatError,
                )
                return None
        elif found:
            chosen = found[0]
        else:
            book.value(
                place,
                f"{file_name(file, book.folder)} is in no format that is known here",
                f"Known: {', '.join(formats)}.",
                UnknownFormatError,
                in_file=True,
            )
            return None
        described: Description = load(chosen.describe)(file)
    except MesolithError as error:
        text = error.what if error.where is None else f"{error.where}: {error.what}"
        text = text.replace(str(file), file_name(file, book.folder))
        book.value(place, text, error.remedy, type(error), in_file=True)
        return None
    except OSError as error:
        text = f"{file_name(file, book.folder)} cannot be read: {error.strerror or error}"
        book.value(place, text, kind=InputError, in_file=True)
        return None
    for problem in described.problems:
        text = f"{file_name(file, book.folder)}: {problem.rstrip('.')}"
        book.value(place, text, None, FileFormatError, in_file=True)
    return described


def _check_clocks(files: tuple[Described, ...], reading: Reading) -> None:
    """Times without a zone need the clock's zone, where a step works with that clock."""
    naive: dict[str, list[Described]] = {}
    for found in files:
        start = _start(found)
        if start is not None and start.tzinfo is None:
            for device in _devices(found.technique):
                naive.setdefault(device, []).append(found)
    for device, those in naive.items():
        if not _given(reading.raw, ("clock", device, "zone")):
            first, more = those[0], len(those) - 1
            tail = f" (and {more} more file{'s' if more > 1 else ''})" if more else ""
            reading.book.value(
                first.place,
                f"{file_name(first.file, reading.path.parent)} begins at "
                f"{first.description.start}, in no time zone{tail}",
                f'Add to cell.toml: [clock] {device} = {{ zone = "Europe/Berlin" }}.',
                ClockError,
            )


def _check_needs(found: Described, reading: Reading) -> None:
    """What the header leaves open must be said in cell.toml."""
    state = reading.raw[STATE][found.state.index]
    for key, why in found.description.needs:
        if "." in key:
            table, _, word = key.partition(".")
            known = _given(reading.raw, (table, word))
            where = f"[{table}] {word}"
        else:
            known = key in state[found.technique.key]
            where = f"{key} beside the files"
        if not known:
            reading.book.value(
                found.place,
                f"{file_name(found.file, reading.path.parent)}: {why}",
                f"Say {where}; `mesolith explain {key}` says how.",
            )


def _given(raw: Any, words: tuple[str, ...]) -> bool:
    for word in words:
        if not isinstance(raw, Mapping) or word not in raw:
            return False
        raw = raw[word]
    return True


def _devices(technique: Technique) -> list[str]:
    """The clocks that a technique's steps work with."""
    keys = {key for step in technique.steps for key in step.settings}
    return sorted(key.removeprefix("clock.") for key in keys if key.startswith("clock."))


def _check_order(files: tuple[Described, ...], book: Book) -> None:
    """A file of a later state that begins before one of an earlier state contradicts the order."""
    latest: dict[str, tuple[datetime, Described]] = {}
    for found in files:
        start = _start(found)
        if start is None:
            continue
        known = latest.get(found.technique.key)
        if known is not None and known[1].state.index != found.state.index:
            before, other = known
            if (before.tzinfo is None) == (start.tzinfo is None) and start < before:
                book.value(
                    found.place,
                    f"{found.file.name} of {found.state.name!r} begins at {start.isoformat()}, "
                    f"before {other.file.name} of {other.state.name!r} at {before.isoformat()}",
                    "States stand in the order of time: are two of them swapped?",
                    ContradictionError,
                    also=book.places.value(other.place),
                )
                continue
        if known is None or start > known[0]:
            latest[found.technique.key] = (start, found)


def _start(found: Described) -> datetime | None:
    return None if found.description.start is None else _moment(found.description.start)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
