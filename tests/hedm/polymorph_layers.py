"""A small layer of two polymorphs, with structure factors of the shipped CIFs."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from mesolith.hedm.indexed import index_spots
from mesolith.hedm.phase_rings import phase_rings
from mesolith.materials.loader import Material, load_material
from mesolith.records.indexed import IndexedGrains
from mesolith.virtual.hedm.grains import random_grains
from mesolith.virtual.hedm.reflections import FIRST_RINGS, real_strengths, reflections_of
from mesolith.virtual.hedm.spot_lists import SpotPlan, VirtualLayer, measure_spots
from mesolith.virtual.hedm.station import Station
from tests.hedm.virtual_layers import SETTINGS, UPRIGHT, A

RINGS = (
    *FIRST_RINGS,
    *((4, 2, 2), (4, 3, 1), (5, 1, 0), (5, 2, 1), (4, 4, 0), (5, 3, 0), (5, 3, 2), (6, 1, 1)),
)
PHASES: tuple[Material, Material] = (load_material("LLZTO-I-43d"), load_material("LLZTO-Ia-3d"))


@cache
def two_polymorphs(
    grains: int = 60, *, counts: float = 3e4, attenuated: float = 1.0, again: int = 0
) -> tuple[VirtualLayer, IndexedGrains]:
    """Every fifth grain is Ia-3d. ``attenuated`` weakens the inner four rings.

    ``again`` above 0 measures the same grains with other noise.
    """
    rng = np.random.default_rng(42)
    crystals = random_grains(rng, grains, counts=counts, strain=2e-4, lattice_angstrom=A)
    crystals = replace(crystals, phase=(np.arange(grains) % 5 == 0).astype(np.int64))
    strengths = [np.array(real_strengths(RINGS, phase=number)) for number in (0, 1)]
    for row in strengths:
        row[:4] /= attenuated
    plan = SpotPlan(
        absorption=18.4e-4, counting_noise=33.0, weak_counts=200.0, least_intensity=130.0
    )
    reflections = reflections_of(RINGS, *(row.tolist() for row in strengths))
    rng = np.random.default_rng([42, again]) if again else rng
    layer = measure_spots(crystals, reflections, Station(), plan, rng)
    seen = [ring for ring in FIRST_RINGS if ring != (3, 1, 0)]
    if attenuated > 1.0:
        seen = [(4, 0, 0), (4, 2, 0), (3, 3, 2), (4, 2, 2), (5, 2, 1)]
    lattice = np.array([A, A, A, *[np.pi / 2.0] * 3])
    phase = phase_rings("LLZTO-I-43d", 220, lattice, families=seen)
    return layer, index_spots(layer.spots, UPRIGHT, (phase,), SETTINGS).grains


def true_grains(layer: VirtualLayer, grains: IndexedGrains) -> np.ndarray:
    """True grain of each indexed one, by its place."""
    distance = np.linalg.norm(grains.position[:, None] - layer.grains.position[None], axis=2)
    assert distance.min(axis=1).max() < 20.0
    return np.argmin(distance, axis=1)


def true_phases(layer: VirtualLayer, grains: IndexedGrains) -> np.ndarray:
    """True phase of each indexed grain."""
    assert layer.grains.phase is not None
    return layer.grains.phase[true_grains(layer, grains)]
