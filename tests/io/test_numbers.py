"""Cells of text tables as numbers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from mesolith.errors import FileFormatError, TruncatedFileError
from mesolith.io.numbers import number_from_text, table_from_lines, text_lines


@pytest.mark.parametrize(
    ("text", "comma", "value"),
    [
        ("1.5", False, 1.5),
        ("1,5", True, 1.5),
        ("1.234,5", True, 1234.5),
        ("1,234.5", False, 1234.5),
        ("1\u202f234,5", True, 1234.5),
        ("1'234.5", False, 1234.5),
        ("-1,5E-003", True, -1.5e-3),
        ("\u22122.5", False, -2.5),
        ('"7"', False, 7.0),
        ("12.5", True, 12.5),
    ],
)
def test_styles(text: str, comma: bool, value: float) -> None:
    assert number_from_text(text, decimal_comma=comma) == value


@pytest.mark.parametrize("text", ["", "NaN", "n/a", "-", "#NV"])
def test_nothing(text: str) -> None:
    assert math.isnan(number_from_text(text, decimal_comma=False))


def table(lines: list[str], *, comma: bool = False) -> np.ndarray[tuple[int, int], np.dtype]:
    body = [(k + 2, line) for k, line in enumerate(lines)]
    return table_from_lines(
        body, [0, 2], separator=";", decimal_comma=comma, path=Path("f"), columns=["a", "b", "c"]
    )


def test_empty_cells_are_nan_and_other_columns_do_not_matter() -> None:
    assert np.array_equal(table(["1;x;2", ";y;3"]), [[1.0, 2.0], [np.nan, 3.0]], equal_nan=True)
    assert np.array_equal(table(["1,5;x;2", "2;y;3,25"], comma=True), [[1.5, 2.0], [2.0, 3.25]])


def test_word_is_named_with_line_and_column() -> None:
    with pytest.raises(FileFormatError, match="column 'c' holds 'two', not a number") as caught:
        table(["1;x;2", "2;y;two", "3;z;4"])
    assert caught.value.where == "f, line 3"


def test_short_rows() -> None:
    with pytest.raises(TruncatedFileError, match="cut short"):
        table(["1;x;2", "2;y"])
    with pytest.raises(FileFormatError, match="2 cells") as caught:
        table(["1;x", "2;y;3"])
    assert not isinstance(caught.value, TruncatedFileError)


def test_encodings(tmp_path: Path) -> None:
    path = tmp_path / "text"
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "latin-1"):
        path.write_bytes("I/µA\n1".encode(encoding))
        assert text_lines(path) == ["I/µA", "1"]
    path.write_bytes(b"BIO-LOGIC MODULAR FILE\x1a\x00\x00")
    with pytest.raises(FileFormatError, match="zero bytes"):
        text_lines(path)
