"""A sphere cut by the edges of two beams, one above the other: what each of them lights.

Lengths in units of one's own, heights along z. A grain is no sphere, but a sphere of its volume
says where the centres of its two parts lie, to some tenth of its diameter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray

_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class CutSpheres:
    """Spheres of which the beam below lights one part and the beam above another.

    ``volume`` (n,) of the whole sphere, what both light counted once, what none lights included;
    ``apart`` (n,) how far the centre of the upper part lies above that of the lower one;
    ``centre`` (n,) the height of the mean of both parts by their volumes, NaN where the sphere
    lies in both beams as a whole, so that its height is free.
    """

    volume: FloatArray
    apart: FloatArray
    centre: FloatArray


def cut_spheres(
    lower: FloatArray, upper: FloatArray, top: FloatArray, bottom: FloatArray
) -> CutSpheres:
    """The spheres with these parts.

    Parameters
    ----------
    lower, upper
        Volumes (n,) of the part below ``top`` and of the part above ``bottom``, positive.
    top
        Height (n,) at which the lower beam ends; above ``bottom`` where the beams overlap.
    bottom
        Height (n,) at which the upper beam begins.
    """
    overlap = top - bottom
    least = np.maximum(lower, upper)
    most = _volume(2.0 * _radius(lower + upper) + np.abs(overlap))
    whole = _reach(least, lower, upper) <= overlap
    low, high = least.copy(), most
    for _ in range(_ROUNDS):
        middle = 0.5 * (low + high)
        small = _reach(middle, lower, upper) > overlap
        low, high = np.where(small, middle, low), np.where(small, high, middle)
    volume = np.where(whole, least, 0.5 * (low + high))
    radius = _radius(volume)
    below = height_of_share(lower / volume)
    above = height_of_share(1.0 - upper / volume)
    lower_centre = radius * centre_below(below)
    upper_centre = -radius * centre_below(-above)
    # the sphere's own centre, from an edge that cuts it
    by_top, by_bottom = top - below * radius, bottom - above * radius
    cut_by_top, cut_by_bottom = below < 1.0 - 1e-9, above > -1.0 + 1e-9
    own = np.where(cut_by_top, by_top, np.where(cut_by_bottom, by_bottom, np.nan))
    share = upper / (lower + upper)
    return CutSpheres(
        volume,
        upper_centre - lower_centre,
        own + (1.0 - share) * lower_centre + share * upper_centre,
    )


def height_of_share(share: FloatArray) -> FloatArray:
    """Height, in radii above the centre, of the plane below which ``share`` of a sphere lies."""
    turned = np.arccos(np.clip(1.0 - 2.0 * share, -1.0, 1.0))
    return np.asarray(np.clip(2.0 * np.cos((turned + 4.0 * math.pi) / 3.0), -1.0, 1.0))


def centre_below(height: FloatArray) -> FloatArray:
    """Centre of mass, in radii above the centre, of what lies below a plane at ``height``."""
    rest = np.maximum(1.0 + height, 0.0)
    # (1 - u2)2 / (2 + 3 u - u3) with (1 + u)2 taken out of both
    return np.asarray(-0.75 * (1.0 - height) ** 2 / (3.0 - rest))


def _reach(volume: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
    """How far the top of the lower part lies above the bottom of the upper one."""
    below = height_of_share(lower / volume)
    above = height_of_share(1.0 - upper / volume)
    return _radius(volume) * (below - above)


def _radius(volume: FloatArray) -> FloatArray:
    return np.asarray(np.cbrt(3.0 * volume / (4.0 * math.pi)))


def _volume(radius: FloatArray) -> FloatArray:
    return np.asarray(4.0 / 3.0 * math.pi * radius**3)
