"""Inverse pole figures of the cubic Laue class m-3m: the standard triangle and its colours."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mesolith.axes import FloatArray

_CUBIC = range(207, 231)  # groups of the Laue class m-3m; those below have m-3, a larger sector


def is_cubic(space_group: int) -> bool:
    """Whether the standard triangle 001, 011, 111 holds each direction of the group once."""
    return space_group in _CUBIC


def crystal_direction(orientation: FloatArray, axis: FloatArray) -> FloatArray:
    """A sample direction as each crystal sees it: unit vectors (..., 3) on crystal axes.

    ``orientation`` are matrices (..., 3, 3), crystal to sample; ``axis`` (3,) is on sample axes.
    """
    unit = np.asarray(axis, dtype=np.float64) / np.linalg.norm(axis)
    return np.asarray(orientation).swapaxes(-1, -2) @ unit


def standard_triangle(direction: FloatArray) -> FloatArray:
    """The equivalent of each direction in the standard triangle of m-3m.

    Parameters
    ----------
    direction
        Vectors on crystal axes, any length but zero. Shape (..., 3).

    Returns
    -------
    direction
        Unit vectors with z >= y >= x >= 0: between 001 and 111 at x = y, 001 and 011 at x = 0.
    """
    direction = np.abs(np.asarray(direction, dtype=np.float64))
    ordered = np.sort(direction, axis=-1)
    return np.asarray(ordered / np.linalg.norm(ordered, axis=-1, keepdims=True))


def stereographic(direction: FloatArray) -> FloatArray:
    """Places (..., 2) of `standard_triangle` directions on the page: 001 at the origin, 011 right.

    The projection keeps angles; 011 lies at (0.4142, 0), 111 at (0.3660, 0.3660).
    """
    x, y, z = np.moveaxis(np.asarray(direction), -1, 0)
    return np.stack([y, x], axis=-1) / (1.0 + z)[..., None]


def colours_of_directions(direction: FloatArray) -> FloatArray:
    """Colours of directions in the usual key: 001 red, 011 green, 111 blue.

    Red falls with the angle from 001 as a share of what the triangle allows at that azimuth; what
    is left is shared between green and blue by the azimuth. Square roots of these shares, the
    largest set to 1, spread the colours evenly, as the makers of the key have it.

    Parameters
    ----------
    direction
        Vectors on crystal axes. Shape (..., 3).

    Returns
    -------
    colours
        Red, green, blue, 0 to 1. Shape (..., 3); the same for all equivalent directions.
    """
    x, y, z = np.moveaxis(standard_triangle(direction), -1, 0)
    azimuth = np.arctan2(x, y)  # 0 on the side of 011, pi/4 on that of 111
    polar = np.arctan2(np.hypot(x, y), z)
    farthest = np.arctan(1.0 / np.cos(azimuth))  # where z = y
    out = np.clip(polar / farthest, 0.0, 1.0)
    blue = np.clip(azimuth / (0.25 * np.pi), 0.0, 1.0)
    shares = np.sqrt(np.stack([1.0 - out, (1.0 - blue) * out, blue * out], axis=-1))
    return np.asarray(shares / shares.max(axis=-1, keepdims=True))


def directions_from_places(places: FloatArray) -> FloatArray:
    """Directions (..., 3) at places (..., 2) on the page; the inverse of `stereographic`."""
    y, x = np.moveaxis(np.asarray(places), -1, 0)
    square = x**2 + y**2
    return np.stack([2.0 * x, 2.0 * y, 1.0 - square], axis=-1) / (1.0 + square)[..., None]


def triangle_outline(points: int = 40) -> FloatArray:
    """Places (n, 2) along the rim of the triangle, from 001 over 011 and 111 back."""
    corners = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
    share = np.linspace(0.0, 1.0, points)[:, None]
    sides = [a + share * (b - a) for a, b in pairwise(corners)]
    rim = np.concatenate(sides)
    return stereographic(rim / np.linalg.norm(rim, axis=1, keepdims=True))
