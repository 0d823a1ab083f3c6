"""The mean von Mises stress comes back without the length that noise adds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mesolith.axes import tensor_from_six
from mesolith.crystal.elasticity import von_mises_from_stress
from mesolith.errors import InvalidValueError
from mesolith.link.von_mises_mean import mean_von_mises
from mesolith.records.grains import GrainMap
from tests.link.polycrystal import polycrystal

NOISE = 12.0


def _map(seed: int, spread: float, noise: float = NOISE) -> tuple[GrainMap, float]:
    """Final map of grains whose six components have that noise, and their true mean."""
    rng = np.random.default_rng(seed)
    grains = polycrystal(seed, count=400, spread=spread)
    measured = grains.stress + tensor_from_six(noise * rng.standard_normal((400, 6)))
    final = dataclasses.replace(
        grains.grain_map(),
        stress=measured,
        stress_covariance=np.tile(noise**2 * np.eye(6), (400, 1, 1)),
        stress_von_mises=von_mises_from_stress(measured),
    )
    true = von_mises_from_stress(grains.stress)
    return final, float(np.average(true, weights=grains.radius**3))


@pytest.mark.parametrize("spread", [15.0, 30.0])
def test_noise_adds_length_that_is_taken_off_again(spread: float) -> None:
    pulls = []
    for seed in range(60):
        final, true = _map(seed, spread)
        found = mean_von_mises(final, state="a")
        assert found.measured - true > 3.0 * found.noise
        pulls.append((found.mean - true) / found.se)
    assert abs(np.mean(pulls)) < 1.0
    assert np.mean(np.abs(pulls) < 1.0) > 0.60
    # what is known of the noise is the same error in all grains, so the scatter is smaller
    assert np.std(pulls) < 1.1


def test_without_noise_nothing_is_taken_off() -> None:
    final, true = _map(1, 30.0, noise=0.0)
    found = mean_von_mises(final, state="a")
    assert found.mean == pytest.approx(true, rel=1e-12)
    assert (found.bias, found.se) == (0.0, 0.0)


def test_only_grains_that_are_selected_and_known_count() -> None:
    final, _ = _map(2, 30.0)
    half = np.arange(400) < 200
    alone = np.asarray(final.stress_von_mises).copy()
    alone[0] = np.nan
    found = mean_von_mises(
        dataclasses.replace(final, stress_von_mises=alone), state="a", select=half
    )
    assert found.grains == len(found.net) == len(found.along) == 199


def test_a_raw_map_or_no_grain_has_no_mean() -> None:
    final, _ = _map(3, 30.0)
    with pytest.raises(InvalidValueError, match="no stress"):
        mean_von_mises(polycrystal(3).grain_map(), state="a")
    with pytest.raises(InvalidValueError, match="no grain is selected"):
        mean_von_mises(final, state="a", select=np.zeros(400, dtype=bool))
