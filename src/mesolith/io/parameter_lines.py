"""Parameter files of one key and its values a line, as ImageD11 and MIDAS write them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from mesolith.errors import EmptyFileError, FileFormatError
from mesolith.io.numbers import text_lines


@dataclass(frozen=True, slots=True)
class Parameters:
    """Values by key: the words behind it on each line that begins with it, with line numbers."""

    path: Path
    values: dict[str, list[tuple[int, list[str]]]]

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def numbers(
        self, key: str, count: int, *, default: tuple[float, ...] | None = None
    ) -> list[float]:
        """The first ``count`` numbers on the last line of that key.

        Raises ``FileFormatError`` where the key is absent without a default, or where a word is
        no finite number.
        """
        if key not in self.values:
            if default is not None:
                return list(default)
            raise FileFormatError(
                f"the parameter {key} is missing",
                where=str(self.path),
                remedy="Export the parameters again, or add the line.",
            )
        line, words = self.values[key][-1]
        try:
            found = [float(word) for word in words[:count]]
        except ValueError:
            found = []
        if len(found) < count or not all(math.isfinite(value) for value in found):
            raise FileFormatError(
                f"{key} holds {' '.join(words) or 'nothing'!r}, {count} numbers are expected",
                where=f"{self.path}, line {line}",
                remedy="Restore the value.",
            )
        return found

    def number(self, key: str, *, default: float | None = None) -> float:
        """One number, see `numbers`."""
        return self.numbers(key, 1, default=None if default is None else (default,))[0]


def read_parameters(path: Path) -> Parameters:
    """Keys and values of a file; what follows a # is a comment."""
    values: dict[str, list[tuple[int, list[str]]]] = {}
    for number, line in enumerate(text_lines(path), 1):
        words = line.split("#", 1)[0].split()
        if words:
            # MIDAS ends a key or a line with a semicolon in older files
            cleaned = [word.rstrip(";") for word in words]
            values.setdefault(cleaned[0], []).append((number, [w for w in cleaned[1:] if w]))
    if not values:
        raise EmptyFileError(
            "the file holds no parameters", where=str(path), remedy="Export it again."
        )
    return Parameters(path, values)
