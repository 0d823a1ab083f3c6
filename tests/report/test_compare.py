"""Cells side by side: figures, conditions, and the page that holds them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from mesolith.pipeline.technique import load
from mesolith.records.cell import Cell, State
from mesolith.records.cycling import Cycling
from mesolith.records.history import History
from mesolith.records.hotspots import HotSpots
from mesolith.records.plating import CriticalCurrent, PlatedCapacity
from mesolith.records.style import MM_PER_INCH, WIDTH_MM
from mesolith.records.transitions import Transitions
from mesolith.report.cell_facts import columns_of_facts, facts
from mesolith.report.compare_page import COMPARISONS
from mesolith.report.compare_states import columns_of, told_apart
from mesolith.report.memory import remembering
from mesolith.workflow.comparison import compare_cells

from .compared_cells import compared_cell, critical, plated
from .test_page import outline

PRESSURE, TEMPERATURE = "conditions.stack_pressure_mpa", "conditions.temperature_c"


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    """Two cells that differ in pressure; nobody knows the temperature of the second."""
    return [
        remembering(compared_cell("pellet <A>", 1)),
        remembering(compared_cell("pellet B", 2, **{PRESSURE: 8.0, TEMPERATURE: None})),
    ]


@pytest.fixture(scope="module")
def page(cells: list[Cell], tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("compare") / "compare.html"
    compare_cells(cells, path)
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("figure", COMPARISONS, ids=lambda figure: figure.name)
def test_each_figure_shows_all_cells_with_counts(figure, cells: list[Cell]) -> None:
    drawing = load(figure.draw)(cells)
    width, height = drawing.figure.get_size_inches() * MM_PER_INCH
    assert width <= WIDTH_MM + 1e-9
    assert height <= 240.0
    assert set(drawing.table["cell"]) == {"pellet <A>", "pellet B"}
    assert len({len(values) for values in drawing.table.values()}) == 1
    assert all(cell.name in drawing.caption for cell in cells)
    assert "68 %" in drawing.caption + drawing.how or "25-75 %" in drawing.caption
    assert re.search(r"\d grains|Grains by state|\d half cycles", drawing.caption)


@pytest.mark.parametrize("figure", COMPARISONS, ids=lambda figure: figure.name)
def test_one_cell_that_has_it_is_no_comparison(figure, cells: list[Cell]) -> None:
    empty = Cell("empty", {}, (State("pristine", 0),))
    assert load(figure.draw)([cells[0], empty]) is None


def test_points_of_all_transitions_are_pooled(cells: list[Cell]) -> None:
    (figure,) = (f for f in COMPARISONS if f.name == "compare_transitions")
    table = load(figure.draw)(cells).table
    for cell in cells:
        (own,) = cell[Transitions].separation
        rows = (table["cell"] == cell.name) & (table["stress"] == "hydrostatic")
        rows &= table["spots"] == "hot"
        assert table["initial_mpa"][rows].tolist() == own.initial[0].T.ravel().tolist()
        effect = own.effect[own.question.index("hot, hydrostatic, mean removed")]
        assert np.unique(table["effect_mpa"][rows]) == [effect]


def test_spots_carry_the_change_net_of_regression(cells: list[Cell]) -> None:
    (figure,) = (f for f in COMPARISONS if f.name == "compare_spots")
    table = load(figure.draw)(cells).table
    changes = cells[1][HotSpots].changes_of(chosen="fixed", quantity="von_mises")
    assert changes is not None
    rows = (table["cell"] == "pellet B") & (table["stress"] == "von_mises")
    rows &= (table["spots"] == "cold") & (table["state"] != "pristine")
    wanted = [q.startswith("cold") for q in changes.question]
    assert table["change_mpa"][rows] == pytest.approx(changes.change[wanted])
    assert np.isnan(table["change_mpa"][table["state"] == "pristine"]).all()


def test_the_page_is_whole_and_fetches_nothing(page: str) -> None:
    for tag, attributes in outline(page).seen:
        for name in ("src", "href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, name)
    assert "url(" not in page[: page.index("</style>")]
    downloads = re.findall(r'download="(\w+\.csv)"', page)
    assert downloads == [f"{figure.name}.csv" for figure in COMPARISONS]


def test_names_are_escaped(page: str) -> None:
    assert "pellet &lt;A&gt;" in page
    assert "<A>" not in page
    assert "&lt;index&gt; of neighbours" in page


def test_conditions_that_differ_or_are_missing_stand_first(page: str) -> None:
    glance = page[page.index('id="glance"') : page.index('id="conditions"')]
    assert "stack pressure (MPa)</b>: 5 (pellet &lt;A&gt;), 8 (pellet B)" in glance
    assert "temperature (°C)</b>: not given for pellet B" in glance
    assert "compare only where these are known" in glance
    assert "diameter" not in glance


def test_like_conditions_are_said_to_be(cells: list[Cell], tmp_path: Path) -> None:
    told = {**cells[0].conditions, "electrolyte.material": "LLZTO-I-43d"}
    pair = [
        dataclasses.replace(cells[0], name=name, conditions={**told, "cell.name": name})
        for name in "ab"
    ]
    compare_cells(pair, tmp_path / "c.html")
    page = (tmp_path / "c.html").read_text(encoding="utf-8")
    assert "All conditions that cell.toml knows are given and the same." in page


def test_findings_stand_side_by_side_and_are_tested(page: str) -> None:
    findings = page[page.index('id="findings"') :]
    assert "n = 300" in findings
    assert findings.count("cannot be told") == 2
    differences = page[page.index('id="differences"') : page.index('id="findings"')]
    row = re.search(r"<tr class=\"differ\">.*?&lt;index&gt;.*?</tr>", differences)
    assert row is not None
    assert "300 / 300" in row[0]
    assert "of both cells of a pair, " in page


def test_the_same_cells_make_the_same_bytes(cells: list[Cell], page: str, tmp_path: Path) -> None:
    compare_cells(cells, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_cells_of_one_name_get_numbers(cells: list[Cell]) -> None:
    named = told_apart([cells[0], cells[1], cells[0]])
    assert [cell.name for cell in named] == ["pellet <A> (1)", "pellet B", "pellet <A> (2)"]


def test_a_state_that_the_first_cell_lacks_has_a_column_of_its_own() -> None:
    first = Cell("a", {}, (State("pristine", 0), State("plating 1", 1)))
    other = Cell("b", {}, (State("plating 1", 0), State("failed", 1)))
    columns = columns_of([first, other])
    assert columns.names == ("pristine", "plating 1", "failed")
    assert columns.of[1, "plating 1"] == 1
    assert columns.place(0, "plating 1") < 1.0 < columns.place(1, "plating 1") < 1.5


def test_facts_are_the_same_columns_for_every_cell(cells: list[Cell]) -> None:
    empty = Cell("empty", {}, (State("pristine", 0),))
    rows = [facts(cell) for cell in (*cells, empty)]
    assert len({tuple(fact.column for fact in own) for own in rows}) == 1
    table = columns_of_facts(rows)
    assert table["cell"].tolist() == ["pellet <A>", "pellet B", "empty"]
    assert table["stack_pressure_mpa"].tolist()[:2] == [5.0, 8.0]
    assert np.isnan(table["stack_pressure_mpa"][2])
    assert np.isnan(table["stress_hydrostatic_spread_last_mpa_se"][2])
    assert table["missing_conditions"].tolist() == ["none", TEMPERATURE, "none"]
    assert table["findings_clustering_found"].tolist()[:2] == [1.0, 1.0]
    assert table["failure"].tolist() == ["before stripping 2", "before stripping 2", ""]
    by_name = {fact.column: fact for fact in rows[2]}
    assert by_name["grains_fewest"].text == "–"
    assert by_name["states"].text == "1"


def test_the_highest_grain_of_all_states_has_its_state_and_interval(cells: list[Cell]) -> None:
    from mesolith.records.extremes import StressExtremes

    record = cells[0][StressExtremes]
    highest = max(own.highest for own in record.extremes)
    found = {fact.column: fact for fact in facts(cells[0])}
    fact = found["stress_hydrostatic_highest_mpa"]
    assert fact.value == highest
    own = record.extremes[record.state.index(str(found["state_of_highest"].value))]
    assert fact.interval == (own.highest_low, own.highest_high)
    assert f"{own.highest_low:.0f} to {own.highest_high:.0f}" in fact.text


def test_capacity_and_critical_current_are_told_where_known(cells: list[Cell]) -> None:
    found = {fact.column: fact.text for fact in facts(cells[0])}
    assert found["critical_current_density_ma_cm2"] == "1 ± 0.2"
    assert found["short_kind"] == "hard"
    assert found["capacity_before_failure_mah_cm2"] == "4.5 ± 0.09"


def test_plated_capacity_and_its_end_stand_in_the_figure(cells: list[Cell]) -> None:
    (figure,) = (f for f in COMPARISONS if f.name == "compare_cycling")
    drawing = load(figure.draw)(cells)
    table = drawing.table
    second = table["cell"] == "pellet B"
    assert table["cumulative_mah_cm2"][second] == pytest.approx(np.arange(1.0, 7.0))
    assert np.flatnonzero(table["failed"][second]).tolist() == [5]
    assert np.unique(table["critical_current_density_ma_cm2"][second]) == [2.0]
    assert "pellet B: 5.5 mAh/cm² (±2 %, 68 %) in 6 half cycles before failure" in drawing.caption


def test_a_protocol_that_never_failed_leaves_the_bracket_open(cells: list[Cell]) -> None:
    (figure,) = (f for f in COMPARISONS if f.name == "compare_cycling")
    nan = float("nan")
    never = dataclasses.replace(
        critical(20.0), kind="none", half_cycle=-1, upper=float("inf"), value=nan, value_se=nan
    )
    whole = dataclasses.replace(plated(6), failed_in=-1)
    handles = {
        **cells[1].handles,
        CriticalCurrent: lambda: never,
        PlatedCapacity: lambda: whole,
    }
    drawing = load(figure.draw)([cells[0], dataclasses.replace(cells[1], handles=handles)])
    assert "6 half cycles so far, no failure seen, short: none" in drawing.caption
    assert np.isinf(drawing.table["critical_current_density_not_above_ma_cm2"][-1])


def test_cells_of_cycling_alone_are_compared_without_grains(
    cells: list[Cell], tmp_path: Path
) -> None:
    kept = (History, PlatedCapacity, CriticalCurrent)
    pair = [
        dataclasses.replace(
            cell,
            states=tuple(
                dataclasses.replace(state, handles={Cycling: state.handles[Cycling]})
                for state in cell.states
            ),
            handles={kind: cell.handles[kind] for kind in kept},
            pairs={},
        )
        for cell in cells
    ]
    found = compare_cells(pair, tmp_path / "c.html")
    assert [d.subject for d in found] == ["critical current"]
    page = (tmp_path / "c.html").read_text(encoding="utf-8")
    assert page.count("<figure") == 1
    assert 'id="findings"' not in page
    assert "charge passed, both directions" in page
