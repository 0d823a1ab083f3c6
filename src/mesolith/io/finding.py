"""What a reader noticed in a file and a reader of the result must know."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """One thing noticed: level ("note", "assumed", "warning", "gap"), file name, text."""

    level: str
    where: str
    text: str
