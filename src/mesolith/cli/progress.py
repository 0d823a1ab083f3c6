"""A run as it goes on, for people at a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from mesolith.errors import MesolithError
from mesolith.pipeline.graph import PartSpec
from mesolith.pipeline.progress import Estimate, Totals


class Bar:
    """A bar with what is being computed and how long the rest will take.

    Nothing is drawn where standard error is no terminal, or where ``quiet``.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._draw = sys.stderr.isatty() and not quiet
        self._bar: Any = None
        self._task: Any = None
        self._estimate: Estimate | None = None
        self._running: dict[str, str] = {}

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def planned(self, totals: Totals) -> None:
        """Begin the bar."""
        self._estimate = Estimate(totals)
        if not self._draw:
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._bar = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            TextColumn("{task.description}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task("", total=totals.parts, left="")

    def started(self, part: PartSpec) -> None:
        """Name the part."""
        self._running[part.key] = part.title
        self._show(0)

    def finished(self, part: PartSpec, seconds: float, from_store: bool) -> None:
        """Move on by one part."""
        if self._estimate is not None:
            self._estimate.finished(part, seconds, from_store)
        self._running.pop(part.key, None)
        self._show(1)

    def failed(self, part: PartSpec, error: MesolithError) -> None:
        """Say at once what failed; the rest goes on."""
        self._running.pop(part.key, None)
        if self._bar is not None:
            self._bar.console.print(f"{part.title}: {type(error).__name__}", markup=False)
        self._show(1)

    def _show(self, advance: int) -> None:
        if self._bar is None or self._estimate is None:
            return
        left = f"about {self._estimate.seconds:.0f} s left"
        self._bar.update(
            self._task,
            advance=advance,
            left=left,
            description=", ".join(list(self._running.values())[:2]),
        )
