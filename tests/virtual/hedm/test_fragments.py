"""What a layer of the beam lights, against the cell's own functions at random points."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.virtual.cell import VirtualCell
from mesolith.virtual.hedm.fragments import Fragments, fragments_of, layers_of, random_spheres
from mesolith.virtual.rotation import matrices_from_vectors

MIDDLE, HEIGHT, STATE = -30.0, 80.0, 1


@pytest.fixture(scope="module")
def cell() -> VirtualCell:
    return VirtualCell.draw(5, "tiny", diameter_um=260.0, thickness_um=200.0, porosity=0.04)


@pytest.fixture(scope="module")
def layer(cell: VirtualCell) -> Fragments:
    return fragments_of(cell, STATE, middle=MIDDLE, height=HEIGHT, spacing=4.0)


def test_lit_parts_are_those_of_random_points(cell: VirtualCell, layer: Fragments) -> None:
    """Volume, centre, second moments and strain of the largest parts, by points in the slice."""
    rng = np.random.default_rng(1)
    count = 300_000
    points = (rng.random((count, 3)) - 0.5) * [260.0, 260.0, HEIGHT] + [0.0, 0.0, MIDDLE]
    owner = cell.grain_at(points, STATE)
    solid = owner >= 0
    share = 260.0**2 * HEIGHT / count
    assert layer.volume.sum() == pytest.approx(solid.sum() * share, rel=0.02)
    for row in np.argsort(layer.volume)[-4:]:
        inside = points[owner == layer.grain[row]]
        inside[:, 2] -= MIDDLE
        assert layer.volume[row] == pytest.approx(len(inside) * share, rel=0.08)
        assert np.abs(layer.position[row] - inside.mean(axis=0)).max() < 1.0
        second = np.cov(inside.T)
        assert np.abs(layer.shape[row] - second).max() < 0.06 * np.trace(second)
        sample = inside[:3000] + np.array([0.0, 0.0, MIDDLE])
        strain = cell.strain_at(sample, STATE)
        error = strain.std(axis=0) / math.sqrt(3000.0) + 1e-6
        assert (np.abs(layer.strain[row] - strain.mean(axis=0)) < 6.0 * error + 3e-6).all()


def test_cut_grains_go_on_beyond_the_beam(cell: VirtualCell, layer: Fragments) -> None:
    grid = np.stack(np.meshgrid(*[np.arange(-129.0, 130.0, 3.0)] * 2), axis=-1).reshape(-1, 2)
    beyond: set[int] = set()
    for z in (MIDDLE - HEIGHT / 2 - 2.0, MIDDLE + HEIGHT / 2 + 2.0):
        owner = cell.grain_at(np.column_stack([grid, np.full(len(grid), z)]), STATE)
        beyond |= set(owner[owner >= 0].tolist())
    disagree = [
        bool(cut) != (int(grain) in beyond)
        for grain, cut in zip(layer.grain, layer.cut, strict=True)
    ]
    assert np.mean(disagree) < 0.05
    assert 0.2 < layer.cut.mean() < 1.0
    lit_only = layer.diameter[layer.cut].mean()
    assert lit_only < layer.diameter[~layer.cut].mean()


def test_layers_hold_the_whole_cell(cell: VirtualCell) -> None:
    layers = list(layers_of(cell, STATE, height=70.0, spacing=5.0))
    assert [middle for middle, _ in layers] == pytest.approx([-65.0, 5.0, 75.0])
    whole = cell.grain_truth(STATE)
    volume = np.zeros(cell.count)
    moment = np.zeros((cell.count, 3))
    strain = np.zeros((cell.count, 3, 3))
    for middle, part in layers:
        volume[part.grain] += part.volume
        moment[part.grain] += part.volume[:, None] * (part.position + np.array([0.0, 0.0, middle]))
        strain[part.grain] += part.volume[:, None, None] * part.strain
    large = whole.grain[whole.volume > np.median(whole.volume)]
    row = np.searchsorted(whole.grain, large)
    assert volume[large] == pytest.approx(whole.volume[row], rel=0.15)
    assert np.abs(volume[large] / whole.volume[row] - 1.0).mean() < 0.05
    assert np.abs(moment[large] / volume[large, None] - whole.position[row]).max() < 6.0
    mean = strain[large] / volume[large, None, None]
    # `strain_at` is linear between voxels of 9.5 um, the cell's own means are not: they differ
    # at the boundaries by a seventh of what grains differ by
    assert np.sqrt(np.mean((mean - whole.strain[row]) ** 2)) < 0.2 * whole.strain[row].std()


def test_moving_the_sample(layer: Fragments) -> None:
    turn, shift = np.array([0.01, -0.02, 0.3]), np.array([40.0, -10.0, 5.0])
    moved = layer.moved(shift, turn)
    rotation = matrices_from_vectors(turn)
    assert np.allclose(moved.position, layer.position @ rotation.T + shift)
    before, after = layer.crystals(12.945), moved.crystals(12.945)
    assert np.allclose(after.lattice, rotation @ before.lattice, atol=1e-9)
    assert np.allclose(np.linalg.eigvalsh(moved.shape), np.linalg.eigvalsh(layer.shape))
    assert np.allclose(after.strength, layer.volume)


def test_spheres() -> None:
    spheres = random_spheres(np.random.default_rng(0), 4000, grain_um=40.0, log_sigma=0.1)
    assert np.median(spheres.diameter) == pytest.approx(40.0, rel=0.01)
    assert np.allclose(5.0 * spheres.shape[:, 0, 0], (spheres.diameter / 2.0) ** 2)
    assert np.allclose(spheres.strain, np.swapaxes(spheres.strain, 1, 2))
    assert spheres.strain.std(axis=0) == pytest.approx(5e-4, rel=0.05)


def test_a_layer_of_no_height_is_refused(cell: VirtualCell) -> None:
    with pytest.raises(InvalidValueError, match="a layer of 0 um"):
        fragments_of(cell, STATE, middle=0.0, height=0.0)
