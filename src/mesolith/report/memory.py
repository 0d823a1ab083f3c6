"""A cell that reads each of its records once and keeps it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache

from mesolith.records.cell import Cell, Handle
from mesolith.records.field import Record


def remembering(cell: Cell) -> Cell:
    """The same cell; for a page that asks for the same records many times."""

    def kept(handles: Mapping[type[Record], Handle]) -> dict[type[Record], Handle]:
        return {kind: cache(handle) for kind, handle in handles.items()}

    return dataclasses.replace(
        cell,
        states=tuple(
            dataclasses.replace(state, handles=kept(state.handles)) for state in cell.states
        ),
        handles=kept(cell.handles),
        pairs={index: kept(handles) for index, handles in cell.pairs.items()},
    )
