"""BioLogic .mpr put together byte by byte: versions, unknown columns, mistakes."""

from __future__ import annotations

import struct
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from mesolith.errors import (
    ContradictionError,
    EmptyFileError,
    FileFormatError,
    InvalidValueError,
    MesolithError,
    MissingColumnError,
    TruncatedFileError,
)
from mesolith.io.biologic_binary import read_mpr, read_mpr_columns
from tests.io.binary_record import NUMBERS, write_record_mpr


@pytest.mark.parametrize("version", [2, 3, 10, 11])
def test_each_version(tmp_path: Path, version: int) -> None:
    found = read_mpr(write_record_mpr(tmp_path / "run.mpr", version=version))
    assert found.start == datetime(2024, 5, 13, 12, 0)
    assert found.time.tolist() == [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]
    assert found.current == pytest.approx([1e-3] * 3 + [-1e-3] * 3)
    assert found.voltage == pytest.approx([0.01] * 3 + [-0.01] * 3)
    assert found.set_current == pytest.approx([1e-3] * 3 + [-1e-3] * 3)
    assert found.step.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.step_changes is not None
    assert np.flatnonzero(found.step_changes).tolist() == [0, 3]
    assert found.positive_plates == "counter"
    assert found.findings == ()


@pytest.mark.parametrize(("added", "size"), [((7001,), 2), ((7001,), 8), ((7001, 7002), 8)])
def test_columns_of_unknown_number(tmp_path: Path, added: tuple[int, ...], size: int) -> None:
    """Their size follows from the row's; the known columns are read all the same."""
    path = write_record_mpr(
        tmp_path / "run.mpr", version=11, numbers=(*NUMBERS, *added), extra=bytes(size)
    )
    found = read_mpr(path)
    assert found.current == pytest.approx([1e-3] * 3 + [-1e-3] * 3)
    listed = ", ".join(map(str, added))
    assert f"columns of unknown meaning are left out: {listed}" in found.findings[0].text
    assert read_mpr_columns(path).unknown == added


def test_columns_of_unknown_size(tmp_path: Path) -> None:
    path = write_record_mpr(tmp_path / "run.mpr", numbers=(*NUMBERS, 7001, 7002), extra=bytes(10))
    with pytest.raises(FileFormatError, match="columns 7001, 7002 and a row of 33 bytes") as caught:
        read_mpr(path)
    assert ".mpt" in str(caught.value.remedy)


def test_date_that_contradicts_the_log_is_no_start(tmp_path: Path) -> None:
    assert read_mpr(write_record_mpr(tmp_path / "run.mpr", day=45000.0)).start is None


def test_cut_short(tmp_path: Path) -> None:
    path = write_record_mpr(tmp_path / "run.mpr")
    data = path.read_bytes()
    rows = data.index(b"MODULEVMP LOG") - 23 * 2 - 5  # within the fourth row
    path.write_bytes(data[:rows])
    with pytest.raises(TruncatedFileError, match="the module 'VMP data' has") as caught:
        read_mpr(path)
    assert "--allow-partial" in str(caught.value)
    found = read_mpr(path, allow_partial=True)
    assert len(found.time) == 3
    assert found.findings[0].level == "gap"
    assert "3 of 6 rows" in found.findings[0].text
    path.write_bytes(data[: data.index(b"MODULEVMP data") + 300])
    with pytest.raises(TruncatedFileError, match="the head of the data module"):
        read_mpr(path, allow_partial=True)
    path.write_bytes(data[: data.index(b"MODULEVMP data") + 57 + 406 + 5])
    with pytest.raises(TruncatedFileError, match="no row is there"):
        read_mpr(path, allow_partial=True)
    path.write_bytes(data[: data.index(b"MODULEVMP data") + 20])
    with pytest.raises(TruncatedFileError, match="has no whole header"):
        read_mpr(path)


def patched(path: Path, at: int, new: bytes) -> Path:
    data = bytearray(path.read_bytes())
    place = data.index(b"MODULEVMP data") + at
    data[place : place + len(new)] = new
    path.write_bytes(bytes(data))
    return path


@pytest.mark.parametrize(
    ("at", "new", "error", "words"),
    [
        (45, struct.pack("<I", 7), FileFormatError, "data version 7 is not known"),
        (57, struct.pack("<I", 0), EmptyFileError, "the record has no rows"),
        (57, struct.pack("<I", 5), ContradictionError, "5 rows do not fill the 138 bytes"),
        (61, b"\x00", FileFormatError, "no columns, or one of them twice"),
        (61, b"\xff", FileFormatError, "lists 255 columns, more than its head"),
        (62, struct.pack("<H", 2), FileFormatError, "no columns, or one of them twice"),
        (76, struct.pack("<H", 13), MissingColumnError, "no column of time"),
        (6, b"VMP dxta  ", FileFormatError, "the file has no data module"),
        (0, b"XX", FileFormatError, "no module begins at byte"),
    ],
)
def test_mistakes(
    tmp_path: Path, at: int, new: bytes, error: type[MesolithError], words: str
) -> None:
    path = patched(write_record_mpr(tmp_path / "run.mpr"), at, new)
    with pytest.raises(error, match=words) as caught:
        read_mpr(path)
    assert "run.mpr" in str(caught.value.where)


def test_absurd_number(tmp_path: Path) -> None:
    path = write_record_mpr(tmp_path / "run.mpr")
    row = 57 + 406 + 23 * 2
    patched(path, row + 19, struct.pack("<f", 1e30))
    with pytest.raises(InvalidValueError, match="column 'I/mA' holds a number beyond"):
        read_mpr(path)


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [(b"", EmptyFileError, "empty"), (b"EC-Lab ASCII FILE\n", FileFormatError, "no BioLogic .mpr")],
)
def test_other_files(
    tmp_path: Path, content: bytes, error: type[MesolithError], words: str
) -> None:
    path = tmp_path / "run.mpr"
    path.write_bytes(content)
    with pytest.raises(error, match=words):
        read_mpr(path)
