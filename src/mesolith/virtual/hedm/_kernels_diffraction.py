"""Crossings of the Ewald sphere by search, and the rays they send to the panel."""

from __future__ import annotations

import math
from typing import Any

from numba import njit

_SAMPLES = 8


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def extreme_angle(cosine: float, sine: float, start: float) -> float:
    """Angle near ``start`` at which cosine cos w + sine sin w is extreme, by Newton's rule."""
    w = start
    for _ in range(20):
        c, s = math.cos(w), math.sin(w)
        slope = sine * c - cosine * s
        bend = -cosine * c - sine * s
        step = slope / bend
        w -= step
        if abs(step) < 1e-9:
            break
    return w


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def crossing(constant: float, cosine: float, sine: float, low: float, high: float) -> float:
    """Root of constant + cosine cos w + sine sin w between ``low`` and ``high``.

    The sign differs at the two ends. Newton's rule, and a bisection where a step would leave
    the bracket, until the step is below 1e-12 rad.
    """
    rising = constant + cosine * math.cos(low) + sine * math.sin(low) < 0.0
    w = 0.5 * (low + high)
    for _ in range(100):
        c, s = math.cos(w), math.sin(w)
        value = constant + cosine * c + sine * s
        if (value < 0.0) == rising:
            low = w
        else:
            high = w
        slope = sine * c - cosine * s
        moved = w - value / slope if slope != 0.0 else low
        if not low < moved < high:
            moved = 0.5 * (low + high)
        step = moved - w
        w = moved
        if abs(step) < 1e-12:
            break
    return w


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def crossings(g: Any, wavelength: float, axis: Any, first: float, found: Any) -> int:
    """Angles at which g, turned about the axis, lies on the Ewald sphere of a beam along x.

    Fills ``found`` (2,) with angles between ``first`` and first + 2 pi, and returns how many
    there are: 0 or 2.
    """
    along = axis[0] * g[0] + axis[1] * g[1] + axis[2] * g[2]
    size = g[0] * g[0] + g[1] * g[1] + g[2] * g[2]
    # x of the turned vector: a constant, a cosine and a sine (Rodrigues)
    constant = axis[0] * along + 0.5 * wavelength * size
    cosine = g[0] - axis[0] * along
    sine = axis[1] * g[2] - axis[2] * g[1]
    if cosine == 0.0 and sine == 0.0:
        return 0
    lowest, highest = 1e300, -1e300
    at_lowest, at_highest = 0.0, 0.0
    for k in range(_SAMPLES):
        w = first + k * (2.0 * math.pi / _SAMPLES)
        value = cosine * math.cos(w) + sine * math.sin(w)
        if value < lowest:
            lowest, at_lowest = value, w
        if value > highest:
            highest, at_highest = value, w
    at_lowest = extreme_angle(cosine, sine, at_lowest)
    at_highest = extreme_angle(cosine, sine, at_highest)
    lowest = constant + cosine * math.cos(at_lowest) + sine * math.sin(at_lowest)
    highest = constant + cosine * math.cos(at_highest) + sine * math.sin(at_highest)
    if not lowest < 0.0 < highest:
        return 0
    while at_highest < at_lowest:
        at_highest += 2.0 * math.pi
    while at_highest - at_lowest > 2.0 * math.pi:
        at_highest -= 2.0 * math.pi
    found[0] = crossing(constant, cosine, sine, at_lowest, at_highest)
    found[1] = crossing(constant, cosine, sine, at_highest, at_lowest + 2.0 * math.pi)
    for k in range(2):
        found[k] -= 2.0 * math.pi * math.floor((found[k] - first) / (2.0 * math.pi))
    return 2


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def turn(vector: Any, axis: Any, w: float, turned: Any) -> None:
    """Turn a vector about the axis by w into ``turned``."""
    c, s = math.cos(w), math.sin(w)
    along = (axis[0] * vector[0] + axis[1] * vector[1] + axis[2] * vector[2]) * (1.0 - c)
    turned[0] = c * vector[0] + s * (axis[1] * vector[2] - axis[2] * vector[1]) + axis[0] * along
    turned[1] = c * vector[1] + s * (axis[2] * vector[0] - axis[0] * vector[2]) + axis[1] * along
    turned[2] = c * vector[2] + s * (axis[0] * vector[1] - axis[1] * vector[0]) + axis[2] * along


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def determinant(a: Any, b: Any, c: Any) -> float:
    """Triple product a . (b x c)."""
    return float(
        a[0] * (b[1] * c[2] - b[2] * c[1])
        + a[1] * (b[2] * c[0] - b[0] * c[2])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
    )


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def measured_point(u: float, v: float, distortion: Any, radius: float, found: Any) -> None:
    """Where the panel shows a ray that meets it at (u, v) of its middle: the distortion undone.

    The distortion is stated from the measured to the ideal point, so the measured radius is
    found by repetition; eta is the same for both.
    """
    r = math.hypot(u, v)
    if r == 0.0 or (distortion[0] == 0.0 and distortion[1] == 0.0 and distortion[2] == 0.0):
        found[0], found[1] = u, v
        return
    eta = math.atan2(v, u)
    two, four = math.cos(2.0 * eta), math.cos(4.0 * eta)
    measured = r
    for _ in range(60):
        x = measured / radius
        factor = (
            1.0
            + distortion[0] * x ** distortion[3] * two
            + distortion[1] * x ** distortion[4] * four
            + distortion[2] * x ** distortion[5]
        )
        before = measured
        measured = r / factor
        if abs(measured - before) < 1e-9:
            break
    found[0], found[1] = u * measured / r, v * measured / r


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def diffract(
    reciprocal: Any,
    position: Any,
    grain: Any,
    hkl: Any,
    wavelength: float,
    axis: Any,
    first: float,
    origin: Any,
    panel: Any,
    distortion: Any,
    radius: float,
    wobble: Any,
    out: Any,
    where: Any,
) -> int:
    """All rays of the grains listed in ``grain``; returns the number of rows filled.

    ``reciprocal`` (n, 3, 3) and ``position`` (n, 3), sample axes; ``hkl`` (m, 3). Fills ``out``
    (rows, 9): omega, u, v on the panel (um from its middle, as measured), direction of the ray
    (3), and where it starts (3, laboratory axes); and ``where`` (rows, 2): grain and row of
    ``hkl``.
    """
    row = 0
    g = out[0, :3].copy()
    place, turned, start, ray, found = g.copy(), g.copy(), g.copy(), g.copy(), g.copy()
    fast, slow = panel[:, 0].copy(), panel[:, 1].copy()
    for number in grain:
        for k in range(3):
            place[k] = position[number, k]
        for m in range(hkl.shape[0]):
            for k in range(3):
                g[k] = 0.0
                for j in range(3):
                    g[k] += reciprocal[number, k, j] * hkl[m, j]
            for one in range(crossings(g, wavelength, axis, first, found)):
                w = found[one]
                turn(g, axis, w, turned)
                turn(place, axis, w, start)
                for k in range(3):
                    for j in range(3):
                        start[k] += wobble[k, j] * math.cos((j + 2) * w + 1.3 * k + 2.1 * j)
                    ray[k] = wavelength * turned[k]
                ray[0] += 1.0
                # origin + u fast + v slow = start + t ray, solved by determinants
                for k in range(3):
                    turned[k] = start[k] - origin[k]
                whole = determinant(fast, slow, ray)
                if determinant(turned, fast, slow) * whole >= 0.0:
                    continue
                u = determinant(turned, slow, ray) / whole
                v = determinant(fast, turned, ray) / whole
                measured_point(u, v, distortion, radius, turned)
                out[row, 0] = w
                out[row, 1] = turned[0]
                out[row, 2] = turned[1]
                for k in range(3):
                    out[row, 3 + k] = ray[k]
                    out[row, 6 + k] = start[k]
                where[row, 0] = number
                where[row, 1] = m
                row += 1
    return row
