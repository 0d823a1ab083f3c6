"""Crossings, spots and their derivatives, one at a time and in loops.

Flat forms: ``source`` is beam direction (3), wavelength, rotation axis (3). A panel's row is
origin (3), fast (3), slow (3), normal (3), pitch fast, pitch slow, pixels fast, pixels slow, and
its distortion: number of terms, radius, centre (2), then amplitude, exponent, harmonic, and
cosine and sine of the phase of each term.

Kernels in other modules may call the functions for one spot; Numba keeps a caller's compiled
form when only this file changes, so touch the caller too.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mesolith.axes import FloatArray, IntArray

MOST_TERMS = 8
TERM_SIZE = 5
DISTORTION_SIZE = 4 + TERM_SIZE * MOST_TERMS
_NEWTON_STEPS = 20
_NEWTON_CLOSE = 1e-7  # um


@njit(nogil=True, cache=True)
def _power(base: float, exponent: float) -> float:
    """base ** exponent, by multiplication where the exponent is a small whole number."""
    whole = int(exponent)
    if whole != exponent or whole > 16:
        return float(base**exponent)
    result = 1.0
    for _ in range(whole):
        result *= base
    return result


@njit(nogil=True, cache=True)
def undistort(u, v, row):  # type: ignore[no-untyped-def]
    """Ideal point of a recorded one and the matrix of derivatives: u', v', 11, 12, 21, 22."""
    terms = int(row[0])
    if terms == 0:
        return u, v, 1.0, 0.0, 0.0, 1.0
    du, dv = u - row[2], v - row[3]
    r = math.sqrt(du * du + dv * dv)
    if r == 0.0:
        return u, v, 1.0, 0.0, 0.0, 1.0
    cosine, sine = du / r, dv / r
    share = r / row[1]
    scale, along, around = 1.0, 0.0, 0.0
    for k in range(terms):
        j = 4 + TERM_SIZE * k
        # cos and sin of harmonic times angle plus phase, by turning the phase
        c, s = row[j + 3], row[j + 4]
        for _ in range(int(row[j + 2])):
            c, s = c * cosine - s * sine, s * cosine + c * sine
        size = row[j] * _power(share, row[j + 1])
        scale += size * c
        along += size * row[j + 1] * c / r
        around -= size * row[j + 2] * s / r
    slope_u = (along * du - around * dv) / r
    slope_v = (along * dv + around * du) / r
    return (
        row[2] + scale * du,
        row[3] + scale * dv,
        scale + du * slope_u,
        du * slope_v,
        dv * slope_u,
        scale + dv * slope_v,
    )


@njit(nogil=True, cache=True)
def distort(u, v, row):  # type: ignore[no-untyped-def]
    """Recorded point of an ideal one by Newton's method, and d ideal / d recorded there."""
    at_u, at_v = u, v
    a, b, c, d = 1.0, 0.0, 0.0, 1.0
    if row[0] == 0.0 or not (math.isfinite(u) and math.isfinite(v)):
        return at_u, at_v, a, b, c, d
    for _ in range(_NEWTON_STEPS):
        to_u, to_v, a, b, c, d = undistort(at_u, at_v, row)
        off_u, off_v = u - to_u, v - to_v
        if off_u * off_u + off_v * off_v < _NEWTON_CLOSE * _NEWTON_CLOSE:
            return at_u, at_v, a, b, c, d
        determinant = a * d - b * c
        at_u += (d * off_u - b * off_v) / determinant
        at_v += (a * off_v - c * off_u) / determinant
    # a distortion that folds the plane over has no inverse here
    return math.nan, math.nan, a, b, c, d


@njit(nogil=True, cache=True)
def undistort_all(points: FloatArray, row: FloatArray) -> FloatArray:
    """`undistort` of points (n, 2)."""
    out = np.empty_like(points)
    for i in range(len(points)):
        found = undistort(points[i, 0], points[i, 1], row)
        out[i, 0], out[i, 1] = found[0], found[1]
    return out


@njit(nogil=True, cache=True)
def distort_all(points: FloatArray, row: FloatArray) -> FloatArray:
    """`distort` of points (n, 2)."""
    out = np.empty_like(points)
    for i in range(len(points)):
        found = distort(points[i, 0], points[i, 1], row)
        out[i, 0], out[i, 1] = found[0], found[1]
    return out


