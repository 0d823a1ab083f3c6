"""How bright the families that both phases show are in each grain, one beside the other.

The phases differ by per cents there, so a grain's families are compared with one another, and
with those of all grains: what rings, filters and absorption do to all alike drops out. How much a
family of a grain scatters beyond its counts is measured on all grains.
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
_FLOOR = 3e-3  # of the brightness of a family, unknown whatever the counts


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
    total = np.bincount(place, weight, minlength=size).reshape(grains, -1)
    value = np.full((grains, len(families)), np.nan)
    np.divide(
        np.bincount(place, weight * off, minlength=size).reshape(grains, -1),
        total,
        out=value,
        where=total > 0.0,
    )
    value -= _grain_means(value, total)[:, None]
    excess = np.zeros(len(families))
    for f in range(len(families)):
        seen = total[:, f] > 0.0
        if seen.any():
            value[seen, f] -= float(np.median(value[seen, f]))
        if seen.sum() > 20:
            spread = 1.4826 * float(np.median(np.abs(value[seen, f])))
            excess[f] = max(spread**2 - float(np.median(1.0 / total[seen, f])), 0.0)
    inverse = np.zeros_like(total)
    np.divide(1.0, total, out=inverse, where=total > 0.0)
    weight = np.where(total > 0.0, 1.0 / (inverse + excess + _FLOOR**2), 0.0)
    low = np.maximum(phases.strength[:, families], 1e-300)
    return CommonIntensities(value, weight, np.log(low[0] / low[1]))


def _grain_means(value: FloatArray, weight: FloatArray) -> FloatArray:
    total = weight.sum(axis=1)
    return np.asarray(np.nansum(weight * value, axis=1) / np.maximum(total, 1e-300))


def intensity_densities(
    common: CommonIntensities, factor: float, first: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Log densities (g,) of the families' brightness in the first and in the second phase.

    ``factor`` multiplies the differences that the CIFs state, of which half is uncertain;
    ``first`` (f,) is the mean value of each family in the first phase. A grain's own brightness
    is unknown, so only differences between its families count.
    """
    difference = factor * common.difference
    seen = common.weight > 0.0
    variance = np.divide(1.0, common.weight, out=np.ones_like(common.weight), where=seen)
    value, sd = np.nan_to_num(common.value), np.sqrt(variance)
    found = []
    for expected, doubt in ((first, 0.0 * difference), (first - difference, 0.5 * difference)):
        weight = np.where(seen, 1.0 / (variance + doubt**2), 0.0)
        total = np.maximum(weight.sum(axis=1), 1e-300)
        off = np.clip(value - expected, -_CLIP * sd, _CLIP * sd)
        off -= ((weight * off).sum(axis=1) / total)[:, None]
        scale = np.log(np.where(seen, weight, 1.0)).sum(axis=1) - np.log(np.maximum(total, 1.0))
        found.append(0.5 * (scale - (weight * off**2).sum(axis=1)))
    return found[0], found[1]
