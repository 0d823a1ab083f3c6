"""A cell tells its states shortly, in a terminal and in a notebook."""

from __future__ import annotations

from typing import Any

from mesolith.records.cell import Cell, State
from mesolith.records.grains import GrainMap
from mesolith.records.reference import Reference


def _never() -> Any:
    raise AssertionError("a record was loaded to describe the cell")


def test_cell_is_described_without_its_records() -> None:
    state = State("<b>scan 1", 1, handles={GrainMap: _never, Reference: _never})
    cell = Cell("cell 7", {"cell.area_mm2": 2.0}, (State("scan 0", 0), state))
    assert repr(cell) == (
        "<Cell 'cell 7'>\n  <State 0 'scan 0': nothing>\n"
        "  <State 1 '<b>scan 1': GrainMap, Reference>"
    )
    html = cell._repr_html_()
    assert "&lt;b&gt;scan 1" in html
    assert "GrainMap, Reference" in html