@njit(nogil=True, cache=True)
def crossings(gx, gy, gz, source):  # type: ignore[no-untyped-def]
    """Both omega of a g vector (sample axes, 1/angstrom) in [-pi, pi), NaN where there is none.

    The condition b R(omega) g = -wavelength |g|^2 / 2 reads A cos + B sin = C. The first omega
    has the smaller rate A cos' + B sin', d(b R g) / d omega: it is negative there, positive at
    the second.
    """
    bx, by, bz, wavelength = source[0], source[1], source[2], source[3]
    nx, ny, nz = source[4], source[5], source[6]
    along = nx * gx + ny * gy + nz * gz
    level = along * (nx * bx + ny * by + nz * bz)
    a = bx * gx + by * gy + bz * gz - level
    b = bx * (ny * gz - nz * gy) + by * (nz * gx - nx * gz) + bz * (nx * gy - ny * gx)
    c = -0.5 * wavelength * (gx * gx + gy * gy + gz * gz) - level
    size = math.sqrt(a * a + b * b)
    if size <= abs(c):
        return math.nan, math.nan
    middle = math.atan2(b, a)
    half = math.acos(c / size)
    return wrapped(middle + half), wrapped(middle - half)


@njit(nogil=True, cache=True)
def wrapped(angle: float) -> float:
    """The angle in [-pi, pi)."""
    return angle - 2.0 * math.pi * np.floor((angle + math.pi) / (2.0 * math.pi))


@njit(nogil=True, cache=True)
def turned(x, y, z, cosine, sine, source):  # type: ignore[no-untyped-def]
    """Sample vector on laboratory axes: Rodrigues' formula about the axis."""
    nx, ny, nz = source[4], source[5], source[6]
    along = (nx * x + ny * y + nz * z) * (1.0 - cosine)
    return (
        cosine * x + sine * (ny * z - nz * y) + along * nx,
        cosine * y + sine * (nz * x - nx * z) + along * ny,
        cosine * z + sine * (nx * y - ny * x) + along * nz,
    )


@njit(nogil=True, cache=True)
def spot(gx, gy, gz, px, py, pz, omega, source, panel):  # type: ignore[no-untyped-def]
    """Pixel (fast, slow) on one panel's plane of g diffracting at omega from a sample point.

    NaN where the ray does not come to the plane.
    """
    cosine, sine = math.cos(omega), math.sin(omega)
    wavelength = source[3]
    lx, ly, lz = turned(gx, gy, gz, cosine, sine, source)
    kx, ky, kz = (
        source[0] + wavelength * lx,
        source[1] + wavelength * ly,
        source[2] + wavelength * lz,
    )
    qx, qy, qz = turned(px, py, pz, cosine, sine, source)
    wx, wy, wz = qx - panel[0], qy - panel[1], qz - panel[2]
    reach = -(wx * panel[9] + wy * panel[10] + wz * panel[11])
    speed = kx * panel[9] + ky * panel[10] + kz * panel[11]
    if reach * speed <= 0.0:
        return math.nan, math.nan
    reach /= speed
    wx, wy, wz = wx + reach * kx, wy + reach * ky, wz + reach * kz
    u = wx * panel[3] + wy * panel[4] + wz * panel[5]
    v = wx * panel[6] + wy * panel[7] + wz * panel[8]
    found = distort(u, v, panel[16:])
    return (
        found[0] / panel[12] + 0.5 * (panel[14] - 1.0),
        found[1] / panel[13] + 0.5 * (panel[15] - 1.0),
    )


