"""Grains of virtual patterns: found, told from their relatives, refined to what the peaks know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.axes import FloatArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.crystal.orientation import misorientation_angle
from mesolith.crystal.symmetry import rotation_operators
from mesolith.errors import InvalidValueError
from mesolith.laue.find import find_grains
from mesolith.laue.geometry import laue_geometry
from mesolith.laue.index import laue_indexer
from mesolith.laue.index_settings import IndexSettings
from mesolith.laue.solve import index_pattern
from mesolith.laue.strain import equivalent_strain
from mesolith.numerics.rotations import quaternion_from_matrix
from mesolith.records.laue import LaueGrains, laue_peaks
from mesolith.virtual.laue.patterns import LaueCrystals, information_limit, twin_of
from tests.laue.patterns import (
    CUBIC,
    LATTICE,
    STATION,
    crystals,
    indexer,
    instrument_of,
    pattern,
    peaks_of,
    true_reciprocal,
)

SIGMA3 = np.array([[2.0, -1.0, 2.0], [2.0, 2.0, -1.0], [-1.0, 2.0, 2.0]]) / 3.0


def angles_deg(grains: LaueCrystals, found: LaueGrains) -> FloatArray:
    """Between true and found, (true, found)."""
    true = quaternion_from_matrix(grains.orientation)
    return np.degrees(
        misorientation_angle(
            true[:, None, :], found.orientation[None, :, :], rotation_operators(230)
        )
    )


def test_one_grain_is_refined_to_the_information_limit() -> None:
    errors, limits, covered = [], [], []
    for seed in range(5):
        grains = crystals(seed)
        made = pattern(seed, grains)
        found = index_pattern(indexer(), peaks_of(made)).grains
        assert len(found) == 1
        angle = float(angles_deg(grains, found)[0, 0])
        assert angle < 0.012
        assert found.false_probability[0] < 1e-30
        error = found.strain[0] - grains.strain[0]
        six = error[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        own = made.grain == 0
        limits.append(
            information_limit(grains, 0, made.hkl[own], made.depth[own], LATTICE, STATION, 0.1)[0]
        )
        errors.append(np.sqrt(np.mean(six**2)))
        sigma = np.sqrt(np.diag(found.covariance[0]))[3:]
        covered.append(np.abs(six) < 3.0 * sigma)
        np.testing.assert_allclose(found.standard_error("strain")[0, 0, 1], sigma[5])
        assert abs(found.rms[0] - 0.1) < 0.02
    assert np.sqrt(np.mean(np.square(errors))) < 1.4 * np.sqrt(np.mean(np.square(limits)))
    assert np.mean(covered) > 0.9
    assert equivalent_strain(grains.strain[0]) == pytest.approx(5e-4)


def test_three_grains_and_the_peaks_of_each() -> None:
    grains = crystals(21, (1.0, 0.5, 0.25))
    made = pattern(21, grains)
    answer = index_pattern(indexer(), peaks_of(made))
    angle = angles_deg(grains, answer.grains)
    assert angle.shape == (3, 3)
    whose = np.argmin(angle, axis=0)
    assert sorted(whose.tolist()) == [0, 1, 2]
    assert angle.min(axis=0).max() < 0.03
    links = answer.assignment
    alone = ~links.shared & (links.weight > 0.0)
    true = made.grain[links.peak[alone]]
    assert np.mean(whose[links.grain[alone]] == true) > 0.98
    # indices are right up to a symmetry: their squares add up alike
    right = whose[links.grain[alone]] == true
    primitive = made.hkl[links.peak[alone]][right]
    primitive = primitive // np.gcd.reduce(primitive, axis=1)[:, None]
    ours = links.hkl[alone][right]
    ours = ours // np.gcd.reduce(ours, axis=1)[:, None]
    assert np.mean(np.sum(primitive**2, 1) == np.sum(ours**2, 1)) > 0.98
    np.testing.assert_allclose(np.linalg.det(answer.grains.lattice_vectors), LATTICE**3, rtol=1e-9)


def test_a_relative_gives_way_to_the_grain_and_a_twin_stays() -> None:
    grains = crystals(22)
    reference = np.linalg.inv(basis_from_lattice(CUBIC)).T
    wrong = grains.orientation[0] @ SIGMA3 @ reference
    made = peaks_of(pattern(22, grains))
    alone = find_grains([indexer()], made, [[wrong]]).grains
    found = index_pattern(indexer(), made, [wrong]).grains
    assert len(alone) == len(found) == 1
    assert angles_deg(grains, found)[0, 0] < 0.02
    twinned = twin_of(grains, 0, SIGMA3, 0.6)
    both = index_pattern(indexer(), peaks_of(pattern(22, twinned))).grains
    assert len(both) == 2
    assert angles_deg(twinned, both).min(axis=1).max() < 0.03


def test_a_neighbours_orientation_is_enough() -> None:
    grains = crystals(23, (1.0, 0.5))
    made = peaks_of(pattern(23, grains))
    cold = index_pattern(indexer(), made).grains
    few = replace(indexer(), settings=IndexSettings(most_grains=2))
    turned = true_reciprocal(grains)
    turned[:, [0, 1]] += 1e-3 * turned[:, [1, 0]] * np.array([[1.0], [-1.0]])
    warm = index_pattern(few, made, list(turned)).grains
    order = np.argmin(angles_deg(grains, warm), axis=1)
    cold_order = np.argmin(angles_deg(grains, cold), axis=1)
    np.testing.assert_allclose(warm.strain[order], cold.strain[cold_order], atol=2e-5)


def test_peaks_of_nothing_make_no_grain() -> None:
    rng = np.random.default_rng(24)
    for count in (0, 3, 60, 250):
        place = rng.uniform(0.0, 2047.0, (2, count))
        answer = index_pattern(indexer(), laue_peaks(*place, np.exp(rng.uniform(size=count))))
        assert len(answer.grains) == len(answer.assignment) == 0


def test_a_height_that_nobody_knew_is_told_by_its_sensitivity() -> None:
    """Believing the panel 5 um further along the beam is believing the source 5 um less deep."""
    made = peaks_of(pattern(25, crystals(25)))
    x, y, z = STATION.middle
    shifted = replace(STATION, middle=(x + 5.0, y, z))
    believed = laue_geometry(instrument_of(shifted), surface=STATION.surface)
    right = index_pattern(indexer(), made).grains
    wrong = index_pattern(replace(indexer(), geometry=believed), made).grains
    expected = 5.0 * right.depth_sensitivity[0]
    assert np.abs(expected).max() > 1e-5
    moved = wrong.strain[0] - right.strain[0]
    np.testing.assert_allclose(moved, expected, atol=0.1 * np.abs(expected).max())


def test_a_belief_in_small_strains_draws_grains_of_few_peaks() -> None:
    grains = crystals(26)
    made = pattern(26, grains, sigma_px=0.3)
    few = laue_peaks(made.place[:14, 0], made.place[:14, 1], made.intensity[:14], sigma_px=0.3)
    sizes, sigmas = [], []
    for belief in (np.inf, 1e-4):
        told = laue_indexer(
            indexer().reflections, indexer().geometry, IndexSettings(strain_sigma=belief)
        )
        found = index_pattern(told, few, list(true_reciprocal(grains))).grains
        sizes.append(float(np.linalg.norm(found.strain[0])))
        sigmas.append(float(np.sqrt(np.trace(found.covariance[0][3:, 3:]))))
    assert sizes[1] < sizes[0]
    assert sigmas[1] < 0.7 * sigmas[0]


def test_wrong_use_is_told() -> None:
    two = laue_peaks(np.ones(2), np.ones(2), np.ones(2), pattern=np.array([0, 1]))
    with pytest.raises(InvalidValueError, match="peaks of patterns 0 to 1"):
        index_pattern(indexer(), two)
    with pytest.raises(InvalidValueError, match="cannot index a pattern"):
        IndexSettings(least_spots=3)
