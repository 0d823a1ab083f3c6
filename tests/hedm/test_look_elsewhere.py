"""What looking everywhere costs, and that chance does not pay it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesolith.errors import ContradictionError
from mesolith.hedm import index
from mesolith.hedm.index_settings import IndexSettings
from mesolith.hedm.indexed import index_spots
from mesolith.hedm.look_elsewhere import search_cost
from tests.hedm.aluminium import (
    PHASE,
    SETTINGS,
    calibrated,
    indexed_share,
    known,
    map_of_imaged11,
)
from tests.hedm.virtual_layers import SETTINGS as LAYER
from tests.hedm.virtual_layers import UPRIGHT, layer, llzo

BOUNDS = IndexSettings(sample_radius=500.0, height=100.0, strain=1e-3)


def _covariance(place: float, turn: float, strain: float) -> np.ndarray:
    sigma = np.concatenate([np.full(3, place), np.full(3, turn), np.full(6, strain)])
    return np.diag(sigma**2)


def test_the_cost_counts_what_can_be_told_apart() -> None:
    """By hand: cylinder, rotations of a cube and strains over twelve Gaussian volumes."""
    cost = search_cost(_covariance(2.0, 1e-4, 1e-5)[None], np.zeros(1, int), (PHASE,), BOUNDS)
    allowed = math.pi * 500.0**2 * 100.0 * (8.0 * math.pi**2 / 24.0) * 2e-3**6
    left = math.sqrt(2.0 * math.pi) ** 12 * 2.0**3 * 1e-4**3 * 1e-5**6
    assert cost[0] == pytest.approx(math.log(allowed / left), rel=1e-12)


def test_twice_the_error_leaves_a_fraction_of_the_places() -> None:
    rng = np.random.default_rng(3)
    mixing = rng.normal(size=(12, 12)) @ np.diag([2.0] * 3 + [1e-4] * 3 + [1e-5] * 6)
    covariance = mixing.T @ mixing
    unknown = covariance.copy()
    unknown[4, 4] = np.nan
    every = np.array([covariance, 4.0 * covariance, unknown])
    cost = search_cost(every, np.zeros(3, int), (PHASE,), BOUNDS)
    assert cost[0] - cost[1] == pytest.approx(12.0 * math.log(2.0))
    assert cost[2] == np.inf
    # errors wider than the bounds leave one grain to tell: no cost, no reward
    wide = search_cost(_covariance(1e4, 10.0, 1.0)[None], np.zeros(1, int), (PHASE,), BOUNDS)
    assert wide[0] == 0.0


def test_aluminium_has_the_grains_of_imaged11_and_chance_has_none(
    measured: Callable[[str], Path],
) -> None:
    """The bar of benchmarks/hedm_makemap.py, and one control of it."""
    station, spots = calibrated(measured)
    settings = IndexSettings(least_spots=20, **SETTINGS)
    layer = index_spots(spots, station.instrument, (PHASE,), settings)
    map_ = map_of_imaged11(measured)
    assert len(known(layer, map_)) == len(map_) == 36
    assert len(layer.grains) <= 38
    assert layer.grains.own_spots.min() >= 20
    assert indexed_share(layer, spots, station.instrument) >= 0.887
    mixed = replace(spots, omega=np.random.default_rng(0).permutation(spots.omega))
    few = IndexSettings(least_spots=8, **SETTINGS)
    try:
        found = len(index_spots(mixed, station.instrument, (PHASE,), few).grains)
    except ContradictionError:
        found = 0
    assert found == 0


def test_a_grain_that_does_not_pay_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every field of the layer keeps to the grains that are left."""
    truth = layer(12, 5)
    every = index_spots(truth.spots, UPRIGHT, (llzo(),), LAYER).grains
    assert len(every) == 12
    middle = float(np.sort(every.likelihood)[5:7].mean()) - math.log(1000.0)
    monkeypatch.setattr(
        index, "search_cost", lambda covariance, *_: np.full(len(covariance), middle)
    )
    dear = index_spots(truth.spots, UPRIGHT, (llzo(),), LAYER)
    assert len(dear.grains) == 6
    np.testing.assert_array_equal(dear.grains.likelihood, every.likelihood[:6])
    np.testing.assert_array_equal(dear.grains.position, every.position[:6])
    assert dear.assignment.grain_id.max() == 5
    np.testing.assert_array_equal(np.bincount(dear.assignment.grain_id), dear.grains.spots)
