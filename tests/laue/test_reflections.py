"""Directions of a phase: which, how strong, and which turned lattices share them."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.crystal.symmetry import rotation_operators
from mesolith.errors import InvalidValueError
from mesolith.laue.predict import predict_spots
from mesolith.laue.reflections import laue_reflections, pair_table
from mesolith.laue.relatives import coincidence_rotations
from mesolith.laue.spectrum import Spectrum
from mesolith.numerics.rotations import matrix_from_quaternion
from tests.laue.patterns import CIF, CUBIC, crystals, geometry, indexer, true_reciprocal


def test_harmonics_share_a_direction_and_absent_ones_are_left_out() -> None:
    ours = indexer().reflections
    assert np.all(np.gcd.reduce(ours.hkl, axis=1) == 1)
    assert len(np.unique(ours.hkl, axis=0)) == len(ours)
    np.testing.assert_array_equal(ours.hkl_float, ours.hkl)
    axis = int(np.flatnonzero((ours.hkl == [1, 0, 0]).all(axis=1))[0])
    orders = ours.order[ours.start[axis] : ours.start[axis + 1]]
    # h00 needs h = 4n in Ia-3d
    assert orders.size
    assert not np.any(orders % 4)
    assert np.all(np.diff(ours.most) <= 1e-9)
    # 24 directions hk0 with h, k different, all of one family
    family = ours.family[(ours.hkl == [1, 2, 0]).all(axis=1)][0]
    assert np.count_nonzero(ours.family == family) == 24


def test_as_many_spots_as_the_notes_say() -> None:
    """On 162 mm at 150 mm a tenth, a hundredth of the strongest: tens, hundreds of spots."""
    counts = []
    for seed in range(4):
        spots = predict_spots(true_reciprocal(crystals(seed))[0], indexer().reflections, geometry())
        share = spots.strength / spots.strength.max()
        counts.append([np.count_nonzero(share > 0.1), np.count_nonzero(share > 0.01)])
        assert np.all((spots.energy > 4.98) & (spots.energy < 24.02))
        # about as deep as 7 um at 10 keV and 47 um at 24 keV
        assert 2.0 < spots.depth.min() < spots.depth.max() < 60.0
    few, many = np.mean(counts, axis=0)
    assert 10 < few < 60
    assert 80 < many < 300


def test_pairs_hold_every_angle_between_strong_families() -> None:
    ours = indexer().reflections
    table = pair_table(ours, families=3)
    assert np.all(np.diff(table.angle) >= 0.0)
    cosine = np.sum(ours.direction[table.one] * ours.direction[table.two], axis=1)
    np.testing.assert_allclose(np.cos(table.angle), cosine, atol=1e-12)
    rng = np.random.default_rng(3)
    strong = np.flatnonzero(ours.family < 3)
    for a, b in rng.choice(strong, (40, 2)):
        angle = np.arccos(np.clip(ours.direction[a] @ ours.direction[b], -1.0, 1.0))
        if 0.11 < angle < np.pi - 0.11:
            assert np.abs(table.angle - angle).min() < 1e-9


def test_relatives_are_the_coincidences_of_a_cube() -> None:
    found = indexer().relatives
    operators = matrix_from_quaternion(rotation_operators(230))
    trace = np.einsum("kij,sij->ks", found, operators).max(axis=1)
    angle = np.degrees(np.arccos((trace - 1.0) / 2.0))
    assert np.all(angle > 5.0)
    # Sigma 3, 5, 7, 9, 11, 13a and how many variants each has
    for sigma_angle, variants in ((60.0, 4), (36.87, 6), (38.21, 8), (38.94, 12), (50.48, 12)):
        assert np.count_nonzero(np.abs(angle - sigma_angle) < 0.02) == variants
    np.testing.assert_allclose(angle[:4], 60.0, atol=1e-4)
    assert len(coincidence_rotations(indexer().reflections, least_share=0.4)) < 12


def test_a_band_without_reflections_is_refused() -> None:
    tiny = CUBIC * np.array([0.04, 0.04, 0.04, 1.0, 1.0, 1.0])
    with pytest.raises(InvalidValueError, match="no reflection between 5 and 6 keV"):
        laue_reflections(
            CIF, name="LLZO", space_group=230, lattice=tiny, two_theta=(1.0, 1.1),
            spectrum=Spectrum(5.0, 6.0),
        )  # fmt: skip
    with pytest.raises(InvalidValueError, match="a band from 9 to 5 keV"):
        Spectrum(9.0, 5.0)
