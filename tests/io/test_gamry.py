"""Gamry's .DTA: several tables, and mistakes, each named."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from mesolith.errors import (
    ContradictionError,
    EmptyFileError,
    FileFormatError,
    MesolithError,
    MissingColumnError,
    TruncatedFileError,
)
from mesolith.io.gamry import read_gamry, read_gamry_tables

HEAD = "EXPLAIN\nTAG\tPWR\nDATE\tLABEL\t4/23/2018\tDate\nTIME\tLABEL\t16:43:15\tTime\n"
OPEN = "OCVCURVE\tTABLE\t1\n\tPt\tT\tVf\n\t#\ts\tV vs. Ref.\n\t0\t0.5\t0.3\n"


def curve(name: str, start: float, current: float, *, count: int = 3, rows: int = 3) -> str:
    head = f"{name}\tTABLE\t{count}\n\tPt\tT\tVf\tIm\n\t#\ts\tV vs. Ref.\tA\n"
    body = [f"\t{k}\t{start + k}\t{0.1 * current}\t{current}\n" for k in range(rows)]
    return head + "".join(body)


def written(folder: Path, text: str) -> Path:
    path = folder / "run.DTA"
    path.write_text(text)
    return path


def test_curves_one_after_another(tmp_path: Path) -> None:
    text = HEAD + OPEN + curve("CURVE1", 1.0, 1e-3) + curve("CURVE2", 4.0, -1e-3)
    found = read_gamry(written(tmp_path, text))
    assert found.time.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert found.current.tolist() == [1e-3] * 3 + [-1e-3] * 3
    assert found.voltage == pytest.approx([1e-4] * 3 + [-1e-4] * 3)
    assert found.start == datetime(2018, 4, 23, 16, 43, 15)
    assert found.positive_plates == "counter"  # oxidation positive
    assert [finding.text for finding in found.findings] == [
        "the table OCVCURVE (1 rows) is not used"
    ]
    tables, _ = read_gamry_tables(tmp_path / "run.DTA")
    assert [table.name for table in tables] == ["OCVCURVE", "CURVE1", "CURVE2"]
    assert tables[0].units == ("", "#", "s", "V")


def test_rows_that_are_missing(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + curve("CURVE", 0.0, 1e-3, count=5))
    with pytest.raises(TruncatedFileError, match="3 of 5 rows of CURVE are there"):
        read_gamry(path)
    found = read_gamry(path, allow_partial=True)
    assert len(found.time) == 3
    assert found.findings[0].level == "gap"


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("", EmptyFileError, "the file is empty"),
        ("TAG\n", FileFormatError, "the first line is not EXPLAIN"),
        (HEAD, EmptyFileError, "no table of a technique"),
        (HEAD + OPEN, EmptyFileError, "no table of a technique"),
        (HEAD + "CURVE\tTABLE\n\tPt\n", TruncatedFileError, "has no names and units"),
        (HEAD + "CURVE\tTABLE\n\tT\n\ts\n\t1\n", MissingColumnError, "names no column Pt"),
        (
            HEAD + curve("CURVE", 0.0, 1.0) + curve("CURVE2", 3.0, 1.0).replace("Vf", "Vg"),
            FileFormatError,
            "the tables CURVE, CURVE2 have different columns",
        ),
        (
            HEAD + curve("CURVE1", 0.0, 1.0) + curve("CURVE2", 0.0, 1.0),
            ContradictionError,
            "the time runs back",
        ),
    ],
)
def test_mistakes(tmp_path: Path, text: str, error: type[MesolithError], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        read_gamry(written(tmp_path, text))
    assert "run.DTA" in str(caught.value.where)
    assert caught.value.remedy
