"""Truth of the virtual cell: exact means, one truth at every resolution, sizes as promised."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mesolith.crystal.elasticity import (
    hydrostatic_from_stress,
    strain_from_stress,
    von_mises_from_stress,
)
from mesolith.errors import InvalidValueError
from mesolith.virtual.cell import (
    LITHIUM_COUNTER,
    LITHIUM_WORKING,
    MAJORITY,
    MINORITY,
    OUTSIDE,
    PORE,
    VirtualCell,
)
from mesolith.virtual.elasticity import cubic_strain, hydrostatic, isotropic_moduli, von_mises
from mesolith.virtual.grid import Grid, grid_around
from mesolith.virtual.plan import PRESETS, plan_from_preset
from mesolith.virtual.rotation import matrices_from_quaternions, random_orientations

STATES = range(5)


@pytest.fixture(scope="module")
def cell() -> VirtualCell:
    return VirtualCell.draw(7, "tiny", stack_pressure_mpa=(5.0, 4.0, 5.0, 6.0, 0.0), porosity=0.04)


@pytest.mark.parametrize("state", STATES)
def test_mean_over_the_cylinder_is_the_load(cell: VirtualCell, state: int) -> None:
    truth = cell.grain_truth(state)
    inside = cell.grid.in_cylinder(cell.plan.diameter_um, cell.plan.thickness_um)
    whole = inside.sum() * cell.grid.spacing**3
    mean = np.einsum("g,gij->ij", truth.volume, truth.stress) / whole
    load = np.diag([0.0, 0.0, -cell.plan.stack_pressure_mpa[state]])
    assert np.abs(mean - load).max() < 1e-10 * np.abs(truth.stress).max()


def test_the_field_and_the_grain_means_are_one_truth(cell: VirtualCell) -> None:
    points = cell.grid.points()
    inside = cell.grid.in_cylinder(cell.plan.diameter_um, cell.plan.thickness_um).ravel()
    stress = cell.stress_at(points, 3)
    load = np.diag([0.0, 0.0, -6.0])
    assert np.abs(stress[inside].mean(axis=0) - load).max() < 1e-10 * np.abs(stress).max()
    assert not stress[~inside].any()
    truth = cell.grain_truth(3)
    grain = cell.grain_at(points, 3)
    strain = cell.strain_at(points, 3)
    for row in (0, 57, 200):
        mine = grain == truth.grain[row]
        assert mine.sum() * cell.grid.spacing**3 == pytest.approx(truth.volume[row])
        assert np.allclose(stress[mine].mean(axis=0), truth.stress[row], atol=1e-8)
        assert np.allclose(strain[mine].mean(axis=0), truth.strain[row], atol=1e-13)


def test_a_slab_is_a_slab_of_the_whole(cell: VirtualCell) -> None:
    height = cell.plan.thickness_um + 2.5 * cell.plan.lithium_um
    grid = grid_around(cell.plan.diameter_um + 20.0, height, 11.0)
    whole = cell.render(grid, 4)
    assert set(np.unique(whole.phase)) == {
        OUTSIDE,
        MAJORITY,
        MINORITY,
        PORE,
        LITHIUM_WORKING,
        LITHIUM_COUNTER,
    }
    for start, stop in ((0, 5), (5, 6), (6, grid.shape[0])):
        slab = cell.render(grid.slab(start, stop), 4)
        assert np.array_equal(slab.phase, whole.phase[start:stop])
        assert np.array_equal(slab.grain, whole.grain[start:stop])


def test_rendering_equals_the_functions_of_position(cell: VirtualCell) -> None:
    height = cell.plan.thickness_um + 2.5 * cell.plan.lithium_um
    grid = grid_around(cell.plan.diameter_um + 20.0, height, 17.0)
    slab = cell.render(grid, 1)
    points = grid.points()
    assert np.array_equal(slab.phase.ravel(), cell.phase_at(points, 1))
    assert np.array_equal(slab.grain.ravel(), cell.grain_at(points, 1))
    assert np.array_equal(slab.phase.ravel() == PORE, cell.pore_at(points, 1))


def test_seeds_repeat_and_differ(cell: VirtualCell) -> None:
    again = VirtualCell.draw(7, "tiny", stack_pressure_mpa=(5.0, 4.0, 5.0, 6.0, 0.0), porosity=0.04)
    other = VirtualCell.draw(8, "tiny")
    assert np.array_equal(again.grain_truth(2).strain, cell.grain_truth(2).strain)
    assert np.array_equal(again.grain_truth(2).position, cell.grain_truth(2).position)
    assert not np.allclose(other.orientation, cell.orientation)


@pytest.mark.parametrize(
    ("preset", "least", "most", "mean_um"),
    [
        ("tiny", 280, 320, 57.0),
        ("demo", 2_100, 2_600, 57.0),
        ("pellet", 13_000, 18_000, 57.5),
        ("pellet-30000", 29_100, 30_900, 48.0),
    ],
)
def test_presets_have_the_promised_number_of_grains(
    preset: str, least: int, most: int, mean_um: float
) -> None:
    plan = PRESETS[preset]
    assert least <= plan.grains <= most
    assert plan.grain_um == pytest.approx(mean_um, abs=0.6)


def test_log_normal_sizes_are_recovered() -> None:
    cell = VirtualCell.draw(3, "demo", porosity=0.0)
    volume = cell.grain_truth(0).volume
    diameter = np.cbrt(6.0 * volume / math.pi)
    assert len(volume) == cell.plan.grains
    assert diameter.mean() == pytest.approx(57.0, rel=0.015)
    assert np.log(diameter).std() == pytest.approx(0.20, abs=0.02)


def test_stress_gathers_at_minority_grains_and_follows_the_charge() -> None:
    cell = VirtualCell.draw(11, "demo")
    truths = [cell.grain_truth(state) for state in STATES]
    minority = truths[0].phase == 1
    assert minority.mean() == pytest.approx(0.03, abs=0.005)
    spread = [
        (truth.stress_hydrostatic[truth.phase == 1].std(), truth.stress_hydrostatic.std())
        for truth in truths
    ]
    assert all(inside > 2.5 * overall for inside, overall in spread)
    pristine, plated, stripped, again, failed = (inside for inside, _ in spread)
    assert min(plated, again) > 1.1 * max(pristine, stripped, failed)
    for truth in truths:
        assert np.abs(truth.stress_hydrostatic).max() < 600.0
        assert np.median(np.abs(truth.stress_hydrostatic)) < 40.0
    assert max(np.abs(truth.stress_hydrostatic).max() for truth in truths) > 250.0


def test_pores_fill_their_share_and_grow() -> None:
    cell = VirtualCell.draw(5, "demo", porosity=0.03)
    grid = grid_around(cell.plan.diameter_um, cell.plan.thickness_um, 5.0)
    inside = grid.in_cylinder(cell.plan.diameter_um, cell.plan.thickness_um)
    share = [(cell.render(grid, state).phase[inside] == PORE).mean() for state in (0, 2, 4)]
    assert share[0] == pytest.approx(0.03, rel=0.15)
    assert share[0] < share[1] < share[2]


def test_lithium_moves_as_the_charge_says(cell: VirtualCell) -> None:
    across = np.linspace(-0.5, 0.5, 301) * cell.plan.diameter_um
    x, y = (axis.ravel() for axis in np.meshgrid(across, across))
    face = np.column_stack([x, y])[np.hypot(x, y) <= cell.plan.diameter_um / 2.0]
    for state, net in ((0, 0), (1, 1), (2, 0)):
        gained = cell.electrodes.thickness(face, state, 1) - cell.plan.lithium_um
        lost = cell.electrodes.thickness(face, state, -1) - cell.plan.lithium_um
        # 0.375 mAh/cm2 at 4.84 um each
        assert gained.mean() == pytest.approx(1.815 * net, rel=1e-2, abs=1e-9)
        assert lost.mean() == pytest.approx(-1.815 * net, rel=1e-2, abs=1e-9)


def test_compliance_against_the_rotated_matrix_of_the_analysis() -> None:
    rng = np.random.default_rng(6)
    c11, c12, c44 = PRESETS["tiny"].stiffness_mpa
    stiffness = np.zeros((6, 6))
    stiffness[:3, :3] = c12
    stiffness[[0, 1, 2], [0, 1, 2]] = c11
    stiffness[[3, 4, 5], [3, 4, 5]] = c44
    orientation = random_orientations(rng, 20)
    stress = rng.normal(size=(20, 3, 3)) * 100.0
    stress = stress + stress.swapaxes(1, 2)
    ours = cubic_strain(stress, matrices_from_quaternions(orientation), (c11, c12, c44))
    assert np.allclose(ours, strain_from_stress(stress, stiffness, orientation), atol=1e-15)
    assert np.allclose(hydrostatic(stress), hydrostatic_from_stress(stress))
    assert np.allclose(von_mises(stress), von_mises_from_stress(stress))


def test_moduli_of_tantalum_doped_garnet() -> None:
    bulk, shear = isotropic_moduli(PRESETS["tiny"].stiffness_mpa)
    assert 9.0 * bulk * shear / (3.0 * bulk + shear) == pytest.approx(154_900.0, rel=5e-3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"diameter_um": 0.0}, "must be positive"),
        ({"porosity": 0.7}, "porosity must lie"),
        ({"stack_pressure_mpa": (1.0,)}, "1 stack pressures for 5 states"),
    ],
)
def test_impossible_plans_are_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        plan_from_preset("tiny", **values)


def test_unknown_presets_are_named() -> None:
    with pytest.raises(InvalidValueError, match="Presets: tiny, demo, pellet"):
        VirtualCell.draw(0, "huge")


def test_unstable_crystals_are_refused() -> None:
    with pytest.raises(ValueError, match="no stable cubic crystal"):
        cubic_strain(np.zeros((3, 3)), np.eye(3), (1.0, 2.0, 1.0))


def test_grid_lengths_are_odd_and_hold_the_cylinder() -> None:
    grid = grid_around(100.0, 50.0, 7.0, odd=True)
    assert grid.shape == (11, 21, 21)
    assert isinstance(grid, Grid)
    assert grid.axis(0)[0] == -grid.axis(0)[-1]
    assert grid.axis(0)[-1] > 50.0