@njit(nogil=True, cache=True)
def spot_and_derivatives(  # type: ignore[no-untyped-def]
    gx, gy, gz, px, py, pz, omega, source, panel, value, by_g, by_p
):
    """Fill value (3) = fast, slow, omega, by_g (3, 3) and by_p (3, 3); False where there is none.

    ``omega`` must be a crossing of g. Row i of by_g holds d value_i / d g (px or rad times
    angstrom) with omega following g so that the crossing holds; by_p the same for the position.
    """
    cosine, sine = math.cos(omega), math.sin(omega)
    bx, by, bz, wavelength = source[0], source[1], source[2], source[3]
    nx, ny, nz = source[4], source[5], source[6]
    lx, ly, lz = turned(gx, gy, gz, cosine, sine, source)
    qx, qy, qz = turned(px, py, pz, cosine, sine, source)
    kx, ky, kz = bx + wavelength * lx, by + wavelength * ly, bz + wavelength * lz
    # motion of g and of the position with omega
    mx, my, mz = ny * lz - nz * ly, nz * lx - nx * lz, nx * ly - ny * lx
    rx, ry, rz = ny * qz - nz * qy, nz * qx - nx * qz, nx * qy - ny * qx
    rate = bx * mx + by * my + bz * mz
    wx, wy, wz = qx - panel[0], qy - panel[1], qz - panel[2]
    reach = -(wx * panel[9] + wy * panel[10] + wz * panel[11])
    speed = kx * panel[9] + ky * panel[10] + kz * panel[11]
    if reach * speed <= 0.0 or rate == 0.0:
        return False
    reach /= speed
    wx, wy, wz = wx + reach * kx, wy + reach * ky, wz + reach * kz
    u = wx * panel[3] + wy * panel[4] + wz * panel[5]
    v = wx * panel[6] + wy * panel[7] + wz * panel[8]
    at_u, at_v, d11, d12, d21, d22 = distort(u, v, panel[16:])
    value[0] = at_u / panel[12] + 0.5 * (panel[14] - 1.0)
    value[1] = at_v / panel[13] + 0.5 * (panel[15] - 1.0)
    value[2] = omega
    determinant = d11 * d22 - d12 * d21
    # rows of d (fast, slow) / d laboratory point, the ray sliding along itself to the plane
    fu = (panel[3] * kx + panel[4] * ky + panel[5] * kz) / speed
    fv = (panel[6] * kx + panel[7] * ky + panel[8] * kz) / speed
    ux, uy, uz = panel[3] - fu * panel[9], panel[4] - fu * panel[10], panel[5] - fu * panel[11]
    vx, vy, vz = panel[6] - fv * panel[9], panel[7] - fv * panel[10], panel[8] - fv * panel[11]
    s = 1.0 / (determinant * panel[12])
    fx, fy, fz = (
        (d22 * ux - d12 * vx) * s,
        (d22 * uy - d12 * vy) * s,
        (d22 * uz - d12 * vz) * s,
    )
    s = 1.0 / (determinant * panel[13])
    sx, sy, sz = (
        (d11 * vx - d21 * ux) * s,
        (d11 * vy - d21 * uy) * s,
        (d11 * vz - d21 * uz) * s,
    )
    # back on sample axes: R^T v turns the other way
    f0, f1, f2 = turned(fx, fy, fz, cosine, -sine, source)
    s0, s1, s2 = turned(sx, sy, sz, cosine, -sine, source)
    b0, b1, b2 = turned(bx, by, bz, cosine, -sine, source)
    o0, o1, o2 = (
        -(b0 + wavelength * gx) / rate,
        -(b1 + wavelength * gy) / rate,
        -(b2 + wavelength * gz) / rate,
    )
    long = reach * wavelength
    tx, ty, tz = rx + long * mx, ry + long * my, rz + long * mz
    f_turn = fx * tx + fy * ty + fz * tz
    s_turn = sx * tx + sy * ty + sz * tz
    by_g[0, 0], by_g[0, 1], by_g[0, 2] = (
        long * f0 + f_turn * o0,
        long * f1 + f_turn * o1,
        long * f2 + f_turn * o2,
    )
    by_g[1, 0], by_g[1, 1], by_g[1, 2] = (
        long * s0 + s_turn * o0,
        long * s1 + s_turn * o1,
        long * s2 + s_turn * o2,
    )
    by_g[2, 0], by_g[2, 1], by_g[2, 2] = o0, o1, o2
    by_p[0, 0], by_p[0, 1], by_p[0, 2] = f0, f1, f2
    by_p[1, 0], by_p[1, 1], by_p[1, 2] = s0, s1, s2
    by_p[2, 0], by_p[2, 1], by_p[2, 2] = 0.0, 0.0, 0.0
    return True


