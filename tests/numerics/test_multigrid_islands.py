"""Good conductors amid bad ones: the error told stays honest, and the iterations few."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import spsolve

from mesolith.numerics.components import through_clusters
from mesolith.numerics.conduction_operator import FaceOperator
from mesolith.numerics.islands import strong_axes, thresholds_of
from mesolith.numerics.multigrid import potential_of_conductivity


def matrix_of(k):
    """Sparse matrix of the operator without its ends, as a graph of faces."""
    number = np.arange(k.size).reshape(k.shape)
    rows, columns, values = [], [], []
    for axis in range(3):
        a = np.moveaxis(number, axis, 0)[:-1].ravel()
        b = np.moveaxis(number, axis, 0)[1:].ravel()
        g = 2.0 / (1.0 / k.ravel()[a] + 1.0 / k.ravel()[b])
        rows += [a, b, a, b]
        columns += [b, a, a, b]
        values += [-g, -g, g, g]
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return sparse.csc_array(sparse.coo_array(entries, shape=(k.size, k.size)))


def direct_answer(k):
    """Effective conductivity by factorisation, as energy."""
    nx, ny, nz = k.shape
    ends, source = np.zeros(k.shape), np.zeros(k.shape)
    ends[0] += 2.0 * k[0]
    ends[-1] += 2.0 * k[-1]
    source[0] = 2.0 * k[0]
    inside = matrix_of(k)
    u = spsolve(inside + sparse.diags_array(ends.ravel(), format="csc"), source.ravel())
    flat = u.reshape(k.shape)
    at_ends = np.sum(2.0 * k[0] * (1.0 - flat[0]) ** 2) + np.sum(2.0 * k[-1] * flat[-1] ** 2)
    return (u @ (inside @ u) + at_ends) * nx / (ny * nz)


@pytest.mark.parametrize(("fraction", "contrast"), [(0.3, 1e-8), (0.3, 1e-3), (0.5, 1e-6)])
def test_the_error_told_holds_for_random_voxels_near_percolation(fraction, contrast):
    rng = np.random.default_rng(1)
    k = np.where(rng.random((14, 13, 15)) < fraction, 1.0, contrast)
    exact = direct_answer(k)
    for tolerance in (1e-3, 1e-6):
        found = potential_of_conductivity(k, tolerance=tolerance)
        off = found.conductivity / exact - 1.0
        # below only by the rounding of conductances
        assert -1e-7 < off <= found.error <= tolerance
        assert found.iterations < 100


def test_the_error_told_holds_for_values_over_many_decades():
    k = 10.0 ** np.random.default_rng(2).uniform(-6.0, 0.0, (13, 14, 12))
    found = potential_of_conductivity(k, tolerance=1e-5)
    assert -1e-7 < found.conductivity / direct_answer(k) - 1.0 <= found.error


def test_the_conductance_that_leaves_an_island():
    rng = np.random.default_rng(3)
    k = np.where(rng.random((6, 7, 8)) < 0.25, 2.0, 1e-3)
    k[0] = k[-1] = 1e-3
    operator = FaceOperator.of_conductivity(k, 2.0, (1.0, 1.0, 1.0), ())
    (islands,) = operator.islands
    matrix = matrix_of(k / 2.0)
    label = islands.label[1:-1, 1:-1, 1:-1].ravel()
    assert np.array_equal(label > 0, k.ravel() > 1.0)
    for one in range(1, label.max() + 1):
        inside = (label == one).astype(float)
        assert islands.inverse[one] == pytest.approx(1.0 / (inside @ (matrix @ inside)), rel=1e-5)


def test_flat_voxels_move_slice_by_slice():
    """Voxels 30 times longer along the flow: each slice is an island of its own."""
    through = through_clusters(np.random.default_rng(1).random((18, 20, 19)) < 0.45)
    fine = potential_of_conductivity(through, spacing=(30.0, 1.0, 1.0), tolerance=1e-9)
    found = potential_of_conductivity(through, spacing=(30.0, 1.0, 1.0), tolerance=1e-4)
    assert 0.0 < found.conductivity / fine.conductivity - 1.0 <= found.error
    assert found.iterations <= 40


def test_groups_of_strong_axes():
    assert strong_axes((1.0, 1.0, 1.0)) == []
    assert strong_axes((1.0, 900.0, 900.0)) == [(1, 2)]
    assert strong_axes((1.0, 0.05, 0.0001)) == [(0,), (0, 1)]


def test_a_level_starts_above_each_gap():
    assert thresholds_of(np.ones((3, 3, 3))) == []
    assert thresholds_of(np.array([[[1.0, 5.0, 0.0, 9.0]]])) == []
    assert thresholds_of(np.array([[[0.01, 1.0, 0.0]]])) == [1.0]
    assert thresholds_of(np.array([[[1e-6, 1e-3, 2e-3, 1.0, 3.0]]])) == [1.0, 1e-3]
    spread = 10.0 ** np.linspace(-5.0, 0.0, 500).reshape(5, 10, 10)
    assert thresholds_of(spread) == pytest.approx([1e-1, 1e-3], rel=0.9)
