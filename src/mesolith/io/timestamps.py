"""Times as instruments write them: what a text may mean, and which moment it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mesolith.errors import ClockError

DateOrder = Literal["month-first", "day-first"]
_NUMBERS = re.compile(
    r"^\s*(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})[ T,]+"
    r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?\s*([AaPp][Mm])?\s*$"
)
_ISO = re.compile(
    r"^\s*(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})[ T]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?"
    r"\s*(Z|[+-]\d{2}:?\d{2})?\s*$"
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as a file states it, with each reading that its date allows.

    ``month_first`` and ``day_first`` are equal where only one reading is a date.
    """

    text: str
    month_first: datetime
    day_first: datetime

    @property
    def ambiguous(self) -> bool:
        """Whether month and day could be exchanged."""
        return self.month_first != self.day_first

    def resolve(self, order: DateOrder | None, *, where: str) -> datetime:
        """The moment; ``ClockError`` where the date is ambiguous and no order is given."""
        if not self.ambiguous:
            return self.month_first
        if order is None:
            raise ClockError(
                f"the date {self.text!r} can be {_words(self.month_first)} or "
                f"{_words(self.day_first)}",
                where=where,
                remedy='Say date_order = "month-first" or "day-first" beside the files in '
                "cell.toml.",
            )
        return self.month_first if order == "month-first" else self.day_first


def moment_from_text(text: str) -> Moment | None:
    """Moment of a text in ISO, US (11/23/2021) or European (23.11.2021) style; None if it is none.

    A date with dots has its day first. A zone ("Z", "+02:00") makes the moment aware.
    """
    iso = _ISO.match(text)
    if iso:
        year, month, day, hour, minute, second, fraction, zone = iso.groups()
        time = (int(hour), int(minute), int(second or 0))
        found = _moment(int(year), int(month), int(day), time, fraction)
        if found is None:
            return None
        if zone:
            found = datetime.fromisoformat(found.isoformat() + zone.replace("Z", "+00:00"))
        return Moment(text.strip(), found, found)
    numbers = _NUMBERS.match(text)
    if not numbers:
        return None
    one, mark, two, year, hour, minute, second, fraction, half = numbers.groups()
    hours = int(hour) % 12 + 12 * (half.lower() == "pm") if half else int(hour)
    time = (hours, int(minute), int(second or 0))
    years = int(year) + 2000 if len(year) == 2 else int(year)
    month_first = None if mark == "." else _moment(years, int(one), int(two), time, fraction)
    day_first = _moment(years, int(two), int(one), time, fraction)
    if half and month_first is not None:
        day_first = month_first  # a twelve-hour clock is written with the month first
    either = month_first or day_first
    if either is None:
        return None
    return Moment(text.strip(), month_first or either, day_first or either)


def common_order(moments: list[Moment]) -> DateOrder | None:
    """The order that the unambiguous dates of one file share, or None."""
    orders: set[DateOrder] = set()
    for moment in moments:
        numbers = _NUMBERS.match(moment.text)
        if numbers and not moment.ambiguous and numbers.group(1) != numbers.group(3):
            month = int(numbers.group(1)) == moment.month_first.month
            orders.add("month-first" if month else "day-first")
    return orders.pop() if len(orders) == 1 else None


def seconds_from_moment(
    moment: datetime, *, zone: str | None, offset: float, where: str, clock: str = "cycler"
) -> float:
    """Seconds since 1970 UTC of a file's time, its clock's offset (s) added.

    Raises
    ------
    ClockError
        The time is naive and no zone is given, the zone is unknown, or the local time occurs
        twice or never where summer time ends or begins.
    """
    if moment.tzinfo is None:
        if zone is None:
            raise ClockError(
                f"the time {moment.isoformat(sep=' ')} has no time zone",
                where=where,
                remedy=f'Add it to cell.toml: [clock] {clock} = {{ zone = "Europe/Berlin" }}.',
            )
        moment = _in_zone(moment, zone, where, clock)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() + offset


def zone_shift(first: datetime, last: datetime, zone: str) -> float:
    """Seconds by which the zone's offset from UTC changes between two of its local times."""
    info = ZoneInfo(zone)
    offsets = [moment.replace(tzinfo=info).utcoffset() or timedelta(0) for moment in (first, last)]
    return (offsets[1] - offsets[0]).total_seconds()


def _in_zone(moment: datetime, zone: str, where: str, clock: str) -> datetime:
    try:
        info = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ClockError(
            f"unknown time zone {zone!r}",
            where=where,
            remedy=f'Give [clock] {clock} a name such as "Europe/Berlin" or "America/Chicago".',
        ) from None
    first, second = moment.replace(tzinfo=info), moment.replace(tzinfo=info, fold=1)
    if first.utcoffset() != second.utcoffset():
        back = first.astimezone(UTC).astimezone(info).replace(tzinfo=None)
        word = "occurs twice" if back == moment else "does not exist"
        raise ClockError(
            f"the local time {moment.isoformat(sep=' ')} {word} in {zone}: summer time changes",
            where=where,
            remedy=f'Give [clock] {clock} a zone without summer time, such as "Etc/GMT-1" (UTC+1).',
        )
    return first


def _moment(
    year: int, month: int, day: int, time: tuple[int, int, int], fraction: str | None
) -> datetime | None:
    micro = round(float(f"0.{fraction}") * 1e6) if fraction else 0
    try:
        return datetime(year, month, day, *time) + timedelta(microseconds=micro)
    except ValueError:
        return None


def _words(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
