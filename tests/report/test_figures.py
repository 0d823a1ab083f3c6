"""Every figure is drawn, says what it shows, and gives the same bytes twice."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mesolith.hedm import TECHNIQUE as HEDM
from mesolith.numerics.density import density_on_grid
from mesolith.pipeline.technique import Figure, load
from mesolith.records.cell import Cell
from mesolith.records.cycling import Cycling
from mesolith.records.drawing import Drawing
from mesolith.records.grains import GrainMap
from mesolith.records.style import MM_PER_INCH, WIDTH_MM
from mesolith.records.tracking import Tracking
from mesolith.report import FIGURES
from mesolith.report.picture import Picture, load_picture, picture_from_drawing

from .conftest import ALL
from .synthetic_cell import STATES, synthetic_cell


def drawn(figure: Figure, cell: Cell) -> Drawing:
    found = load(figure.draw)(cell)
    assert found is not None
    return found


def without(cell: Cell, *kinds: type) -> Cell:
    """The cell with those records taken away everywhere."""
    states = tuple(
        dataclasses.replace(
            state, handles={k: h for k, h in state.handles.items() if k not in kinds}
        )
        for state in cell.states
    )
    pairs = {
        index: {k: h for k, h in handles.items() if k not in kinds}
        for index, handles in cell.pairs.items()
    }
    return dataclasses.replace(cell, states=states, pairs=pairs)


@pytest.mark.parametrize("figure", ALL, ids=lambda figure: figure.name)
def test_figure_is_drawn_with_its_words(figure: Figure, cell: Cell) -> None:
    drawing = drawn(figure, cell)
    width, height = drawing.figure.get_size_inches() * MM_PER_INCH
    assert width <= WIDTH_MM + 1e-9
    assert height <= 240.0
    assert drawing.caption.endswith((".", "each"))
    assert len(drawing.how) > 40
    lengths = {len(values) for values in drawing.table.values()}
    assert len(lengths) <= 1
    assert all(
        axes.get_ylabel() or not axes.axison or axes.get_title() or axes.get_yticklabels()
        for axes in drawing.figure.axes
    )


@pytest.mark.parametrize("figure", ALL, ids=lambda figure: figure.name)
def test_same_cell_same_bytes_whatever_the_users_matplotlibrc(
    figure: Figure, pictures: dict[str, Picture], tmp_path: Path
) -> None:
    import matplotlib

    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "svg.hashsalt": "x"}):
        drawing = drawn(figure, synthetic_cell())
        again = picture_from_drawing(figure.name, figure.title, figure.number, drawing)
    assert pictures[figure.name] == again
    again.save(tmp_path)
    assert load_picture(tmp_path, figure.name) == again


@pytest.mark.parametrize("figure", ALL, ids=lambda figure: figure.name)
def test_nothing_to_show_is_none(figure: Figure) -> None:
    assert load(figure.draw)(Cell("empty", {}, ())) is None


def test_story_without_cycler_or_without_grains(cell: Cell) -> None:
    draw: Callable[[Cell], Drawing | None] = load(FIGURES[0].draw)
    for kind, panels in ((Cycling, 2), (GrainMap, 2)):
        drawing = draw(without(cell, kind))
        assert drawing is not None
        assert len(drawing.figure.axes) == panels


def test_one_state_is_enough(cell: Cell) -> None:
    single = dataclasses.replace(cell, states=cell.states[:1], handles={}, pairs={})
    names = {figure.name for figure in ALL if load(figure.draw)(single) is not None}
    assert names >= {"story", "stress_by_state", "truth", "grain_map", "stress_distribution"}
    assert "tracking" not in names


def test_a_single_grain_is_drawn() -> None:
    lonely = synthetic_cell(n=2, seed=3)
    for figure in (*HEDM.figures, FIGURES[1]):
        two_phases = figure.name in ("phase_map", "phase_maps")
        assert (load(figure.draw)(lonely) is None) == two_phases


def test_density_integrates_to_one_and_finds_the_mode() -> None:
    values = np.random.default_rng(1).normal(30.0, 5.0, 20_000)
    grid = np.linspace(0.0, 60.0, 601)
    density = density_on_grid(values, grid)
    assert np.sum(density) * 0.1 == pytest.approx(1.0, abs=0.01)
    assert grid[np.argmax(density)] == pytest.approx(30.0, abs=1.0)
    normal = np.exp(-0.5 * ((grid - 30.0) / 5.0) ** 2) / (5.0 * np.sqrt(2.0 * np.pi))
    assert np.max(np.abs(density - normal)) < 0.05 * normal.max()


def test_stress_table_names_states_and_errors(cell: Cell) -> None:
    (figure,) = (f for f in FIGURES if f.name == "stress_by_state")
    drawing = drawn(figure, cell)
    assert tuple(drawing.table["state"]) == STATES
    assert drawing.plot is not None
    assert set(drawing.plot) <= set(drawing.table)


def test_polarisation_keeps_every_spike() -> None:
    from mesolith.echem.running_time import thinned

    hours = np.linspace(0.0, 1.0, 100_000)
    volts = np.zeros(100_000)
    volts[54_321] = 7.0
    volts[12_345] = -3.0
    x, y = thinned(hours, volts)
    assert len(x) < 4000
    assert y.max() == 7.0
    assert y.min() == -3.0
    assert np.all(np.diff(x) > 0.0)


def test_an_improbable_pair_is_no_sure_one(cell: Cell) -> None:
    (figure,) = (f for f in FIGURES if f.name == "tracking")
    tracking = cell.pair(0, Tracking)
    assert tracking is not None
    probability = np.full(len(tracking.before), 0.99)
    probability[:3], probability[3:5] = 0.01, 0.5
    doubtful = dataclasses.replace(tracking, probability=probability, rule="nearest")
    pairs = {**cell.pairs, 0: {Tracking: lambda: doubtful}}
    table = drawn(figure, dataclasses.replace(cell, pairs=pairs)).table
    assert table["tracked_sure"][0] == len(probability) - 5
    assert table["tracked_ambiguous"][0] == 2
    assert table["tracked_improbable"][0] == 3
    assert table["expected_right"][0] == pytest.approx(probability.sum())


def test_truth_table_tells_the_error_that_was_planted(cell: Cell) -> None:
    (figure,) = (f for f in FIGURES if f.name == "truth")
    table = drawn(figure, cell).table
    # planted: hydrostatic noise of 17.8 MPa, common modes of a few MPa not drawn at all
    assert np.all(np.abs(table["error_rms_mpa"] - 17.8) < 2.5)
    assert np.all(np.abs(table["inside_68_percent"] - 70.0) < 8.0)


def test_distribution_holds_principal_values_of_every_grain(cell: Cell) -> None:
    (figure,) = (f for f in HEDM.figures if f.name == "stress_distribution")
    table = drawn(figure, cell).table
    for k, (_, grains) in enumerate(cell.having(GrainMap)):
        assert grains.stress is not None
        roots = np.sort(np.linalg.eigvals(grains.stress).real, axis=1)
        for number, column in ((1, 2), (2, 1), (3, 0)):
            median = table[f"stress_principal_{number}_p50_mpa"][k]
            assert median == pytest.approx(np.median(roots[:, column]), rel=1e-9)


def test_von_mises_table_holds_the_mean_net_of_noise(cell: Cell) -> None:
    (figure,) = (f for f in FIGURES if f.name == "von_mises_by_state")
    table = drawn(figure, cell).table
    assert not any("robust_low" in name for name in table)
    gain = table["stress_von_mises_mean_as_measured_mpa"] - table["stress_von_mises_mean_mpa"]
    assert np.all(gain > 0.0)
    assert np.all(
        table["stress_von_mises_mean_mpa_se"] > table["stress_von_mises_mean_mpa_common_se"]
    )


def test_von_mises_figure_says_how_noise_was_taken_off(cell: Cell) -> None:
    (figure,) = (f for f in FIGURES if f.name == "von_mises_by_state")
    whole = drawn(figure, cell)
    assert "Rice's distribution" in whole.how
    assert "fewer than 30 grains" not in whole.how
    grains = dataclasses.replace(cell.states[0][GrainMap], stress_covariance=None)
    first = cell.states[0]
    bare = dataclasses.replace(first, handles={**first.handles, GrainMap: lambda: grains})
    one = drawn(figure, dataclasses.replace(cell, states=(bare, *cell.states[1:])))
    assert f"each grain from its own covariance ({first.name})" in one.how
    alone = drawn(figure, dataclasses.replace(cell, states=(bare,)))
    assert "Rice's distribution" not in alone.how
    # without an error nothing is known of the noise, so nothing is taken off
    assert alone.table["stress_von_mises_mean_mpa"] == pytest.approx(
        alone.table["stress_von_mises_mean_as_measured_mpa"]
    )
