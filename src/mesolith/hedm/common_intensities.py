"""How bright the families that both phases show are in each grain, one beside the other.

The phases differ by per cents there, so a grain's families are compared with one another, and
with those of all grains: what rings, filters and absorption do to all alike drops out. How much a
family of a grain scatters is measured on all grains; that it scatters less than its counts say
is believed as far as three standard errors of that measurement allow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.hedm.brightness import Brightness
from mesolith.hedm.sightings import Sightings
from mesolith.hedm.two_phases import TwoPhases
from mesolith.records.spots import Spots

_SURE = 2.5  # times the threshold
_CLIP = 4.0  # standard deviations beyond which a family of a grain says no more
_FLOOR = 1e-3  # of the brightness of a family, unknown whatever the counts
_FEWEST = 20  # grains that tell how much a family scatters
_MEDIAN_ERROR = 2.33  # of a variance from a median of n sizes, relative, times sqrt(n)


@dataclass(frozen=True, slots=True)
class CommonIntensities:
    """Log brightness of families, grain by grain.

    ``value`` (g, f) is the mean of the log counts over what is predicted, NaN where no spot says;
    ``weight`` (g, f) the inverse of its variance, 0 there. ``difference`` (f,) is the log of the
    first phase's strength over the second's.
    """

    value: FloatArray
    weight: FloatArray
    difference: FloatArray


def common_intensities(
    sightings: Sightings,
    spots: Spots,
    phases: TwoPhases,
    brightness: Brightness,
    *,
    grains: int,
) -> CommonIntensities:
    """Brightness of the common families of each grain, from spots bright enough to be certain."""
    families = np.flatnonzero(~phases.telling)
    number = np.full(len(phases.families), -1)
    number[families] = np.arange(len(families))
    family = number[phases.family[sightings.reflection]]
    detection = brightness.detection
    strength = np.log(np.maximum(phases.strength.mean(axis=0), 1e-300))[families]
    predicted = brightness.geometry(sightings) + (strength + brightness.level[families])[family]
    over = predicted + detection.spread * np.log(sightings.sin_eta)
    bad = spots.saturated | spots.partial | spots.overlapping | ~(spots.intensity > 0.0)
    used = (family >= 0) & sightings.found & (sightings.share > 0.99)
    used &= ~bad[np.maximum(sightings.spot, 0)]
    used &= over > math.log(_SURE * detection.threshold)
    spot = sightings.spot[used]
    counts = np.exp(predicted[used])
    off = np.log(spots.intensity[spot]) - predicted[used]
    variance = (detection.deviation(counts) / counts) ** 2
    # one spot that holds a neighbour must not carry a family
    weight = 1.0 / variance / (1.0 + (off**2 / variance) / 9.0) ** 2
    place = sightings.grain[used] * len(families) + family[used]
    size = grains * len(families)
    total = np.asarray(
        np.bincount(place, weight, minlength=size).reshape(grains, -1), dtype=np.float64
    )
    value = np.full((grains, len(families)), np.nan)
    np.divide(
        np.bincount(place, weight * off, minlength=size).reshape(grains, -1),
        total,
        out=value,
        where=total > 0.0,
    )
    whole = np.maximum(total.sum(axis=1), 1e-300)
    value -= (np.nansum(total * value, axis=1) / whole)[:, None]
    weight = np.zeros_like(total)
    for f in range(len(families)):
        seen = total[:, f] > 0.0
        if not seen.any():
            continue
        value[seen, f] -= float(np.median(value[seen, f]))
        own = 1.0 / total[seen, f]
        # the grain's mean holds a part of the family itself
        stated = np.maximum(own - 1.0 / whole[seen], 0.01 * own)
        size = np.abs(value[seen, f])
        scale, excess = 1.0, 0.0
        if seen.sum() > _FEWEST:
            least = (1.4826 * float(np.median(size / np.sqrt(stated)))) ** 2
            scale = min(least * (1.0 + 3.0 * _MEDIAN_ERROR / math.sqrt(float(seen.sum()))), 1.0)
            excess = max((1.4826 * float(np.median(size))) ** 2 - float(np.median(stated)), 0.0)
        weight[seen, f] = 1.0 / (scale * own + excess + _FLOOR**2)
    low = np.maximum(phases.strength[:, families], 1e-300)
    return CommonIntensities(value, weight, np.log(low[0] / low[1]))


def intensity_densities(
    common: CommonIntensities, difference: FloatArray, first: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Log densities (g,) of the families' brightness in the first and in the second phase.

    ``first`` (f,) is the mean value of each family in the first phase, ``difference`` (f,) by how
    much it is larger than in the second. A grain's own brightness is unknown, so only
    differences between its families count.
    """
    seen = common.weight > 0.0
    variance = np.divide(1.0, common.weight, out=np.ones_like(common.weight), where=seen)
    value, sd = np.nan_to_num(common.value), np.sqrt(variance)
    weight = np.where(seen, 1.0 / variance, 0.0)
    total = np.maximum(weight.sum(axis=1), 1e-300)
    scale = np.log(np.where(seen, weight, 1.0)).sum(axis=1) - np.log(np.maximum(total, 1.0))
    found = []
    for expected in (first, first - difference):
        off = np.clip(value - expected, -_CLIP * sd, _CLIP * sd)
        off -= ((weight * off).sum(axis=1) / total)[:, None]
        found.append(0.5 * (scale - (weight * off**2).sum(axis=1)))
    return found[0], found[1]


def learned_intensities(
    common: CommonIntensities,
    probability: FloatArray,
    difference: FloatArray,
    *,
    stated: FloatArray,
    doubt: float,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Values of the families in the first phase, what they differ from the second's, and how well.

    Means over grains weighted by the ``probability`` (g,) of the first phase, in turn; the
    differences are drawn to the ``stated`` ones, uncertain by the share ``doubt`` of themselves.
    The last (f,) is the precision with which the grains say each difference.
    """
    value, weight = np.nan_to_num(common.value), common.weight
    total = np.maximum(weight.sum(axis=1), 1e-300)
    one, two = probability[:, None] * weight, (1.0 - probability)[:, None] * weight
    first = np.zeros(value.shape[1])
    pull = 1.0 / (doubt * np.maximum(np.abs(stated), 1e-5)) ** 2
    for _ in range(3):
        alone = ((weight * (value - first)).sum(axis=1) / total)[:, None]
        other = alone + ((weight * difference).sum(axis=1) / total)[:, None]
        first = (one * (value - alone) + two * (value - other + difference)).sum(axis=0)
        first /= np.maximum((one + two).sum(axis=0), 1e-300)
        up = (two * (first + other - value)).sum(axis=0) + pull * stated
        difference = up / (two.sum(axis=0) + pull)
    return first, difference, two.sum(axis=0)
