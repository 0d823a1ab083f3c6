"""Read a cell.toml: values from tomllib, places from the scanner, mistakes into one book."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesolith.errors import SettingsError
from mesolith.experiment.agreement import check_agreement
from mesolith.experiment.catalogue import Catalogue, Table, catalogue
from mesolith.experiment.electrolyte import MATERIAL_KEYS, check_material, check_stiffness
from mesolith.experiment.experiment import Experiment, ExperimentState
from mesolith.experiment.files import resolve_files
from mesolith.experiment.mistakes import Book, CellFileError, Mistake, did_you_mean, nearest
from mesolith.experiment.places import KeyPath, Places, find_places, place_of_syntax_error
from mesolith.experiment.sections import NESTED, SECTIONS, STATE
from mesolith.experiment.values import INVALID, checked, shown
from mesolith.experiment.zones import check_zone
from mesolith.pipeline.technique import Technique

CELL_FILE = "cell.toml"


@dataclass(frozen=True, slots=True)
class Reading:
    """All that could be read: the experiment where there is no mistake, else what is left.

    ``states`` hold what is right of each state, so that the files can be looked into even where
    another line is wrong.
    """

    path: Path
    raw: Mapping[str, Any]
    states: tuple[ExperimentState, ...]
    book: Book
    experiment: Experiment | None


def load_experiment(path: Path, techniques: tuple[Technique, ...]) -> Experiment:
    """The experiment that a cell.toml (or the one in a folder) describes.

    Raises `CellFileError`, a ``SettingsError`` that lists every mistake with its line and column.
    """
    reading = read_cell_file(path, techniques)
    if reading.experiment is None:
        raise CellFileError(reading.path.name, reading.book.mistakes)
    return reading.experiment


def read_cell_file(path: Path, techniques: tuple[Technique, ...]) -> Reading:
    """Read and check a cell.toml; ``SettingsError`` where there is no such file."""
    path = path / CELL_FILE if path.is_dir() else path
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"cannot read the cell file: {error.strerror or error}",
            where=str(path),
            remedy="`mesolith new DIR --from RAW` writes one.",
        ) from None
    path = path.resolve()
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", errors="replace")
        book = Book(Places(before, {}, {}))
        place = book.places.at(len(before))
        book.mistakes.append(
            Mistake(place, f"the byte {data[error.start]:#x} is not UTF-8", "Save it as UTF-8.")
        )
        return Reading(path, {}, (), book, None)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place, what, opened = place_of_syntax_error(text, error)
        book = Book(Places(text, {}, {}))
        book.mistakes.append(Mistake(place, f"not valid TOML: {what}", also=opened))
        return Reading(path, {}, (), book, None)
    book = Book(find_places(text), path.parent, _named_files(raw, path.parent))
    return _Reader(path, raw, catalogue(techniques), techniques, book).read()


@dataclass(frozen=True, slots=True)
class _Reader:
    path: Path
    raw: dict[str, Any]
    keys: Catalogue
    techniques: tuple[Technique, ...]
    book: Book

    def read(self) -> Reading:
        values: dict[str, dict[str, Any]] = {}
        for name, table in self.keys.tables.items():
            raw = self.raw.get(name, {})
            if not isinstance(raw, Mapping):
                self.book.value((name,), f"[{name}] must be a table, found {shown(raw)}")
                raw = {}
            values[name] = self._table(raw, table, (name,))
        self._unknown_tables()
        states = self._states()
        self._meaning(values, states)
        check_agreement(values, states, self.raw, self.techniques, self.book)
        experiment = None
        if not self.book.mistakes:
            sections = {name: _build(table, values[name]) for name, table in SECTIONS.items()}
            settings = {
                name: _build(table.declared, values[name])
                for name, table in self.keys.tables.items()
                if name not in SECTIONS
            }
            experiment = Experiment(
                path=self.path,
                states=states,
                techniques=settings,
                places=self.book.places,
                raw=self.raw,
                catalogue=self.keys,
                **sections,
            )
        return Reading(self.path, self.raw, states, self.book, experiment)

    def _table(self, raw: Mapping[str, Any], table: Table, path: KeyPath) -> dict[str, Any]:
        """Checked values of a table, defaults filled in; a wrong one is left out."""
        known = [*table.settings, *(key for key in table.tables if key not in table.settings)]
        values = dict(table.defaults)
        for key, value in raw.items():
            here = (*path, key)
            if key in table.settings:
                right = checked(value, table.settings[key], here, self.book)
                if right is INVALID:
                    values.pop(key, None)
                elif key in table.tables:
                    values[key] = self._table(right, table.tables[key], here)
                else:
                    values[key] = right
            elif key not in table.tables:
                self._unknown_key(key, known, here)
        for key, declared in table.settings.items():
            if declared.required and key not in raw:
                self.book.key(
                    path,
                    f"{_name(path)} lacks the key {key!r}",
                    f"{declared.help}"
                    + (f" Example: {declared.example}" if declared.example else ""),
                )
        return values

    def _unknown_key(self, key: str, known: list[str], path: KeyPath) -> None:
        owners = [
            entry.key.rpartition(".")[0]
            for entry in self.keys.entries()
            if entry.key.rpartition(".")[2] == key
        ]
        if not nearest(key, known) and owners:
            remedy = f"The key belongs to [{owners[0]}]."
        else:
            remedy = did_you_mean(key, known, listing="It knows")
        self.book.key(path, f"{_name(path[:-1])} has no key {key!r}", remedy)

    def _unknown_tables(self) -> None:
        known = [*self.keys.tables, STATE]
        for name, value in self.raw.items():
            if name in known:
                continue
            if isinstance(value, Mapping | list):
                self.book.key(
                    (name,),
                    f"there is no table [{name}]",
                    did_you_mean(name, known, listing="Tables"),
                )
            else:
                owners = [e.key for e in self.keys.entries() if e.key.endswith(f".{name}")]
                owner = owners[0].rpartition(".")[0] if owners else "cell"
                self.book.key(
                    (name,),
                    f"the key {name!r} stands before the first table",
                    f"Write it below [{owner}].",
                )

    def _states(self) -> tuple[ExperimentState, ...]:
        raw = self.raw.get(STATE)
        if raw is None:
            self.book.key((), "there is no state", "Write [[state]] for each one, in order.")
            return ()
        if not isinstance(raw, list):
            self.book.key((STATE,), "a state is written in double brackets", "Write [[state]].")
            return ()
        states = []
        for index, table in enumerate(raw):
            if isinstance(table, Mapping):
                states.append(self._state(index, table))
            else:
                self.book.value((STATE, index), f"a state must be a table, found {shown(table)}")
        return tuple(states)

    def _state(self, index: int, raw: Mapping[str, Any]) -> ExperimentState:
        path: KeyPath = (STATE, index)
        declared = self.keys.state
        values = self._table(raw, declared, path)
        files: dict[str, tuple[Path, ...]] = {}
        entries: dict[str, tuple[int, ...]] = {}
        options: dict[str, dict[str, Any]] = {}
        for technique in self.techniques:
            key = technique.key
            if key not in raw:
                continue
            here = (*path, key)
            if not isinstance(raw[key], Mapping):
                self.book.value(
                    here,
                    f"{key} must be a table, found {shown(raw[key])}",
                    'Write { files = ["..."] }.',
                )
                continue
            options[key] = self._table(raw[key], declared.tables[key], here)
            names = options[key].pop("files", ())
            files[key], entries[key] = resolve_files(
                names, self.path.parent, (*here, "files"), self.book
            )
        after = None
        if isinstance(values.get("after"), Mapping):
            after = _after(declared.tables["after"].declared, values["after"])
        return ExperimentState(
            name=values.get("name", ""),
            index=index,
            after=after,
            measured_at=values.get("measured_at"),
            files=files,
            entries=entries,
            options=options,
        )

    def _meaning(
        self, values: dict[str, dict[str, Any]], states: tuple[ExperimentState, ...]
    ) -> None:
        """What a value must be beyond its type: a zone, a material, a stiffness, a folder."""
        folder = self.path.parent
        for device in ("cycler", "beamline"):
            clock = values["clock"].get(device)
            if clock and clock.get("zone") is not None:
                check_zone(clock["zone"], ("clock", device, "zone"), self.book)
        for key in MATERIAL_KEYS:
            if material := values["electrolyte"].get(key):
                check_material(material, folder, ("electrolyte", key), self.book)
        if stiffness := values["electrolyte"].get("stiffness_gpa"):
            check_stiffness(stiffness, ("electrolyte", "stiffness_gpa"), self.book)
        for name, table in self.keys.tables.items():
            for key, declared in table.settings.items():
                file = values[name].get(key) if declared.kind == "file" else None
                if file is not None and not (folder / file).is_file():
                    self.book.value(
                        (name, key),
                        f"{key}: the file {file} does not exist",
                        f"The path is taken from {folder}.",
                    )
        truth = values["cell"].get("truth")
        if truth is not None and not (folder / truth).is_dir():
            self.book.value(("cell", "truth"), f"there is no folder {truth}")


def _named_files(raw: Mapping[str, Any], folder: Path) -> frozenset[Path]:
    """Files that any state names, patterns left out: none of them is meant by a wrong name."""
    found = set()
    states = raw.get(STATE)
    for state in states if isinstance(states, list) else ():
        for table in state.values() if isinstance(state, Mapping) else ():
            names = table.get("files") if isinstance(table, Mapping) else None
            for name in names if isinstance(names, list) else ():
                if isinstance(name, str):
                    found.add(Path(os.path.abspath(folder / name)))
    return frozenset(found)


def _name(path: KeyPath) -> str:
    """A table as a user calls it: [conditions], or "after" of a state."""
    words = [str(word) for word in path if isinstance(word, str)]
    if words == [STATE]:
        return "[[state]]"
    if words and words[0] == STATE:
        return ".".join(words[1:])
    return f"[{'.'.join(words)}]"


def _after(declared: type, values: Mapping[str, Any]) -> Any:
    """What followed the state before, or None where a key that it needs is missing or wrong."""
    try:
        return declared(**values)
    except TypeError:
        return None


def _build(declared: type, values: Mapping[str, Any]) -> Any:
    """The settings dataclass with these values, tables inside included."""
    inner = {}
    for field in dataclasses.fields(declared):
        value = values.get(field.name, field.default)
        nested = NESTED.get((declared, field.name))
        if nested is not None and isinstance(value, Mapping):
            value = _build(nested, value)
        inner[field.name] = value
    return declared(**inner)
