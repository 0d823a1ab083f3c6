"""Pores of the electrolyte: spheres whose radius follows the state."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from mesolith.virtual.arrays import BoolArray, FloatArray
from mesolith.virtual.grid import Grid
from mesolith.virtual.plan import CellPlan
from mesolith.virtual.tessellation import paint


@dataclass(frozen=True, eq=False)
class Pores:
    """Spheres: centre (n, 3) and radius (states, n) in um; a radius never shrinks."""

    centre: FloatArray
    radius: FloatArray

    def at(self, points: FloatArray, state: int) -> BoolArray:
        """Whether each point lies in a pore.

        It does where the smallest power distance to the spheres is negative, which one
        nearest-neighbour search in four dimensions tells.
        """
        if not len(self.centre):
            return np.zeros(len(points), dtype=bool)
        radius = self.radius[state]
        largest = float(radius.max())
        tree = cKDTree(np.column_stack([self.centre, np.sqrt(largest**2 - radius**2)]))
        lifted = np.column_stack([points, np.zeros(len(points))])
        return np.asarray(tree.query(lifted)[0] < largest)

    def render(self, grid: Grid, state: int) -> BoolArray:
        """Voxels whose centre lies in a pore, equal to `at`."""
        return paint(self.centre, self.radius[state] ** 2, grid, 0.0) >= 0


def draw_pores(plan: CellPlan, spots: FloatArray, rng: np.random.Generator) -> Pores:
    """Pores that fill the share ``plan.porosity``; those near hot spots grow with the charge."""
    mean_volume = math.pi / 6.0 * plan.pore_um**3 * math.exp(4.5 * 0.3**2)
    count = round(plan.porosity * plan.volume_um3 / mean_volume)
    diameter = plan.pore_um * np.exp(0.3 * rng.standard_normal(count))
    across = plan.diameter_um / 2.0 * np.sqrt(rng.random(count))
    angle = 2.0 * math.pi * rng.random(count)
    z = plan.thickness_um * (rng.random(count) - 0.5)
    centre = np.column_stack([across * np.cos(angle), across * np.sin(angle), z])
    distance = np.linalg.norm(centre[:, None, :] - spots[None, :, :], axis=2)
    near = np.exp(-0.5 * (distance / (1.5 * plan.hot_spot_um)) ** 2).sum(axis=1)
    most = max(1, max(state.passed for state in plan.states))
    passed = np.array([state.passed / most for state in plan.states])
    growth = 1.0 + plan.pore_growth * passed[:, None] * (0.02 + 0.25 * np.minimum(near, 1.0))
    return Pores(centre, diameter / 2.0 * growth)
