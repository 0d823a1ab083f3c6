"""Residuals and derivatives of spots with respect to small turns and deviatoric stretches.

Parameters of one grain: rotation vector x y z, then e11 e22 e23 e13 e12 with e33 = -e11 - e22.
The reciprocal lattice goes as g -> (1 + w x - e) g, which is trace-free.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

PARAMETERS = 8


@njit(nogil=True, cache=True)
def place_and_slope(x, y, z, depth, row, place, slope, by_depth):  # type: ignore[no-untyped-def]
    """Ideal place of a spot, its derivatives (2, 8) and that by the depth (2,); False: none."""
    square = x * x + y * y + z * z
    along = x * row[0] + y * row[1] + z * row[2]
    if along >= 0.0:
        return False
    g = np.empty(3)
    g[0] = x
    g[1] = y
    g[2] = z
    f = -2.0 * along / square
    u = np.empty(3)
    away = 0.0
    towards = 0.0
    into = 0.0
    for i in range(3):
        u[i] = row[i] + f * g[i]
        towards += u[i] * row[12 + i]
        away += (row[3 + i] - depth * row[i]) * row[12 + i]
        into += row[i] * row[12 + i]
    if towards * away <= 0.0:
        return False
    reach = away / towards
    for axis in range(2):
        along_axis = 0.0
        u_axis = 0.0
        start_axis = 0.0
        beam_axis = 0.0
        for i in range(3):
            e = row[6 + 3 * axis + i]
            u_axis += u[i] * e
            start_axis += (row[3 + i] - depth * row[i]) * e
            beam_axis += row[i] * e
        along_axis = reach * u_axis - start_axis
        pitch = row[15 + axis]
        place[axis] = along_axis / pitch + 0.5 * (row[17 + axis] - 1.0)
        # reach falls with the depth as the plane comes nearer along the beam
        by_depth[axis] = (beam_axis - into / towards * u_axis) / pitch
        # gradient with respect to u, then to g, then to the parameters
        d = np.empty(3)
        for i in range(3):
            d[i] = reach * (row[6 + 3 * axis + i] - u_axis / towards * row[12 + i]) / pitch
        d_g = d[0] * g[0] + d[1] * g[1] + d[2] * g[2]
        p = np.empty(3)
        for i in range(3):
            p[i] = f * d[i] + d_g * (
                -2.0 * row[i] / square + 4.0 * along * g[i] / (square * square)
            )
        # dg = w x g
        slope[axis, 0] = p[2] * y - p[1] * z
        slope[axis, 1] = p[0] * z - p[2] * x
        slope[axis, 2] = p[1] * x - p[0] * y
        # dg = -e g
        slope[axis, 3] = -(p[0] * x - p[2] * z)
        slope[axis, 4] = -(p[1] * y - p[2] * z)
        slope[axis, 5] = -(p[1] * z + p[2] * y)
        slope[axis, 6] = -(p[0] * z + p[2] * x)
        slope[axis, 7] = -(p[0] * y + p[1] * x)
    return True


@njit(nogil=True, cache=True)
def places_and_slopes(g, hkl, depth, row, place, slope, by_depth):  # type: ignore[no-untyped-def]
    """Fill (n, 2), (n, 2, 8) and (n, 2) as `place_and_slope` does; False where one is none."""
    for k in range(len(hkl)):
        x = g[0, 0] * hkl[k, 0] + g[0, 1] * hkl[k, 1] + g[0, 2] * hkl[k, 2]
        y = g[1, 0] * hkl[k, 0] + g[1, 1] * hkl[k, 1] + g[1, 2] * hkl[k, 2]
        z = g[2, 0] * hkl[k, 0] + g[2, 1] * hkl[k, 1] + g[2, 2] * hkl[k, 2]
        if not place_and_slope(x, y, z, depth[k], row, place[k], slope[k], by_depth[k]):
            return False
    return True


@njit(nogil=True, cache=True)
def apply_step(g, step, at):  # type: ignore[no-untyped-def]
    """g (3, 3) -> (1 + w x - e) g for the eight parameters in ``step`` from ``at``."""
    w0, w1, w2 = step[at], step[at + 1], step[at + 2]
    e11, e22 = step[at + 3], step[at + 4]
    e23, e13, e12 = step[at + 5], step[at + 6], step[at + 7]
    k = np.empty((3, 3))
    k[0, 0] = 1.0 - e11
    k[1, 1] = 1.0 - e22
    k[2, 2] = 1.0 + e11 + e22
    k[0, 1] = -w2 - e12
    k[1, 0] = w2 - e12
    k[0, 2] = w1 - e13
    k[2, 0] = -w1 - e13
    k[1, 2] = -w0 - e23
    k[2, 1] = w0 - e23
    new = np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            new[i, j] = k[i, 0] * g[0, j] + k[i, 1] * g[1, j] + k[i, 2] * g[2, j]
    for i in range(3):
        for j in range(3):
            g[i, j] = new[i, j]


@njit(nogil=True, cache=True)
def strain_of_gradients(gradient, five):  # type: ignore[no-untyped-def]
    """Fill five (n, 5) with the strains e11 e22 e23 e13 e12 of reciprocal gradients (n, 3, 3)."""
    s = np.empty((3, 3))
    for k in range(len(gradient)):
        f = gradient[k]
        for i in range(3):
            for j in range(i + 1):
                s[i, j] = f[i, 0] * f[j, 0] + f[i, 1] * f[j, 1] + f[i, 2] * f[j, 2]
        size = (
            s[0, 0] * (s[1, 1] * s[2, 2] - s[2, 1] * s[2, 1])
            - s[1, 0] * (s[1, 0] * s[2, 2] - s[2, 1] * s[2, 0])
            + s[2, 0] * (s[1, 0] * s[2, 1] - s[1, 1] * s[2, 0])
        )
        # (1 - e)^2 is the left Cauchy-Green tensor of the reciprocal lattice, freed of its size
        less = 0.5 / size ** (1.0 / 3.0)
        five[k, 0] = 0.5 - less * s[0, 0]
        five[k, 1] = 0.5 - less * s[1, 1]
        five[k, 2] = -less * s[2, 1]
        five[k, 3] = -less * s[2, 0]
        five[k, 4] = -less * s[1, 0]


@njit(nogil=True, cache=True)
def normal_equations(  # type: ignore[no-untyped-def]
    g, hkl, grain, share, depth, doubt, point, other_row, observed, variance,
    limit, prior, strain, row, normal, right, residual, square, weight):  # fmt: skip
    """Sum the normal matrix (8 n, 8 n) and right side of all grains; returns sum of w chi^2.

    One row a spot. ``point`` (rows,) is the peak; where ``other_row`` (rows,) is not -1, that
    row is another grain's spot in the same peak, which lies at the mean of both, weighed with
    ``share``; the pair is summed once, by its first row. ``doubt`` (rows,) is the standard
    deviation of the depth, um; ``variance`` (peaks,) that of a place, px^2. ``square`` (rows,) is
    chi^2 and ``weight`` what Tukey's function of it leaves, 0 beyond ``limit``; with a negative
    limit it is taken as it is. ``prior`` weighs the squares of the six strains of each grain, so
    far ``strain`` (n, 5), as observations of 0.
    """
    normal[:] = 0.0
    right[:] = 0.0
    for k in range(len(g)):
        at = 8 * k + 3
        third = strain[k, 0] + strain[k, 1]
        for i in range(5):
            # a shear stands for two equal components
            twice = 1.0 if i < 2 else 2.0
            normal[at + i, at + i] = twice * prior
            right[at + i] = -twice * prior * strain[k, i]
        normal[at, at] += prior
        normal[at + 1, at + 1] += prior
        normal[at + 1, at] += prior
        right[at] -= prior * third
        right[at + 1] -= prior * third
    total = 0.0
    here = np.empty(2)
    there = np.empty(2)
    slope = np.empty((2, 8))
    other_slope = np.empty((2, 8))
    deep = np.empty(2)
    other_deep = np.empty(2)
    v = np.empty(3)
    for k in range(len(hkl)):
        o = other_row[k]
        if 0 <= o < k:
            continue
        m = g[grain[k]]
        for i in range(3):
            v[i] = m[i, 0] * hkl[k, 0] + m[i, 1] * hkl[k, 1] + m[i, 2] * hkl[k, 2]
        if not place_and_slope(v[0], v[1], v[2], depth[k], row, here, slope, deep):
            weight[k] = 0.0
            continue
        spread = variance[point[k]]
        along = (deep[0] ** 2 + deep[1] ** 2) * doubt[k] ** 2
        a = 1.0
        if o >= 0:
            m = g[grain[o]]
            for i in range(3):
                v[i] = m[i, 0] * hkl[o, 0] + m[i, 1] * hkl[o, 1] + m[i, 2] * hkl[o, 2]
            if not place_and_slope(v[0], v[1], v[2], depth[o], row, there, other_slope, other_deep):
                weight[k] = 0.0
                continue
            a = share[k] / (share[k] + share[o])
            apart = (here[0] - there[0]) ** 2 + (here[1] - there[1]) ** 2
            # the shares are known to a factor of a few only
            spread += 0.5 * apart * (0.02 + a * (1.0 - a)) + 0.5 * along
            along = 0.0
            here[0] = a * here[0] + (1.0 - a) * there[0]
            here[1] = a * here[1] + (1.0 - a) * there[1]
            if grain[o] == grain[k]:
                for axis in range(2):
                    for i in range(8):
                        slope[axis, i] = a * slope[axis, i] + (1.0 - a) * other_slope[axis, i]
                a = 1.0
        r0 = observed[point[k], 0] - here[0]
        r1 = observed[point[k], 1] - here[1]
        residual[k, 0] = r0
        residual[k, 1] = r1
        if along > 0.0:
            # the depth is in doubt: what lies along its direction counts less
            less = 1.0 - math.sqrt(spread / (spread + along))
            d0 = deep[0] * doubt[k] / math.sqrt(along)
            d1 = deep[1] * doubt[k] / math.sqrt(along)
            part = less * (d0 * r0 + d1 * r1)
            r0 -= part * d0
            r1 -= part * d1
            for i in range(8):
                part = less * (d0 * slope[0, i] + d1 * slope[1, i])
                slope[0, i] -= part * d0
                slope[1, i] -= part * d1
        chi = (r0 * r0 + r1 * r1) / spread
        w = weight[k]
        if limit >= 0.0:
            w = (1.0 - chi / limit) ** 2 if chi < limit else 0.0
        square[k] = chi
        weight[k] = w
        if o >= 0:
            # residual[o] = residual[k] compiles for a second and a half
            residual[o, 0] = residual[k, 0]
            residual[o, 1] = residual[k, 1]
            square[o] = chi
            weight[o] = w
        total += w * chi
        if w == 0.0:
            continue
        w /= spread
        at = 8 * grain[k]
        for i in range(8):
            s0 = a * slope[0, i]
            s1 = a * slope[1, i]
            right[at + i] += w * (s0 * r0 + s1 * r1)
            for j in range(i + 1):
                normal[at + i, at + j] += w * a * (s0 * slope[0, j] + s1 * slope[1, j])
        if a < 1.0:
            b = 1.0 - a
            to = 8 * grain[o]
            for i in range(8):
                s0 = b * other_slope[0, i]
                s1 = b * other_slope[1, i]
                right[to + i] += w * (s0 * r0 + s1 * r1)
                for j in range(i + 1):
                    normal[to + i, to + j] += (
                        w * b * (s0 * other_slope[0, j] + s1 * other_slope[1, j])
                    )
                for j in range(8):
                    cross = w * a * (s0 * slope[0, j] + s1 * slope[1, j])
                    if to > at:
                        normal[to + i, at + j] += cross
                    else:
                        normal[at + j, to + i] += cross
    return total
