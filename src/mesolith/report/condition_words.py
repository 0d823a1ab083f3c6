"""Keys and values of cell.toml as words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_UNITS = {"mpa": "MPa", "um": "µm", "mm2": "mm²", "c": "°C", "h": "h", "s": "s", "gpa": "GPa"}


def words_of_key(key: str) -> str:
    """A dotted key as words with its unit: "stack pressure (MPa)"."""
    words = key.rpartition(".")[2].split("_")
    unit = _UNITS.get(words[-1]) if len(words) > 1 else None
    return f"{' '.join(words[:-1])} ({unit})" if unit else " ".join(words)


def value_in_words(value: Any) -> str:
    """A value of any kind: numbers short, lists and tables with their parts."""
    if isinstance(value, Mapping):
        parts = [f"{key} {value_in_words(item)}" for key, item in value.items() if item is not None]
        return ", ".join(parts)
    if isinstance(value, list | tuple):
        return "; ".join(value_in_words(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
