"""Fingerprints: files are read when they are new or look different, and only then."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from mesolith.errors import InputError
from mesolith.pipeline import fingerprint
from mesolith.pipeline.fingerprint import Fingerprints
from tests.pipeline.bench import flip_bit


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files that were read, in order; young files are remembered as well."""
    seen: list[Path] = []
    real = fingerprint.hash_file

    def counting(path: Path) -> str:
        seen.append(path)
        return real(path)

    monkeypatch.setattr(fingerprint, "hash_file", counting)
    monkeypatch.setattr(fingerprint, "_YOUNG_NS", -(10**18))
    return seen


def test_the_hash_is_that_of_the_content(tmp_path: Path) -> None:
    data = os.urandom(3 * 2**20 + 17)
    (tmp_path / "raw").write_bytes(data)
    found = Fingerprints(tmp_path / "memory").of(tmp_path / "raw")
    assert found.sha256 == hashlib.sha256(data).hexdigest()


def test_an_unchanged_file_is_read_once(tmp_path: Path, reads: list[Path]) -> None:
    raw = tmp_path / "raw"
    raw.write_text("one")
    first = Fingerprints(tmp_path / "memory").of(raw)
    again = Fingerprints(tmp_path / "memory")
    assert again.of(raw) == first
    assert reads == [raw]
    assert again.fresh(raw) == first
    assert reads == [raw, raw]


def test_a_change_is_noticed_though_size_and_time_stay(tmp_path: Path, reads: list[Path]) -> None:
    raw = tmp_path / "raw"
    raw.write_text("one")
    known = Fingerprints(tmp_path / "memory")
    before = known.of(raw)
    stat = raw.stat()
    raw.write_text("two")
    os.utime(raw, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert known.of(raw).sha256 != before.sha256


def test_another_file_in_the_same_place_is_noticed(tmp_path: Path, reads: list[Path]) -> None:
    raw, new = tmp_path / "raw", tmp_path / "new"
    raw.write_text("one")
    known = Fingerprints(tmp_path / "memory")
    before = known.of(raw)
    new.write_text("two")
    os.replace(new, raw)
    assert known.of(raw).sha256 != before.sha256


def test_a_young_file_is_not_trusted(tmp_path: Path) -> None:
    raw, memory = tmp_path / "raw", tmp_path / "memory"
    raw.write_text("one")
    Fingerprints(memory).of(raw)
    assert not memory.exists()


def test_a_flipped_bit_in_the_memory_never_becomes_a_hash(
    tmp_path: Path, reads: list[Path]
) -> None:
    raw, memory = tmp_path / "raw", tmp_path / "memory"
    raw.write_text("one")
    true = Fingerprints(memory).of(raw)
    whole = memory.read_bytes()
    for at in range(len(whole)):
        flip_bit(memory, at, bit=at % 7)
        assert Fingerprints(memory).of(raw) == true
        memory.write_bytes(whole)


def test_a_file_that_changes_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = tmp_path / "raw"
    raw.write_text("one")

    def growing(path: Path) -> str:
        with open(path, "a") as file:
            file.write("more")
        return "0" * 64

    monkeypatch.setattr(fingerprint, "hash_file", growing)
    with pytest.raises(InputError, match="changed while it was read"):
        Fingerprints(tmp_path / "memory").of(raw)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    known = Fingerprints(tmp_path / "memory")
    with pytest.raises(InputError, match="no such file") as missing:
        known.of(tmp_path / "absent")
    assert str(tmp_path / "absent") in str(missing.value)
    with pytest.raises(InputError, match="cannot be read"):
        known.of(tmp_path)


def test_many_files_keep_their_order(tmp_path: Path) -> None:
    paths = []
    for k in range(20):
        paths.append(tmp_path / f"{k}")
        paths[-1].write_text(str(k))
    found = Fingerprints(tmp_path / "memory").of_all(paths)
    assert [f.sha256 for f in found] == [
        hashlib.sha256(str(k).encode()).hexdigest() for k in range(20)
    ]
