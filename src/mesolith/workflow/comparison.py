"""Set the results of several cells side by side on one page."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mesolith.pipeline.technique import load

if TYPE_CHECKING:
    from mesolith.link.differences import Difference
    from mesolith.records.cell import Cell


def compare_cells(cells: Sequence[Cell], path: Path) -> list[Difference]:
    """Write the page of the comparison; returns what was tested.

    Cells that share a name get a number behind it. The same cells give the same bytes.
    """
    from mesolith.io.tables import write_table
    from mesolith.link.differences import differences
    from mesolith.report.compare_page import COMPARISONS, comparison_html
    from mesolith.report.compare_states import told_apart
    from mesolith.report.memory import remembering
    from mesolith.report.picture import picture_from_drawing

    named = told_apart([remembering(cell) for cell in cells])
    found = differences(named)
    pictures, tables = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for figure in COMPARISONS:
            drawing = load(figure.draw)(named)
            if drawing is None:
                continue
            pictures.append(picture_from_drawing(figure.name, figure.title, figure.number, drawing))
            table = Path(folder) / f"{figure.name}.csv"
            write_table(table, drawing.table)
            tables[figure.name] = table.read_bytes()
    page = comparison_html(named, found, pictures, tables)
    path.write_text(page, encoding="utf-8", newline="\n")
    return found
