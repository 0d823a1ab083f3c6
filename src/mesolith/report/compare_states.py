"""Which states of several cells stand beside each other, and how the cells are told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mesolith.link.differences import matched_names
from mesolith.records.cell import Cell
from mesolith.records.style import SERIES

MARKERS = "os^Dv<>P"
DIXIT = "Form of the figure: M. B. Dixit et al., Nature Materials 21, 1298 (2022)"
_ROOM = 0.62


@dataclass(frozen=True, slots=True)
class Columns:
    """Places of the states of all cells on one axis, in the order of the first cell.

    ``names`` are the labels; ``of`` gives the column of a state by number of the cell and its own
    name there.
    """

    names: tuple[str, ...]
    of: dict[tuple[int, str], int]
    cells: int

    def place(self, cell: int, state: str) -> float:
        """Where a cell's state stands on the axis: beside those of the other cells."""
        step = _ROOM / self.cells
        return self.of[cell, state] + (cell - (self.cells - 1) / 2.0) * step


def columns_of(cells: Sequence[Cell]) -> Columns:
    """Columns of the states; a state that the first cell lacks has one of its own at the end."""
    names = [state.name for state in cells[0].states]
    of = {(0, name): k for k, name in enumerate(names)}
    for number, cell in enumerate(cells[1:], start=1):
        matched = matched_names(cells[0], cell)
        for state in cell.states:
            name = matched.get(state.name, state.name)
            if name not in names:
                names.append(name)
            of[number, state.name] = names.index(name)
    return Columns(tuple(names), of, len(cells))


def colour_of(cell: int) -> str:
    """Colour of a cell by its number."""
    return SERIES[cell % len(SERIES)]


def marker_of(cell: int) -> str:
    """Marker of a cell by its number."""
    return MARKERS[cell % len(MARKERS)]


def told_apart(cells: Sequence[Cell]) -> list[Cell]:
    """The same cells, those that share a name with a number behind it."""
    names = [cell.name for cell in cells]
    found = []
    for k, cell in enumerate(cells):
        alike = names.count(cell.name) > 1
        number = names[: k + 1].count(cell.name)
        found.append(replace(cell, name=f"{cell.name} ({number})") if alike else cell)
    return found


def grains_in_words(cells: Sequence[Cell], counts: Sequence[Sequence[int]]) -> str:
    """ "Grains: A 2,334, 2,330; B 2,298." of the states of each cell."""
    told = "; ".join(
        f"{cell.name} {', '.join(f'{n:,}' for n in own) or 'none'}"
        for cell, own in zip(cells, counts, strict=True)
    )
    return f"Grains by state: {told}."
