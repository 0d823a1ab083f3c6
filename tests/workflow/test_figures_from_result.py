"""Every figure's table comes out of cell.nxs alone, to the last digit that was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mesolith.io.tables import read_table, write_table
from mesolith.pipeline.technique import Figure, load
from mesolith.records.cell import Cell
from mesolith.report import FIGURES
from mesolith.techniques import all_techniques
from mesolith.workflow import open_cell

ALL: tuple[Figure, ...] = (
    *FIGURES,
    *(figure for technique in all_techniques() for figure in technique.figures),
)


@pytest.fixture(scope="module")
def result(analysed: Path) -> Path:
    """Result folder of a small virtual cell."""
    return analysed / "result"


@pytest.fixture(scope="module")
def alone(result: Path, tmp_path_factory: pytest.TempPathFactory) -> Cell:
    """The cell of a cell.nxs that was carried away from everything else."""
    carried = tmp_path_factory.mktemp("carried") / "cell.nxs"
    carried.write_bytes((result / "cell.nxs").read_bytes())
    return open_cell(carried)


@pytest.mark.parametrize("figure", ALL, ids=lambda figure: figure.name)
def test_a_figures_table_is_made_again_from_cell_nxs(
    figure: Figure, result: Path, alone: Cell, tmp_path: Path
) -> None:
    published = result / "tables" / f"{figure.name}.csv"
    drawing = load(figure.draw)(alone)
    if drawing is None or not drawing.table:
        assert not published.exists()
        return
    again = tmp_path / "again.csv"
    write_table(again, drawing.table)
    assert again.read_bytes() == published.read_bytes()
    for name, values in read_table(published).items():
        assert np.array_equal(values, _as_read(drawing.table[name]), equal_nan=_number(values))


def test_figures_with_tables_are_there(result: Path) -> None:
    published = {path.stem for path in (result / "tables").glob("*.csv")}
    drawn = {figure.name for figure in ALL} & published
    assert drawn >= {"stress_by_state", "stress_distribution", "grain_map", "polarisation"}


def _number(values: np.ndarray) -> bool:
    return values.dtype.kind == "f"


def _as_read(values: object) -> np.ndarray:
    """A column as a reader gives it: true and false are words."""
    column = np.asarray(values)
    return np.where(column, "true", "false") if column.dtype.kind == "b" else column
