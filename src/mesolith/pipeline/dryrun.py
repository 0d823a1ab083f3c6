"""What a run would compute, why, and what it would cost. Nothing is computed or written."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesolith.pipeline.graph import Graph, PartSpec
from mesolith.pipeline.inspection import current_findings
from mesolith.pipeline.memory import default_memory_limit, default_workers
from mesolith.pipeline.plans import definition_of, read_plan
from mesolith.pipeline.store import Finding, Store

# letters of a setting's value that are shown, and of those what stands before the difference
_LONGEST, _BEFORE = 60, 20


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A part in the preview.

    ``reasons`` are short texts: why it is computed ("setting hedm.track_rule: "optimal" ->
    "nearest""), or, for one that is kept, under which condition it stays.
    """

    part: PartSpec
    compute: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """All parts in the order of the graph, and the declared costs of those to compute.

    ``seconds`` is the time on the workers given, ``peak_memory_bytes`` the most that parts in work
    declare together.
    """

    parts: tuple[Foreseen, ...]
    seconds: float
    peak_memory_bytes: int
    disk_bytes: int

    @property
    def to_compute(self) -> tuple[Foreseen, ...]:
        """Parts that would be computed."""
        return tuple(part for part in self.parts if part.compute)


def preview(
    graph: Graph,
    store: Store,
    *,
    source: Path | None = None,
    slots: int | None = None,
    memory_bytes: int | None = None,
    anew: Collection[str] = (),
) -> Preview:
    """Preview of `execute` with the same arguments; keys ``anew`` count as not computed yet."""
    findings = current_findings(store, graph)
    known = {} if source is None else read_plan(store, source).parts
    absent = {part.key for part in graph if findings[part.key].stored is None}
    due = absent | {part.key for part in graph if part.key in anew}

    def foresee(part: PartSpec) -> Foreseen:
        if part.key in absent:
            return Foreseen(part, True, _reasons(part, graph, findings[part.key], known))
        if part.key in due:
            return Foreseen(part, True, ("to be computed anew",))
        return Foreseen(part, False, _conditions(part, graph, due))

    foreseen = tuple(foresee(part) for part in graph)
    parts = [item.part for item in foreseen if item.compute]
    count = max(1, default_workers() if slots is None else slots)
    limit = default_memory_limit() if memory_bytes is None else memory_bytes
    return Preview(
        foreseen,
        _seconds(parts, count),
        _peak_memory(parts, count, limit),
        sum(part.cost.disk_bytes for part in parts),
    )


def _reasons(
    part: PartSpec, graph: Graph, finding: Finding, known: Mapping[str, Mapping[str, Any]]
) -> tuple[str, ...]:
    if finding.damage is not None:
        return (f"result damaged: {finding.damage}",)
    old = known.get(part.identity)
    if old is None:
        return ("new",)
    if old.get("key") == part.key:
        return ("its result is no longer in the store",)
    new = definition_of(part)
    found: list[str] = []
    if old.get("version") != new["version"]:
        found.append(f"step version: {old.get('version')} -> {new['version']}")
    found += _changed_settings(old.get("settings", {}), new["settings"])
    found += _changed_inputs(part, graph, old.get("inputs", {}), new["inputs"])
    return tuple(found) or ("its definition changed",)


def _conditions(part: PartSpec, graph: Graph, due: set[str]) -> tuple[str, ...]:
    waiting = [graph[s.key].title for s in part.part_inputs if s.key in due]
    return tuple(f"kept if {title} comes out the same again" for title in dict.fromkeys(waiting))


def _changed_settings(old: Mapping[str, Any], new: Mapping[str, Any], table: str = "") -> list[str]:
    """One text for each value that differs, inside tables as well."""
    found: list[str] = []
    for name in sorted(set(old) | set(new)):
        before, after = old.get(name), new.get(name)
        if name in old and name in new and before == after:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += _changed_settings(before, after, f"{table}{name}.")
            continue
        texts = [_text(side[name]) if name in side else "(not set)" for side in (old, new)]
        found.append(f"setting {table}{name}: {' -> '.join(_around_difference(*texts))}")
    return found


def _around_difference(old: str, new: str) -> tuple[str, str]:
    """Both texts, long ones cut to where they begin to differ."""
    same = next((k for k, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0)
    start = max(0, same - _BEFORE) if max(len(old), len(new)) > _LONGEST else 0
    return _cut(old, start), _cut(new, start)


def _cut(text: str, start: int) -> str:
    end = start + _LONGEST
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


def _changed_inputs(
    part: PartSpec, graph: Graph, old: Mapping[str, Any], new: Mapping[str, Any]
) -> list[str]:
    titles = {source.key: graph[source.key].title for source in part.part_inputs}
    found = []
    for name in sorted(set(old) | set(new)):
        before = {tuple(entry) for entry in old.get(name, [])}
        after = {tuple(entry) for entry in new.get(name, [])}
        for label, file, identity in sorted(after - before, key=str):
            if file is None:
                found.append(f"follows {titles[identity]}")
            else:
                old_names = {entry[1] for entry in before if entry[0] == label}
                verb = "changed" if file in old_names else "is new"
                found.append(f"input {file} {verb}")
        gone = {(e[0], e[1]) for e in before - after} - {(e[0], e[1]) for e in after}
        found += [
            f"input {file or f'{name} [{label}]'} is no longer there"
            for label, file in sorted(gone, key=str)
        ]
    return list(dict.fromkeys(found))


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _seconds(parts: Iterable[PartSpec], slots: int) -> float:
    """Time on that many workers: the whole work shared out, at least the longest chain."""
    longest: dict[str, float] = {}
    whole = 0.0
    for part in parts:
        before = max((longest.get(source.key, 0.0) for source in part.part_inputs), default=0.0)
        longest[part.key] = before + part.cost.seconds
        whole += part.cost.seconds
    return max(whole / slots, max(longest.values(), default=0.0))


def _peak_memory(parts: Iterable[PartSpec], slots: int, limit: int) -> int:
    """The largest parts at the same time, or as many as the limit lets in; at least the largest."""
    sizes = sorted((part.cost.memory_bytes for part in parts), reverse=True)
    return max(min(sum(sizes[:slots]), limit), sizes[0]) if sizes else 0
