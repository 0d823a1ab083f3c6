"""What the last run of a cell.toml wanted: keys and definitions by part.

The dry run compares with it to say "setting old -> new". Losing it loses words, never results.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesolith.pipeline.faults import storage
from mesolith.pipeline.graph import Graph, PartSpec, RawInput
from mesolith.pipeline.ownership import owner_tag
from mesolith.pipeline.store import Store


@dataclass(frozen=True, slots=True)
class Plan:
    """Definitions by part identity; ``source`` is the cell.toml they came from."""

    source: Path
    parts: Mapping[str, Mapping[str, Any]]

    def keys(self) -> set[str]:
        """Keys of all its parts."""
        return {str(part["key"]) for part in self.parts.values()}


def definition_of(part: PartSpec) -> dict[str, Any]:
    """All that the key of a part is made of, in words that can be compared."""
    return {
        "key": part.key,
        "step": part.step,
        "version": part.version,
        "label": part.label,
        "settings": dict(part.settings),
        "selector": dict(part.selector),
        "inputs": {
            name: [
                [source.label, source.path.name, source.fingerprint.sha256]
                if isinstance(source, RawInput)
                else [source.label, None, source.key]
                for source in found
            ]
            for name, found in part.inputs.items()
        },
    }


def read_plan(store: Store, source: Path) -> Plan:
    """What was wanted last; empty where nothing is known."""
    return _read(store, store.plans / _name(store, source)) or Plan(source, {})


def read_plans(store: Store) -> list[Plan]:
    """Every plan of the store."""
    files = sorted(store.plans.glob("*.json")) if store.plans.is_dir() else []
    return [plan for plan in (_read(store, file) for file in files) if plan is not None]


def update_plan(store: Store, source: Path, graph: Graph, resolved: Iterable[str]) -> None:
    """Remember the parts that are resolved now; of others what was known before stays."""
    old = read_plan(store, source).parts
    done = set(resolved)
    parts: dict[str, Any] = {}
    for part in graph:
        if part.key in done:
            parts[part.identity] = definition_of(part)
        elif part.identity in old:
            parts[part.identity] = old[part.identity]
    if parts == old:
        return
    text = json.dumps({"source": _relative(store, source), "parts": parts}, ensure_ascii=False)
    with storage(store.root):
        fresh = store.temporary / owner_tag()
        fresh.write_text(text + "\n", encoding="utf-8")
        os.replace(fresh, store.plans / _name(store, source))


def forget_plan(store: Store, plan: Plan) -> None:
    """Remove a plan, as its cell.toml is gone."""
    (store.plans / _name(store, plan.source)).unlink(missing_ok=True)


def _read(store: Store, file: Path) -> Plan | None:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        source = Path(os.path.normpath(store.root / found["source"]))
        parts = {str(name): dict(part) for name, part in found["parts"].items()}
        plan = Plan(source, parts)
        plan.keys()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return plan


def _relative(store: Store, source: Path) -> str:
    """Place of the cell.toml seen from the store, so that both can move together."""
    try:
        return Path(os.path.relpath(source, store.root)).as_posix()
    except ValueError:  # another drive
        return str(source.resolve())


def _name(store: Store, source: Path) -> str:
    return hashlib.sha256(_relative(store, source).encode("utf-8")).hexdigest()[:16] + ".json"
