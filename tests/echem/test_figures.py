"""What the figures of half cycles, capacity and impedance say, and when they are silent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mesolith.echem import figure_capacity, figure_half_cycles, figure_impedance
from mesolith.echem.capacity import plated_capacity
from mesolith.echem.critical_current import critical_current
from mesolith.echem.figure_half_cycles import correlation_needed
from mesolith.echem.impedance import Geometry, fits_of_impedance
from mesolith.echem.resistance import resistance_of_half_cycles
from mesolith.records.cell import Cell, State
from mesolith.records.cycling import Cycling
from mesolith.records.plating import CriticalCurrent, HalfCycleResistance, PlatedCapacity
from mesolith.records.spectra import ImpedanceFits
from tests.echem.protocols import AREA_M2, protocol
from tests.echem.spectra import TRUTH, noisy
from tests.echem.test_impedance import impedance_of


def stepped(kind: str, **more: Any) -> Cycling:
    return protocol(
        np.random.default_rng(3), np.linspace(2.0, 20.0, 10), critical=13.0, kind=kind, **more
    )


def cell_of(record: Cycling, *, area: float | None = AREA_M2, area_se: float = 0.0) -> Cell:
    half = record.half_cycles
    assert half is not None
    failure = critical_current(record, area_m2=area, area_se_m2=area_se)
    capacity = plated_capacity(half, area_m2=area, area_se_m2=area_se, failure=failure)
    resistance = resistance_of_half_cycles(record, area_m2=area, area_se_m2=area_se)
    return Cell(
        "c",
        {},
        (),
        {
            CriticalCurrent: lambda: failure,
            PlatedCapacity: lambda: capacity,
            HalfCycleResistance: lambda: resistance,
        },
    )


def test_four_points_need_a_correlation_of_095() -> None:
    assert correlation_needed(4) == pytest.approx(0.950, abs=5e-4)
    assert correlation_needed(8) == pytest.approx(0.707, abs=5e-4)
    assert np.isnan(correlation_needed(2))
    few = protocol(np.random.default_rng(3), np.array([2.0, 4.0]))
    drawing = figure_half_cycles.draw(cell_of(few))
    assert drawing is not None
    assert "must exceed |r| = 0.95" in drawing.caption
    one = figure_half_cycles.draw(cell_of(protocol(np.random.default_rng(3), np.array([2.0]))))
    assert one is not None
    assert "no correlation can be tested" in one.caption


def test_a_soft_short_is_no_improvement() -> None:
    cell = cell_of(stepped("soft"), area_se=0.03 * AREA_M2)
    half_cycles, capacity = figure_half_cycles.draw(cell), figure_capacity.draw(cell)
    assert half_cycles is not None
    assert capacity is not None
    assert "half cycle 13, soft short" in half_cycles.caption
    assert "no improvement: a soft short looks like one" in half_cycles.caption
    assert "area's error moves all points of b together by 3.0 %" in half_cycles.caption
    assert "Shaded: soft short in half cycle 13. Critical current 1.3 mA/cm²" in capacity.caption
    assert "Evidence: half cycle 13: the resistance falls suddenly to 74%" in capacity.caption
    table = capacity.table
    assert table["kind"][12] == "soft"
    assert table["critical_current_ma_cm2"][0] == pytest.approx(1.3)
    assert table["critical_current_low95_ma_cm2"][0] < 1.2
    assert table["areal_mah_cm2_common_se"] == pytest.approx(0.03 * table["areal_mah_cm2"])


def test_an_unclear_fall_is_called_so() -> None:
    cell = cell_of(stepped("none", improvement=0.09))
    half_cycles, capacity = figure_half_cycles.draw(cell), figure_capacity.draw(cell)
    assert half_cycles is not None
    assert capacity is not None
    assert "may be a better contact or a soft short" in half_cycles.caption
    assert "unclear fall in half cycle 3" in capacity.caption
    assert "more in tables/cell_criticalcurrent.csv" in capacity.caption


def test_no_short_bounds_the_critical_current_from_below() -> None:
    drawing = figure_capacity.draw(cell_of(stepped("none")))
    assert drawing is not None
    assert "the critical current lies above 2 mA/cm²" in drawing.caption
    assert "whose errors are not given: no bars" in drawing.caption


def test_without_an_area_no_target_is_judged() -> None:
    cell = cell_of(stepped("hard"), area=None)
    half_cycles, capacity = figure_half_cycles.draw(cell), figure_capacity.draw(cell)
    assert half_cycles is not None
    assert capacity is not None
    assert "resistance_ohm" in half_cycles.table
    assert "nothing is stated per area" in half_cycles.caption
    assert "no target can be judged" in capacity.caption
    assert "Critical current" not in capacity.caption
    assert len(capacity.figure.axes) == 3


def test_nothing_to_draw() -> None:
    empty = Cell("c", {}, ())
    for module in (figure_half_cycles, figure_capacity, figure_impedance):
        assert module.draw(empty) is None


def spectra(*sweeps: np.ndarray) -> Cell:
    impedance = impedance_of(*sweeps)
    fits = fits_of_impedance(impedance, geometry=Geometry(1000.0, 100.0), area_m2=1e-4)
    nothing = np.empty(0)
    record = Cycling(nothing, nothing, nothing, nothing.astype(np.int64), impedance=impedance)
    handles = {ImpedanceFits: lambda: fits, Cycling: lambda: record}
    return Cell("c", {"cell.area_mm2": 100.0}, (State("cycled", 0, {}, handles),))


def test_elements_by_sweep_are_in_the_table() -> None:
    rng = np.random.default_rng(5)
    worse = TRUTH * [1, 1, 1, 1, 1.5, 1, 1, 1]
    drawing = figure_impedance.draw(spectra(noisy(rng, 0.002), noisy(rng, 0.002, truth=worse)))
    assert drawing is not None
    table = drawing.table
    interface = table["role"] == "interface"
    assert table["resistance_ohm"][interface] == pytest.approx([150.0, 225.0], rel=0.05)
    assert table["areal_resistance_ohm_cm2"] == pytest.approx(table["resistance_ohm"])
    assert np.all(table["low95_ohm"] < table["high95_ohm"])
    assert "All pass the Kramers-Kronig test" in drawing.caption
    assert "n = 2 sweeps, 112 frequencies" in drawing.caption
    assert "R0-p(R1,CPE1)-p(R2,CPE2)-W1" in drawing.how


def test_a_violation_and_a_sweep_without_fit_are_told() -> None:
    rng = np.random.default_rng(5)
    good, other = noisy(rng, 0.002), noisy(rng, 0.002, truth=TRUTH * [1, 1, 3, 1, 1, 1, 1, 1])
    drawing = figure_impedance.draw(spectra(good, good.real + 1j * other.imag))
    assert drawing is not None
    assert "1 of 2 sweeps fail the Kramers-Kronig test" in drawing.caption
    few = fits_of_impedance(impedance_of(good[:2], frequency=np.array([1e3, 1e2])), circuit="R0-W1")
    cell = Cell("c", {}, (State("s", 0, {}, {ImpedanceFits: lambda: few}),))
    drawing = figure_impedance.draw(cell)
    assert drawing is not None
    assert "1 have no fit" in drawing.caption
    assert np.isnan(drawing.table["resistance_ohm"]).all()
