"""Planted effects: each strength is in the truth as asked, and nothing is where none was asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.virtual.cell import VirtualCell
from mesolith.virtual.elasticity import isotropic_moduli
from mesolith.virtual.plan import FIVE_STATES, PRESETS, alternating_states
from mesolith.virtual.planted import NO_CHANGE, NO_ORDER, Planted
from mesolith.virtual.planted_truth import PlantedTruth, planted_truth
from mesolith.virtual.planting import hydrostatic_per_dilatation, spot_grains

SEED = 3
LOAD = 5.0
FEW: dict[str, Any] = {"spots": 4, "relaxation_spots": 8}


def still(**strengths: Any) -> VirtualCell:
    """A cell in which nothing changes but what is planted."""
    return VirtualCell.draw(SEED, "tiny", planted=Planted(**FEW, **strengths), **NO_CHANGE)


@pytest.fixture(scope="module")
def without() -> PlantedTruth:
    return planted_truth(still())


def test_a_cell_without_planted_effects_is_the_one_it_always_was() -> None:
    """Numbers of the first release: seeds in other people's notes stay good."""
    cell = VirtualCell.draw(7, "tiny")
    for state, stress, strain in (
        (0, -25.288909689218233, 0.15540083889925005),
        (1, -27.699671354041808, 0.17135379288903305),
        (4, -38.69081551168792, 0.30638793115414165),
    ):
        truth = cell.grain_truth(state)
        assert truth.stress_hydrostatic[10] == pytest.approx(stress, rel=1e-9)
        assert np.abs(truth.strain).sum() == pytest.approx(strain, rel=1e-9)


@pytest.mark.parametrize("asked", [Planted(), Planted(spots=3, clustering_um=10.0)])
def test_zero_strength_plants_nothing(asked: Planted) -> None:
    plain = VirtualCell.draw(SEED, "tiny")
    same = VirtualCell.draw(SEED, "tiny", planted=asked)
    assert not asked.stress
    assert np.array_equal(same.misfit, plain.misfit)
    assert np.array_equal(same.grain_truth(4).strain, plain.grain_truth(4).strain)
    assert not same.drift.any()


def test_in_a_cell_without_change_nothing_changes(without: PlantedTruth) -> None:
    cell = still()
    first = cell.grain_truth(0)
    assert first.stress_hydrostatic.std() > 10.0
    for state in range(1, 5):
        later = cell.grain_truth(state)
        assert np.array_equal(later.stress, first.stress)
        assert np.array_equal(later.volume, first.volume)
    assert not without.trend_mpa.any()
    assert without.clustering_mpa == 0.0
    assert without.direction_mpa == 0.0
    assert not np.ptp([without.hot_mpa, without.cold_mpa, without.far_mpa], axis=1).any()


def test_without_order_grains_change_but_no_pattern_does() -> None:
    plain = VirtualCell.draw(SEED, "demo", **NO_ORDER)
    truth = planted_truth(plain)
    rows = [np.isin(plain.grain_truth(k).grain, plain.grain_truth(4).grain) for k in (0, 4)]
    stress = [plain.grain_truth(k).stress_hydrostatic[r] for k, r in zip((0, 4), rows, strict=True)]
    change = (stress[1] - stress[0]).std()
    assert 1.0 < change < 6.0
    # 2,400 grains scatter by that: the plane through them is known to 0.3 MPa
    assert np.abs(truth.trend_mpa).max() < 1.2
    assert abs(truth.clustering_mpa) < 0.3 * change
    assert abs(truth.direction_mpa) < 0.5


@pytest.mark.parametrize(("axis", "strength"), [("x", 20.0), ("y", -35.0), ("z", 30.0)])
def test_a_trend_has_its_axis_and_its_rise(axis: Any, strength: float) -> None:
    truth = planted_truth(still(trend_mpa=strength, trend_axis=axis))
    expected = strength * np.array([axis == name for name in "xyz"])
    assert truth.trend_mpa == pytest.approx(expected, abs=1e-9 * abs(strength))


