"""File formats of grain maps: recognised by content, described by their header."""

from __future__ import annotations

import re
from pathlib import Path

from mesolith.pipeline.technique import Description, Format

MIDAS = Format(
    name="midas",
    title="MIDAS grain list (Grains.csv)",
    suffixes=(".csv",),
    recognise="mesolith.hedm.formats:recognise_midas",
    describe="mesolith.hedm.formats:describe_midas",
)
_COUNT = re.compile(rb"^(?:\xef\xbb\xbf)?%\s*NumGrains", re.IGNORECASE)
_NAMES = (b"grainid", b"o11", b"o33", b"alpha")


def recognise_midas(path: Path, head: bytes) -> float:
    """1 with the line of counts and the column names, 0.8 with one of them alone."""
    counted = _COUNT.match(head) is not None
    lower = head[:8192].lower()
    named = all(name in lower for name in _NAMES)
    return 1.0 if counted and named else 0.8 if counted or named else 0.0


def describe_midas(path: Path) -> Description:
    """Number of grains and phases as the header states them."""
    from mesolith.io.midas import head_of_midas

    header, rows = head_of_midas(path)
    groups = ", ".join(str(group) for group in header.phases.space_group)
    facts = (f"{rows} grains", f"space group {groups}")
    problems: tuple[str, ...] = ()
    if header.count is not None and header.count != rows:
        problems = (f"the header counts {header.count} grains, {rows} rows are there",)
    return Description("midas", rows=rows, facts=facts, problems=problems)
