"""Keys of [echem] and of a state's cycling in cell.toml."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mesolith.pipeline.settings import setting


@dataclass(frozen=True, slots=True)
class Settings:
    """[echem]: how half cycles are cut."""

    current_share: float = setting(
        "number",
        "Rows with less than this share of the set current are switch-over points and are left "
        "out of a half cycle's statistics.",
        default=0.9,
        minimum=0.0,
        maximum=1.0,
        example="0.9",
    )


@dataclass(frozen=True, slots=True)
class Options:
    """Further keys of a state's cycling."""

    date_order: str | None = setting(
        "choice",
        "Order of day and month in the files' dates, where a date such as 01/10/2024 leaves it "
        "open.",
        default=None,
        choices=("month-first", "day-first"),
        example='"month-first"',
    )
    started: datetime | None = setting(
        "time",
        "Start of the files' times, with its offset from UTC, where the files state none.",
        default=None,
        example="2024-05-03T12:00:00+02:00",
    )
