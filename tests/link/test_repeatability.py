"""Random errors as tracked pairs show them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.axes import tensor_from_six
from mesolith.link.repeatability import (
    noise_freedom,
    repeatability,
    tightest,
    widened_covariance,
)
from mesolith.numerics.heavy_tails import student_errors
from tests.link.polycrystal import all_tracked, polycrystal


def test_planted_noise_is_found_in_every_quantity() -> None:
    rng = np.random.default_rng(50)
    grains = polycrystal(51, count=4000)
    before = grains.grain_map(sigma_strain=8e-5, radius_scatter=0.12, rng=rng)
    # a uniform dilatation between the states is no noise
    after = grains.grain_map(sigma_strain=8e-5, radius_scatter=0.12, rng=rng, offset=3e-4)
    found = repeatability(before, after, all_tracked(4000))
    assert found is not None
    assert found.strain == pytest.approx(8e-5, rel=0.03)
    assert found.radius == pytest.approx(0.12, rel=0.05)
    assert found.position == pytest.approx(20.0, rel=1e-9)
    assert np.degrees(found.orientation) == pytest.approx(0.1, rel=1e-6)
    assert found.pairs == 4000


def test_real_change_makes_it_an_upper_bound() -> None:
    rng = np.random.default_rng(52)
    grains = polycrystal(53, count=2000)
    change = tensor_from_six(20.0 * rng.standard_normal((2000, 6)))
    changed = grains.with_stress(grains.stress + change, 0.0)
    before = grains.grain_map(sigma_strain=3e-5, rng=rng)
    after = changed.grain_map(sigma_strain=3e-5, rng=rng)
    found = repeatability(before, after, all_tracked(2000))
    assert found is not None
    assert found.strain > 5e-5


def test_a_few_grains_that_change_much_do_not_decide() -> None:
    rng = np.random.default_rng(54)
    grains = polycrystal(55, count=2000)
    stress = np.array(grains.stress)
    stress[:40] += 300.0 * np.eye(3)
    before = grains.grain_map(sigma_strain=1e-4, rng=rng)
    after = grains.with_stress(stress, 0.0).grain_map(sigma_strain=1e-4, rng=rng)
    found = repeatability(before, after, all_tracked(2000))
    assert found is not None
    assert found.strain == pytest.approx(1e-4, rel=0.05)


def test_too_few_sure_pairs_say_nothing() -> None:
    grains = polycrystal(56, count=200).grain_map()
    probability = np.where(np.arange(200) < 29, 0.99, 0.5)
    unsure = replace(all_tracked(200), probability=probability)
    assert repeatability(grains, grains, unsure) is None


def test_the_pair_that_saw_the_least_change_counts() -> None:
    rng = np.random.default_rng(57)
    grains = polycrystal(58, count=500)
    maps = [grains.grain_map(sigma_strain=s, rng=rng) for s in (1e-4, 1e-4, 4e-4)]
    bounds = [repeatability(maps[k], maps[k + 1], all_tracked(500)) for k in (0, 1)]
    found = tightest([bound for bound in bounds if bound is not None])
    assert found is not None
    assert found.strain == pytest.approx(1e-4, rel=0.1)
    assert tightest([]) is None


def test_only_larger_errors_widen_a_covariance() -> None:
    covariance = polycrystal(59, count=50).grain_map().covariance
    widened = widened_covariance(covariance, position=40.0, orientation=1e-9, strain=float("nan"))
    sigma = np.sqrt(np.diagonal(widened, axis1=1, axis2=2))
    assert sigma[:, :3] == pytest.approx(40.0)
    assert np.array_equal(widened[:, 3:, 3:], covariance[:, 3:, 3:])


def test_the_tails_of_positions_and_orientations_are_learnt() -> None:
    rng = np.random.default_rng(60)
    for freedom, low, high in ((3.0, 2.5, 4.0), (np.inf, 12.0, np.inf)):
        trackings = []
        for _ in range(3):
            errors = student_errors(rng, (2, 2, 400, 3), freedom)
            away = np.linalg.norm(errors[0] - errors[1], axis=-1)
            trackings.append(
                replace(all_tracked(400), distance=8.0 * away[0], misorientation=1e-3 * away[1])
            )
        assert low <= noise_freedom(trackings) <= high
    assert noise_freedom([]) == np.inf
    unsure = replace(trackings[0], probability=np.full(400, 0.5))
    assert noise_freedom([unsure]) == np.inf
