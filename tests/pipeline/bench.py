"""A store, raw files and graphs to try the engine on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mesolith.errors import MesolithError
from mesolith.pipeline.engine import Outcome, execute
from mesolith.pipeline.graph import Graph, PartInput, PartSpec, RawInput, raw_inputs
from mesolith.pipeline.journal import read_journal
from mesolith.pipeline.progress import Totals
from mesolith.pipeline.store import Store


@dataclass
class Bench:
    """A folder with ``raw/`` and a store; ``cell.toml`` is the source of its graphs."""

    folder: Path
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        (self.folder / "raw").mkdir(exist_ok=True)
        if not self.source.exists():
            self.source.touch()
        self.store = Store.open(self.folder / ".mesolith")

    @property
    def source(self) -> Path:
        return self.folder / "cell.toml"

    def raw(self, name: str, text: str | None = None) -> tuple[RawInput, ...]:
        path = self.folder / "raw" / name
        if text is not None or not path.exists():
            path.write_text(text or f"raw text of {name}")
        return raw_inputs(self.store.fingerprints, name, [path])

    def run(self, graph: Graph, executor: Executor | None = None, **options: Any) -> Outcome:
        """Run with the executor, or with two threads of this process."""
        if executor is not None:
            return execute(graph, self.store, executor, source=self.source, **options)
        with ThreadPoolExecutor(2) as threads:
            return execute(graph, self.store, threads, slots=2, source=self.source, **options)

    def output(self, part: PartSpec) -> str:
        return (self.store.folder(part.key) / "out.txt").read_text()

    def starts(self) -> list[str]:
        """Titles of parts in the order in which they were handed to workers, of all runs."""
        return [e["part"] for e in self.events("part started")]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [e for e in read_journal(self.store.journal_file) if e["event"] == name]


def part(
    label: str,
    compute: str = "join",
    *,
    step: str | None = None,
    raw: Sequence[RawInput] = (),
    after: Sequence[PartSpec] = (),
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> PartSpec:
    """A part that runs a function of `tests.pipeline.parts`."""
    inputs: dict[str, tuple[RawInput | PartInput, ...]] = {}
    if raw:
        inputs["raw"] = tuple(raw)
    if after:
        inputs["before"] = tuple(PartInput(other.label, other.key) for other in after)
    return PartSpec(
        step=step or f"toy.{compute}",
        version=options.pop("version", 1),
        label=label,
        compute=f"tests.pipeline.parts:{compute}",
        inputs=inputs,
        settings=settings or {},
        **options,
    )


def diamond(bench: Bench, *, rule: str = "optimal") -> tuple[Graph, dict[str, PartSpec]]:
    """Two readers, something on the first alone, a join of both, and an end on all."""
    a = part("a", step="toy.read", raw=bench.raw("a.txt"))
    b = part("b", step="toy.read", raw=bench.raw("b.txt"))
    c = part("c", step="toy.one", after=[a])
    d = part("d", step="toy.both", after=[a, b], settings={"toy.rule": rule})
    e = part("e", step="toy.end", after=[c, d])
    return Graph([a, b, c, d, e]), {x.label: x for x in (a, b, c, d, e)}


def tree_digest(folder: Path) -> dict[str, str]:
    """Names and checksums of all files below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def flip_bit(path: Path, at: int, bit: int = 0) -> None:
    """Flip one bit of a file, read-only or not."""
    mode = path.stat().st_mode
    os.chmod(path, mode | 0o200)
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1 << bit
    path.write_bytes(data)
    os.chmod(path, mode)


class Diary:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.totals: Totals | None = None
        self.heard: list[tuple[str, str]] = []

    def planned(self, totals: Totals) -> None:
        self.totals = totals

    def started(self, part: PartSpec) -> None:
        self.heard.append(("started", part.label))

    def finished(self, part: PartSpec, seconds: float, from_store: bool) -> None:
        self.heard.append(("stored" if from_store else "finished", part.label))

    def failed(self, part: PartSpec, error: MesolithError) -> None:
        self.heard.append(("failed", part.label))
