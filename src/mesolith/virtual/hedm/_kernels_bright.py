"""How bright each ray is and over what it spreads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from mesolith.virtual.hedm._kernels_diffraction import turn


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def path_through(start: Any, ray: Any, middle: Any, radius: float) -> float:
    """Length in the sample of the beam to ``start`` and of the ray from there, um.

    The sample is a cylinder along z about ``middle`` (x, y); the beam runs along x; ``ray`` is
    of unit length. A point just outside counts as on the rim.
    """
    x, y = start[0] - middle[0], start[1] - middle[1]
    beyond = math.hypot(x, y) / radius
    if beyond > 1.0:
        x, y = x / beyond, y / beyond
    into = x + math.sqrt(max(radius * radius - y * y, 0.0))
    across = ray[0] * ray[0] + ray[1] * ray[1]
    along = x * ray[0] + y * ray[1]
    out = -along + math.sqrt(max(along * along + across * (radius * radius - x * x - y * y), 0.0))
    return into + out / across


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def paths_through(start: Any, direction: Any, radius: float, path: Any) -> None:
    """`path_through` for rays (n, 3) of any length, of a sample about the rotation axis."""
    unit, middle = np.zeros(3), np.zeros(2)
    for i in range(len(start)):
        size = 0.0
        for k in range(3):
            size += direction[i, k] * direction[i, k]
        for k in range(3):
            unit[k] = direction[i, k] / math.sqrt(size)
        path[i] = path_through(start[i], unit, middle, radius)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def lit_share(y: float, size: float, half: float) -> tuple[float, float]:
    """Share of a sphere that a beam of half width ``half`` lights, and how far its centre moves.

    The sphere has radius ``size`` and its centre at ``y``; only the nearer edge cuts it.
    """
    depth = (half - abs(y)) / size
    if depth >= 1.0:
        return 1.0, 0.0
    if depth <= -1.0:
        return 0.0, 0.0
    share = (2.0 + 3.0 * depth - depth**3) / 4.0
    aside = -3.0 * (1.0 - depth * depth) ** 2 / (16.0 * share) * size
    return share, -aside if y < 0.0 else aside


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def brighten(
    grain: Any,
    member: Any,
    omega: Any,
    direction: Any,
    start: Any,
    volume: Any,
    shape: Any,
    square: Any,
    wavelength: float,
    axis: Any,
    panel: Any,
    distance: float,
    pitch: float,
    middle: Any,
    radius: float,
    absorption: float,
    half_width: float,
    horizontal: float,
    mosaic: Any,
    energy_spread: float,
    point_spread: float,
    intensity: Any,
    covariance: Any,
    shift: Any,
) -> None:
    """Intensity, covariance and displacement of each spot.

    ``intensity`` (n,) is volume times abs(F)^2, Lorentz and polarisation factor, absorption and
    the share that the beam's width lights. ``covariance`` (n, 6) is of fast, slow (px) and
    omega (rad) in the order ff ss ww sw fw fs: the grain's shape as the ray throws it on the
    panel, mosaic (one number a grain) and energy spread to first order (they move omega and
    place together) and the point spread. ``shift`` (n, 2) is how far the lit part's centre
    moves the spot, px. Spreads are standard deviations.
    """
    g, along, unit, push, moved = np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3)
    centre, where = np.zeros(3), np.zeros(3)
    project = np.empty((2, 3))
    turned = np.empty((3, 3))
    lit = np.empty(3)
    for i in range(len(grain)):
        n = grain[i]
        size = 0.0
        for k in range(3):
            size += direction[i, k] * direction[i, k]
        size = math.sqrt(size)
        for k in range(3):
            g[k] = direction[i, k] / wavelength
            unit[k] = direction[i, k] / size
        g[0] -= 1.0 / wavelength
        # d g / d omega
        along[0] = axis[1] * g[2] - axis[2] * g[1]
        along[1] = axis[2] * g[0] - axis[0] * g[2]
        along[2] = axis[0] * g[1] - axis[1] * g[0]
        rate = along[0]
        turn(middle, axis, omega[i], centre)
        path = path_through(start[i], unit, centre, radius)
        ball = (3.0 * volume[n] / (4.0 * math.pi)) ** (1.0 / 3.0)
        share, aside = lit_share(start[i, 1], ball, half_width)
        polarised = 1.0 - horizontal * unit[1] ** 2 - (1.0 - horizontal) * unit[2] ** 2
        intensity[i] = (
            share
            * volume[n]
            * square[member[i]]
            * polarised
            * math.exp(-absorption * path)
            / (wavelength * abs(rate))
        )
        # a step s of the source moves the spot by s - ray (n.s) / (n.ray) on the panel
        normal = panel[0, 2] * unit[0] + panel[1, 2] * unit[1] + panel[2, 2] * unit[2]
        for a in range(2):
            lean = panel[0, a] * unit[0] + panel[1, a] * unit[1] + panel[2, a] * unit[2]
            for k in range(3):
                project[a, k] = (panel[k, a] - panel[k, 2] * lean / normal) / pitch
        shift[i, 0], shift[i, 1] = project[0, 1] * aside, project[1, 1] * aside
        for k in range(6):
            covariance[i, k] = 0.0
        covariance[i, 0] = covariance[i, 1] = point_spread * point_spread
        # columns of the sample axes at this omega
        for k in range(3):
            for j in range(3):
                where[j] = 1.0 if j == k else 0.0
            turn(where, axis, omega[i], push)
            for j in range(3):
                turned[j, k] = push[j]
        for a in range(2):
            for j in range(3):
                lit[j] = 0.0
                for k in range(3):
                    lit[j] += project[a, k] * turned[k, j]
            for b in range(a, 2):
                value = 0.0
                for j in range(3):
                    for m in range(3):
                        other = 0.0
                        for k in range(3):
                            other += project[b, k] * turned[k, m]
                        value += lit[j] * shape[n, j, m] * other
                covariance[i, 5 if a != b else a] += value
        # three turns of the lattice, and the energy
        reach = (distance - start[i, 0]) / direction[i, 0]
        square_g = g[0] * g[0] + g[1] * g[1] + g[2] * g[2]
        for source in range(4):
            if source < 3:
                a, b = (source + 1) % 3, (source + 2) % 3
                push[source] = 0.0
                push[a] = -g[b]
                push[b] = g[a]
                late = -push[0] / rate
                spread = mosaic[n]
            else:
                push[0] = push[1] = push[2] = 0.0
                late = -0.5 * wavelength * square_g / rate
                spread = energy_spread
            for k in range(3):
                moved[k] = wavelength * (push[k] + late * along[k])
                if source == 3:
                    moved[k] += wavelength * g[k]
            f, s = 0.0, 0.0
            for k in range(3):
                f += project[0, k] * moved[k] * reach * spread
                s += project[1, k] * moved[k] * reach * spread
            w = late * spread
            covariance[i, 0] += f * f
            covariance[i, 1] += s * s
            covariance[i, 2] += w * w
            covariance[i, 3] += s * w
            covariance[i, 4] += f * w
            covariance[i, 5] += f * s
