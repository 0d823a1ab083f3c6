"""Followed grains with known stress, for the tests of space, spots, pathways and directions."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.followed import FollowedGrains

SPACING = 46.0


def lattice_positions(rng: np.random.Generator, across: int = 10, high: int = 7) -> FloatArray:
    """Points of a jittered cubic lattice, um."""
    axes = [np.arange(n) - (n - 1) / 2.0 for n in (across, across, high)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.asarray(SPACING * (grid + 0.15 * rng.standard_normal(grid.shape)))


def followed(
    rng: np.random.Generator,
    position: FloatArray,
    truth: FloatArray,
    *,
    noise: float = 15.0,
    drift: FloatArray | None = None,
) -> FollowedGrains:
    """Grains with these true hydrostatic stresses (grain, state), measured with this noise."""
    count, states = truth.shape
    shift = np.zeros(states) if drift is None else drift
    sigma = noise * rng.uniform(0.7, 1.3, (count, 1)) * np.ones((1, states))
    direction = np.where(np.arange(states) % 2 == 1, 1, -1)
    direction[0] = 0
    return FollowedGrains(
        state=tuple(f"state {k}" for k in range(states)),
        direction=direction,
        grain=np.arange(count),
        row=np.tile(np.arange(count)[:, None], states),
        probability=np.ones(count),
        position=position,
        radius=np.full(count, SPACING / 1.612),
        hydrostatic=truth + shift + sigma * rng.standard_normal(truth.shape),
        hydrostatic_se=sigma,
        hydrostatic_common_se=np.full(states, 30.0),
        von_mises=np.abs(80.0 + 15.0 * rng.standard_normal(truth.shape)),
        von_mises_se=np.full(truth.shape, 15.0),
        von_mises_common_se=np.zeros(states),
    )
