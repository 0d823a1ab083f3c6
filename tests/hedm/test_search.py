"""The parts of the search on pairs of rings, each beside something slow and obvious."""

from __future__ import annotations

import numpy as np

from mesolith.crystal.symmetry import rotation_operators
from mesolith.hedm import _kernels_hypothesis as hypothesis
from mesolith.hedm import _kernels_pair_map as pair_map
from mesolith.hedm.friedel import friedel_pairs, upright_spots
from mesolith.hedm.phase_rings import phase_rings, ring_angles
from mesolith.hedm.relatives import coincidence_rotations
from mesolith.hedm.search import PairMap
from mesolith.numerics.rotations import matrix_from_quaternion, random_quaternions
from tests.hedm.virtual_layers import SETTINGS, UPRIGHT, layer, llzo


def test_the_map_finds_what_a_walk_over_all_pairs_finds() -> None:
    rng = np.random.default_rng(0)
    count, rings, cells = 3_000, 2, 60
    g = rng.standard_normal((count, 3))
    g[::7, 2] *= 1e-3  # many near the equator, where the map folds
    g /= np.linalg.norm(g, axis=1)[:, None]
    ring = rng.integers(-1, rings, count)
    equation = np.column_stack([g, rng.uniform(-1, 1, (count, 2)), rng.normal(0, 300, count)])
    equation = np.column_stack(
        [equation, rng.uniform(-0.05, 0.05, (count, 2)), rng.normal(0, 30, count)]
    )
    start = np.zeros(rings * cells**2 + 1, dtype=np.int64)
    entry = np.empty(2 * count, dtype=np.int64)
    entry = entry[: pair_map.map_entries(g, ring, rings, cells, start, entry)]
    rows = equation[np.abs(entry) - 1].astype(np.float32)
    rows[:, :3] *= np.sign(entry)[:, None]
    taken = rng.random(count) < 0.1
    spread = np.array([900.0, 100.0, 400.0, 100.0, 200.0])
    across, rest = 0.04, 0.03
    met = 0
    for wanted in np.concatenate([g[:40] + rng.normal(0, 0.01, (40, 3)), -g[7:200:7]]):
        place = rng.normal(0, 100, 3)
        found = np.empty(64, dtype=np.int64)
        number = pair_map.find_pairs(
            *wanted, 1, *place, spread, 16.0, across, rest, rows, start, cells, entry, taken, found
        )
        slow = set()
        size, flat = wanted @ wanted, wanted[0] ** 2 + wanted[1] ** 2
        for k in np.flatnonzero((ring == 1) & ~taken):
            for side in (1, -1):
                off = side * g[k] - wanted
                along = (off[1] * wanted[0] - off[0] * wanted[1]) ** 2 / flat
                near = along <= across**2 * flat + rest**2 * size
                near &= off @ off - along <= rest**2 * size
                e, cov = equation[k], np.array([[900.0, 100.0], [100.0, 400.0]])
                off_y = e[5] - e[3:5] @ place[:2]
                off_z = e[8] - e[6:8] @ place[:2] - place[2]
                near &= off_y**2 <= 16.0 * (200.0 + e[3:5] @ cov @ e[3:5])
                near &= off_z**2 <= 16.0 * (300.0 + e[6:8] @ cov @ e[6:8])
                if near:
                    slow.add(side * (k + 1))
        assert set(found[:number].tolist()) == slow
        met += len(slow)
    assert met > 20


def test_two_pairs_orient_the_crystal() -> None:
    rng = np.random.default_rng(1)
    phase = phase_rings(
        "t", 167, np.array([4.76, 4.76, 12.99, *np.radians([90, 90, 120])]), count=4
    )
    m = np.empty((3, 3))
    for turn in matrix_from_quaternion(random_quaternions(rng, 5)):
        true = turn @ phase.reciprocal
        pair = np.array([1.0, 0.0, 2.0, 1.0, -1.0, 4.0])
        hypothesis.orient(true @ pair[:3], -(true @ pair[3:]), -1.0, pair, phase.reciprocal, m)
        assert np.allclose(m, true, atol=1e-12)


