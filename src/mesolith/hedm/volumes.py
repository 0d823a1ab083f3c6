"""How much of the sample each grain is, from the intensities of its spots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray

_ROUNDS = 6
_FIRM = 20.0  # spots that the scatter of all counts as beside a grain's own
_COMMON = 0.05  # of the spots, below which a ring is no scale for light


@dataclass(frozen=True, slots=True)
class VolumeShares:
    """Share of each grain in the volume of all, (grains,), its standard error, and all light.

    Shares are NaN where no spot says. The error is that of the scatter of the grain's spots; what
    all of them have in common, as a grain's place in an absorbing sample, is not in it.
    ``light`` are the counts that all grains give a reflection of the strongest ring at eta = 90
    degrees, NaN without a spot.
    """

    share: FloatArray
    share_se: FloatArray
    light: float


def volume_shares(
    intensity: FloatArray,
    eta: FloatArray,
    grain: IntArray,
    ring: IntArray,
    *,
    grains: int,
    rings: int,
) -> VolumeShares:
    """Share of each grain in the volume of all.

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
        return VolumeShares(shares, shares.copy(), float("nan"))
    grain, ring = grain[good], ring[good]
    level = np.log(intensity[good] * np.maximum(np.abs(np.sin(eta[good])), 1e-3))
    strength, weight = np.zeros(rings), np.ones(len(level))
    size, off, scale = np.zeros(grains), level, 1.0
    for _ in range(_ROUNDS):
        size = _means(level - strength[ring], weight, grain, grains)
        strength = np.nan_to_num(_means(level - size[grain], weight, ring, rings))
        off = level - size[grain] - strength[ring]
        scale = 2.0 * float(np.median(np.abs(off))) + 1e-9
        weight = 1.0 / (1.0 + (off / scale) ** 2) ** 2
    volume = np.exp(size - np.nanmax(size))
    shares = np.asarray(volume / np.nansum(volume))
    counts = np.bincount(ring, minlength=rings)
    strongest = float(strength[counts >= _COMMON * len(ring)].max())
    return VolumeShares(
        shares,
        shares * scale * _errors(off / scale, grain, grains),
        float(np.nansum(np.exp(size + strongest))),
    )


def _errors(off: FloatArray, group: IntArray, count: int) -> FloatArray:
    """Standard error of the robust mean of each group (count,), NaN for an empty one.

    ``off`` (n,) are residuals in units of the scale of the weights, as is the error. A group
    scatters as its members say, and for want of many as all do.
    """
    square = off**2
    pull = square / (1.0 + square) ** 4  # squared, of one member on its mean
    firmness = float(np.mean((1.0 - 3.0 * square) / (1.0 + square) ** 3))
    members = np.bincount(group, minlength=count)
    own = np.bincount(group, pull, minlength=count)
    scatter = (_FIRM * float(np.mean(pull)) + own) / (_FIRM + members)
    found = np.full(count, np.nan)
    np.divide(scatter, members, out=found, where=members > 0)
    return np.sqrt(found) / max(firmness, 0.1)


def _means(values: FloatArray, weight: FloatArray, group: IntArray, count: int) -> FloatArray:
    """Weighted mean of the values of each group (count,), NaN for an empty one."""
    total = np.bincount(group, weight, minlength=count)
    found = np.full(count, np.nan)
    np.divide(
        np.bincount(group, weight * values, minlength=count), total, out=found, where=total > 0.0
    )
    return found
