"""Odds of grains that lie in several layers."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mesolith.crystal.lattice import basis_from_lattice
from mesolith.hedm.joined_odds import joined_odds
from mesolith.records.grains import Phases
from mesolith.records.phase_odds import PhaseOdds

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
