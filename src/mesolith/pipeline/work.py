"""What a part receives and what it may say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

REMARKS_FILE = "remarks.json"


@dataclass(frozen=True, slots=True)
class Cost:
    """Declared cost of one part on one core, for the dry run and for packing into memory."""

    seconds: float = 1.0
    memory_bytes: int = 300_000_000
    disk_bytes: int = 10_000_000


@dataclass(frozen=True, slots=True)
class Source:
    """One input of a part: a raw file, or the folder of a stored result.

    ``label`` says where it comes from (the state's name; "before" and "after" keep their order).
    """

    label: str
    path: Path

    @property
    def record_file(self) -> Path:
        """Where a stored result keeps its record."""
        return self.path / "record.h5"


@dataclass(frozen=True, slots=True)
class Work:
    """One part of a step, ready to compute: write everything into ``folder``, nothing else.

    ``settings`` hold plain JSON values by dotted key; ``seed`` comes from the part's key.
    """

    step: str
    label: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, tuple[Source, ...]]
    folder: Path
    selector: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    cores: int = 1

    def source(self, name: str) -> Source:
        """The only source of that name."""
        (found,) = self.inputs[name]
        return found

    def table(self, key: str) -> Mapping[str, Any]:
        """A table of cell.toml in which each file that the user named is its path now.

        The settings themselves hold only the file's name: its content is in the part's key, its
        place is not.
        """
        values = dict(self.settings[key] or {})
        for name in values:
            if f"{key}.{name}" in self.inputs:
                values[name] = str(self.source(f"{key}.{name}").path)
        return values


@dataclass(frozen=True, slots=True)
class Remark:
    """Something a reader of the result must know.

    ``level`` is "note", "assumed" (a value nobody gave), "warning", or "gap" (data left out).
    """

    level: str
    where: str
    text: str


def write_remarks(folder: Path, remarks: list[Remark]) -> None:
    """Leave remarks beside a part's result; no file where there are none."""
    if remarks:
        text = json.dumps([asdict(remark) for remark in remarks], indent=1, ensure_ascii=False)
        (folder / REMARKS_FILE).write_text(text + "\n", encoding="utf-8")


def read_remarks(folder: Path) -> list[Remark]:
    """Remarks that a part left, or none."""
    path = folder / REMARKS_FILE
    if not path.is_file():
        return []
    return [Remark(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
