"""Words and numbers as the figures letter them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from mesolith.records.style import MM_PER_INCH

_POINTS = 72.0


def fitted(text: str, width_mm: float, *, size: float = 7.0) -> str:
    """A text broken into lines that are no wider than so many mm at that size in points.

    Lines break at blanks; a word that is wider than a line is cut.
    """
    room = width_mm * _POINTS / MM_PER_INCH / size
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if _width(joined) <= room:
            lines[-1:] = [joined]
            continue
        lines.append("")
        for character in word:
            if lines[-1] and _width(lines[-1] + character) > room:
                lines.append("")
            lines[-1] += character
    return "\n".join(line for line in lines if line) or text


def _width(text: str) -> float:
    """Width of a text in units of its size."""
    return sum(_advance(character) for character in text)


@lru_cache(maxsize=1024)
def _advance(character: str) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="DejaVu Sans", size=100.0)
    # a blank alone has no width: it is measured between two letters
    pair = text_to_path.get_text_width_height_descent(f"n{character}n", font, ismath=False)[0]
    alone = text_to_path.get_text_width_height_descent("nn", font, ismath=False)[0]
    return float(pair - alone) / 100.0


def plain(value: float, digits: int = 1) -> str:
    """A number with a real minus, and none before a zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def chance(p: float) -> str:
    """A corrected p-value: "p = 0.04", "p < 0.001"."""
    if not np.isfinite(p):
        return "no p"
    return "p < 0.001" if p < 1e-3 else f"p = {p:.2g}" if p < 0.995 else "p = 1"


def thousands(values: Any) -> str:
    """Counts as "1,234" or "1,234 to 2,345"."""
    low, high = f"{int(np.min(values)):,}", f"{int(np.max(values)):,}"
    return low if low == high else f"{low} to {high}"
