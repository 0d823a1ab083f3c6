"""The store: results by key, each complete and verified or not there at all.

.mesolith/
  store.json        format of the store
  results/ab/KEY/   files of one part and their manifest, read-only
  tmp/              parts being computed; one folder has one owner
  raw.jsonl         fingerprints of raw files
  large.jsonl       fingerprints of large results
  plans/            what the last run of each cell.toml wanted, for the dry run
  runs/             runs in progress
  journal.jsonl     times, hosts, durations, memory: all that is no part of a result
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesolith.errors import CorruptResultError, ResultVersionError, StoreError
from mesolith.pipeline.disk import remove_tree, seal, sync_folder, write_new
from mesolith.pipeline.faults import permission_error, storage
from mesolith.pipeline.fingerprint import Fingerprints, hash_file
from mesolith.pipeline.keys import canonical_json, digest_of
from mesolith.pipeline.manifest import (
    MANIFEST_FILE,
    decode_manifest,
    encode_manifest,
    list_files,
)
from mesolith.pipeline.ownership import is_orphan, owner_tag

FORMAT = 1
HASH_ALWAYS_BELOW = 64 * 2**20
_TRIES = 50
_PATIENCE = (0.0, 0.05, 0.2, 1.0, 5.0)
_ENTRIES = {
    "store.json",
    "results",
    "tmp",
    "plans",
    "runs",
    "journal.jsonl",
    "raw.jsonl",
    "large.jsonl",
}


@dataclass(frozen=True, slots=True)
class Stored:
    """A verified result. ``content`` is one hash over the names and checksums of its files."""

    key: str
    folder: Path
    content: str
    manifest: Mapping[str, Any]

    @property
    def facts(self) -> Mapping[str, Any]:
        """Step, version, label, settings, selector, inputs and software versions."""
        found: Mapping[str, Any] = self.manifest["facts"]
        return found

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(int(entry["size"]) for entry in self.manifest["files"].values())


@dataclass(frozen=True, slots=True)
class Finding:
    """What lies under a key: a verified result, a damage in words, or neither (nothing there)."""

    stored: Stored | None = None
    damage: str | None = None


class Store:
    """A folder of results. Use `Store.open`."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))
        self.results = self.root / "results"
        self.temporary = self.root / "tmp"
        self.plans = self.root / "plans"
        self.runs = self.root / "runs"
        self.journal_file = self.root / "journal.jsonl"
        self.fingerprints = Fingerprints(self.root / "raw.jsonl")
        self._large = Fingerprints(self.root / "large.jsonl")

    @classmethod
    def open(cls, root: Path, *, create: bool = True) -> Store:
        """Open the store in a folder, made where it is missing.

        Raises
        ------
        StoreError
            The folder holds other files than a store's, or nothing and ``create`` is false.
        ResultVersionError
            A newer version of the package made it.
        StorePermissionError, StoreFullError
            It cannot be read or written.
        """
        place = Path(os.path.abspath(root))
        with storage(place):
            _check_format(place, create=create)
            store = cls(place)
            if create:
                for folder in (store.results, store.temporary, store.plans, store.runs):
                    folder.mkdir(exist_ok=True)
        return store

    def folder(self, key: str) -> Path:
        """Where the result of a key lies, or would."""
        return self.results / key[:2] / key

    def all_keys(self) -> list[str]:
        """Keys of everything stored, valid or damaged, sorted."""
        if not self.results.is_dir():
            return []
        with storage(self.root):
            return sorted(path.name for path in self.results.glob("??/*") if path.is_dir())

    def lookup(self, key: str, *, thorough: bool = False) -> Stored | None:
        """The result of a key where its manifest verifies, else None."""
        return self.examine(key, thorough=thorough).stored

    def require(self, key: str) -> Stored:
        """The result of a key.

        Raises
        ------
        CorruptResultError
            It is missing or damaged.
        """
        finding = self.examine(key)
        if finding.stored is None:
            raise CorruptResultError(
                finding.damage or "the result is not in the store",
                where=str(self.folder(key)),
                remedy="Run `mesolith run` again: it computes what is missing or damaged.",
            )
        return finding.stored

    def examine(self, key: str, *, thorough: bool = False) -> Finding:
        """Verify what lies under a key.

        Every file below 64 MiB is read and compared each time. A larger one is read once and then
        trusted while its size, times and inode stay, unless ``thorough`` asks to read it again,
        as `verify` does and the engine before a part uses it.
        """
        folder = self.folder(key)
        try:
            data = (folder / MANIFEST_FILE).read_bytes()
        except PermissionError as error:
            raise permission_error(error, self.root) from error
        except OSError as error:
            if not folder.is_dir():
                return Finding()
            return Finding(damage=_words(MANIFEST_FILE, error))
        try:
            manifest = decode_manifest(data)
        except ValueError as error:
            return Finding(damage=f"{MANIFEST_FILE} is damaged ({error})")
        if manifest["key"] != key:
            return Finding(damage=f"{MANIFEST_FILE} belongs to another result")
        damage = self._compare(folder, manifest["files"], thorough=thorough)
        if damage is not None:
            return Finding(damage=damage)
        return Finding(stored=Stored(key, folder, manifest["content"], manifest))

    def committed(self, key: str, content: str) -> Stored | None:
        """The result that a worker has just committed with that content, not read again.

        Network file systems may show it late, so it is waited for.
        """
        for pause in _PATIENCE:
            time.sleep(pause)
            try:
                manifest = decode_manifest((self.folder(key) / MANIFEST_FILE).read_bytes())
            except (OSError, ValueError):
                continue
            if manifest["content"] == content:
                return Stored(key, self.folder(key), content, manifest)
        return None

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """An empty folder on the store's file system, removed at the end unless committed."""
        with storage(self.root):
            folder = self.temporary / owner_tag()
            folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            remove_tree(folder)

    def commit(self, key: str, folder: Path, facts: Mapping[str, Any]) -> Stored:
        """Make the files of a workspace the result of a key, at once or not at all.

        Where another run was faster and its result verifies, that one stays; a damaged one, or
        one made from other inputs, is replaced.

        Raises
        ------
        StoreFullError, StorePermissionError
            The disk refuses; nothing of the result counts then.
        """
        with storage(self.root):
            files = {name: seal(folder / name) for name in list_files(folder)}
            manifest = encode_manifest(key, facts, files)
            write_new(folder / MANIFEST_FILE, manifest)
            seal(folder / MANIFEST_FILE)
            for inner in [p for p in folder.rglob("*") if p.is_dir()]:
                sync_folder(inner)
            sync_folder(folder)
            final = self.folder(key)
            for _ in range(_TRIES):
                final.parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.rename(folder, final)
                except OSError:
                    if not final.is_dir():
                        raise
                    winner = self.lookup(key, thorough=True)
                    if winner is not None and winner.facts["inputs"] == facts["inputs"]:
                        return winner
                    self.remove(key)
                else:
                    sync_folder(final.parent)
                    decoded = decode_manifest(manifest)
                    return Stored(key, final, decoded["content"], decoded)
        raise StoreError("the result is replaced again and again", where=str(self.folder(key)))

    def remove(self, key: str) -> None:
        """Remove what lies under a key; it is gone at once, whatever happens then."""
        with storage(self.root):
            aside = self.temporary / owner_tag()
            try:
                os.rename(self.folder(key), aside)
            except FileNotFoundError:
                return
            remove_tree(aside)

    def leftovers(self) -> list[Path]:
        """Temporary folders whose process is gone."""
        if not self.temporary.is_dir():
            return []
        return sorted(path for path in self.temporary.iterdir() if is_orphan(path, path.name))

    def clean_leftovers(self) -> None:
        """Remove what killed runs left in the temporary folder and among the runs."""
        with storage(self.root):
            for path in self.leftovers():
                remove_tree(path)
            self.runs_in_progress()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Show to others, such as `mesolith clean`, that a run is in progress."""
        with storage(self.root):
            mark = self.runs / owner_tag()
            write_new(mark, b"")
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)

    def runs_in_progress(self) -> list[str]:
        """Marks of living runs; those of dead ones are removed."""
        alive = []
        for mark in sorted(self.runs.iterdir()) if self.runs.is_dir() else []:
            if is_orphan(mark, mark.name):
                mark.unlink(missing_ok=True)
            else:
                alive.append(mark.name)
        return alive

    def _compare(
        self, folder: Path, files: Mapping[str, Mapping[str, Any]], *, thorough: bool
    ) -> str | None:
        try:
            found = list_files(folder)
            for name in sorted(set(found) ^ set(files)):
                return f"{name} is missing" if name in files else f"{name} does not belong here"
            for name, entry in files.items():
                damage = self._compare_file(folder / name, name, entry, thorough=thorough)
                if damage is not None:
                    return damage
        except PermissionError as error:
            raise permission_error(error, self.root) from error
        except OSError as error:
            return _words(str(error.filename or folder), error)
        return None

    def _compare_file(
        self, path: Path, name: str, entry: Mapping[str, Any], *, thorough: bool
    ) -> str | None:
        size = path.stat().st_size
        if size != entry["size"]:
            return f"{name} has {size} bytes, expected {entry['size']}"
        if size < HASH_ALWAYS_BELOW:
            checksum = hash_file(path)
        else:
            checksum = (self._large.fresh if thorough else self._large.of)(path).sha256
        return None if checksum == entry["sha256"] else f"the checksum of {name} differs"


def _check_format(root: Path, *, create: bool) -> None:
    """Refuse a folder that is no store, or a newer one; write or mend store.json."""
    file = root / "store.json"
    present = {path.name for path in root.iterdir()} if root.is_dir() else set()
    if not create and not present & {"store.json", "results"}:
        raise StoreError("no store here yet", where=str(root), remedy="Run `mesolith run` first.")
    foreign = sorted(present - _ENTRIES)
    if foreign and "store.json" not in present:
        raise StoreError(
            f"the folder holds files that are not a store's, such as {foreign[0]}",
            where=str(root),
            remedy="Choose an empty or new folder with --store.",
        )
    version = _format_of(file)
    if version is None and create:
        (root / "tmp").mkdir(parents=True, exist_ok=True)
        fresh = root / "tmp" / owner_tag()
        write_new(fresh, _format_text(FORMAT))
        os.replace(fresh, file)
    elif version is not None and version > FORMAT:
        raise ResultVersionError(
            f"the store has format {version}, this version reads up to {FORMAT}",
            where=str(root),
            remedy="Use the newer version of mesolith, or another place with --store.",
        )


def _format_text(version: int) -> bytes:
    body = {"format": version, "name": "mesolith store"}
    return (canonical_json(body | {"checksum": digest_of(body)}) + "\n").encode()


def _format_of(file: Path) -> int | None:
    """Format in store.json; None where it is missing or damaged.

    A damaged one may be written anew: every result carries its own format and checksums.
    """
    try:
        data = file.read_bytes()
        version = int(json.loads(data)["format"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return version if data == _format_text(version) else None


def _words(name: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{name} is missing"
    return f"{name} cannot be read ({error.strerror or error})"
