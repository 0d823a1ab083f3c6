"""All keys of cell.toml: those of the house and those of the techniques."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mesolith.errors import SettingsError
from mesolith.experiment.mistakes import did_you_mean
from mesolith.experiment.sections import NESTED, SECTIONS, STATE, FilesTable, StateTable
from mesolith.pipeline.settings import Setting, declared_settings
from mesolith.pipeline.technique import Format, Technique, load


@dataclass(frozen=True, slots=True)
class Table:
    """Declaration of a table: its own keys, and the tables inside it."""

    declared: type
    settings: Mapping[str, Setting]
    defaults: Mapping[str, Any]
    tables: Mapping[str, Table]
    doc: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One key with its dotted name, its declaration and its default."""

    key: str
    setting: Setting
    default: Any


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every table of cell.toml by name; the repeated table of states stands beside them."""

    tables: Mapping[str, Table]
    state: Table

    def entries(self) -> Iterator[Entry]:
        """All keys, those of the states under "state."."""
        for name, table in self.tables.items():
            yield from _entries(name, table)
        yield from _entries(STATE, self.state)

    def find(self, key: str) -> list[Entry]:
        """The key and the keys below it: a whole table where a table is named.

        Raises ``SettingsError`` with the nearest right key where there is none.
        """
        every = list(self.entries())
        found = [e for e in every if e.key == key or e.key.startswith(f"{key}.")]
        if not found:
            # The last word alone is enough where it is unique or means the same everywhere.
            found = [e for e in every if e.key.rsplit(".", 1)[-1] == key]
        if not found:
            words = [e.key for e in every] + [e.key.rsplit(".", 1)[-1] for e in every]
            raise SettingsError(
                f"there is no key {key!r}",
                remedy=did_you_mean(key, dict.fromkeys(words), listing="Known keys"),
            )
        return found


def catalogue(techniques: tuple[Technique, ...]) -> Catalogue:
    """The keys of cell.toml with these techniques."""
    tables = {name: _table(declared) for name, declared in SECTIONS.items()}
    for technique in techniques:
        tables[technique.name] = _table(load(technique.settings))
    state = _table(StateTable)
    inner = dict(state.tables) | {t.key: _files_table(t) for t in techniques}
    return Catalogue(tables, dataclasses.replace(state, tables=inner))


def formats_of(technique: Technique) -> dict[str, Format]:
    """The formats of a technique by name."""
    formats = [load(dotted) for dotted in technique.formats]
    return {found.name: found for found in formats}


def _table(declared: type) -> Table:
    defaults = {
        f.name: f.default
        for f in dataclasses.fields(declared)
        if f.default is not dataclasses.MISSING
    }
    inner = {name: _table(table) for (owner, name), table in NESTED.items() if owner is declared}
    return Table(declared, declared_settings(declared), defaults, inner, declared.__doc__ or "")


def _files_table(technique: Technique) -> Table:
    base = _table(FilesTable)
    names = tuple(formats_of(technique))
    settings = dict(base.settings)
    settings["format"] = dataclasses.replace(
        settings["format"], choices=names, example=f'"{names[0]}"' if names else None
    )
    defaults = dict(base.defaults)
    if technique.options is not None:
        more = _table(load(technique.options))
        settings |= more.settings
        defaults |= more.defaults
    return Table(FilesTable, settings, defaults, {}, f"Files of {technique.name} in this state.")


def _entries(name: str, table: Table) -> Iterator[Entry]:
    for key, declared in table.settings.items():
        yield Entry(f"{name}.{key}", declared, table.defaults.get(key))
        if key in table.tables:
            yield from _entries(f"{name}.{key}", table.tables[key])
    for key in table.tables:
        if key not in table.settings:
            yield from _entries(f"{name}.{key}", table.tables[key])
