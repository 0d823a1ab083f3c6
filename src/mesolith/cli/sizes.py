"""Bytes and seconds as people write and read them."""

from __future__ import annotations

import argparse
import re

_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SIZE = re.compile(r"\s*(\d+(?:\.\d*)?)\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE)


def size_from_text(text: str) -> int:
    """Bytes of a text such as "4GB" or "512 MiB", for argparse."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write it as 4GB or 512MB")
    number, prefix, binary = found.groups()
    factor = _FACTORS[prefix.lower()]
    if binary:
        factor = 2 ** (10 * "kmgt".index(prefix.lower()) + 10) if prefix else 1
    size = round(float(number) * factor)
    if size < 1:
        raise argparse.ArgumentTypeError("a size must be larger than zero")
    return size


def text_from_size(size: float) -> str:
    """A size with three digits: "1.23 GB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000.0
    return f"{size:.3g} TB"


def text_from_seconds(seconds: float) -> str:
    """A duration: "7.3 s", "4 min 10 s", "2 h 5 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def counted(number: int, word: str) -> str:
    """ "1 state", "2 states"."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"
