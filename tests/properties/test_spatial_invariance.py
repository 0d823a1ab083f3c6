"""Relabel the grains, turn or shift the pellet, drift a state: the findings stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesolith.link.extremes import extreme_grains
from mesolith.link.hotspots import spot_history
from mesolith.link.pathways import stress_pathways
from mesolith.link.space import spatial_pattern
from mesolith.link.transitions import direction_separation
from mesolith.numerics.spatial import neighbour_graph, sign_flip_test
from mesolith.records.followed import FollowedGrains
from tests.link.followed import followed, lattice_positions

_RNG = np.random.default_rng(8)
_POSITION = lattice_positions(_RNG, 10, 7)
CELL = followed(_RNG, _POSITION, 40.0 * _RNG.standard_normal((len(_POSITION), 5)))
seeds = st.integers(0, 1000)


@cache
def _of_cell(found_in: Callable[..., Any], **options: Any) -> Any:
    """What is found in the cell as it is, computed once for all examples."""
    return found_in(CELL, **options)


def _relabelled(cell: FollowedGrains, order: np.ndarray) -> FollowedGrains:
    per_grain = (
        "grain",
        "row",
        "probability",
        "position",
        "radius",
        "hydrostatic",
        "hydrostatic_se",
        "von_mises",
        "von_mises_se",
    )
    return replace(cell, **{name: getattr(cell, name)[order] for name in per_grain})


@settings(max_examples=5)
@given(seed=seeds)
def test_order_of_grains_does_not_matter(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(CELL))
    other = _relabelled(CELL, order)
    one, two = _of_cell(spatial_pattern, permutations=99), spatial_pattern(other, permutations=99)
    assert two.trend == pytest.approx(one.trend, rel=1e-9)
    assert two.trend_p == pytest.approx(one.trend_p)
    assert two.moran == pytest.approx(one.moran, rel=1e-9)
    here, there = _of_cell(spot_history), spot_history(other)
    assert there.mean == pytest.approx(here.mean)
    assert np.array_equal(order[there.centre], here.centre)
    first, second = _of_cell(stress_pathways), stress_pathways(other)
    assert np.array_equal(order[second.end], first.end)


@settings(max_examples=5)
@given(shift=st.floats(-500.0, 500.0))
def test_a_place_elsewhere_is_the_same_place(shift: float) -> None:
    other = replace(CELL, position=CELL.position + shift)
    one, two = _of_cell(spatial_pattern, permutations=99), spatial_pattern(other, permutations=99)
    assert two.trend == pytest.approx(one.trend, rel=1e-6, abs=1e-9)
    assert two.moran == pytest.approx(one.moran, rel=1e-6)
    assert stress_pathways(other).relaxation == pytest.approx(_of_cell(stress_pathways).relaxation)


def test_upside_down_turns_trend_and_relaxation() -> None:
    mirror = np.array([1.0, 1.0, -1.0])
    other = replace(CELL, position=CELL.position * mirror)
    one, two = _of_cell(spatial_pattern, permutations=99), spatial_pattern(other, permutations=99)
    assert two.trend == pytest.approx(one.trend * mirror, rel=1e-9)
    here, there = _of_cell(stress_pathways), stress_pathways(other)
    assert there.relaxation == pytest.approx(-here.relaxation)


@settings(max_examples=5)
@given(drift=st.lists(st.floats(-200.0, 200.0), min_size=5, max_size=5))
def test_a_drift_moves_only_what_is_as_measured(drift: list[float]) -> None:
    other = replace(CELL, hydrostatic=CELL.hydrostatic + np.array(drift))
    one, two = _of_cell(direction_separation), direction_separation(other)
    removed = ["mean removed" in name for name in one.question]
    assert two.effect[removed] == pytest.approx(one.effect[removed], abs=1e-6)
    assert two.p[removed] == pytest.approx(one.p[removed])
    assert stress_pathways(other).relaxation == pytest.approx(_of_cell(stress_pathways).relaxation)


@settings(max_examples=5)
@given(scale=st.floats(0.01, 100.0))
def test_units_of_stress_do_not_matter(scale: float) -> None:
    one = extreme_grains(CELL.hydrostatic[:, 0], CELL.hydrostatic_se[:, 0])
    two = extreme_grains(scale * CELL.hydrostatic[:, 0], scale * CELL.hydrostatic_se[:, 0])
    assert two.highest == pytest.approx(scale * one.highest, rel=1e-6)
    assert two.noise_highest == pytest.approx(scale * one.noise_highest, rel=1e-6)
    assert np.array_equal(two.grain, one.grain)


@settings(max_examples=20)
@given(seed=seeds)
def test_sign_flips_do_not_see_a_global_sign(seed: int) -> None:
    rows = np.random.default_rng(seed).standard_normal((40, 2))
    block = np.arange(40) // 5
    one, two = sign_flip_test(rows, block), sign_flip_test(-rows, block)
    assert np.array_equal(one.p, two.p)
    assert np.array_equal(one.total, -two.total)


@settings(max_examples=20)
@given(seed=seeds)
def test_neighbours_are_mutual(seed: int) -> None:
    points = np.random.default_rng(seed).uniform(0.0, 4.0, (60, 3))
    graph = neighbour_graph(points, 1.0)
    assert (graph - graph.T).nnz == 0
    assert graph.diagonal().sum() == 0.0
