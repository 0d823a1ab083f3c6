"""Clusters that reach from end to end, against a flood that spreads voxel by voxel."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mesolith.numerics.components import through_clusters


def flooded(conducts, start, axis, periodic):
    """Voxels reached from the end ``start`` of an axis."""
    reached = np.zeros_like(conducts)
    todo = [tuple(v) for v in np.argwhere(conducts) if v[axis] == start % conducts.shape[axis]]
    for voxel in todo:
        reached[voxel] = True
    while todo:
        here = todo.pop()
        for along in range(3):
            for step in (-1, 1):
                there = list(here)
                there[along] += step
                if periodic and along != axis:
                    there[along] %= conducts.shape[along]
                if not 0 <= there[along] < conducts.shape[along]:
                    continue
                if conducts[tuple(there)] and not reached[tuple(there)]:
                    reached[tuple(there)] = True
                    todo.append(tuple(there))
    return reached


@given(
    shape=st.tuples(*[st.integers(1, 5)] * 3),
    axis=st.integers(0, 2),
    periodic=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_as_by_a_flood_from_both_ends(shape, axis, periodic, seed):
    conducts = np.random.default_rng(seed).random(shape) < 0.5
    lower = flooded(conducts, 0, axis, periodic)
    upper = flooded(conducts, -1, axis, periodic)
    found = through_clusters(conducts, axis=axis, periodic=periodic)
    assert np.array_equal(found, lower & upper)


def test_edges_and_corners_do_not_join():
    conducts = np.zeros((4, 4, 4), dtype=bool)
    for i in range(4):
        conducts[i, i, i] = True
    assert not through_clusters(conducts).any()
    conducts[[0, 1, 2], [1, 2, 3], [0, 1, 2]] = True
    assert not through_clusters(conducts).any()
