"""What indexing of a scan may be told."""

from __future__ import annotations

from dataclasses import dataclass

from mesolith.errors import InvalidValueError


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """Settings of `find_seeds` and `index_rows`.

    ``seed_step``
        Every so many rows and columns a pattern is indexed from nothing.
    ``believed``
        A grain that was followed is believed if it finds this share of what is usual; one that
        finds less is set against its coincidence relatives.
    ``left_over``
        So many peaks beyond the usual share may be left over before a pattern is searched anew.
    """

    seed_step: int = 8
    believed: float = 0.75
    left_over: int = 10

    def __post_init__(self) -> None:
        if self.seed_step < 1 or not 0.0 < self.believed <= 1.0 or self.left_over < 0:
            raise InvalidValueError(
                f"a scan cannot be indexed with {self}",
                remedy="seed_step is at least 1, believed within 0 to 1, left_over not negative.",
            )
