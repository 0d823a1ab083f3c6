"""Time zones by their names in the IANA data base."""

from __future__ import annotations

import zoneinfo

from mesolith.experiment.mistakes import Book, nearest
from mesolith.experiment.places import KeyPath


def check_zone(zone: str, path: KeyPath, book: Book) -> None:
    """Note a zone that is not in the data base of time zones."""
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        match = nearest(zone, sorted(zoneinfo.available_timezones()))
        book.value(
            path,
            f"there is no time zone {zone!r}",
            f"Did you mean {match!r}?" if match else 'Zones are named as "Europe/Berlin".',
        )
