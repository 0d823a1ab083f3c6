"""Read everything again: raw files against what was analysed, results against their manifests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mesolith.errors import InputError
from mesolith.pipeline.fingerprint import hash_file
from mesolith.pipeline.graph import Graph, PartSpec, RawInput
from mesolith.pipeline.plans import read_plan
from mesolith.pipeline.publish import CONTENTS_FILE, contents
from mesolith.pipeline.store import Store, Stored

Verdict = Literal["ok", "changed", "damaged", "missing", "not computed"]


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file, or one result that is not there.

    ``kind`` is "raw", "result" (in the store) or "published" (in the result folder); ``about`` the
    raw file's state, the part's title or the result folder's name; ``detail`` says in words what
    is wrong, empty where nothing is.
    """

    kind: Literal["raw", "result", "published"]
    about: str
    path: Path
    verdict: Verdict
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Verification:
    """Reports of all files, raw ones first."""

    files: tuple[FileReport, ...]

    @property
    def sound(self) -> bool:
        """Nothing is changed, damaged or missing; what was never computed does not count."""
        return all(file.verdict in ("ok", "not computed") for file in self.files)


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a result comes from: its own facts and those of all results behind it."""

    part: PartSpec
    stored: Stored
    inputs: tuple[Trace, ...]


def verify(graph: Graph, store: Store, *, source: Path | None = None) -> Verification:
    """Hash every raw file and every result of a graph again, whatever is remembered of them.

    With ``source``, its cell.toml, raw files are compared with what its last run analysed;
    without, or where it never ran, with what the graph was built from. Results in the store that
    the graph does not reach are verified too.
    """
    analysed = {} if source is None else read_plan(store, source).parts
    reports = [
        _raw(store, label, path, known) for label, path, known in _raw_files(graph, analysed)
    ]
    for part in graph:
        reports += _result(store, part.key, part.title)
    for key in store.all_keys():
        if key not in graph:
            reports += _result(store, key, f"{key[:12]} (of another plan)")
    return Verification(tuple(reports))


def verify_published(folder: Path) -> tuple[FileReport, ...]:
    """Hash every file of a result folder again and compare it with the folder's own list."""
    listed = contents(folder)
    if listed is None:
        text = "its list of checksums is missing or cannot be read"
        return (FileReport("published", folder.name, folder / CONTENTS_FILE, "damaged", text),)
    return tuple(_published(folder, name, known) for name, known in listed.items())


def trace(graph: Graph, store: Store, key: str) -> Trace:
    """Where a result comes from.

    Raises
    ------
    CorruptResultError
        It, or a result behind it, is missing or damaged.
    """
    part = graph[key]
    keys = dict.fromkeys(source.key for source in part.part_inputs)
    return Trace(part, store.require(key), tuple(trace(graph, store, inner) for inner in keys))


def _raw_files(
    graph: Graph, analysed: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, Path, str]]:
    """Label, path and expected hash of each raw file."""
    found = {}
    for part in graph:
        before = analysed.get(part.identity, {}).get("inputs", {})
        for name, sources in part.inputs.items():
            known = {(entry[0], entry[1]): entry[2] for entry in before.get(name, [])}
            for raw in sources:
                if isinstance(raw, RawInput):
                    expected = known.get((raw.label, raw.path.name), raw.fingerprint.sha256)
                    found[raw.path] = (raw.label, raw.path, expected)
    return list(found.values())


def _raw(store: Store, label: str, path: Path, known: str) -> FileReport:
    if not path.exists():
        return FileReport("raw", label, path, "missing", "the file is gone")
    try:
        now = store.fingerprints.fresh(path).sha256
    except InputError as error:
        return FileReport("raw", label, path, "damaged", error.what)
    if now != known:
        return FileReport(
            "raw", label, path, "changed", "its content is not the one that was analysed"
        )
    return FileReport("raw", label, path, "ok")


def _published(folder: Path, name: str, known: str | None) -> FileReport:
    path, about = folder / name, folder.name
    try:
        now = hash_file(path)
    except FileNotFoundError:
        return FileReport("published", about, path, "missing", "the file is gone")
    except OSError as error:
        text = f"it cannot be read: {error.strerror or error}"
        return FileReport("published", about, path, "damaged", text)
    if known is not None and now != known:
        return FileReport("published", about, path, "changed", "it is not what was written")
    return FileReport("published", about, path, "ok")


def _result(store: Store, key: str, title: str) -> list[FileReport]:
    finding = store.examine(key, thorough=True)
    folder = store.folder(key)
    if finding.damage is not None:
        return [FileReport("result", title, folder, "damaged", finding.damage)]
    if finding.stored is None:
        return [FileReport("result", title, folder, "not computed")]
    files = finding.stored.manifest["files"]
    return [FileReport("result", title, folder / name, "ok") for name in files]
