"""How much of the sample each grain is, from the intensities of its spots."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray, IntArray

_ROUNDS = 6


def volume_shares(
    intensity: FloatArray,
    eta: FloatArray,
    grain: IntArray,
    ring: IntArray,
    *,
    grains: int,
    rings: int,
) -> FloatArray:
    """Share of each grain in the volume of all, (grains,), NaN where no spot says.

    The intensity of a spot is the grain's volume times the strength of its ring times the
    Lorentz factor 1 / |sin eta|. Volumes and strengths are robust means of one over the other, in
    turn: a spot that is off by much, as one that holds a neighbour, hardly counts. What varies
    along a ring, absorption above all, is taken to average out.

    Parameters
    ----------
    intensity, eta, grain, ring
        Counts, azimuth (rad), grain and ring of spots that one grain has alone, (n,).
    """
    shares = np.full(grains, np.nan)
    good = intensity > 0.0
    if not good.any():
        return shares
    grain, ring = grain[good], ring[good]
    level = np.log(intensity[good] * np.maximum(np.abs(np.sin(eta[good])), 1e-3))
    strength, weight = np.zeros(rings), np.ones(len(level))
    size = np.zeros(grains)
    for _ in range(_ROUNDS):
        size = _means(level - strength[ring], weight, grain, grains)
        strength = np.nan_to_num(_means(level - size[grain], weight, ring, rings))
        off = level - size[grain] - strength[ring]
        scale = 2.0 * float(np.median(np.abs(off))) + 1e-9
        weight = 1.0 / (1.0 + (off / scale) ** 2) ** 2
    volume = np.exp(size - np.nanmax(size))
    return np.asarray(volume / np.nansum(volume))


def _means(values: FloatArray, weight: FloatArray, group: IntArray, count: int) -> FloatArray:
    """Weighted mean of the values of each group (count,), NaN for an empty one."""
    total = np.bincount(group, weight, minlength=count)
    found = np.full(count, np.nan)
    np.divide(
        np.bincount(group, weight * values, minlength=count), total, out=found, where=total > 0.0
    )
    return found
