"""Laguerre cells: the kernel against its slow twin, volumes against what was asked."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mesolith.virtual.grid import Grid, grid_around
from mesolith.virtual.tessellation import Laguerre, cell_moments, fit_laguerre, paint

DIAMETER, HEIGHT = 300.0, 220.0


@pytest.fixture(scope="module")
def diagram() -> Laguerre:
    rng = np.random.default_rng(4)
    diameter = np.exp(0.25 * rng.standard_normal(160))
    return fit_laguerre(diameter**3, diameter=DIAMETER, height=HEIGHT, rng=rng)


def test_rendering_finds_the_smallest_power_distance(diagram: Laguerre) -> None:
    grid = grid_around(DIAMETER, HEIGHT, 23.0)
    inside = grid.in_cylinder(DIAMETER, HEIGHT)
    points = grid.points()
    # the slow, obvious twin
    square = ((points[:, None, :] - diagram.seed[None]) ** 2).sum(axis=2)
    slow = np.argmin(square - diagram.weight, axis=1)
    assert np.array_equal(diagram.owner_at(points), slow)
    expected = np.where(inside.ravel(), slow, -1)
    assert np.array_equal(diagram.render(grid, inside).ravel(), expected)


def test_painting_with_reach_zero_draws_spheres() -> None:
    grid = Grid((-10.0, -10.0, -10.0), 1.0, (21, 21, 21))
    centre = np.array([[0.3, -0.2, 0.1], [4.0, 4.0, 4.0]])
    radius = np.array([5.0, 2.5])
    owner = paint(centre, radius**2, grid, 0.0).ravel()
    distance = np.linalg.norm(grid.points()[:, None] - centre[None], axis=2)
    assert np.array_equal(owner >= 0, (distance < radius).any(axis=1))


def test_weights_may_be_negative() -> None:
    seed = np.array([[-10.0, 0.0, 0.0], [10.0, 0.0, 0.0]])
    diagram = Laguerre(seed, np.array([-400.0, -440.0]))
    grid = grid_around(40.0, 20.0, 4.0)
    owner = diagram.render(grid, grid.in_cylinder(40.0, 20.0))
    # the wall lies where |x+10|^2 + 400 = |x-10|^2 + 440, at x = 1
    x = np.broadcast_to(grid.axis(0), grid.shape)
    assert np.array_equal(owner[owner >= 0], (x[owner >= 0] > 1.0).astype(int))


def test_cells_have_the_volumes_asked_for(diagram: Laguerre) -> None:
    rng = np.random.default_rng(4)
    target = np.exp(0.25 * rng.standard_normal(160)) ** 3
    grid = grid_around(DIAMETER, HEIGHT, 4.0)
    volume, _ = cell_moments(diagram.render(grid, grid.in_cylinder(DIAMETER, HEIGHT)), grid, 160)
    ratio = volume / volume.sum() / (target / target.sum())
    assert np.std(ratio) < 0.12
    assert volume.sum() == pytest.approx(math.pi / 4.0 * DIAMETER**2 * HEIGHT, rel=0.02)


def test_volumes_do_not_depend_on_the_resolution(diagram: Laguerre) -> None:
    volumes = []
    for spacing in (8.0, 4.0, 2.5):
        grid = grid_around(DIAMETER, HEIGHT, spacing)
        owner = diagram.render(grid, grid.in_cylinder(DIAMETER, HEIGHT))
        volumes.append(cell_moments(owner, grid, 160)[0])
    deviation = [np.std(volume / volumes[-1] - 1.0) for volume in volumes[:-1]]
    assert deviation[0] < 0.06
    assert deviation[1] < 0.02


def test_grains_are_compact(diagram: Laguerre) -> None:
    grid = grid_around(DIAMETER, HEIGHT, 5.0)
    owner = diagram.render(grid, grid.in_cylinder(DIAMETER, HEIGHT))
    volume, centre = cell_moments(owner, grid, 160)
    radius = np.cbrt(3.0 * volume / (4.0 * math.pi))
    assert (np.linalg.norm(centre - diagram.seed, axis=1) < 0.6 * radius).all()


def test_cell_without_voxels_has_no_centre() -> None:
    grid = Grid((0.0, 0.0, 0.0), 1.0, (1, 1, 2))
    volume, centre = cell_moments(np.array([[[0, 0]]], dtype=np.int32), grid, 2)
    assert volume.tolist() == [2.0, 0.0]
    assert centre[0].tolist() == [0.5, 0.0, 0.0]
    assert np.isnan(centre[1]).all()
