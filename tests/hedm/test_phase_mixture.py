"""The mixture of two phases on evidence whose truth is known: calibrated, and mute where it is."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm.common_intensities import CommonIntensities
from mesolith.hedm.phase_mixture import fit_mixture
from mesolith.hedm.telling_reflections import FACTORS, TellingReflections, at_factors

GRAINS = 2_000
SIGMA = 1e-5


def phases(rng: np.random.Generator, share: float = 0.03) -> IntArray:
    return (rng.random(GRAINS) < share).astype(np.int64)


def telling(rng: np.random.Generator, phase: IntArray, strength: float) -> TellingReflections:
    """One family of which Poisson numbers are seen in the first phase, none in the second.

    ``strength`` is the true factor; a hundredth of a stranger fills a place on average.
    """
    mean = rng.lognormal(0.3, 1.2, GRAINS)
    stranger = 0.01
    seen = rng.poisson(np.where(phase == 0, strength * mean, 0.0) + stranger)
    rate = FACTORS[None, :] * mean[:, None] + stranger
    ratio = seen[:, None] * np.log(rate / stranger) - (rate - stranger)
    return TellingReflections(
        np.array([0]), ratio[:, None, :], rate[:, None, :], seen[:, None], np.array([stranger])
    )


def common(
    rng: np.random.Generator, phase: IntArray, difference: FloatArray, sigma: float
) -> CommonIntensities:
    value = sigma * rng.standard_normal((GRAINS, len(difference)))
    value -= (phase == 1)[:, None] * difference
    return CommonIntensities(value, np.full(value.shape, 1.0 / sigma**2), difference)


def lengths(rng: np.random.Generator, phase: IntArray, offset: float) -> FloatArray:
    spread = 1.2e-4 * rng.standard_normal(GRAINS)
    return np.asarray(np.log(12.95) + spread + offset * phase + SIGMA * rng.standard_normal(GRAINS))


def mute(difference: FloatArray) -> CommonIntensities:
    shape = (GRAINS, len(difference))
    return CommonIntensities(np.full(shape, np.nan), np.zeros(shape), difference)


def reliability(first: FloatArray, phase: IntArray) -> float:
    bins = np.minimum((10 * first).astype(int), 9)
    off = [abs(float((first - (phase == 0))[bins == k].sum())) for k in range(10)]
    return sum(off) / len(first)


@pytest.mark.parametrize("seed", [1, 2])
def test_reflections_alone_are_calibrated_with_a_strength_nobody_knew(seed: int) -> None:
    rng = np.random.default_rng(seed)
    phase = phases(rng)
    mixture = fit_mixture(
        telling(rng, phase, 0.6),
        mute(np.array([0.01, -0.01])),
        lengths(rng, phase, 0.0),
        np.full(GRAINS, SIGMA),
    )
    assert mixture.factor[0] == pytest.approx(0.6, rel=0.25)
    assert abs(mixture.share - phase.mean()) < 4.0 * mixture.share_se
    assert reliability(mixture.first, phase) < 0.02
    sure = mixture.first > 0.99
    assert np.mean(phase[sure] == 0) > 0.98
    # nobody is told apart by what does not differ
    assert np.abs(mixture.lattice).max() < 1.0


def test_two_lattice_parameters_part_the_grains_without_any_other_evidence() -> None:
    rng = np.random.default_rng(4)
    phase = phases(rng)
    blind = telling(rng, np.ones(GRAINS, dtype=np.int64), 0.0)
    mixture = fit_mixture(
        blind, mute(np.array([0.0])), lengths(rng, phase, -8e-4), np.full(GRAINS, SIGMA)
    )
    assert mixture.offset == pytest.approx(-8e-4, rel=0.1)
    assert np.mean((mixture.first > 0.5) == (phase == 0)) > 0.995
    assert reliability(mixture.first, phase) < 0.02


def test_intensities_are_learned_about_what_the_structures_say() -> None:
    rng = np.random.default_rng(5)
    phase, stated = phases(rng, 0.1), np.array([0.05, -0.04, 0.0, 0.03])
    true = stated * np.array([0.7, 1.2, 1.0, 1.0])
    measured = common(rng, phase, true, 0.008)
    known = CommonIntensities(measured.value, measured.weight, stated)
    mixture = fit_mixture(
        telling(rng, phase, 1.0), known, lengths(rng, phase, 0.0), np.full(GRAINS, SIGMA)
    )
    assert 0.7 < mixture.intensity_factor < 1.2
    assert np.median(mixture.intensities[phase == 1]) < -8.0
    assert np.median(mixture.intensities[phase == 0]) > 8.0
    assert reliability(mixture.first, phase) < 0.01


@pytest.mark.parametrize("seed", [6])
def test_without_a_difference_nothing_is_decided(seed: int) -> None:
    """No telling spot anywhere: all of the second phase, or too weak to be seen? Undecided."""
    rng = np.random.default_rng(seed)
    phase = phases(rng)
    nothing = telling(rng, phase, 0.0)
    mixture = fit_mixture(
        nothing,
        common(rng, phase, 0.0 * np.array([0.01, 0.01, 0.01]), 0.01),
        lengths(rng, phase, 0.0),
        np.full(GRAINS, SIGMA),
    )
    logit = np.log(mixture.first / mixture.second) + np.log(mixture.share / (1 - mixture.share))
    assert np.mean(np.abs(logit) > 3.0) < 0.005
    assert mixture.share < 0.15
    assert mixture.share_se > 0.01


def test_factors_between_those_of_the_grid() -> None:
    table = np.linspace(0.0, 1.0, 2 * len(FACTORS)).reshape(1, 2, len(FACTORS))
    at = at_factors(table, FACTORS[[0, 5]])
    assert at[0] == pytest.approx(table[0, 0, 0] + table[0, 1, 5])
    between = at_factors(table, np.array([0.5 * (FACTORS[7] + FACTORS[8]), 0.0]))
    assert between[0] == pytest.approx(table[0, 0, 7:9].mean() + table[0, 1, 0])
