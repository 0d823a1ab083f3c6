"""The figures of extreme grains and of both stiffnesses say what their records hold."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mesolith.records.cell import Cell
from mesolith.records.extremes import StressExtremes
from mesolith.records.stiffness import StressUnderStiffness
from mesolith.report import figure_extremes, figure_stiffness


def test_every_listed_grain_is_a_row_with_its_states_extremes(cell: Cell) -> None:
    drawing = figure_extremes.draw(cell)
    assert drawing is not None
    table, found = drawing.table, cell[StressExtremes]
    assert len(table["state"]) == sum(len(own.grain) for own in found.extremes)
    for state, own in zip(found.state, found.extremes, strict=True):
        rows = table["state"] == state
        assert table["grain_id"][rows].tolist() == own.grain.tolist()
        assert np.unique(table["state_highest_mpa"][rows]) == [own.highest]
        high, low = (rows & (table["end"] == end) for end in ("high", "low"))
        assert table["estimate_mpa"][high].min() > table["estimate_mpa"][low].max()
    # noise lifts a grain onto the list: what is left is nearer to the middle
    share = table["measured_mpa"] - table["estimate_mpa"]
    assert np.all(np.sign(share) == np.where(table["end"] == "high", 1.0, -1.0))
    assert f"Grains: {found.extremes[0].grains:,}" in drawing.caption


def test_no_extremes_no_figure(cell: Cell) -> None:
    nothing = StressExtremes(state=(), real_share=np.zeros(0))
    handles = {**cell.handles, StressExtremes: lambda: nothing}
    assert figure_extremes.draw(dataclasses.replace(cell, handles=handles)) is None


def test_the_caption_tells_the_factor_between_both_stiffnesses(cell: Cell) -> None:
    drawing = figure_stiffness.draw(cell)
    assert drawing is not None
    assert "hydrostatic stress 1.100 and the mean von Mises stress 1.100 times" in drawing.caption
    assert "(bulk modulus 99.2 GPa)" in drawing.caption
    table, found = drawing.table, cell[StressUnderStiffness]
    states = len(found.state)
    first, second = slice(None, states), slice(states, None)
    for name in ("stress_hydrostatic_p97_5_mpa", "stress_von_mises_mean_mpa", "bulk_modulus_gpa"):
        assert table[name][second] == pytest.approx(1.1 * table[name][first])
    assert table["state"][second].tolist() == list(found.state)


def test_one_stiffness_is_no_comparison(cell: Cell) -> None:
    found = cell[StressUnderStiffness]
    alone = dataclasses.replace(
        found,
        material=found.material[:1],
        bulk_modulus=found.bulk_modulus[:1],
        hydrostatic=found.hydrostatic[:1],
        von_mises=found.von_mises[:1],
        hydrostatic_spread=found.hydrostatic_spread[:1],
        von_mises_mean=found.von_mises_mean[:1],
    )
    handles = {**cell.handles, StressUnderStiffness: lambda: alone}
    assert figure_stiffness.draw(dataclasses.replace(cell, handles=handles)) is None
