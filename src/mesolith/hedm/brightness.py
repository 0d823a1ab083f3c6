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
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit, ndtr

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm.sightings import Sightings
from mesolith.hedm.two_phases import TwoPhases
from mesolith.records.spots import Spots

_ROUNDS, _INNER = 4, 5
_SURE = 2.5  # times the threshold: counts that are always seen
_FEWEST = 30  # spots that measure a ring
_CELL, _CELLS = 0.02, 12  # of log counts, and parts of sin eta, in which detection is fitted


@dataclass(frozen=True, slots=True)
class Detection:
    """Chance that a spot is listed: ``seen`` * Phi((counts * |sin eta|^spread - threshold) / sd).

    sd^2 = noise^2 + counts + (blur * counts)^2; ``threshold`` and ``noise`` in counts. ``blur`` is
    how far expected counts are off, so a spot without counts is listed by its noise alone.
    ``spread`` is 0 where counts decide, 1 where the counts of one frame do. ``seen`` is below 1
    where bright spots vanish too: next to brighter ones. Besides, ``stranger`` is the chance that
    another's spot lies where nothing would be listed. Listed counts have sd^2 = noise^2 + counts +
    (scatter * counts)^2.
    """

    threshold: float
    noise: float
    seen: float
    spread: float
    blur: float
    stranger: float
    scatter: float

    def deviation(self, counts: FloatArray) -> FloatArray:
        """Standard deviation of the counts of a spot."""
        return np.asarray(np.sqrt(self.noise**2 + counts + (self.scatter * counts) ** 2))

    def chance(self, counts: FloatArray, sin_eta: FloatArray) -> FloatArray:
        """Chance that spots of these true counts are listed."""
        over = counts * sin_eta**self.spread - self.threshold
        sd = np.sqrt(self.noise**2 + counts + (self.blur * counts) ** 2)
        return np.asarray(self.seen * ndtr(over / sd))

    def filled(self, counts: FloatArray, sin_eta: FloatArray) -> FloatArray:
        """Chance that their places are filled, by them or by a stranger."""
        own = self.chance(counts, sin_eta)
        return np.asarray(own + (1.0 - own) * self.stranger)


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
    # a spot that is rather another reflection's says neither that this one is listed nor not
    apart = ~found | (sightings.share[rows] > 0.5)
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
    detection = first = Detection(least, max(noise, 1e-6 * least), 0.98, 0.0, 0.1, 1e-3, 0.1)
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
        # from the start: what the first rounds take for blur must not stay
        first = replace(first, threshold=detection.threshold)
        detection = _fit_detection(
            bare + level[family], sine, found, measured[family] & apart, first, scatter
        )
        level = _with_faint(
            level, measured, alike, bare, sine, found, family, apart, phases, detection
        )
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
    """Likeliest detection for what was found of what was expected."""
    near = np.abs(predicted - math.log(start.threshold)) < math.log(12.0)
    rows = np.flatnonzero(measured & near)
    if len(rows) < 10 * _FEWEST:
        return start
    # reflections of nearly the same counts and azimuth are counted together
    level = np.floor(predicted[rows] / _CELL).astype(np.int64)
    cell = (level - level.min()) * _CELLS + np.minimum(sine[rows] * _CELLS, _CELLS - 1).astype(int)
    asked = np.bincount(cell)
    kept = asked > 0
    asked = asked[kept].astype(np.float64)
    counts = np.exp(np.bincount(cell, predicted[rows])[kept] / asked)
    sine = np.bincount(cell, sine[rows])[kept] / asked
    filled = np.bincount(cell, found[rows])[kept]

    def of(x: FloatArray) -> Detection:
        return Detection(
            threshold=math.exp(x[0]),
            noise=math.exp(x[1]),
            seen=float(expit(x[2])),
            spread=float(np.clip(x[3], 0.0, 1.0)),
            blur=math.exp(x[4]),
            stranger=float(expit(x[5])),
            scatter=scatter,
        )

    def cost(x: FloatArray) -> float:
        chance = np.clip(of(x).filled(counts, sine), 1e-7, 1.0 - 1e-7)
        outside = max(-x[3], 0.0) + max(x[3] - 1.0, 0.0)
        told = filled * np.log(chance) + (asked - filled) * np.log1p(-chance)
        return 1e4 * outside - float(np.sum(told))

    first = np.array(
        [
            math.log(start.threshold),
            math.log(start.noise),
            float(logit(start.seen)),
            start.spread,
            math.log(start.blur),
            float(logit(start.stranger)),
        ],
        dtype=np.float64,
    )
    simplex = first + np.vstack([np.zeros(6), 0.3 * np.eye(6)])
    found_at = minimize(
        cost,
        first,
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "maxfev": 1500, "xatol": 1e-3, "fatol": 0.03},
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
    apart: NDArray[np.bool_],
    phases: TwoPhases,
    detection: Detection,
) -> FloatArray:
    """Levels of rings too faint for a mean: from how many spots were found, or their neighbours.

    A family that only one phase shows, whose number cannot be used, takes the filters of the
    nearest rings on both sides of which anything is seen.
    """
    level = level.copy()
    for one in np.flatnonzero(alike & ~measured):
        rows = np.flatnonzero((family == one) & apart)
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
        if float(detection.filled(np.exp(bare + middle), sine).sum()) < wanted:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
