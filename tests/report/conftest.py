"""The synthetic cell that the report's tests draw, and its pictures."""

from __future__ import annotations

import pytest

from mesolith.echem import TECHNIQUE as ECHEM
from mesolith.hedm import TECHNIQUE as HEDM
from mesolith.pipeline.technique import Figure, load
from mesolith.records.cell import Cell
from mesolith.report import FIGURES
from mesolith.report.picture import Picture, picture_from_drawing

from .synthetic_cell import synthetic_cell

ALL: tuple[Figure, ...] = (*FIGURES, *HEDM.figures, *ECHEM.figures)


@pytest.fixture(scope="session")
def cell() -> Cell:
    """Five states of a few hundred grains, cycling, tracking, truth."""
    return synthetic_cell()


@pytest.fixture(scope="session")
def pictures(cell: Cell) -> dict[str, Picture]:
    """Every figure of the report and of the techniques, drawn once, by name."""
    return {
        f.name: picture_from_drawing(f.name, f.title, f.number, load(f.draw)(cell)) for f in ALL
    }
