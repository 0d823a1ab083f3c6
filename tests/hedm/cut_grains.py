"""Grains of a pile of layers as indexing would hand them out, without its spots.

Grains are clouds of points, so that no formula of the analysis is used: what of a cloud lies in a
layer makes centre and volume of a find, and noise of the stated covariance is added.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm.layer_finds import Layer
from mesolith.records.grains import Phases
from mesolith.records.indexed import IndexedGrains

LATTICE = 12.95
HEIGHT, RADIUS = 100.0, 150.0
PHASES = Phases(("LLZO",), np.array([220]), np.array([[LATTICE] * 3 + [np.pi / 2.0] * 3]))
CUBE = Rotation.create_group("O").as_matrix()
# um, rad and strain of a grain of 50 um; errors grow as grains shrink
SIGMA = np.array([2.0, 2.0, 1.2, *[6e-5] * 3, *[2e-5] * 6])


@dataclass(frozen=True)
class Truth:
    """Whole grains: place and orientation, and which find is whose, layer by layer."""

    position: FloatArray
    turn: FloatArray
    strain: FloatArray
    volume: FloatArray
    owner: tuple[IntArray, ...]


@dataclass(frozen=True)
class Plan:
    """``diameter`` um; ``error_scale`` multiplies true errors beside the stated ones."""

    layers: int = 3
    grains: int = 250
    diameter: float = 48.0
    error_scale: float = 1.0
    strain_within: float = 3e-5
    overlap: float = 0.0


def middles(plan: Plan) -> FloatArray:
    step = HEIGHT - plan.overlap
    return (np.arange(plan.layers) - 0.5 * (plan.layers - 1)) * step


def random_grains(plan: Plan, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Places that do not overlap much, and orientations."""
    top = middles(plan)[-1] + 0.5 * HEIGHT - 0.7 * plan.diameter
    found = np.empty((0, 3))
    while len(found) < plan.grains:
        place = rng.uniform([-RADIUS, -RADIUS, -top], [RADIUS, RADIUS, top])
        apart = np.sum((found - place) ** 2, axis=1).min(initial=np.inf)
        if np.hypot(place[0], place[1]) < RADIUS and apart > (0.6 * plan.diameter) ** 2:
            found = np.vstack([found, place])
    return found, Rotation.random(plan.grains, rng=rng).as_matrix()


def cut_layers(
    plan: Plan,
    rng: np.random.Generator,
    position: FloatArray,
    turn: FloatArray,
    *,
    stretch: FloatArray | None = None,
    lost: tuple[tuple[int, int], ...] = (),
) -> tuple[list[Layer], Truth]:
    """Layers from below; ``stretch`` (g, 3) makes spheres ellipsoids, ``lost`` are (layer, grain)
    that are not found."""
    count = len(position)
    unit = rng.standard_normal((1_000, 3))
    unit *= (rng.random((1_000, 1)) ** (1 / 3)) / np.linalg.norm(unit, axis=1, keepdims=True)
    stretch = np.exp(0.15 * rng.standard_normal((count, 3))) if stretch is None else stretch
    tilt = Rotation.random(count, rng=rng).as_matrix() if np.ptp(stretch) < 1.0 else np.eye(3)
    cloud = 0.5 * plan.diameter * (unit[None] * stretch[:, None]) @ tilt + position[:, None]
    volume = np.pi / 6.0 * plan.diameter**3 * stretch.prod(axis=1)
    strain = 3e-4 * rng.standard_normal((count, 3, 3))
    strain = 0.5 * (strain + strain.swapaxes(1, 2))
    gradient = plan.strain_within * np.sqrt(2.0) * rng.standard_normal((plan.layers, count, 3, 3))
    layers, owners = [], []
    for k, middle in enumerate(middles(plan)):
        inside = np.abs(cloud[..., 2] - middle) < 0.5 * HEIGHT
        share = inside.mean(axis=1)
        here = np.flatnonzero(share > 0.02)
        here = np.array([g for g in here if (k, g) not in lost], dtype=np.int64)
        rng.shuffle(here)
        centre = np.array([cloud[g][inside[g]].mean(axis=0) for g in here]).reshape(-1, 3)
        centre[:, 2] -= middle
        part = gradient[k][here]
        local = strain[here] + 0.5 * (part + part.swapaxes(1, 2)) / 1.0
        layers.append(
            _layer(plan, rng, middle, centre, turn[here], local, share[here] * volume[here])
        )
        owners.append(here)
    return layers, Truth(position, turn, strain, volume, tuple(owners))


def _layer(
    plan: Plan,
    rng: np.random.Generator,
    middle: float,
    centre: FloatArray,
    turn: FloatArray,
    strain: FloatArray,
    volume: FloatArray,
) -> Layer:
    count = len(centre)
    if not count:
        return Layer(float(middle), HEIGHT, np.pi * RADIUS**2 * HEIGHT, None)
    total = float(volume.sum())  # the sample is what the grains fill
    size = np.sqrt(np.pi / 6.0 * 50.0**3 / volume)
    sigma = SIGMA * size[:, None]
    error = plan.error_scale * sigma * rng.standard_normal((count, 12))
    deform = np.eye(3) + strain + _tensor(error[:, 6:])
    turned = Rotation.from_rotvec(error[:, 3:6]).as_matrix() @ deform @ turn
    # the setting of a cubic lattice is anybody's choice
    vectors = LATTICE * turned @ CUBE[rng.integers(0, 24, count)]
    one = np.ones(count)
    grains = IndexedGrains(
        grain_id=np.arange(count),
        lattice_vectors=vectors,
        position=centre + error[:, :3],
        covariance=np.einsum("ni,ij->nij", sigma**2, np.eye(12)),
        phase=np.zeros(count, dtype=np.int64),
        phases=PHASES,
        completeness=one,
        expected=np.full(count, 200),
        spots=np.full(count, 200),
        own_spots=np.full(count, 180),
        likelihood=500.0 * one,
        scatter=one,
        volume_share=volume * np.exp(0.05 * rng.standard_normal(count)) / total,
        volume_share_se=0.05 * volume / total,
        chance=np.full(7, 0.01),
        error_scale=np.ones(2),
    )
    return Layer(float(middle), HEIGHT, total, grains)


def _tensor(six: FloatArray) -> FloatArray:
    a, b, c, d, e, f = six.T
    return np.stack(
        [np.stack([a, f, e], -1), np.stack([f, b, d], -1), np.stack([e, d, c], -1)], axis=-2
    )
