"""Sentences and numbers of the first page, against a cell whose story is planted."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from mesolith.records.cell import Cell, State
from mesolith.records.cycling import Cycling
from mesolith.records.grains import GrainMap
from mesolith.records.history import History
from mesolith.records.reference import Reference
from mesolith.report.charge import charge_in_words, charges_of
from mesolith.report.failure import first_collapse, impedance_change
from mesolith.report.state_stress import mean_change, state_stresses
from mesolith.report.state_table import state_table
from mesolith.report.story import failure, story

from .synthetic_cell import HALF_CYCLE, cycling_of_state, synthetic_cell


def test_the_short_is_found_where_it_was_planted(cell: Cell) -> None:
    found = first_collapse(cell)
    assert found is not None
    assert found.state == "stripping 2"
    assert found.hours * 3600.0 == pytest.approx(0.86 * HALF_CYCLE, rel=0.03)
    assert found.before > 0.08
    assert found.after == pytest.approx(0.06 * found.before, rel=0.1)
    assert found.charge == pytest.approx(2e-4 * found.hours * 3600.0, rel=0.01)


def test_no_short_is_no_failure(cell: Cell) -> None:
    healthy = dataclasses.replace(cell, states=cell.states[:4])
    assert first_collapse(healthy) is None
    assert "no collapse" in failure(healthy)[0]


def test_a_dip_that_recovers_is_no_short() -> None:
    cycling = cycling_of_state(2)
    voltage = np.array(cycling.voltage)
    voltage[300:330] *= 0.05
    dipped = dataclasses.replace(cycling, voltage=voltage)
    cell = Cell("dip", {}, (State("a", 0, handles={Cycling: lambda: dipped}),))
    assert first_collapse(cell) is None


def test_impedance_of_the_failed_cell(cell: Cell) -> None:
    change = impedance_change(cell)
    assert change is not None
    assert change.first == pytest.approx(465.0, rel=0.02)
    assert change.last == pytest.approx(62.0, rel=0.02)


def test_charge_is_net_and_passed(cell: Cell) -> None:
    charges = charges_of(cell)
    assert charges is not None
    half = cycling_of_state(1).half_cycles
    assert half is not None
    own = 2e-4 * float(half.duration[0]) / 3.6 / 0.02011
    assert charges.net == pytest.approx([0.0, own, 0.0, own, 0.0], abs=1e-9)
    assert charges.passed == pytest.approx([k * own for k in range(5)])
    assert charges.unit == "mAh/cm²"
    assert charges.text(-1e-9) == "0.0"
    assert charges.text(-12.34) == "−12.3"


def test_without_an_area_charge_is_not_divided(cell: Cell) -> None:
    unknown = np.full(5, np.nan)
    record = dataclasses.replace(
        cell[History], net_areal_charge=unknown, cumulative_areal_charge=unknown
    )
    charges = charges_of(dataclasses.replace(cell, handles={History: lambda: record}))
    assert charges is not None
    assert charges.unit == "mAh"
    assert charges.passed[-1] == pytest.approx(cell[History].cumulative_charge[-1] / 3.6)
    assert charge_in_words(dataclasses.replace(cell, conditions={}), 3.6) == "1 mAh"


def test_without_any_charge_there_is_none(cell: Cell) -> None:
    assert charges_of(dataclasses.replace(cell, handles={})) is None


def test_mean_and_its_error_cover_the_truth(cell: Cell) -> None:
    # the planted mean over all grains is -5/3 MPa; found grains carry the rest
    for found in state_stresses(cell):
        assert abs(found.mean + 5.0 / 3.0) < 4.0 * np.hypot(found.mean_se, 3.0)
        assert found.mean_random < found.mean_common


def test_extremes_net_of_noise() -> None:
    rng = np.random.default_rng(5)
    cell = synthetic_cell(n=50)
    grains = cell.states[0][GrainMap]
    n, wide, noise = 30_000, 40.0, 20.0
    values = rng.normal(scale=wide, size=n) + rng.normal(scale=noise, size=n)
    covariance = np.tile(np.eye(12), (n, 1, 1))
    large = GrainMap(
        grain_id=np.arange(n),
        position=np.zeros((n, 3)),
        orientation=np.tile([1.0, 0.0, 0.0, 0.0], (n, 1)),
        lattice=np.ones((n, 6)),
        radius=np.ones(n),
        completeness=np.ones(n),
        phase=np.zeros(n, dtype=np.int64),
        phases=grains.phases,
        covariance=covariance,
        error_source="given",
        stress_hydrostatic=values,
        stress_hydrostatic_se=np.full(n, noise),
    )
    state = State("a", 0, handles={GrainMap: lambda: large})
    (found,) = state_stresses(Cell("c", {}, (state,)))
    planted = 2.5758 * wide
    assert found.robust_high[0] == pytest.approx(planted, rel=0.04)
    assert found.robust_low[0] == pytest.approx(-planted, rel=0.04)
    assert found.robust_high[1] < planted < found.robust_high[2] + 3.0
    # noise alone: the largest of 30,000 normal numbers is at 4.08 standard deviations (median)
    assert found.noise_reach == pytest.approx(4.08 * noise, rel=0.01)


def test_pure_noise_has_no_extremes_left() -> None:
    rng = np.random.default_rng(8)
    cell = synthetic_cell(n=400)
    grains = cell.states[0][GrainMap]
    quiet = dataclasses.replace(
        grains,
        stress_hydrostatic=rng.normal(scale=20.0, size=len(grains)),
        stress_hydrostatic_se=np.full(len(grains), 20.0),
    )
    (found,) = state_stresses(Cell("c", {}, (State("a", 0, handles={GrainMap: lambda: quiet}),)))
    assert abs(found.robust_high[0]) < 25.0
    assert found.high[0] > 45.0


def test_what_states_share_cancels_in_a_change(cell: Cell) -> None:
    first, second, *_ = state_stresses(cell)
    _, error = mean_change(cell, first, second)
    assert error < 0.5 * first.mean_se


@pytest.mark.parametrize(
    ("change", "pressure", "unseen", "words"),
    [
        (0.5, 0.0, 0.0, "which the errors alone can make: no evidence of a change."),
        (-9.0, 27.0, 0.0, "no more than the stack pressure explains."),
        (-9.0, 0.0, 50.0, "no more than which grains were found explains."),
        (-9.0, 0.0, 0.0, "allows +0.0 MPa, so that what is left is no load but a drift"),
    ],
)
def test_a_change_of_the_mean_is_judged_by_equilibrium(
    cell: Cell, change: float, pressure: float, unseen: float, words: str
) -> None:
    first = cell.states[0]
    grains = first[GrainMap]
    assert grains.stress_hydrostatic is not None
    later = dataclasses.replace(grains, stress_hydrostatic=grains.stress_hydrostatic + change)
    second = dataclasses.replace(cell.states[1], handles={GrainMap: lambda: later})
    judged = _reference((first.name, second.name), pressure, unseen)
    pair = dataclasses.replace(
        cell,
        states=(first, second),
        handles={**cell.handles, Reference: lambda: judged},
        pairs={},
    )
    assert words in " ".join(story(pair))


def _reference(states: tuple[str, str], pressure: float, unseen: float) -> Reference:
    """One reference for two states, the second under that much more pressure."""
    zero, target = np.zeros(2), np.zeros((2, 3, 3))
    target[1, 2, 2] = -pressure
    lattice = np.array([[12.95] * 3 + [np.pi / 2] * 3])
    return Reference(
        state=states,
        phase=("LLZTO",),
        start=lattice,
        lattice=np.stack([lattice, lattice]),
        dilatation=zero,
        dilatation_se=zero,
        radial_se=zero,
        stiffness_bulk=np.full(2, 3e5),
        pressure=np.array([0.0, pressure]),
        pressure_source="given",
        target=target,
        shift=np.zeros((2, 3, 3)),
        imbalance=zero,
        imbalance_se=zero,
        drift_sigma=0.0,
        mean_noise_variance=np.full(2, 0.5),
        mean_volume_variance=zero,
        mean_sampling_variance=np.full(2, unseen),
        target_variance=zero,
        radius_scatter=0.1,
        radius_source="assumed",
        lost_share=zero,
        indexed_share=np.ones(2),
        noise_position=float("nan"),
        noise_orientation=float("nan"),
        noise_strain=float("nan"),
        mode="cell",
        equilibrium="hydrostatic",
        lateral="free",
    )


def test_story_tells_what_was_planted(cell: Cell) -> None:
    told = " ".join(story(cell))
    assert "in 5 states" in told
    assert re.search(r"lie (\d+ ± \d+, ){4}\d+ ± \d+ MPa \(68 %\) in the 5 states", told)
    assert "χ² = " in told
    assert "LLZTO-Ia-3d" in told
    assert "“stripping 2”" in " ".join(failure(cell))


def test_without_a_cycler_nothing_is_said_of_failure(cell: Cell) -> None:
    states = tuple(
        dataclasses.replace(
            state, handles={kind: at for kind, at in state.handles.items() if kind is not Cycling}
        )
        for state in cell.states
    )
    (told,) = failure(dataclasses.replace(cell, states=states))
    assert told.startswith("No cycler record is given")


@pytest.mark.parametrize(
    ("current", "duration", "words"),
    [
        (0.1, 3.75, "0.1 mA/cm², 3.75 h"),
        ([0.1, -0.2, 0.3], 2.0, "0.1, −0.2, 0.3 mA/cm², 2 h"),
        ([0.1, 0.2, 0.3, 0.4, 0.5], [5.0, 4.0, 3.0, 2.0, 1.5], "0.1 to 0.5 mA/cm², 1.5 to 5 h"),
    ],
)
def test_the_protocol_of_a_state_may_be_a_list(
    cell: Cell, current: float | list[float], duration: float | list[float], words: str
) -> None:
    after = {"cycles": 3, "current_ma_cm2": current, "duration_h": duration}
    state = State("scan 1", 0, {"after": after}, cell.states[1].handles)
    table = state_table(dataclasses.replace(cell, states=(state,)))
    assert f"3 cycles, {words}" in re.sub(r"<[^>]+>", "", table)


def test_table_of_states_has_a_row_each_and_escapes(cell: Cell) -> None:
    odd = dataclasses.replace(
        cell, states=(dataclasses.replace(cell.states[0], name="<b>x"), *cell.states[1:])
    )
    table = state_table(odd)
    assert table.count("<tr>") == 6
    assert "&lt;b&gt;x" in table
    assert "<b>x" not in table
