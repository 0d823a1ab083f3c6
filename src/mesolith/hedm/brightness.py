"""How bright each reflection of each grain must be, and whether it is then seen.

The logarithm of a spot's counts is the grain's volume, the strength of the family, what filters
leave of its ring, the Lorentz factor and the light that the sample absorbs on the way, one added
to the other. All but the strengths are measured on the reflections that both phases show alike:
volumes, rings and one absorption coefficient by robust means in turn, from spots that are bright
enough to be seen for certain, since the seen ones among faint spots are the bright ones. The same
reflections tell how often a spot of given counts is listed at all. Polarisation, one per cent at
the angles of a high-energy detector, is left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import ndtr

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm.sightings import Sightings
from mesolith.hedm.two_phases import TwoPhases
from mesolith.records.spots import Spots

_ROUNDS, _INNER = 4, 5
_SURE = 2.5  # times the threshold: counts that are always seen
_FEWEST = 30  # spots that measure a ring
_ROWS = 60_000  # of the reflections on which detection is fitted


@dataclass(frozen=True, slots=True)
class Detection:
    """Chance that a spot is listed: ``seen`` * Phi((counts * |sin eta|^spread - threshold) / sd).

    sd^2 = noise^2 + counts + (scatter * counts)^2; ``threshold`` and ``noise`` in counts.
    ``spread`` is 0 where counts decide, 1 where the counts of one frame do. ``seen`` is below 1
    where bright spots vanish too: next to brighter ones.
    """

    threshold: float
    noise: float
    seen: float
    spread: float
    scatter: float

    def deviation(self, counts: FloatArray) -> FloatArray:
        """Standard deviation of the counts of a spot."""
        return np.asarray(np.sqrt(self.noise**2 + counts + (self.scatter * counts) ** 2))

    def chance(self, counts: FloatArray, sin_eta: FloatArray) -> FloatArray:
        """Chance that spots of these true counts are listed."""
        over = counts * sin_eta**self.spread - self.threshold
        return np.asarray(self.seen * ndtr(over / self.deviation(counts)))


@dataclass(frozen=True, slots=True)
class Brightness:
    """What makes spots bright.

    ``volume`` (g,) is the logarithm of counts of strength 1 and Lorentz factor 1, NaN where no
    spot says; ``level`` (f,) the logarithm of what the ring of each family shows over its
    strength; ``absorption`` 1/um.
    """

    volume: FloatArray
    level: FloatArray
    absorption: float
    detection: Detection

    def geometry(self, sightings: Sightings) -> FloatArray:
        """Logarithm (n,) of the counts of strength 1 without filters; -inf where not known."""
        volume = np.nan_to_num(self.volume, nan=-np.inf)
        return np.asarray(
            volume[sightings.grain] + np.log(sightings.lorentz) - self.absorption * sightings.path
        )


def fit_brightness(
    sightings: Sightings, spots: Spots, phases: TwoPhases, *, grains: int
) -> Brightness:
    """Volumes, rings, absorption and detection of a layer from what both phases show alike."""
    family = phases.family[sightings.reflection]
    alike = ~phases.telling
    strength = np.log(np.maximum(phases.strength.mean(axis=0), 1e-300))
    rows = np.flatnonzero(alike[family])
    family, grain = family[rows], sightings.grain[rows]
    known = strength[family] + np.log(sightings.lorentz[rows])
    path, sine = sightings.path[rows], sightings.sin_eta[rows]
    spot = sightings.spot[rows]
    found = spot >= 0
    clean = found & (sightings.share[rows] > 0.99)
    bad = spots.saturated | spots.partial | spots.overlapping | ~(spots.intensity > 0.0)
    clean &= ~bad[np.maximum(spot, 0)]
    counts = np.log(np.where(clean, spots.intensity[np.maximum(spot, 0)], 1.0))
    error = np.where(clean, (spots.intensity_se / spots.intensity)[np.maximum(spot, 0)], 1.0)

    asked = np.bincount(family, minlength=len(strength))
    share = np.bincount(family, found, minlength=len(strength)) / np.maximum(asked, 1)
    usable = share >= 0.9 * share.max(initial=0.0)
    used = clean & usable[family]
    listed = spots.intensity[spots.intensity > 0.0]
    least = float(np.quantile(listed, 0.01)) if len(listed) else 1.0
    noise = float(np.median(spots.intensity_se[spots.intensity <= 1.5 * least])) or 0.25 * least
    detection = Detection(least, max(noise, 1e-6 * least), 0.98, 0.0, 0.1)
    level, volume, absorption = np.zeros(len(strength)), np.full(grains, np.nan), 0.0
    measured = usable & alike
    for _ in range(_ROUNDS):
        volume, level, absorption, scatter = _means_in_turn(
            counts - known, error, path, grain, family, used, level, absorption, grains=grains
        )
        listed = np.exp(counts[used])
        own = np.median((detection.noise**2 + listed) / listed**2) if len(listed) else 0.0
        scatter = math.sqrt(max(scatter**2 - float(own), 0.0))
        measured = np.bincount(family[used], minlength=len(level)) >= _FEWEST
        bare = np.nan_to_num(known + volume[grain] - absorption * path, nan=-np.inf)
        detection = _fit_detection(
            bare + level[family], sine, found, measured[family], detection, scatter
        )
        level = _with_faint(level, measured, alike, bare, sine, found, family, phases, detection)
        over = bare + level[family] + detection.spread * np.log(sine)
        used = clean & (over > math.log(_SURE * detection.threshold))
    return Brightness(volume, level, absorption, detection)


def _means_in_turn(
    value: FloatArray,
    error: FloatArray,
    path: FloatArray,
    grain: IntArray,
    family: IntArray,
    used: NDArray[np.bool_],
    level: FloatArray,
    absorption: float,
    *,
    grains: int,
) -> tuple[FloatArray, FloatArray, float, float]:
    """Volumes, levels, absorption and scatter (log) from log counts less what is known of them.

    Families without a spot keep their level. The levels' mean is 0, the volumes take it up.
    """
    value, path = value[used], path[used]
    grain, family = grain[used], family[used]
    base = 1.0 / (error[used] ** 2 + 0.05**2)
    weight = base
    level = level.copy()
    volume = np.full(grains, np.nan)
    seen = np.bincount(family, minlength=len(level)) > 0
    scatter = 0.1
    for _ in range(_INNER):
        volume = _means(value - level[family] + absorption * path, weight, grain, grains)
        found = _means(value - volume[grain] + absorption * path, weight, family, len(level))
        level[seen] = found[seen] - float(np.nanmedian(found))
        centred = path - _means(path, weight, grain, grains)[grain]
        rest = value - volume[grain] - level[family] + absorption * path
        rest -= _means(rest, weight, grain, grains)[grain]
        slope = np.sum(weight * centred * rest) / max(np.sum(weight * centred**2), 1e-30)
        absorption = max(absorption - float(slope), 0.0)
        rest -= slope * centred
        size = np.abs(rest) * np.sqrt(base)
        wide = max(float(np.median(size)) / 0.6745, 1e-6) if len(size) else 1.0
        weight = base / (1.0 + (size / (3.0 * wide)) ** 2) ** 2
        if len(rest):
            scatter = float(np.median(np.abs(rest))) / 0.6745
    return volume, level, absorption, scatter


def _means(values: FloatArray, weight: FloatArray, group: IntArray, count: int) -> FloatArray:
    """Weighted mean of the values of each group (count,), NaN for an empty one."""
    total = np.bincount(group, weight, minlength=count)
    found = np.full(count, np.nan)
    np.divide(
        np.bincount(group, weight * values, minlength=count), total, out=found, where=total > 0.0
    )
    return found


def _fit_detection(
    predicted: FloatArray,
    sine: FloatArray,
    found: NDArray[np.bool_],
    measured: NDArray[np.bool_],
    start: Detection,
    scatter: float,
) -> Detection:
    """Likeliest threshold, noise, ceiling and spread for what was found of what was expected."""
    near = np.abs(predicted - math.log(start.threshold)) < math.log(12.0)
    rows = np.flatnonzero(measured & near)
    rows = rows[:: max(1, len(rows) // _ROWS)]
    if len(rows) < 10 * _FEWEST:
        return start
    counts, sine, found = np.exp(predicted[rows]), sine[rows], found[rows]

    def of(x: FloatArray) -> Detection:
        spread = float(np.clip(x[3], 0.0, 1.0))
        return Detection(
            math.exp(x[0]), math.exp(x[1]), 1.0 / (1.0 + math.exp(-x[2])), spread, scatter
        )

    def cost(x: FloatArray) -> float:
        chance = np.clip(of(x).chance(counts, sine), 1e-4, 1.0 - 1e-4)
        outside = max(-x[3], 0.0) + max(x[3] - 1.0, 0.0)
        return float(-np.sum(np.log(np.where(found, chance, 1.0 - chance)))) + 1e4 * outside

    first = np.array(
        [
            math.log(start.threshold),
            math.log(start.noise),
            math.log(start.seen / (1.0 - start.seen)),
            start.spread,
        ],
        dtype=np.float64,
    )
    simplex = first + np.vstack([np.zeros(4), 0.3 * np.eye(4)])
    found_at = minimize(
        cost,
        first,
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "maxfev": 250, "xatol": 3e-3, "fatol": 0.3},
    )
    return of(found_at.x)


def _with_faint(
    level: FloatArray,
    measured: NDArray[np.bool_],
    alike: NDArray[np.bool_],
    bare: FloatArray,
    sine: FloatArray,
    found: NDArray[np.bool_],
    family: IntArray,
    phases: TwoPhases,
    detection: Detection,
) -> FloatArray:
    """Levels of rings too faint for a mean: from how many spots were found, or their neighbours.

    A family that only one phase shows, whose number cannot be used, takes the filters of the
    nearest rings on both sides of which anything is seen.
    """
    level = level.copy()
    for one in np.flatnonzero(alike & ~measured):
        rows = np.flatnonzero(family == one)
        rows = rows[:: max(1, len(rows) // 20_000)]
        if len(rows):
            level[one] = _level_by_number(
                bare[rows], sine[rows], float(found[rows].sum()), detection
            )
    known = np.flatnonzero(alike & (np.bincount(family, found, minlength=len(level)) > 0))
    radius = 1.0 / phases.spacing
    rest = np.setdiff1d(np.arange(len(level)), known)
    if len(known):
        level[rest] = np.interp(radius[rest], radius[known], level[known])
    return level


def _level_by_number(
    bare: FloatArray, sine: FloatArray, found: float, detection: Detection
) -> float:
    """Level at which as many spots are expected as were found, within a factor of 3,000."""
    low, high = -8.0, 8.0
    wanted = max(found, 0.5)
    for _ in range(30):
        middle = 0.5 * (low + high)
        if float(detection.chance(np.exp(bare + middle), sine).sum()) < wanted:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
