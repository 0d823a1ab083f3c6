"""Small dense algebra against NumPy."""

from __future__ import annotations

import numpy as np

from mesolith.numerics._kernels_small import factor_positive, invert_three, solve_factored


def test_inverse_of_three() -> None:
    rng = np.random.default_rng(0)
    out = np.empty((3, 3))
    for m in rng.standard_normal((20, 3, 3)):
        assert np.isclose(invert_three(m, out), np.linalg.det(m))
        assert np.allclose(out, np.linalg.inv(m))
    assert invert_three(np.ones((3, 3)), out) == 0.0


def test_cholesky() -> None:
    rng = np.random.default_rng(1)
    root = rng.standard_normal((12, 15))
    m, right = root @ root.T, rng.standard_normal(12)
    factor, solution = m.copy(), right.copy()
    assert factor_positive(factor)
    assert np.allclose(np.tril(factor), np.linalg.cholesky(m))
    solve_factored(factor, solution)
    assert np.allclose(m @ solution, right)
    m[3, 3] = -1.0
    assert not factor_positive(m)
