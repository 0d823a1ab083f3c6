"""Small dense algebra written out for kernels: it compiles in a fraction of LAPACK's time."""

from __future__ import annotations

import math

from numba import njit


@njit(nogil=True, cache=True)
def invert_three(m, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` with the inverse of m (3, 3) and return the determinant; 0: nothing filled."""
    a = m[1, 1] * m[2, 2] - m[1, 2] * m[2, 1]
    b = m[1, 2] * m[2, 0] - m[1, 0] * m[2, 2]
    c = m[1, 0] * m[2, 1] - m[1, 1] * m[2, 0]
    determinant = m[0, 0] * a + m[0, 1] * b + m[0, 2] * c
    if determinant == 0.0:
        return 0.0
    out[0, 0] = a / determinant
    out[0, 1] = (m[0, 2] * m[2, 1] - m[0, 1] * m[2, 2]) / determinant
    out[0, 2] = (m[0, 1] * m[1, 2] - m[0, 2] * m[1, 1]) / determinant
    out[1, 0] = b / determinant
    out[1, 1] = (m[0, 0] * m[2, 2] - m[0, 2] * m[2, 0]) / determinant
    out[1, 2] = (m[0, 2] * m[1, 0] - m[0, 0] * m[1, 2]) / determinant
    out[2, 0] = c / determinant
    out[2, 1] = (m[0, 1] * m[2, 0] - m[0, 0] * m[2, 1]) / determinant
    out[2, 2] = (m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]) / determinant
    return determinant


@njit(nogil=True, cache=True)
def factor_positive(m):  # type: ignore[no-untyped-def]
    """Replace the lower triangle of m (n, n) by its Cholesky factor; False: not positive."""
    n = len(m)
    for j in range(n):
        total = m[j, j]
        for k in range(j):
            total -= m[j, k] * m[j, k]
        if not total > 0.0:
            return False
        m[j, j] = math.sqrt(total)
        for i in range(j + 1, n):
            total = m[i, j]
            for k in range(j):
                total -= m[i, k] * m[j, k]
            m[i, j] = total / m[j, j]
    return True


@njit(nogil=True, cache=True)
def solve_factored(factor, right):  # type: ignore[no-untyped-def]
    """Replace ``right`` (n,) by the solution for a matrix whose Cholesky factor is given."""
    n = len(right)
    for i in range(n):
        total = right[i]
        for k in range(i):
            total -= factor[i, k] * right[k]
        right[i] = total / factor[i, i]
    for i in range(n - 1, -1, -1):
        total = right[i]
        for k in range(i + 1, n):
            total -= factor[k, i] * right[k]
        right[i] = total / factor[i, i]
