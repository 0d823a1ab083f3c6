"""Small grain maps with known partners, made afresh for the tracking tests."""

from __future__ import annotations

import numpy as np

from mesolith.numerics.rotations import (
    matrix_from_quaternion,
    quaternion_from_rotation_vector,
    quaternion_multiply,
    random_quaternions,
)
from mesolith.records.grains import GrainMap, Phases

GARNET = np.array([12.95, 12.95, 12.95, *np.radians([90.0, 90.0, 90.0])])
QUARTZ = np.array([4.91, 4.91, 5.40, *np.radians([90.0, 90.0, 120.0])])
PHASES = Phases(
    name=("I-43d", "Ia-3d", "quartz"),
    space_group=np.array([220, 230, 154]),
    lattice=np.array([GARNET, GARNET * 1.001, QUARTZ]),
)


def grain_map(position, orientation, *, phase=None, radius=None, phases=PHASES):
    """A map of those grains; phase 0 and no known radius unless given."""
    position = np.asarray(position, dtype=np.float64).reshape(-1, 3)
    count = len(position)
    covariance = np.zeros((count, 12, 12))
    covariance[:, range(12), range(12)] = 1e-4
    return GrainMap(
        grain_id=np.arange(1, count + 1),
        position=position,
        orientation=np.asarray(orientation, dtype=np.float64).reshape(-1, 4),
        lattice=np.tile(GARNET, (count, 1)),
        radius=np.full(count, np.nan) if radius is None else radius,
        completeness=np.ones(count),
        phase=np.zeros(count, dtype=np.int64) if phase is None else phase,
        phases=phases,
        covariance=covariance,
        error_source="assumed",
    )


def random_grains(rng, count, *, spacing=45.0):
    """Positions in a cube and orientations, both uniform."""
    side = spacing * max(count, 1) ** (1.0 / 3.0)
    return rng.uniform(0.0, side, (count, 3)), random_quaternions(rng, count)


def rotation_about(rng, degrees):
    """A rotation by that angle about a random axis, quaternion."""
    axis = rng.standard_normal(3)
    return quaternion_from_rotation_vector(axis / np.linalg.norm(axis) * np.radians(degrees))


def displaced(rng, position, orientation, *, turn, shift, sigma=5.0, sigma_deg=0.05):
    """The grains after a rigid motion (deg, um), measured with noise; and the motion itself."""
    spin = rotation_about(rng, turn)
    direction = rng.standard_normal(3)
    step = direction / np.linalg.norm(direction) * shift
    count = len(position)
    noise = np.radians(sigma_deg) * rng.standard_normal((count, 3))
    turned = quaternion_multiply(
        quaternion_from_rotation_vector(noise), quaternion_multiply(spin, orientation)
    )
    rotation = matrix_from_quaternion(spin)
    moved = position @ rotation.T + step + sigma * rng.standard_normal((count, 3))
    return moved, turned, rotation, step
