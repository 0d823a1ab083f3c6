"""Sweeps of the conduction solver: one block of planes each, so that threads share a sweep.

All grids are padded by one cell on every side and lie in C order; planes ``lo`` to ``hi - 1``
are padded indices. Two kinds of operator:

mask: equal conductance ``gx gy gz`` between neighbours that both conduct. One byte a voxel holds
the number of couplings along each axis: bits 0-2 along x (an end counts twice, being half a voxel
away), bits 3-4 along y, bits 5-6 along z. The byte 0 marks a voxel that does not conduct; its
potential stays zero, so that it may be summed like any other.

faces: ``cx[i, j, l]`` is the conductance between (i - 1, j, l) and (i, j, l); cy, cz alike.

Loops over a row are split so that each writes one array and reads few: then they vectorise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def relax_mask(
    u: Any, b: Any, code: Any, gx: Any, gy: Any, gz: Any, colour: int, first: int, lo: int, hi: int
) -> None:
    """Gauss-Seidel on the rows of one colour (i + j), in each row first one parity of l.

    The second parity is found from a trial row, so that no loop reads what it writes.
    """
    ny, nz = u.shape[1] - 2, u.shape[2] - 2
    one, zero = np.float32(1.0), np.float32(0.0)
    t = np.empty(nz + 2, np.float32)
    w = np.empty(nz + 2, np.float32)
    trial = np.empty(nz + 2, np.float32)
    new = np.empty(nz + 2, np.float32)
    is_first = np.zeros(nz + 2, np.float32)
    is_first[first::2] = one
    for i in range(lo, hi):
        for j in range(1 + ((i + colour) & 1), ny + 1, 2):
            row, c, f = u[i, j], code[i, j], b[i, j]
            xm, xp, ym, yp = u[i - 1, j], u[i + 1, j], u[i, j - 1], u[i, j + 1]
            for k in range(1, nz + 1):
                a = np.int32(c[k])
                d = (
                    gx * np.float32(a & np.int32(7))
                    + gy * np.float32((a >> np.int32(3)) & np.int32(3))
                    + gz * np.float32(a >> np.int32(5))
                )
                w[k] = one / d if d > zero else zero
            for k in range(1, nz + 1):
                t[k] = f[k] + gx * (xm[k] + xp[k]) + gy * (ym[k] + yp[k])
            for k in range(1, nz + 1):
                trial[k] = w[k] * (t[k] + gz * (row[k - 1] + row[k + 1]))
            trial[0], trial[nz + 1] = row[0], row[nz + 1]
            for k in range(1, nz + 1):
                second = w[k] * (t[k] + gz * (trial[k - 1] + trial[k + 1]))
                new[k] = second + is_first[k] * (trial[k] - second)
            for k in range(1, nz + 1):
                row[k] = new[k]


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})  # type: ignore[untyped-decorator, unused-ignore]
def apply_mask(u: Any, code: Any, gx: Any, gy: Any, gz: Any, out: Any, lo: int, hi: int) -> float:
    """Operator on u into out; returns the sum of u * out in 64 bit."""
    ny, nz = u.shape[1] - 2, u.shape[2] - 2
    total = 0.0
    t = np.empty(nz + 2, u.dtype)
    diagonal = np.empty(128, u.dtype)
    for a in range(128):
        diagonal[a] = gx * (a & 7) + gy * ((a >> 3) & 3) + gz * (a >> 5)
    for i in range(lo, hi):
        for j in range(1, ny + 1):
            row, c, q = u[i, j], code[i, j], out[i, j]
            xm, xp, ym, yp = u[i - 1, j], u[i + 1, j], u[i, j - 1], u[i, j + 1]
            for k in range(1, nz + 1):
                t[k] = gx * (xm[k] + xp[k]) + gy * (ym[k] + yp[k]) + gz * (row[k - 1] + row[k + 1])
            for k in range(1, nz + 1):
                t[k] = diagonal[c[k]] * row[k] - t[k] if c[k] != 0 else 0.0
            for k in range(1, nz + 1):
                q[k] = t[k]
            for k in range(1, nz + 1):
                total += np.float64(row[k]) * np.float64(t[k])
    return total


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def restrict_mask(
    u: Any, b: Any, code: Any, gx: Any, gy: Any, gz: Any, shift: Any, coarse: Any, lo: int, hi: int
) -> None:
    """Sum of the residual b - A u over the children of each coarse cell; coarse planes lo to hi."""
    nx, ny, nz = u.shape[0] - 2, u.shape[1] - 2, u.shape[2] - 2
    sx, sy, sz = shift
    zero = np.float32(0.0)
    t = np.empty(nz + 2, np.float32)
    for m in range(lo, hi):
        coarse[m] = 0.0
        for i in range(((m - 1) << sx) + 1, min(m << sx, nx) + 1):
            for j in range(1, ny + 1):
                row, c, f = u[i, j], code[i, j], b[i, j]
                xm, xp, ym, yp = u[i - 1, j], u[i + 1, j], u[i, j - 1], u[i, j + 1]
                for k in range(1, nz + 1):
                    t[k] = (
                        f[k]
                        + gx * (xm[k] + xp[k])
                        + gy * (ym[k] + yp[k])
                        + gz * (row[k - 1] + row[k + 1])
                    )
                for k in range(1, nz + 1):
                    a = np.int32(c[k])
                    d = (
                        gx * np.float32(a & np.int32(7))
                        + gy * np.float32((a >> np.int32(3)) & np.int32(3))
                        + gz * np.float32(a >> np.int32(5))
                    )
                    t[k] = t[k] - d * row[k] if d > zero else zero
                target = coarse[m, ((j - 1) >> sy) + 1]
                for k in range(nz):
                    target[(k >> sz) + 1] += t[k + 1]


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def relax_faces(
    u: Any, b: Any, cx: Any, cy: Any, cz: Any, colour: int, first: int, lo: int, hi: int
) -> None:
    """As `relax_mask`, with a conductance for each face."""
    ny, nz = u.shape[1] - 2, u.shape[2] - 2
    one, zero = np.float32(1.0), np.float32(0.0)
    t = np.empty(nz + 2, np.float32)
    w = np.empty(nz + 2, np.float32)
    for i in range(lo, hi):
        for j in range(1 + ((i + colour) & 1), ny + 1, 2):
            row, f, gz = u[i, j], b[i, j], cz[i, j]
            xm, xp, ym, yp = u[i - 1, j], u[i + 1, j], u[i, j - 1], u[i, j + 1]
            gxm, gxp, gym, gyp = cx[i, j], cx[i + 1, j], cy[i, j], cy[i, j + 1]
            for k in range(1, nz + 1):
                d = gxm[k] + gxp[k] + gym[k] + gyp[k] + gz[k] + gz[k + 1]
                w[k] = one / d if d > zero else zero
            for k in range(1, nz + 1):
                t[k] = f[k] + gxm[k] * xm[k] + gxp[k] * xp[k]
            for k in range(1, nz + 1):
                t[k] += gym[k] * ym[k] + gyp[k] * yp[k]
            for k in range(first, nz + 1, 2):
                row[k] = w[k] * (t[k] + gz[k] * row[k - 1] + gz[k + 1] * row[k + 1])
            for k in range(3 - first, nz + 1, 2):
                row[k] = w[k] * (t[k] + gz[k] * row[k - 1] + gz[k + 1] * row[k + 1])


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})  # type: ignore[untyped-decorator, unused-ignore]
def apply_faces(u: Any, cx: Any, cy: Any, cz: Any, out: Any, lo: int, hi: int) -> float:
    """As `apply_mask`, with a conductance for each face; differences first, against rounding.

    The sum is that of conductance * difference^2 over the faces: the same for a padding of zeros,
    and the energy where the padding below holds a source.
    """
    nx, ny, nz = u.shape[0] - 2, u.shape[1] - 2, u.shape[2] - 2
    total = 0.0
    t = np.empty(nz + 2, u.dtype)
    for i in range(lo, hi):
        for j in range(1, ny + 1):
            row, gz, q = u[i, j], cz[i, j], out[i, j]
            xm, xp, ym, yp = u[i - 1, j], u[i + 1, j], u[i, j - 1], u[i, j + 1]
            gxm, gxp, gym, gyp = cx[i, j], cx[i + 1, j], cy[i, j], cy[i, j + 1]
            for k in range(1, nz + 1):
                t[k] = gxm[k] * (row[k] - xm[k]) + gxp[k] * (row[k] - xp[k])
            for k in range(1, nz + 1):
                t[k] += gym[k] * (row[k] - ym[k]) + gyp[k] * (row[k] - yp[k])
            for k in range(1, nz + 1):
                q[k] = t[k] + gz[k] * (row[k] - row[k - 1]) + gz[k + 1] * (row[k] - row[k + 1])
            for k in range(1, nz + 1):
                dx, dy, dz = row[k] - xm[k], row[k] - ym[k], row[k] - row[k - 1]
                total += np.float64(gxm[k] * dx * dx + gym[k] * dy * dy + gz[k] * dz * dz)
            if i == nx:
                for k in range(1, nz + 1):
                    total += np.float64(gxp[k] * row[k] * row[k])
    return total


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def restrict_faces(
    u: Any, b: Any, cx: Any, cy: Any, cz: Any, shift: Any, coarse: Any, lo: int, hi: int
) -> None:
    """As `restrict_mask`, with a conductance for each face."""
    nx, ny, nz = u.shape[0] - 2, u.shape[1] - 2, u.shape[2] - 2
    sx, sy, sz = shift
    t = np.empty(nz + 2, np.float32)
    for m in range(lo, hi):
        coarse[m] = 0.0
        for i in range(((m - 1) << sx) + 1, min(m << sx, nx) + 1):
            for j in range(1, ny + 1):
                row, f, gz = u[i, j], b[i, j], cz[i, j]
                xm, xp, ym, yp = u[i - 1, j], u[i + 1, j], u[i, j - 1], u[i, j + 1]
                gxm, gxp, gym, gyp = cx[i, j], cx[i + 1, j], cy[i, j], cy[i, j + 1]
                for k in range(1, nz + 1):
                    t[k] = f[k] + gxm[k] * (xm[k] - row[k]) + gxp[k] * (xp[k] - row[k])
                for k in range(1, nz + 1):
                    t[k] += gym[k] * (ym[k] - row[k]) + gyp[k] * (yp[k] - row[k])
                for k in range(1, nz + 1):
                    t[k] += gz[k] * (row[k - 1] - row[k]) + gz[k + 1] * (row[k + 1] - row[k])
                target = coarse[m, ((j - 1) >> sy) + 1]
                for k in range(nz):
                    target[(k >> sz) + 1] += t[k + 1]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def prolong_add(u: Any, active: Any, shift: Any, coarse: Any, lo: int, hi: int) -> None:
    """Add to each cell where ``active`` is not zero the value of its coarse cell."""
    ny, nz = u.shape[1] - 2, u.shape[2] - 2
    sx, sy, sz = shift
    for i in range(lo, hi):
        for j in range(1, ny + 1):
            row, c = u[i, j], active[i, j]
            source = coarse[((i - 1) >> sx) + 1, ((j - 1) >> sy) + 1]
            for k in range(nz):
                if c[k + 1] != 0:
                    row[k + 1] += source[(k >> sz) + 1]


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})  # type: ignore[untyped-decorator, unused-ignore]
def advance(alpha: float, p: Any, q: Any, u: Any, r: Any) -> None:
    """u += alpha p in 64 bit, r -= alpha q; flat arrays."""
    a = np.float32(alpha)
    for k in range(u.size):
        u[k] += alpha * np.float64(p[k])
    for k in range(r.size):
        r[k] -= a * q[k]


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})  # type: ignore[untyped-decorator, unused-ignore]
def dot(a: Any, b: Any) -> float:
    """Sum of a * b in 64 bit; flat arrays."""
    total = 0.0
    for k in range(a.size):
        total += np.float64(a[k]) * np.float64(b[k])
    return total


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def turn(z: Any, beta: Any, p: Any) -> None:
    """p = z + beta p; flat arrays."""
    for k in range(p.size):
        p[k] = z[k] + beta * p[k]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def island_sums(label: Any, r: Any, total: Any) -> None:
    """Sum of r over each island, in 64 bit; flat arrays, label 0 belongs to none."""
    for k in range(r.size):
        if label[k] != 0:
            total[label[k]] += r[k]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def island_shift(label: Any, z: Any, shift: Any) -> None:
    """Add to z the shift of its island; flat arrays."""
    for k in range(z.size):
        if label[k] != 0:
            z[k] += shift[label[k]]
