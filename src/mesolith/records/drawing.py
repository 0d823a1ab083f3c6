"""A figure as a technique hands it to the report: the picture, its words and its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawn figure.

    ``figure`` is a matplotlib Figure made without pyplot, 180 mm wide at most. ``caption`` says
    what is seen, with the number of grains or points and the interval; ``how`` how it was
    computed, in two or three sentences; ``cite`` lists DOIs or references. ``table`` holds the
    plotted numbers by column name (with unit suffix), written as CSV beside the figure; the
    columns have equal length. ``plot`` names the columns (signal, axis, error) of the curve that
    cell.nxs shows for this figure; the first figure that has one is the file's default plot.
    """

    figure: Any
    caption: str
    how: str
    cite: tuple[str, ...]
    table: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    plot: tuple[str, str, str] | None = None
