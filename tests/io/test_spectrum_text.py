"""Sweeps in the small formats: mistakes, each named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from mesolith.errors import (
    EmptyFileError,
    FileFormatError,
    InvalidValueError,
    MesolithError,
    MissingColumnError,
    TruncatedFileError,
)
from mesolith.io.spectrum import Spectrum
from mesolith.io.spectrum_text import (
    read_bare,
    read_dfr,
    read_i2b,
    read_ivium,
    read_p00,
    read_z60w,
)

P00 = " f/Hz\tZ'/Ohm\t-Z''/Ohm\ttime/s\n"


def point(first: float) -> str:
    return "\n".join(str(first + k) for k in range(9)) + "\n"


def read(folder: Path, reader: Callable[[Path], Spectrum], text: str) -> Spectrum:
    path = folder / "sweep.txt"
    path.write_text(text)
    return reader(path)


def test_signs_times_and_dropped_rows(tmp_path: Path) -> None:
    found = read(
        tmp_path, read_p00, f"Title\n13.05.2024 10:00:00 - x\n{P00} 2\n0\t1\t2\t3\n5\t6\t7\t8\n"
    )
    assert found.start is not None
    assert found.start.month_first == datetime(2024, 5, 13, 10, 0)
    assert found.frequency.tolist() == [5.0]
    assert found.imaginary.tolist() == [-7.0]
    assert found.time.tolist() == [8.0]
    assert found.dropped == 1
    dfr = read(tmp_path, read_dfr, "VERSION8.0\n1\n1\n" + point(10.0))
    assert (dfr.frequency[0], dfr.real[0], dfr.imaginary[0]) == (10.0, 11.0, -12.0)
    idf = read(tmp_path, read_ivium, "starttime=2024-05-13 10:00:00\nprimary_data\n3\n1\n1 -2 9\n")
    assert (idf.frequency[0], idf.real[0], idf.imaginary[0]) == (9.0, 1.0, -2.0)
    assert idf.start is not None
    i2b = read(tmp_path, read_i2b, "words\n1\n9 1 -2\n")
    assert (i2b.frequency[0], i2b.real[0], i2b.imaginary[0]) == (9.0, 1.0, -2.0)
    bare = read(tmp_path, read_bare, "9;1;-2\n8;1;-3\n")
    assert bare.imaginary.tolist() == [-2.0, -3.0]


@pytest.mark.parametrize(
    ("reader", "text", "error", "words"),
    [
        (read_dfr, "", EmptyFileError, "the file is empty"),
        (read_dfr, "words\n", FileFormatError, "the first line is not VERSION"),
        (read_dfr, "VERSION8\nx\n", FileFormatError, "'x' where a count is expected"),
        (read_dfr, "VERSION8\n2\n1\n" + point(1.0), TruncatedFileError, "1 of 2 points"),
        (
            read_dfr,
            "VERSION8\n1\n1\n" + point(1.0).replace("2.0", "b"),
            FileFormatError,
            "'b' is no",
        ),
        (read_dfr, "VERSION8\n0\n1\n", EmptyFileError, "the sweep has no points"),
        (read_ivium, "Peaks=false\n", FileFormatError, "0 parts are called primary_data"),
        (read_ivium, "primary_data\n2\n1\n1 2\n", MissingColumnError, "the points have 2 numbers"),
        (read_ivium, "primary_data\n3\n2\n1 2 3\n", TruncatedFileError, "1 of 2 points"),
        (read_p00, "Title\n", FileFormatError, "no line of names begins with f/Hz"),
        (read_p00, " f/Hz\tZ\n", MissingColumnError, "are expected among: f/Hz, Z"),
        (read_p00, P00 + "2\n1\t2\t3\t4\n\n", TruncatedFileError, "1 of 2 points"),
        (read_i2b, "words\n", FileFormatError, "no line holds the count"),
        (read_i2b, "1\n1 nan 3\n", InvalidValueError, "holds NaN or an absurd number"),
        (read_i2b, "1\n1 2\n", TruncatedFileError, "0 of 1 points"),
        (read_z60w, '"Z60W"\n', FileFormatError, "no line names Freq"),
        (read_bare, "f,re,im\n1,2,3\n", FileFormatError, "'f' is no number"),
    ],
)
def test_mistakes(
    tmp_path: Path,
    reader: Callable[[Path], Spectrum],
    text: str,
    error: type[MesolithError],
    words: str,
) -> None:
    with pytest.raises(error, match=words) as caught:
        read(tmp_path, reader, text)
    assert "sweep.txt" in str(caught.value.where)
    assert caught.value.remedy
