"""Five lines at the end of a run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mesolith.cli.sizes import counted, text_from_seconds

if TYPE_CHECKING:
    from mesolith.records.cell import Cell
    from mesolith.workflow import Finished

_LEVELS = {
    "gap": "left out",
    "missing": "not given",
    "assumed": "assumed",
    "warning": "to beware of",
    "note": "to note",
}


def summary(finished: Finished) -> list[str]:
    """What a run did, in five lines: cell, work, records, what to know, where the report is."""
    outcome, experiment = finished.outcome, finished.plan.experiment
    names = ", ".join(state.name for state in experiment.states)
    lines = [f"{experiment.name}: {counted(len(experiment.states), 'state')} ({_cut(names, 70)})"]
    work = [f"{len(outcome.computed)} parts computed", f"{len(outcome.reused)} from the store"]
    if outcome.failures:
        work.append(f"{len(outcome.failures)} failed")
    if outcome.skipped:
        work.append(f"{len(outcome.skipped)} hang on those")
    lines.append(f"work: {', '.join(work)}, {text_from_seconds(finished.seconds)}")
    if finished.result is None:
        reason = "parts failed" if outcome.failures else "only a part of the cell was asked for"
        lines.append(f"result: not renewed, as {reason}")
        return lines
    cell = finished.cell
    lines.append(f"records: {_records(cell)}")
    lines.append(f"to know: {_remarks(level for level, _, _ in cell.remarks)}")
    lines += [
        f"  {_LEVELS[level]}: {where}: {text}"
        for level, where, text in cell.remarks
        if level in ("gap", "warning")
    ]
    lines.append(f"report: {shown(finished.result / 'report.html')}")
    return lines


def shown(path: Path) -> str:
    """A path as short as it can be."""
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive
        return str(path)
    return relative if len(relative) < len(str(path)) else str(path)


def _records(cell: Cell) -> str:
    kinds = [kind.__name__ for state in cell.states for kind in state.handles]
    kinds += [kind.__name__ for handles in cell.pairs.values() for kind in handles]
    kinds += [kind.__name__ for kind in cell.handles]
    return ", ".join(f"{count} {name}" for name, count in Counter(kinds).items()) or "none"


def _remarks(levels: Iterable[str]) -> str:
    counts = Counter(levels)
    found = [f"{counts[level]} {words}" for level, words in _LEVELS.items() if counts[level]]
    return ", ".join(found) + " (listed in the report)" if found else "nothing"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."
