"""The spread of the true stress comes back from under its noise, with an error that covers."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.link.spread import sample_error, true_spread
from mesolith.records.grains import GrainMap
from tests.link.final_maps import SPACING, final_map
from tests.link.followed import lattice_positions
from tests.link.polycrystal import polycrystal

TRUE = 30.0


def _map(seed: int, true: float = TRUE, noise: float = 15.0) -> GrainMap:
    rng = np.random.default_rng(seed)
    position = lattice_positions(rng, across=9, high=9)
    return final_map(true * rng.standard_normal(len(position)), position, rng, noise=noise)


def test_noise_is_taken_out_and_the_error_covers() -> None:
    found = [true_spread(_map(seed)) for seed in range(150)]
    values = np.array([own.value for own in found])
    pulls = (values - TRUE) / [own.se for own in found]
    assert np.mean(values) == pytest.approx(TRUE, rel=0.005)
    assert 0.60 < np.mean(np.abs(pulls) < 1.0) < 0.76
    assert found[0].grains == 9 * 9 * 9
    assert found[0].blocks == 8


def test_half_the_noise_is_half_of_what_is_added() -> None:
    wide, narrow = (float(np.std(_map(1, noise=n).stress_hydrostatic)) for n in (20.0, 10.0))
    assert wide > narrow + 3.0
    assert true_spread(_map(1, noise=20.0)).value == pytest.approx(
        true_spread(_map(1, noise=10.0)).value, rel=0.03
    )


def test_grains_that_are_alike_side_by_side_count_less() -> None:
    rng = np.random.default_rng(5)
    position = lattice_positions(rng, across=16, high=16)
    box = np.floor(position / (4.0 * SPACING)).astype(int)
    _, label = np.unique(box, axis=0, return_inverse=True)
    loud = rng.uniform(0.3, 1.7, int(label.max()) + 1)[label.reshape(-1)]
    stress = 30.0 * loud * rng.standard_normal(len(position))
    clumped = true_spread(final_map(stress, position, rng, noise=1.0))
    mixed = true_spread(final_map(rng.permutation(stress), position, rng, noise=1.0))
    assert clumped.value == pytest.approx(mixed.value, rel=0.01)
    assert clumped.se > 1.5 * mixed.se


def test_where_nothing_can_be_told_is_nan() -> None:
    quiet = true_spread(_map(3, true=0.0, noise=15.0))
    assert np.isnan(quiet.value) or quiet.value < 5.0
    few = final_map(np.array([1.0, 2.0]), np.zeros((2, 3)), np.random.default_rng(0))
    assert np.isnan(true_spread(few).value)
    raw = true_spread(polycrystal(1).grain_map())
    assert (np.isnan(raw.value), raw.grains) == (True, 0)
    small = final_map(np.arange(9.0) * 50.0, np.zeros((9, 3)), np.random.default_rng(0))
    found = true_spread(small)
    assert found.blocks == 1
    assert np.isnan(found.se)


def test_error_of_a_sum_is_that_of_its_blocks() -> None:
    rng = np.random.default_rng(2)
    position = lattice_positions(rng, across=12, high=9)
    parts = rng.standard_normal(len(position))
    error, blocks = sample_error(
        parts - parts.mean(), position, np.full(len(position), SPACING / 1.612)
    )
    assert error == pytest.approx(np.sqrt(len(parts)), rel=0.25)
    assert blocks > 10