@njit(nogil=True, cache=True)
def crossings_all(g: FloatArray, source: FloatArray, omega: FloatArray) -> None:
    """Fill omega (n, 2) with both crossings of each g (n, 3)."""
    for i in range(len(g)):
        omega[i, 0], omega[i, 1] = crossings(g[i, 0], g[i, 1], g[i, 2], source)


@njit(nogil=True, cache=True)
def predict_all(
    reciprocal: FloatArray,
    position: FloatArray,
    hkl: FloatArray,
    source: FloatArray,
    panels: FloatArray,
    panel: IntArray,
    value: FloatArray,
    rate: FloatArray,
) -> None:
    """Fill panel (g, h, 2), value (g, h, 2, 3) = fast, slow, omega, and rate (g, h, 2).

    Panel -1 where no panel records the crossing (fast and slow are NaN then) or there is no
    crossing (omega and rate too). Rate is wavelength d(b R g) / d omega.
    """
    for i in range(len(reciprocal)):
        m = reciprocal[i]
        px, py, pz = position[i, 0], position[i, 1], position[i, 2]
        for j in range(len(hkl)):
            h, k, n = hkl[j, 0], hkl[j, 1], hkl[j, 2]
            gx = m[0, 0] * h + m[0, 1] * k + m[0, 2] * n
            gy = m[1, 0] * h + m[1, 1] * k + m[1, 2] * n
            gz = m[2, 0] * h + m[2, 1] * k + m[2, 2] * n
            both = crossings(gx, gy, gz, source)
            for c in range(2):
                omega = both[c]
                panel[i, j, c] = -1
                value[i, j, c, 0] = math.nan
                value[i, j, c, 1] = math.nan
                value[i, j, c, 2] = omega
                rate[i, j, c] = math.nan
                if math.isnan(omega):
                    continue
                rate[i, j, c] = crossing_rate(gx, gy, gz, omega, source)
                for p in range(len(panels)):
                    row = panels[p]
                    fast, slow = spot(gx, gy, gz, px, py, pz, omega, source, row)
                    if -0.5 <= fast <= row[14] - 0.5 and -0.5 <= slow <= row[15] - 0.5:
                        panel[i, j, c] = p
                        value[i, j, c, 0] = fast
                        value[i, j, c, 1] = slow
                        break


@njit(nogil=True, cache=True)
def crossing_rate(gx, gy, gz, omega, source):  # type: ignore[no-untyped-def]
    """wavelength d(b R(omega) g) / d omega: how fast g runs through the sphere."""
    lx, ly, lz = turned(gx, gy, gz, math.cos(omega), math.sin(omega), source)
    nx, ny, nz = source[4], source[5], source[6]
    return source[3] * (
        source[0] * (ny * lz - nz * ly)
        + source[1] * (nz * lx - nx * lz)
        + source[2] * (nx * ly - ny * lx)
    )


@njit(nogil=True, cache=True)
def linearise_all(
    g: FloatArray,
    position: FloatArray,
    near: FloatArray,
    panel: IntArray,
    source: FloatArray,
    panels: FloatArray,
    value: FloatArray,
    by_g: FloatArray,
    by_p: FloatArray,
) -> None:
    """Fill value (n, 3), by_g and by_p (n, 3, 3) of the crossing nearest to ``near`` (n,).

    Omega comes out within pi of ``near``. NaN where there is no spot or the panel is -1.
    """
    for i in range(len(g)):
        gx, gy, gz = g[i, 0], g[i, 1], g[i, 2]
        first, second = crossings(gx, gy, gz, source)
        off_first, off_second = wrapped(first - near[i]), wrapped(second - near[i])
        off = off_first if abs(off_first) <= abs(off_second) else off_second
        good = panel[i] >= 0 and not math.isnan(off)
        if good:
            good = spot_and_derivatives(
                gx,
                gy,
                gz,
                position[i, 0],
                position[i, 1],
                position[i, 2],
                near[i] + off,
                source,
                panels[panel[i]],
                value[i],
                by_g[i],
                by_p[i],
            )
        if not good:
            value[i] = math.nan
            by_g[i] = math.nan
            by_p[i] = math.nan
