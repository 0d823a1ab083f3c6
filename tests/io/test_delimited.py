"""Delimited cycler records."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesolith.errors import ClockError, EmptyFileError, FileFormatError, MissingColumnError
from mesolith.io.delimited import read_delimited


def file_of(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "record.csv"
    path.write_bytes(text.encode(encoding))
    return path


@given(
    separator=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "utf-16"]),
    comma=st.booleans(),
    ending=st.sampled_from(["\n", "\r\n"]),
    values=st.lists(
        st.tuples(st.floats(-5, 5), st.floats(-1, 1)).map(
            lambda v: (round(v[0], 6), round(v[1], 6))
        ),
        min_size=1,
        max_size=8,
    ),
)
def test_any_style_gives_the_same_numbers(
    tmp_path_factory: pytest.TempPathFactory,
    separator: str,
    encoding: str,
    comma: bool,
    ending: str,
    values: list[tuple[float, float]],
) -> None:
    comma = comma and separator != ","
    rows = [f"{k}.5{separator}{v:f}{separator}{i:f}" for k, (v, i) in enumerate(values)]
    if comma:
        rows = [row.replace(".", ",") for row in rows]
    names = separator.join(["time/s", "Ewe/V", "I/µA"])
    text = ending.join(["exported by a program", names, *rows, ""])
    found = read_delimited(file_of(tmp_path_factory.mktemp("style"), text, encoding))
    assert found.time == pytest.approx(np.arange(len(values)) + 0.5)
    assert found.voltage == pytest.approx([v for v, _ in values])
    assert found.current == pytest.approx([1e-6 * i for _, i in values])


def test_dates_in_each_row(tmp_path: Path) -> None:
    text = "DateTime;U[V];I[A]\n13.05.2024 10:00:00;0,1;0,2\n13.05.2024 10:01:30;0,1;0,2\n"
    found = read_delimited(file_of(tmp_path, text))
    assert found.start == datetime(2024, 5, 13, 10)
    assert found.time.tolist() == [0.0, 90.0]
    assert found.wall_clock


def test_elapsed_time_is_finer_than_the_date(tmp_path: Path) -> None:
    text = (
        "Test_Time(s),Date_Time,Current(A),Voltage(V)\n"
        "30.25,2010-09-27 14:12:48,0.0,3.4\n60.75,2010-09-27 14:13:18,0.0,3.4\n"
    )
    found = read_delimited(file_of(tmp_path, text))
    assert found.start == datetime(2010, 9, 27, 14, 12, 48)
    assert found.time.tolist() == [0.0, 30.5]
    assert not found.wall_clock


def test_hours_minutes_seconds(tmp_path: Path) -> None:
    text = "Total Time,Voltage(V),Current(mA)\n0:00:00,0,1\n25:00:01.5,0,1\n1d 02:00:00,0,1\n"
    assert read_delimited(file_of(tmp_path, text)).time.tolist() == [0.0, 90001.5, 93600.0]


def test_unix_time_needs_no_zone(tmp_path: Path) -> None:
    text = "Unix Time / s,Voltage / V,Current / A\n1700000000.5,0,1\n"
    found = read_delimited(file_of(tmp_path, text))
    assert found.start == datetime(1970, 1, 1, tzinfo=UTC)
    assert found.time.tolist() == [1700000000.5]


def test_start_above_the_table(tmp_path: Path) -> None:
    text = "Start time: 2024-05-13 10:00:00\n\ntime/s,Ewe/V,I/mA\n0,0,0\n"
    assert read_delimited(file_of(tmp_path, text)).start == datetime(2024, 5, 13, 10)


def test_row_of_units_below_the_names(tmp_path: Path) -> None:
    found = read_delimited(file_of(tmp_path, "Time,Voltage,Current\nmin,mV,uA\n1,2,3\n"))
    assert (found.time[0], found.voltage[0], found.current[0]) == pytest.approx((60.0, 2e-3, 3e-6))


def test_days_that_could_be_months_are_named_although_the_order_of_rows_hides_it(
    tmp_path: Path,
) -> None:
    text = "Date,Ewe/V,I/mA\n01/02/2024 23:59:00,0,0\n01/03/2024 00:01:00,0,0\n"
    path = file_of(tmp_path, text)
    with pytest.raises(ClockError, match="2 January 2024 or 1 February 2024"):
        read_delimited(path)
    assert read_delimited(path, date_order="month-first").time.tolist() == [0.0, 120.0]
    assert read_delimited(path, date_order="day-first").time[1] > 2e6


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("", EmptyFileError, "the file is empty"),
        ("time/s,Ewe/V,I/mA\n", EmptyFileError, "no rows"),
        ("1,2,3\n4,5,6\n", FileFormatError, "no line of column names"),
        ("time/s,Ewe/V\n1,2\n", MissingColumnError, "no column of current"),
        ("Date,Ewe/V,I/mA\ntoday,2,3\n", ClockError, "holds 'today'"),
        ("time/s,Ewe/V,I/mA\n,2,3\n", ClockError, "have no time"),
        ("freq/Hz,time/s,Re(Z)/Ohm\n1,2,3\n", MissingColumnError, "no Im Z"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, text: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        read_delimited(file_of(tmp_path, text))
