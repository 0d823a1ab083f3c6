"""What the engine tells while it runs, and the estimate made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mesolith.errors import MesolithError
from mesolith.pipeline.graph import PartSpec


@dataclass(frozen=True, slots=True)
class Totals:
    """What lies ahead: parts in all, parts that must be computed as far as is known now, the
    declared seconds of those on one core, and how many are computed at a time."""

    parts: int
    to_compute: int
    seconds: float
    slots: int


class Progress(Protocol):
    """Listener of a run; called from the thread that runs `execute`."""

    def planned(self, totals: Totals) -> None:
        """Once, before the first part."""

    def started(self, part: PartSpec) -> None:
        """A part is handed to a worker; a second time where a worker died on it."""

    def finished(self, part: PartSpec, seconds: float, from_store: bool) -> None:
        """A part's result is in the store; it was there before where ``from_store``."""

    def failed(self, part: PartSpec, error: MesolithError) -> None:
        """A part failed; what hangs on it is not computed."""


class Silent:
    """A listener that does nothing."""

    def planned(self, totals: Totals) -> None:
        """Ignore."""

    def started(self, part: PartSpec) -> None:
        """Ignore."""

    def finished(self, part: PartSpec, seconds: float, from_store: bool) -> None:
        """Ignore."""

    def failed(self, part: PartSpec, error: MesolithError) -> None:
        """Ignore."""


class Estimate:
    """Seconds left, from declared costs corrected by how long finished parts took."""

    def __init__(self, totals: Totals) -> None:
        self._left = totals.seconds
        self._slots = max(1, totals.slots)
        self._declared = 0.0
        self._measured = 0.0

    def finished(self, part: PartSpec, seconds: float, from_store: bool) -> None:
        """Take a finished part into account."""
        if from_store:
            return
        self._left = max(0.0, self._left - part.cost.seconds)
        self._declared += part.cost.seconds
        self._measured += seconds

    @property
    def seconds(self) -> float:
        """Seconds left."""
        ratio = self._measured / self._declared if self._declared > 0.0 else 1.0
        return self._left * ratio / self._slots
