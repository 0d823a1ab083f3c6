"""Gaussians integrated over cells, and the normal equations of their least squares."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mesolith.axes import FloatArray

Image = NDArray[np.float32]
Whole = NDArray[np.int32]

# sum, centre and logarithms of the widths along three axes
PARAMETERS = 7
_SILENT = np.float32(0.03**2)


@njit(nogil=True, cache=True)
def _below(z: float, bell: float) -> float:
    """Share of a Gaussian below z standard deviations, ``bell`` its height there.

    Within 1e-7: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.2.17.
    """
    t = 1.0 / (1.0 + 0.2316419 * abs(z))
    tail = 1.781477937 + t * (-1.821255978 + t * 1.330274429)
    tail = bell * t * (0.319381530 + t * (-0.356563782 + t * tail))
    return tail if z < 0.0 else 1.0 - tail


@njit(nogil=True, cache=True)
def gaussian_table(low: int, length: int, centre: float, width: float, table: Image) -> None:
    """Share of a Gaussian in each of ``length`` cells around low, low + 1 ..., rows of table:
    the share, its derivative by the centre, and that by the logarithm of the width."""
    inverse = 1.0 / width
    z = (low - 0.5 - centre) * inverse
    bell = 0.3989422804014327 * math.exp(-0.5 * z * z)
    before = _below(z, bell)
    for k in range(length):
        z_next = z + inverse
        bell_next = 0.3989422804014327 * math.exp(-0.5 * z_next * z_next)
        upto = _below(z_next, bell_next)
        table[0, k] = upto - before
        table[1, k] = (bell - bell_next) * inverse
        table[2, k] = z * bell - z_next * bell_next
        z, before, bell = z_next, upto, bell_next


@njit(nogil=True, cache=True)
def invert(matrix: FloatArray, size: int, factor: FloatArray, inverse: FloatArray) -> bool:
    """Inverse of a symmetric positive matrix by Cholesky; False where it is not positive."""
    for i in range(size):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            if i == j:
                if not total > 1e-12 * matrix[i, i]:
                    return False
                factor[i, i] = math.sqrt(total)
            else:
                factor[i, j] = total / factor[j, j]
    for column in range(size):
        for i in range(column):
            inverse[i, column] = 0.0
        for i in range(column, size):
            total = 1.0 if i == column else 0.0
            for k in range(column, i):
                total -= factor[i, k] * inverse[k, column]
            inverse[i, column] = total / factor[i, i]
        for i in range(size - 1, -1, -1):
            total = inverse[i, column]
            for k in range(i + 1, size):
                total -= factor[k, i] * inverse[k, column]
            inverse[i, column] = total / factor[i, i]
    return True


@njit(nogil=True, cache=True)
def drop_silent(n: int, total: float, tables: Image, cell: Whole, data: Image) -> int:
    """Keep the voxels in which the profile is not silent; returns how many."""
    kept = 0
    amount = np.float32(total)
    for e in range(n):
        c, r, f = cell[0, e], cell[1, e], cell[2, e]
        model = amount * tables[0, 0, c] * tables[1, 0, r] * tables[2, 0, f]
        if model * model >= _SILENT * data[1, e]:
            cell[0, kept], cell[1, kept], cell[2, kept] = c, r, f
            for a in range(3):
                data[a, kept] = data[a, e]
            kept += 1
    return kept


@njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz"})
def normal_equations(
    n: int,
    cell: Whole,
    data: Image,
    tables: Image,
    total: float,
    gain: float,
    common: float,
    slope: Image,
    matrix: FloatArray,
    vector: FloatArray,
) -> float:
    """Normal matrix (7, 7), its right side, and chi-square, of ``n`` voxels.

    ``slope`` (9, n) is scratch: the derivatives, weights and distances of each voxel. Single
    precision and sums in any order, so that eight voxels are added at a time.
    """
    amount, share, even = np.float32(total), np.float32(gain), np.float32(common)
    zero, one = np.float32(0.0), np.float32(1.0)
    for e in range(n):
        c, r, f = cell[0, e], cell[1, e], cell[2, e]
        x, y, z = tables[0, 0, c], tables[1, 0, r], tables[2, 0, f]
        xy, yz, xz = x * y, amount * y * z, amount * x * z
        slope[0, e] = xy * z
        xy *= amount
        slope[1, e] = tables[0, 1, c] * yz
        slope[2, e] = tables[1, 1, r] * xz
        slope[3, e] = tables[2, 1, f] * xy
        slope[4, e] = tables[0, 2, c] * yz
        slope[5, e] = tables[1, 2, r] * xz
        slope[6, e] = tables[2, 2, f] * xy
    chi = zero
    for e in range(n):
        model = amount * slope[0, e]
        beside = data[2, e]
        weight = one / (even * data[1, e] + share * (max(model, zero) + max(beside, zero)))
        away = data[0, e] - beside - model
        slope[7, e] = weight
        slope[8, e] = away
        chi += weight * away * away
    for a in range(PARAMETERS):
        # one sum a column, each of them in a register
        m0 = m1 = m2 = m3 = m4 = m5 = m6 = v = zero
        for e in range(n):
            weighed = slope[7, e] * slope[a, e]
            v += weighed * slope[8, e]
            m0 += weighed * slope[0, e]
            m1 += weighed * slope[1, e]
            m2 += weighed * slope[2, e]
            m3 += weighed * slope[3, e]
            m4 += weighed * slope[4, e]
            m5 += weighed * slope[5, e]
            m6 += weighed * slope[6, e]
        matrix[a, 0], matrix[a, 1], matrix[a, 2], matrix[a, 3] = m0, m1, m2, m3
        matrix[a, 4], matrix[a, 5], matrix[a, 6], vector[a] = m4, m5, m6, v
    return float(chi)
