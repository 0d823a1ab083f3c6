"""What a cell.toml says, checked: the one file a user writes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mesolith.errors import SettingsError
from mesolith.experiment.catalogue import Catalogue
from mesolith.experiment.electrolyte import MATERIAL_KEYS, is_cif
from mesolith.experiment.mistakes import did_you_mean
from mesolith.experiment.places import Places
from mesolith.experiment.sections import (
    STATE,
    After,
    CellTable,
    ClockTable,
    ConditionsTable,
    ElectrolyteTable,
)
from mesolith.experiment.values import json_value


@dataclass(frozen=True, slots=True)
class ExperimentState:
    """One [[state]]: what it follows, and its files by the key of the technique.

    ``entries`` says for each file which entry of the list in cell.toml named it; ``options``
    are the further keys of the technique's table, defaults filled in.
    """

    name: str
    index: int
    after: After | None
    measured_at: datetime | None
    files: Mapping[str, tuple[Path, ...]]
    entries: Mapping[str, tuple[int, ...]]
    options: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Experiment:
    """A cell.toml without mistakes.

    ``path`` is the absolute path of the file; ``techniques`` hold each technique's settings
    dataclass by name. ``places`` tells where a key stands.
    """

    path: Path
    cell: CellTable
    conditions: ConditionsTable
    electrolyte: ElectrolyteTable
    clock: ClockTable
    states: tuple[ExperimentState, ...]
    techniques: Mapping[str, Any]
    places: Places
    raw: Mapping[str, Any]
    catalogue: Catalogue

    @property
    def name(self) -> str:
        """The cell's name."""
        return self.cell.name

    @property
    def folder(self) -> Path:
        """The folder that relative paths start from."""
        return self.path.parent

    def state(self, name: str) -> ExperimentState:
        """The state of that name; ``SettingsError`` with the nearest one where there is none."""
        for state in self.states:
            if state.name == name:
                return state
        raise SettingsError(
            f"there is no state {name!r}",
            where=self.path.name,
            remedy=did_you_mean(name, [state.name for state in self.states], listing="States"),
        )

    def setting(self, key: str, state: str | None = None) -> Any:
        """Plain JSON value of a dotted key, or of a whole table, defaults filled in.

        A key that nobody gave and that has no default is None. Keys under "state." give the
        value of one state where ``state`` names it, else a list with one entry for each state:
        {"state": name, "value": value}. "state.KEY" of a technique is its table without the
        file names.
        """
        table, _, rest = key.partition(".")
        if table == STATE:
            if state is not None:
                return self.state_setting(self.state(state).index, rest)
            return [
                {"state": s.name, "value": self.state_setting(s.index, rest)} for s in self.states
            ]
        values = self._table(table)
        if values is None:
            raise self._unknown(key)
        value: Any = _plain(values)
        for word in rest.split(".") if rest else ():
            if value is None:
                break
            if not isinstance(value, Mapping) or word not in value:
                raise self._unknown(key)
            value = value[word]
        return value

    def state_setting(self, index: int, key: str) -> Any:
        """Plain JSON value of a key of one state, such as "after" or "grains", or None."""
        state = self.states[index]
        word, _, inner = key.partition(".")
        value: Any
        if word == "after":
            after = {} if state.after is None else _plain(state.after)
            value = {name: given for name, given in after.items() if given is not None} or None
        elif word in ("name", "measured_at"):
            value = json_value(getattr(state, word))
        elif word in state.files:
            value = json_value(state.options[word])
        elif word in self.catalogue.state.tables:
            value = None
        else:
            raise self._unknown(f"{STATE}.{key}")
        return value.get(inner) if inner and isinstance(value, Mapping) else value

    def given(self, key: str) -> bool:
        """Whether the user wrote the key; "state.KEY": in any state."""
        words = key.split(".")
        if words[0] == STATE:
            return any(_holds(state, words[1:]) for state in self.raw.get(STATE, ()))
        return _holds(self.raw, words)

    def missing_conditions(self) -> tuple[str, ...]:
        """Dotted keys of the conditions that a reader needs and that nobody gave.

        No interlayer has no thickness.
        """
        missing = []
        for entry in self.catalogue.entries():
            if entry.setting.important and not self.given(entry.key):
                missing.append(entry.key)
        if self.conditions.interlayer_material == "none":
            missing = [key for key in missing if not key.endswith(".interlayer_thickness_um")]
        return tuple(missing)

    def raw_files(self) -> tuple[Path, ...]:
        """Every raw file, in the order of the states."""
        return tuple(f for state in self.states for files in state.files.values() for f in files)

    def files_behind(self, key: str) -> dict[str, Path]:
        """Files that a setting names, or names instead of a library entry: dotted key -> path.

        A whole table gives those of all its keys.
        """
        found = {}
        for entry in self.catalogue.entries():
            if entry.setting.kind == "file" and key in (entry.key, entry.key.partition(".")[0]):
                named = self.setting(entry.key)
                if named is not None:
                    found[entry.key] = self.folder / named
        for name in MATERIAL_KEYS:
            material = getattr(self.electrolyte, name)
            dotted = f"electrolyte.{name}"
            if key in ("electrolyte", dotted) and material is not None and is_cif(material):
                found[dotted] = self.folder / material
        return found

    def library_files_behind(self, key: str) -> dict[str, tuple[Path, ...]]:
        """Files of the library materials that a setting names: dotted key -> paths."""
        from mesolith.materials.loader import library_files

        found: dict[str, tuple[Path, ...]] = {}
        for name in MATERIAL_KEYS:
            material = getattr(self.electrolyte, name)
            dotted = f"electrolyte.{name}"
            if key in ("electrolyte", dotted) and material is not None and not is_cif(material):
                found[dotted] = library_files(material)
        return found

    def _table(self, name: str) -> Any:
        if name in ("cell", "conditions", "electrolyte", "clock"):
            return getattr(self, name)
        return self.techniques.get(name)

    def _unknown(self, key: str) -> SettingsError:
        words = [entry.key for entry in self.catalogue.entries()]
        return SettingsError(
            f"there is no setting {key!r}", remedy=did_you_mean(key, words, listing="Settings")
        )


def _plain(table: Any) -> dict[str, Any]:
    """A settings dataclass as plain JSON values, tables inside included."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(table):
        value = getattr(table, field.name)
        values[field.name] = _plain(value) if dataclasses.is_dataclass(value) else json_value(value)
    return values


def _holds(table: Any, words: list[str]) -> bool:
    for word in words:
        if not isinstance(table, Mapping) or word not in table:
            return False
        table = table[word]
    return True
