"""Times as instruments write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesolith.errors import ClockError
from mesolith.io.timestamps import common_order, moment_from_text, seconds_from_moment, zone_shift

MOMENT = datetime(2021, 8, 23, 11, 44, 40)


@pytest.mark.parametrize(
    "text",
    [
        "08/23/2021 11:44:40",
        "23/08/2021 11:44:40",
        "23.08.2021 11:44:40",
        "2021-08-23T11:44:40",
        "2021/08/23 11:44:40",
        "08/23/21 11:44:40",
        "8/23/2021 11:44:40 AM",
    ],
)
def test_styles_with_one_reading(text: str) -> None:
    found = moment_from_text(text)
    assert found is not None
    assert not found.ambiguous
    assert found.resolve(None, where="file") == MOMENT


def test_fractions_and_zones() -> None:
    found = moment_from_text("08/23/2021 11:44:40.646")
    assert found is not None
    assert found.month_first.microsecond == 646000
    comma = moment_from_text("23.08.2021 11:44:40,5")
    assert comma is not None
    assert comma.day_first.microsecond == 500000
    aware = moment_from_text("2021-08-23T11:44:40+02:00")
    assert aware is not None
    assert aware.month_first.astimezone(UTC).hour == 9
    utc = moment_from_text("2021-08-23T11:44:40Z")
    assert utc is not None
    assert utc.month_first == MOMENT.replace(tzinfo=UTC)


def test_dots_put_the_day_first() -> None:
    found = moment_from_text("01.10.2024 11:02:29")
    assert found is not None
    assert found.resolve(None, where="file") == datetime(2024, 10, 1, 11, 2, 29)


@pytest.mark.parametrize("text", ["DD/MM/YYYY HH:MM:SS", "", "11:02:29", "31/31/2024 1:00:00", "7"])
def test_no_date(text: str) -> None:
    assert moment_from_text(text) is None


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2099, 1, 1)))
def test_ambiguous_exactly_where_day_and_month_can_be_exchanged(moment: datetime) -> None:
    found = moment_from_text(f"{moment:%m/%d/%Y %H:%M:%S.%f}")
    assert found is not None
    exchangeable = moment.day <= 12 and moment.day != moment.month
    assert found.ambiguous == exchangeable
    assert found.resolve("month-first", where="file") == moment
    if exchangeable:
        with pytest.raises(ClockError, match="can be"):
            found.resolve(None, where="file")
        day_first = moment.replace(day=moment.month, month=moment.day)
        assert found.resolve("day-first", where="file") == day_first


def test_rows_of_one_file_settle_each_other() -> None:
    texts = ["01/10/2024 23:59:00", "01/10/2024 23:59:59", "01/13/2024 00:00:10"]
    moments = [moment for moment in map(moment_from_text, texts) if moment is not None]
    assert common_order(moments) == "month-first"
    assert common_order(moments[:2]) is None


def test_seconds_in_a_zone() -> None:
    berlin = seconds_from_moment(MOMENT, zone="Europe/Berlin", offset=0.0, where="file")
    utc = seconds_from_moment(MOMENT.replace(tzinfo=UTC), zone=None, offset=3.5, where="file")
    assert utc - berlin == pytest.approx(2 * 3600 + 3.5)


def test_naive_time_is_an_error_that_says_what_to_add() -> None:
    with pytest.raises(ClockError, match="no time zone") as caught:
        seconds_from_moment(MOMENT, zone=None, offset=0.0, where="run.mpt")
    assert "run.mpt" in str(caught.value)
    assert '[clock] cycler = { zone = "Europe/Berlin" }' in str(caught.value)


def test_unknown_zone() -> None:
    with pytest.raises(ClockError, match="unknown time zone 'Mars/Olympus'"):
        seconds_from_moment(MOMENT, zone="Mars/Olympus", offset=0.0, where="file")


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (datetime(2024, 10, 27, 2, 30), "occurs twice"),
        (datetime(2024, 3, 31, 2, 30), "does not exist"),
    ],
)
def test_change_of_summer_time(moment: datetime, words: str) -> None:
    with pytest.raises(ClockError, match=words):
        seconds_from_moment(moment, zone="Europe/Berlin", offset=0.0, where="file")


def test_shift_of_the_zone_between_two_times() -> None:
    before, after = datetime(2024, 10, 26, 12), datetime(2024, 10, 28, 12)
    assert zone_shift(before, after, "Europe/Berlin") == -3600.0
    assert zone_shift(before, before + timedelta(hours=1), "Europe/Berlin") == 0.0
