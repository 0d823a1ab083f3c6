"""The store: complete and verified, or not there at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mesolith.errors import CorruptResultError, ResultVersionError, StoreError
from mesolith.pipeline import fingerprint, store
from mesolith.pipeline.keys import canonical_json, digest_of
from mesolith.pipeline.ownership import is_orphan, owner_tag
from mesolith.pipeline.store import Store, Stored
from tests.pipeline.bench import flip_bit

KEY = "ab" * 32
FACTS = {"step": "toy.read", "inputs": {}}


@pytest.fixture
def place(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


def put(place: Store, *, text: str = "a result", inputs: object = None) -> Stored:
    with place.workspace() as folder:
        (folder / "tables").mkdir()
        (folder / "record.h5").write_text(text)
        (folder / "tables" / "empty.csv").touch()
        return place.commit(KEY, folder, FACTS | {"inputs": inputs or {}})


def test_what_is_committed_is_found(place: Store) -> None:
    committed = put(place)
    found = place.lookup(KEY)
    assert found == committed == place.committed(KEY, committed.content)
    assert found is not None
    assert found.facts == FACTS
    assert found.size == len("a result")
    assert place.all_keys() == [KEY]
    assert (found.folder / "tables" / "empty.csv").is_file()
    assert list(place.temporary.iterdir()) == []


def test_nothing_is_found_where_nothing_is(place: Store) -> None:
    assert place.examine(KEY) == store.Finding()
    with pytest.raises(CorruptResultError, match="not in the store"):
        place.require(KEY)


def test_files_of_a_result_are_read_only(place: Store) -> None:
    folder = put(place).folder
    for name in ("record.h5", "manifest.json"):
        assert (folder / name).stat().st_mode & 0o222 == 0


def test_each_flipped_bit_is_noticed(place: Store) -> None:
    folder = put(place).folder
    for name in ("record.h5", "manifest.json"):
        for at in range((folder / name).stat().st_size):
            flip_bit(folder / name, at, bit=at % 8)
            damage = place.examine(KEY).damage
            assert damage is not None
            assert name in damage
            flip_bit(folder / name, at, bit=at % 8)
    assert place.lookup(KEY) is not None


def test_truncated_missing_and_foreign_files_are_noticed(place: Store) -> None:
    folder = put(place).folder
    os.chmod(folder / "record.h5", 0o600)
    os.truncate(folder / "record.h5", 3)
    assert place.examine(KEY).damage == "record.h5 has 3 bytes, expected 8"
    (folder / "record.h5").unlink()
    assert place.examine(KEY).damage == "record.h5 is missing"
    (folder / "record.h5").write_text("a result")
    (folder / "more").touch()
    assert place.examine(KEY).damage == "more does not belong here"
    (folder / "more").unlink()
    assert place.lookup(KEY) is not None
    (folder / "manifest.json").unlink()
    assert place.examine(KEY).damage == "manifest.json is missing"


def test_a_result_under_another_key_does_not_count(place: Store) -> None:
    folder = put(place).folder
    other = "cd" * 32
    place.folder(other).parent.mkdir()
    os.rename(folder, place.folder(other))
    assert "another result" in str(place.examine(other).damage)


def test_the_loser_of_a_race_takes_the_winner(place: Store) -> None:
    winner = put(place, text="first")
    assert put(place, text="second") == winner
    assert (winner.folder / "record.h5").read_text() == "first"


def test_a_damaged_winner_is_replaced(place: Store) -> None:
    folder = put(place, text="first").folder
    flip_bit(folder / "record.h5", 0)
    put(place, text="second")
    assert (folder / "record.h5").read_text() == "second"
    assert place.lookup(KEY) is not None
    assert list(place.temporary.iterdir()) == []


def test_a_winner_made_from_other_inputs_is_replaced(place: Store) -> None:
    put(place, text="first", inputs={"a": "old"})
    assert put(place, text="second", inputs={"a": "new"}).facts["inputs"] == {"a": "new"}
    assert (place.folder(KEY) / "record.h5").read_text() == "second"


def test_an_error_in_a_workspace_leaves_nothing(place: Store) -> None:
    def fail_half_way() -> None:
        with place.workspace() as folder:
            (folder / "half").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert list(place.temporary.iterdir()) == []
    assert place.all_keys() == []


def test_links_are_no_results(place: Store) -> None:
    with place.workspace() as folder:
        (folder / "record.h5").symlink_to(place.root / "store.json")
        with pytest.raises(StoreError, match="plain files"):
            place.commit(KEY, folder, FACTS)
    assert place.lookup(KEY) is None


def test_only_what_dead_processes_left_is_cleaned(place: Store) -> None:
    dead = subprocess.run(
        [
            sys.executable,
            "-c",
            "from mesolith.pipeline.ownership import is_orphan, owner_tag; print(owner_tag())",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (place.temporary / dead / "deep").mkdir(parents=True)
    (place.runs / dead).touch()
    mine = owner_tag()
    (place.temporary / mine).mkdir()
    far = mine.replace(mine.split("-")[0], "elsewhere")
    (place.temporary / far).mkdir()
    old = far[:-8] + "00000000"
    (place.temporary / old).mkdir()
    os.utime(place.temporary / old, (1, 1))
    with place.running():
        place.clean_leftovers()
        assert len(place.runs_in_progress()) == 1
    assert {path.name for path in place.temporary.iterdir()} == {mine, far}
    assert place.runs_in_progress() == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_dead_process_that_nobody_asked_about_is_dead(place: Store) -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as child:
        host, _, token = owner_tag().rpartition(f"-{os.getpid()}-")
        tag = f"{host}-{child.pid}-{token}"
        assert child.stdout is not None
        child.stdout.read()
        while not is_orphan(place.root, tag):  # a zombie now: its parent has not waited
            time.sleep(0.001)
        assert child.returncode is None


def test_a_large_file_is_read_again_when_it_looks_different(
    place: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "HASH_ALWAYS_BELOW", 0)
    monkeypatch.setattr(fingerprint, "_YOUNG_NS", -(10**18))
    file = put(place).folder / "record.h5"
    reads = []
    real = fingerprint.hash_file
    monkeypatch.setattr(fingerprint, "hash_file", lambda path: reads.append(path) or real(path))
    assert place.lookup(KEY) is not None
    assert place.lookup(KEY) is not None
    assert sorted(path.name for path in reads) == ["empty.csv", "record.h5"]
    assert place.lookup(KEY, thorough=True) is not None
    assert len(reads) == 4
    times = file.stat()
    flip_bit(file, 0)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert place.lookup(KEY) is None


def test_a_folder_with_other_files_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(StoreError, match=r"thesis\.tex"):
        Store.open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_store_that_is_not_there_is_not_made_by_looking(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store here yet"):
        Store.open(tmp_path / "store", create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_store_opens_for_reading(place: Store) -> None:
    put(place)
    assert Store.open(place.root, create=False).lookup(KEY) is not None


def test_a_newer_store_is_refused_by_name(place: Store) -> None:
    body = {"format": 7, "name": "mesolith store"}
    text = canonical_json(body | {"checksum": digest_of(body)}) + "\n"
    (place.root / "store.json").write_text(text)
    with pytest.raises(ResultVersionError, match="format 7"):
        Store.open(place.root)


def test_a_newer_result_is_refused_by_name(place: Store) -> None:
    file = put(place).folder / "manifest.json"
    manifest = json.loads(file.read_text())
    del manifest["checksum"]
    manifest["format"] = 9
    manifest["checksum"] = digest_of(manifest)
    os.chmod(file, 0o600)
    file.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    with pytest.raises(ResultVersionError, match="format 9"):
        place.lookup(KEY)


@pytest.mark.parametrize("text", ["", "{", '{"format": 9, "name": "mesolith store"}'])
def test_a_damaged_store_file_is_mended(place: Store, text: str) -> None:
    put(place)
    (place.root / "store.json").write_text(text)
    assert Store.open(place.root).lookup(KEY) is not None
    assert json.loads((place.root / "store.json").read_text())["format"] == store.FORMAT
