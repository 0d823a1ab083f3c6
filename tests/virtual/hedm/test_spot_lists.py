"""Spot lists: merging against its slow twin, noise, losses, and a truth that leads back."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from mesolith.errors import InvalidValueError
from mesolith.virtual.hedm.grains import CrystalGrains, random_grains
from mesolith.virtual.hedm.reflections import FIRST_RINGS, real_strengths, reflections_of
from mesolith.virtual.hedm.spot_lists import SpotPlan, VirtualLayer, measure_spots, merged
from mesolith.virtual.hedm.station import Station

STATION = Station()


@pytest.fixture(scope="module")
def grains() -> CrystalGrains:
    return random_grains(np.random.default_rng(3), 150)


def layer_of(grains: CrystalGrains, **changes: float) -> VirtualLayer:
    plan = replace(SpotPlan(), **changes)
    return measure_spots(grains, reflections_of(), STATION, plan, np.random.default_rng(5))


def residuals(layer: VirtualLayer) -> tuple[np.ndarray, np.ndarray]:
    """Measured less true place of the spots with one ray, and the rows of those rays."""
    alone = np.flatnonzero(layer.truth.spot >= 0)
    alone = alone[layer.members[layer.truth.spot[alone]] == 1]
    row, rays = layer.truth.spot[alone], layer.truth.rays
    omega = layer.spots.omega[row] - rays.omega[alone]
    omega -= 2.0 * np.pi * np.round(omega / (2.0 * np.pi))
    fast = layer.spots.fast[row] - rays.fast[alone]
    slow = layer.spots.slow[row] - rays.slow[alone]
    return np.column_stack([fast, slow, omega]), alone


def test_merging_is_that_of_all_pairs() -> None:
    """Every pair tried, across the ends of the turn too."""
    rng = np.random.default_rng(2)
    n = 700
    fast, slow = -0.5 + 25.0 * rng.random((2, n))
    omega = -np.pi + np.radians(rng.normal(0.0, 2.0, n)) % (2.0 * np.pi)
    reach, late = 2.0, math.radians(0.3)
    turn = omega[:, None] - omega
    turn -= 2.0 * np.pi * np.round(turn / (2.0 * np.pi))
    close = (fast[:, None] - fast) ** 2 + (slow[:, None] - slow) ** 2
    close = close / reach**2 + (turn / late) ** 2 < 1.0
    count, expected = connected_components(close, directed=False)
    label = merged(fast, slow, omega, STATION, reach, late)
    assert count < 0.7 * n
    assert len(np.unique(label)) == count
    assert len(np.unique(np.stack([label, expected]), axis=1).T) == count
    assert any(np.ptp(omega[label == one]) > 6.0 for one in range(count))


def test_noise_is_what_the_list_states(grains: CrystalGrains) -> None:
    layer = layer_of(grains)
    away, _ = residuals(layer)
    stated = np.sqrt(np.diagonal(layer.spots.covariance[0]))
    assert np.allclose(away.std(axis=0) / stated, 1.0, atol=0.02)
    assert stated[2] == pytest.approx(math.radians(0.05))
    heavy, _ = residuals(layer_of(grains, tail_freedom=3.0, stated_share=0.5))
    assert np.median(np.abs(heavy[:, 0])) < 0.8 * np.median(np.abs(away[:, 0]))
    assert np.abs(heavy[:, 0]).max() > 2.0 * np.abs(away[:, 0]).max()


def test_a_merged_spot_lies_at_the_centroid(grains: CrystalGrains) -> None:
    layer = layer_of(grains, merge_px=8.0, merge_omega=math.radians(1.0), sigma_px=1e-6)
    truth, rays = layer.truth, layer.truth.rays
    row = int(np.argmax(layer.members))
    inside = np.flatnonzero(truth.spot == row)
    assert len(inside) == layer.members[row] > 2
    weight = truth.intensity[inside] / truth.intensity[inside].sum()
    assert layer.spots.fast[row] == pytest.approx(weight @ rays.fast[inside], abs=1e-4)
    assert layer.spots.intensity[row] == pytest.approx(truth.intensity[inside].sum())
    assert layer.owner[row] == rays.grain[inside[np.argmax(weight)]]
    assert layer.spots.overlapping[row]


def test_every_ray_is_in_one_spot_or_lost(grains: CrystalGrains) -> None:
    layer = layer_of(grains, dropped=0.15, false=0.04)
    spot = layer.truth.spot
    assert np.array_equal(np.bincount(spot[spot >= 0], minlength=len(layer.owner)), layer.members)
    assert (layer.owner < 0).sum() == round(0.04 * (layer.owner >= 0).sum())
    assert (layer.members[layer.owner < 0] == 0).all()
    assert (spot < 0).mean() == pytest.approx(0.15, abs=0.01)
    assert layer.truth.detectable(150).sum() <= (spot >= 0).sum()


def test_a_threshold_takes_mates_together() -> None:
    """The two spots of a Friedel pair stand and fall together, unlike with random losses."""
    grains = random_grains(np.random.default_rng(9), 40)
    hkl = reflections_of().hkl
    mate = {tuple(one): k for k, one in enumerate((-hkl).tolist())}
    mate_of = np.array([mate[tuple(one)] for one in hkl.tolist()])
    agreement = {}
    for name in ("dropped_weakest", "dropped"):
        layer = layer_of(grains, **{name: 0.30})
        rays, lost = layer.truth.rays, layer.truth.spot < 0
        where = {
            (g, m, round(w, 6)): k
            for k, (g, m, w) in enumerate(zip(rays.grain, rays.member, rays.omega, strict=True))
        }
        pairs = []
        for (g, m, w), k in where.items():
            other = where.get((g, mate_of[m], round(w + np.pi, 6)))
            if other is not None:
                pairs.append((k, other))
        one, two = np.array(pairs).T
        assert lost.mean() == pytest.approx(0.30, abs=0.02)
        agreement[name] = (lost[one] & lost[two]).sum() / lost[one].sum()
    assert agreement["dropped"] < 0.35
    assert agreement["dropped_weakest"] > 0.85


def test_the_same_seed_makes_the_same_list(grains: CrystalGrains) -> None:
    first, second = layer_of(grains, dropped=0.1), layer_of(grains, dropped=0.1)
    assert np.array_equal(first.spots.fast, second.spots.fast)
    assert np.array_equal(first.owner, second.owner)


def test_families_and_their_members() -> None:
    reflections = reflections_of(FIRST_RINGS, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    assert np.bincount(reflections.ring).tolist() == [24, 12, 24, 48, 6, 24, 24]
    assert (np.diff(reflections.ring) >= 0).all()
    assert reflections.strength[0, reflections.ring == 4].tolist() == [5.0] * 6
    square = (reflections.hkl**2).sum(axis=1)
    assert square[reflections.ring == 3].tolist() == [14] * 48
    with pytest.raises(InvalidValueError, match="2 strengths for 7 families"):
        reflections_of(FIRST_RINGS, [1.0, 2.0])
    # {420} has half of {400}'s structure factor squared, {310} hardly any, in Ia-3d none
    strength = real_strengths(FIRST_RINGS)
    assert strength[4] == pytest.approx(1.0)
    assert strength[5] == pytest.approx(0.495 * math.sqrt(16 / 20), rel=0.01)
    assert 1e-4 < strength[2] < 4e-4
    assert real_strengths(FIRST_RINGS, phase=1)[2] < 1e-12


def test_two_phases_and_what_only_one_of_them_has(grains: CrystalGrains) -> None:
    families = ((3, 1, 0), (4, 0, 0))
    phase = np.arange(150) % 2
    lattice = 12.945 * (1.0 + 5e-4 * phase)
    mixed = replace(grains, phase=phase, lattice_angstrom=lattice)
    reflections = reflections_of(families, [0.3, 1.0], [0.0, 1.0])
    layer = measure_spots(mixed, reflections, STATION, SpotPlan(), np.random.default_rng(5))
    rays = layer.truth.rays
    only = layer.truth.ring == 0
    assert set(phase[rays.grain[only]]) == {0}
    assert set(phase[rays.grain[~only]]) == {0, 1}
    assert (12.945 / np.linalg.norm(mixed.lattice[1::2], axis=1)).mean() == pytest.approx(
        1.0 / 1.0005, abs=1e-4
    )
    radius = np.hypot(rays.fast - 1023.5, rays.slow - 1023.5)[~only]
    owner = phase[rays.grain[~only]]
    assert radius[owner == 1].mean() < radius[owner == 0].mean() - 0.05


def test_absorption_and_the_noise_of_counts(grains: CrystalGrains) -> None:
    plain, behind = layer_of(grains), layer_of(grains, absorption=18.4e-4)
    ratio = behind.truth.intensity / plain.truth.intensity
    start = plain.truth.rays.start
    middle = np.hypot(start[:, 0], start[:, 1]) < 60.0
    assert ratio[middle] == pytest.approx(1.0, abs=0.25)
    assert 5.0 < ratio.max() < 19.0
    noisy = layer_of(grains, counting_noise=1000.0, flicker=1e-9, weak_counts=3e4)
    alone = np.flatnonzero(noisy.members[noisy.truth.spot] == 1)
    row = noisy.truth.spot[alone]
    away = noisy.spots.intensity[row] - noisy.truth.intensity[alone]
    assert (away / noisy.spots.intensity_se[row]).std() == pytest.approx(1.0, abs=0.03)
    stated = np.sqrt(noisy.spots.covariance[row, 0, 0])
    shift = noisy.spots.fast[row] - noisy.truth.rays.fast[alone]
    assert (shift / stated).std() == pytest.approx(1.0, abs=0.03)
    assert stated.max() > 2.0 * stated.min()


def test_what_is_too_weak_is_lost(grains: CrystalGrains) -> None:
    layer = layer_of(grains, least_intensity=9e3)
    assert layer.spots.intensity.min() >= 9e3
    assert (layer.truth.intensity[layer.truth.spot < 0] < 9e3).all()
    assert 0.2 < (layer.truth.spot < 0).mean() < 0.6


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"dropped": 1.0}, "dropped of a spot list must lie within 0 and 1"),
        ({"sigma_px": 0.0}, "must be positive"),
        ({"merge_px": 40.0}, "merging reaches 16 px"),
    ],
)
def test_impossible_plans(change: dict[str, float], told: str) -> None:
    with pytest.raises(InvalidValueError, match=told):
        replace(SpotPlan(), **change)


def test_an_empty_layer_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="0 grains in 1600 um"):
        random_grains(np.random.default_rng(0), 0)