def test_a_trend_grows_with_the_charge() -> None:
    cell = still(trend_mpa=40.0)
    truths = [cell.grain_truth(k) for k in range(5)]
    z = truths[0].position[:, 2]
    first = truths[0].stress_hydrostatic
    rises = [
        np.polyfit(z, t.stress_hydrostatic - first, 1)[0] * cell.plan.thickness_um for t in truths
    ]
    assert rises == pytest.approx([0.0, 10.0, 20.0, 30.0, 40.0], abs=1e-8)


def test_a_smooth_field_makes_neighbours_alike() -> None:
    for width, least, most in ((70.0, 0.7, 1.0), (20.0, -0.3, 0.45)):
        cell = still(clustering_mpa=25.0, clustering_um=width)
        change = cell.grain_truth(4).stress_hydrostatic - cell.grain_truth(0).stress_hydrostatic
        assert change.std() == pytest.approx(25.0, rel=1e-9)
        assert least < planted_truth(cell).clustering_mpa / 25.0 < most


@pytest.mark.parametrize("kind", ["hot", "cold"])
def test_spots_rise_once_and_for_all(kind: str, without: PlantedTruth) -> None:
    cell = still(**{f"{kind}_spot_mpa": 30.0})
    truth = planted_truth(cell)
    assert np.array_equal(truth.hot, without.hot)
    assert np.array_equal(truth.cold, without.cold)
    first, last = cell.grain_truth(0), cell.grain_truth(4)
    near = np.zeros(len(first.grain), dtype=bool)
    for spot in getattr(truth, kind):
        centre = first.position[first.grain == spot]
        near |= np.linalg.norm(first.position - centre, axis=1) <= 70.0
    rest = (last.stress_hydrostatic - first.stress_hydrostatic)[~near]
    own = getattr(truth, f"{kind}_mpa")
    assert np.ptp(rest) < 1e-9
    assert own - own[0] - rest[0] * np.array([0, 1, 1, 1, 1]) == pytest.approx(
        [0.0, 30.0, 30.0, 30.0, 30.0]
    )
    # the load on the whole cell is what it was
    assert rest[0] == pytest.approx(-30.0 * np.average(near, weights=first.volume), rel=1e-6)


def test_direction_comes_and_goes_with_the_lithium() -> None:
    truth = planted_truth(still(direction_mpa=25.0))
    assert truth.direction_mpa == pytest.approx(25.0, rel=1e-9)
    apart = truth.both_mpa - truth.far_mpa
    assert apart - apart[0] == pytest.approx([0.0, 25.0, 0.0, 25.0, 0.0], abs=1e-8)
    assert truth.hot_mpa[1] > truth.hot_mpa[0]
    assert truth.cold_mpa[1] > truth.cold_mpa[0]


@pytest.mark.parametrize("strength", [60.0, -60.0])
def test_stress_falls_from_the_hottest_grains(strength: float, without: PlantedTruth) -> None:
    cell = still(relaxation_mpa=strength)
    truth = planted_truth(cell)
    gained = truth.relaxation_mpa - without.relaxation_mpa
    assert gained == pytest.approx([strength] * 5, rel=1e-9)
    before, _ = spot_grains(still().grain_truth(0).stress_hydrostatic, 8)
    after, _ = spot_grains(cell.grain_truth(0).stress_hydrostatic, 8)
    assert np.array_equal(before, after)


def test_effects_add_up_and_leave_the_load() -> None:
    cell = still(trend_mpa=20.0, direction_mpa=15.0, hot_spot_mpa=25.0, clustering_mpa=10.0)
    one = [
        still(**{name: value})
        for name, value in (
            ("trend_mpa", 20.0),
            ("direction_mpa", 15.0),
            ("hot_spot_mpa", 25.0),
            ("clustering_mpa", 10.0),
        )
    ]
    base = still()
    whole = cell.grid.in_cylinder(cell.plan.diameter_um, cell.plan.thickness_um).sum()
    for state in range(5):
        truth = cell.grain_truth(state)
        parts = sum(
            other.grain_truth(state).stress - base.grain_truth(state).stress for other in one
        )
        assert np.allclose(truth.stress, base.grain_truth(state).stress + parts, atol=1e-8)
        sums = np.einsum("g,gij->ij", truth.volume, truth.stress)
        mean = sums / (whole * cell.grid.spacing**3)
        assert mean == pytest.approx(np.diag([0.0, 0.0, -LOAD]), abs=1e-8)


