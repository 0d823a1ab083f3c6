"""Parts and what they need: the graph that the engine works off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mesolith.pipeline.fingerprint import Fingerprint, Fingerprints
from mesolith.pipeline.keys import canonical_json, part_key, plain, seed_from_key
from mesolith.pipeline.work import Cost


@dataclass(frozen=True, slots=True)
class RawInput:
    """A raw file with the fingerprint it had when the graph was built."""

    label: str
    path: Path
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class PartInput:
    """The result of another part, by key."""

    label: str
    key: str


@dataclass(frozen=True, slots=True)
class PartSpec:
    """One part of a step: what is keyed, computed, committed, verified and lost.

    Parameters
    ----------
    step, version, compute, settings, all_cores
        As in `mesolith.pipeline.technique.Step`; ``settings`` with their values.
    label
        What the part works on, such as the state's name; handed to compute and part of the key.
    inputs
        By name, in order.
    selector
        Which piece of the step, where it is cut.
    cost
        Declared cost, for packing and estimates.
    group
        Where the label belongs, such as the cell's name; for people, no part of the key.
    """

    step: str
    version: int
    label: str
    compute: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, tuple[RawInput | PartInput, ...]] = field(default_factory=dict)
    selector: Mapping[str, Any] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)
    all_cores: bool = False
    group: str = ""
    key: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", plain(self.settings))
        object.__setattr__(self, "selector", plain(self.selector))
        key = part_key(
            self.step,
            self.version,
            self.label,
            self.settings,
            {name: [_identity(source) for source in found] for name, found in self.inputs.items()},
            self.selector,
        )
        object.__setattr__(self, "key", key)

    @property
    def title(self) -> str:
        """Name for people: "hedm.read [plating 1]"."""
        name = f"{self.step} [{self.label}]"
        return f"{name} {canonical_json(self.selector)}" if self.selector else name

    @property
    def identity(self) -> str:
        """Name that stays when settings and inputs change; unique in a graph."""
        return canonical_json([self.group, self.step, self.label, self.selector])

    @property
    def seed(self) -> int:
        """Seed of its random numbers."""
        return seed_from_key(self.key)

    @property
    def part_inputs(self) -> tuple[PartInput, ...]:
        """All inputs that are results, in order."""
        return tuple(s for found in self.inputs.values() for s in found if isinstance(s, PartInput))

    @property
    def raw_inputs(self) -> tuple[RawInput, ...]:
        """All inputs that are raw files, in order."""
        return tuple(s for found in self.inputs.values() for s in found if isinstance(s, RawInput))


class Graph:
    """Parts in an order in which each comes after its inputs."""

    def __init__(self, parts: Iterable[PartSpec] = ()) -> None:
        self._parts: dict[str, PartSpec] = {}
        self._dependents: dict[str, list[str]] = {}
        for part in parts:
            self.add(part)

    def add(self, part: PartSpec) -> PartSpec:
        """Add a part whose inputs are in the graph; one with the same key is there only once.

        Raises
        ------
        KeyError
            An input is not in the graph.
        """
        if part.key in self._parts:
            return self._parts[part.key]
        for source in part.part_inputs:
            if source.key not in self._parts:
                raise KeyError(f"{part.title} needs a part that is not in the graph: {source}")
        self._parts[part.key] = part
        self._dependents[part.key] = []
        for key in dict.fromkeys(source.key for source in part.part_inputs):
            self._dependents[key].append(part.key)
        return part

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[PartSpec]:
        return iter(self._parts.values())

    def __contains__(self, key: object) -> bool:
        return key in self._parts

    def __getitem__(self, key: str) -> PartSpec:
        return self._parts[key]

    def dependents(self, key: str) -> list[PartSpec]:
        """Parts that use the result of that key directly."""
        return [self._parts[name] for name in self._dependents[key]]

    def all_dependents(self, keys: Iterable[str]) -> list[PartSpec]:
        """Everything that hangs on the parts of those keys, themselves left out, in order."""
        reached = set(keys)
        found = []
        for part in self:
            if any(source.key in reached for source in part.part_inputs):
                if part.key not in reached:
                    found.append(part)
                reached.add(part.key)
        return found

    def upstream(self, keys: Iterable[str]) -> Graph:
        """The smaller graph of those parts and all that they need."""
        wanted = set(keys)
        for part in reversed(self._parts.values()):
            if part.key in wanted:
                wanted.update(source.key for source in part.part_inputs)
        return Graph(part for part in self if part.key in wanted)

    def raw_files(self) -> dict[Path, Fingerprint]:
        """Every raw file with its fingerprint, in order."""
        return {source.path: source.fingerprint for part in self for source in part.raw_inputs}

    def remaining_seconds(self) -> dict[str, float]:
        """Declared seconds of each part and the longest chain that waits for it, by key."""
        left: dict[str, float] = {}
        for part in reversed(self._parts.values()):
            after = max((left[key] for key in self._dependents[part.key]), default=0.0)
            left[part.key] = part.cost.seconds + after
        return left


def raw_inputs(
    fingerprints: Fingerprints, label: str, paths: Iterable[Path]
) -> tuple[RawInput, ...]:
    """Raw files as inputs, hashed where they are new or changed.

    Raises
    ------
    InputError
        A file is missing or unreadable.
    """
    listed = list(paths)
    found = fingerprints.of_all(listed)
    return tuple(RawInput(label, path, print_) for path, print_ in zip(listed, found, strict=True))


def _identity(source: RawInput | PartInput) -> tuple[str, str, str]:
    if isinstance(source, RawInput):
        return (source.label, "raw", source.fingerprint.sha256)
    return (source.label, "part", source.key)