def test_two_position_equations_and_the_prior_are_least_squares() -> None:
    one = np.array([0, 0, 0, 0.6, 0.8, 130.0, 0.01, -0.03, 12.0])
    two = np.array([0, 0, 0, -0.9, 0.4, -60.0, -0.02, 0.02, 9.0])
    noise, sizes = 200.0, np.array([160_000.0, 833.0])
    place, spread = np.empty(3), np.empty(5)
    assert hypothesis.place_of_two(one, two, noise, sizes, place, spread)
    a = np.array([one[3:5], two[3:5]])
    normal = a.T @ a / noise + np.eye(2) / sizes[0]
    assert np.allclose(place[:2], np.linalg.solve(normal, a.T @ [130.0, -60.0] / noise))
    inverse = np.linalg.inv(normal)
    assert np.allclose(spread[:3], [inverse[0, 0], inverse[0, 1], inverse[1, 1]])
    both = [12.0 - one[6:8] @ place[:2], 9.0 - two[6:8] @ place[:2]]
    assert np.isclose(place[2], np.mean(both))
    two[8] = 140.0  # heights that no one grain can have
    assert not hypothesis.place_of_two(one, two, noise, sizes, place, spread)


def test_counts_against_a_slow_twin() -> None:
    hits, slots = np.array([10.0, 3.0, 0.0]), np.array([12.0, 20.0, 0.0])
    chance = np.array([0.05, 0.4, 0.1])
    ratios = []
    for p in (0.95, 0.85, 0.7, 0.55, 0.4, 0.25):
        filled = p + (1 - p) * chance
        ratios.append(
            sum(
                h * np.log(f / c) + (n - h) * np.log((1 - f) / (1 - c))
                for h, n, f, c in zip(hits, slots, filled, chance, strict=True)
            )
        )
    value = hypothesis.log_ratio_of_counts(hits, slots, chance)
    assert np.isclose(value, max(ratios) - np.log(6))


def test_the_angles_of_cubic_rings() -> None:
    phase = llzo()
    cosines, pairs = ring_angles(phase, 4, 4)
    # {400}: at right angles only, and all such pairs are one orientation
    assert np.allclose(cosines, [0.0], atol=1e-12)
    assert [len(one) for one in pairs] == [1]
    cosines, _ = ring_angles(phase, 1, 4)
    assert np.allclose(np.sort(cosines), [0.0, np.sqrt(0.5)])


def test_every_pair_of_reflections_is_in_the_table() -> None:
    phase = phase_rings("t", 142, np.array([13.1, 13.1, 12.6, *[np.pi / 2] * 3]), count=4)
    g = phase.hkl @ phase.reciprocal.T
    operators = matrix_from_quaternion(rotation_operators(142))
    cosines, pairs = ring_angles(phase, 1, 2)
    rows = [one for some in pairs for one in some]
    made = sum(
        len({tuple(np.rint(np.concatenate([o @ r[:3], o @ r[3:]])).tolist()) for o in operators})
        for r in rows
    )
    unit = g / np.linalg.norm(g, axis=1)[:, None]
    cosine = unit[phase.ring == 1] @ unit[phase.ring == 2].T
    assert made == int(np.sum((cosine > -1e-9) & (cosine < 1.0 - 1e-9)))
    assert np.all(
        np.isclose(np.abs(cosine)[..., None], cosines, atol=1e-6).any(axis=2)
        | (cosine > 0.999)
        | (cosine < -0.999)
    )


def test_coincidence_relatives_of_a_cubic_lattice() -> None:
    rotations = coincidence_rotations(llzo())
    operators = matrix_from_quaternion(rotation_operators(220))
    # Sigma 3: 60 deg about <111>, up to symmetry; four of them
    angle = [
        np.degrees(
            np.arccos(np.clip((np.trace(r @ operators, axis1=1, axis2=2).max() - 1) / 2, -1, 1))
        )
        for r in rotations
    ]
    assert np.sum(np.isclose(angle, 60.0, atol=1e-3)) == 4
    assert np.all(np.array(angle) > 1.0)
    assert np.allclose(rotations @ rotations.swapaxes(1, 2), np.eye(3), atol=1e-12)


def test_chance_is_measured_where_no_grain_is() -> None:
    truth = layer(400, 20)
    pairs = friedel_pairs(upright_spots(truth.spots, UPRIGHT, llzo().spacing, SETTINGS), SETTINGS)
    seen = PairMap(pairs, llzo(), SETTINGS)
    again = PairMap(pairs, llzo(), SETTINGS, seed=1)
    # {321} holds eight times the reflections of {400} in a ring not much longer
    assert seen.chance[3] > 2.0 * seen.chance[4]
    assert 0.3 < again.chance[3] / seen.chance[3] < 3.0