def test_planted_stress_is_balanced() -> None:
    """Of a dilatation the solver makes shear too: a grain's planted stress is no mere pressure."""
    cell, base = still(hot_spot_mpa=40.0), still()
    moved = cell.grain_truth(4).stress - base.grain_truth(4).stress
    deviator = moved - np.trace(moved, axis1=1, axis2=2)[:, None, None] / 3.0 * np.eye(3)
    assert np.abs(deviator).max() > 5.0
    points = cell.grid.points()
    own, grain = cell.stress_at(points, 4), cell.grain_at(points, 4)
    truth = cell.grain_truth(4)
    for row in (0, 101):
        mine = grain == truth.grain[row]
        assert np.allclose(own[mine].mean(axis=0), truth.stress[row], atol=1e-8)


def test_hydrostatic_stress_of_a_dilated_sphere() -> None:
    """Eshelby's sphere: K (alpha - 1) 3 e with alpha = 3 K / (3 K + 4 G)."""
    stiffness = PRESETS["tiny"].stiffness_mpa
    bulk, shear = isotropic_moduli(stiffness)
    sphere = 3.0 * bulk * (3.0 * bulk / (3.0 * bulk + 4.0 * shear) - 1.0)
    assert hydrostatic_per_dilatation(stiffness) == pytest.approx(sphere, rel=1e-12)


def test_drift_is_of_the_instrument_and_no_stress(without: PlantedTruth) -> None:
    cell = still(drift_mpa=30.0)
    truth = planted_truth(cell)
    assert truth.drift_mpa[0] == 0.0
    assert np.sqrt(np.mean(truth.drift_mpa[1:] ** 2)) == pytest.approx(30.0, rel=1e-12)
    assert np.array_equal(truth.hot_mpa, without.hot_mpa)
    # a strain e in all directions is read as 3 K e; 1e-4 is about 30 MPa
    assert np.abs(cell.drift[1:]).max() == pytest.approx(1e-4, rel=0.9)
    assert cell.drift * 3.0 * isotropic_moduli(cell.plan.stiffness_mpa)[0] == pytest.approx(
        truth.drift_mpa
    )


def test_the_same_seed_plants_the_same() -> None:
    strengths = {"clustering_mpa": 10.0, "drift_mpa": 5.0}
    one, two = still(**strengths), still(**strengths)
    assert np.array_equal(one.misfit, two.misfit)
    assert np.array_equal(one.drift, two.drift)


def test_states_alternate() -> None:
    states = alternating_states(16)
    assert len(states) == 17
    assert states[:5] == FIVE_STATES
    assert (states[16].name, states[16].net, states[16].passed) == ("stripping 8", 0, 16)
    cell = VirtualCell.draw(
        SEED,
        "tiny",
        states=states,
        stack_pressure_mpa=(LOAD,) * 17,
        planted=Planted(direction_mpa=20.0, **FEW),
        **NO_CHANGE,
    )
    assert planted_truth(cell).direction_mpa == pytest.approx(20.0, rel=1e-9)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"trend_mpa": float("nan")}, "trend_mpa of planted effects must be finite"),
        ({"spot_um": 0.0}, "spot_um of planted effects must be positive"),
        ({"trend_axis": "w"}, "along no axis 'w'"),
        ({"spots": 0}, "at least one spot"),
        ({"soft_short": -1}, "soft_short must be the number"),
        ({"soft_short_left": 1.0}, "soft_short_left within 0 and 1"),
        ({"overpotential_scatter": -0.1}, "must not be negative"),
    ],
)
def test_impossible_effects_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        Planted(**values)


def test_effects_that_do_not_fit_the_cell_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="400 planted spots in a cell of 301 grains"):
        VirtualCell.draw(SEED, "tiny", planted=Planted(hot_spot_mpa=1.0, spots=400))
    with pytest.raises(InvalidValueError, match="soft_short names half cycle 5 of 4"):
        VirtualCell.draw(SEED, "tiny", planted=Planted(soft_short=5))
