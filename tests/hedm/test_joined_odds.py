"""Odds of grains that lie in several layers: how they add, and whether they hold on drawn ones."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import poisson

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.hedm.joined_odds import joined_odds
from mesolith.hedm.polymorph import phase_odds
from mesolith.records.grains import Phases
from mesolith.records.phase_odds import PhaseOdds
from tests.hedm.polymorph_layers import PHASES, true_grains, two_polymorphs
from tests.hedm.virtual_layers import UPRIGHT

CUBE = np.array([12.95, 12.95, 12.95, *np.radians([90.0, 90.0, 90.0])])


def layer(ratios: list[float], share: float = 0.05) -> PhaseOdds:
    """Odds of one layer with those log ratios, all from reflections."""
    ratio = np.array(ratios)
    second = ratio < 0.0
    return PhaseOdds(
        grain_id=np.arange(len(ratio)),
        phase=second.astype(np.int64),
        phases=Phases(("one", "other"), np.array([220, 230]), np.tile(CUBE, (2, 1))),
        probability=np.full(len(ratio), 0.9),
        decided=np.zeros(len(ratio), dtype=np.bool_),
        log_ratio=ratio,
        log_ratio_reflections=ratio,
        log_ratio_intensities=np.zeros(len(ratio)),
        log_ratio_lattice=np.zeros(len(ratio)),
        expected=np.full(len(ratio), 4.0),
        found=np.where(second, 0, 3),
        share=share,
        share_se=0.01,
        lattice_offset=0.0,
        intensity_factor=1.0,
        family=np.array([[3, 1, 0]]),
        family_factor=np.ones(1),
        family_chance=np.full(1, 0.02),
        fit_offset=np.array([0.0, 0.01]),
        fits=np.array([len(ratio), 0]),
    )


def joined(layers: list[PhaseOdds], owner: list[list[int]]) -> PhaseOdds:
    """Layers put together; ``owner`` tells the grain of each find of each layer."""
    finds: Any = SimpleNamespace(
        layer=np.repeat(np.arange(len(owner)), [len(one) for one in owner]),
        layer_grain_id=np.concatenate([np.arange(len(one)) for one in owner]),
        grain_id=np.concatenate(owner).astype(np.int64),
    )
    ids = np.unique(finds.grain_id)
    grains: Any = SimpleNamespace(
        grain_id=ids, lattice_vectors=np.tile(basis_from_lattice(CUBE), (len(ids), 1, 1))
    )
    return joined_odds(layers, finds, grains, tolerance=1e-3)


def test_what_two_parts_of_a_grain_say_adds_up() -> None:
    odds = joined([layer([4.0, -5.0]), layer([-5.0, 2.0])], [[0, 1], [1, 2]])
    assert odds.log_ratio == pytest.approx([4.0, -10.0, 2.0])
    assert odds.phase.tolist() == [0, 1, 0]
    assert odds.decided.tolist() == [True, True, False]
    assert odds.found.tolist() == [3, 0, 3]
    assert odds.expected == pytest.approx([4.0, 8.0, 4.0])
    assert odds.fits.tolist() == [3, 0]


def test_one_layer_keeps_what_it_said() -> None:
    one = layer([4.0, -9.0, 0.5])
    odds = joined([one], [[0, 1, 2]])
    assert odds.log_ratio == pytest.approx(one.log_ratio)
    prior = np.log(0.95 / 0.05)
    assert odds.probability == pytest.approx(1.0 / (1.0 + np.exp(-np.abs(one.log_ratio + prior))))


def test_an_empty_layer_has_no_say_in_the_share() -> None:
    empty = replace(layer([], share=0.5))
    odds = joined([layer([6.0, 6.0], share=0.02), empty], [[0, 1], []])
    assert odds.share == pytest.approx(0.02)
    assert odds.share_se == pytest.approx(0.01)


@pytest.fixture(scope="module")
def drawn() -> tuple[list[PhaseOdds], list[IntArray], IntArray]:
    """Odds from the spots of two layers that cut the same grains, their grains, and the truth."""
    layers, owner = [], []
    for again in (1, 2):
        made, grains = two_polymorphs(counts=6e3, again=again)
        layers.append(phase_odds(made.spots, UPRIGHT, grains, PHASES, sample_radius=800.0))
        owner.append(true_grains(made, grains))
    assert made.grains.phase is not None
    return layers, owner, made.grains.phase


def of_the_truth(odds: PhaseOdds, truth: IntArray) -> FloatArray:
    """Probability that each grain was given for what it is."""
    return np.where(odds.phase == truth, odds.probability, 1.0 - odds.probability)


def test_measured_odds_of_two_layers_say_more_than_those_of_either(
    drawn: tuple[list[PhaseOdds], list[IntArray], IntArray],
) -> None:
    layers, owner, truth = drawn
    odds = joined(layers, [one.tolist() for one in owner])
    truth = truth[odds.grain_id]
    assert len(odds) == 60
    for layer, rows in zip(layers, owner, strict=True):
        told = np.log(of_the_truth(odds, truth)).sum()
        assert told > np.log(of_the_truth(layer, truth[rows])).sum()
        assert odds.decided.sum() > layer.decided.sum()


def test_measured_odds_of_two_layers_are_as_sure_as_they_may_be(
    drawn: tuple[list[PhaseOdds], list[IntArray], IntArray],
) -> None:
    """Grains with probability p are of their phase as often, within three standard deviations."""
    layers, owner, truth = drawn
    odds = joined(layers, [one.tolist() for one in owner])
    truth = truth[odds.grain_id]
    first = np.where(odds.phase == 0, odds.probability, 1.0 - odds.probability)
    # all grains together hang on the share, known to its own error
    sigma = np.hypot(np.sqrt(np.sum(first * (1.0 - first))), len(odds) * odds.share_se)
    assert abs(np.sum((truth == 0) - first)) < 3.0 * sigma
    wrong = odds.decided & (odds.phase != truth)
    stated = float(np.sum(1.0 - odds.probability[odds.decided]))
    assert wrong.sum() <= poisson.ppf(0.99, stated)


def test_a_grain_of_one_drawn_layer_keeps_what_it_said(
    drawn: tuple[list[PhaseOdds], list[IntArray], IntArray],
) -> None:
    layers, owner, _ = drawn
    alone = owner[1].copy()
    alone[:6] += 60  # of six grains the two parts are taken for two grains
    odds = joined(layers, [owner[0].tolist(), alone.tolist()])
    assert len(odds) == 66
    new = np.searchsorted(odds.grain_id, alone[:6])
    assert odds.log_ratio[new] == pytest.approx(layers[1].log_ratio[:6])
    old = np.searchsorted(odds.grain_id, owner[1][:6])
    before = np.array([np.flatnonzero(owner[0] == one)[0] for one in owner[1][:6]])
    assert odds.log_ratio[old] == pytest.approx(layers[0].log_ratio[before])
