"""What the reflections that one of two phases lacks say about each grain.

Present or absent: a reflection of known brightness is listed with a known chance, and a place in
the pattern is filled by a stranger with a known, measured chance. A spot that is there speaks for
the phase that shows it by its distance in standard deviations and by its counts; one that is not
speaks against it as far as it would have been listed. How strong these weak reflections are is
itself uncertain, so all is computed on a grid of factors, from 0 (they cannot be seen) upwards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm.brightness import Brightness
from mesolith.hedm.match import SpotLookup
from mesolith.hedm.sightings import SIGMAS, Sightings, unit_sphere_volume
from mesolith.hedm.two_phases import TwoPhases
from mesolith.records.spots import Spots

FACTORS = np.concatenate([[0.0], np.geomspace(0.03, 6.0, 24)])
_TURNS = (0.13, -0.22, 0.31)  # rad
_PROBES = 300
_LEAST_CHANCE = 2e-4
_STRAY = 0.05  # of the spots that are there, with counts far from what they should be


@dataclass(frozen=True, slots=True)
class TellingReflections:
    """Log likelihood ratios of the first against the second phase.

    ``ratio`` (g, t, k) by grain, family and factor of `FACTORS`; ``families`` (t,) number the
    families of the `TwoPhases`. ``expected`` (g, t, k) is how many reflections that only the first
    phase shows would be listed, ``found`` (g, t) how many were; ``chance`` (t,) how often a
    stranger fills a place.
    """

    families: IntArray
    ratio: FloatArray
    expected: FloatArray
    found: IntArray
    chance: FloatArray


def weigh_telling(
    sightings: Sightings,
    spots: Spots,
    lookup: SpotLookup,
    phases: TwoPhases,
    brightness: Brightness,
    lattice_vectors: FloatArray,
    position: FloatArray,
    *,
    pole: float,
) -> TellingReflections:
    """Weigh the telling reflections of all grains.

    A spot that a reflection which both phases show explains, in whatever grain, is neither found
    nor missed.
    """
    grains = len(lattice_vectors)
    families = np.flatnonzero(phases.telling)
    family = phases.family[sightings.reflection]
    explained = _explained(sightings, family, phases, len(spots))
    chance, strange = _strangers(
        lookup, spots, phases, families, explained, lattice_vectors, position, pole
    )
    shape = (grains, len(families), len(FACTORS))
    ratio, expected = np.zeros(shape), np.zeros(shape)
    found = np.zeros(shape[:2], dtype=np.int64)
    geometry = brightness.geometry(sightings)
    for t, one in enumerate(families):
        rows = np.flatnonzero((family == one) & np.isfinite(geometry))
        spot = sightings.spot[rows]
        rows = rows[(spot < 0) | ~explained[np.maximum(spot, 0)]]
        if not len(rows):
            continue
        grain, spot = sightings.grain[rows], sightings.spot[rows]
        there = spot >= 0
        found[:, t] = np.bincount(grain[there], minlength=grains)
        unit = np.exp(geometry[rows] + brightness.level[one])
        listed = spots.intensity[np.maximum(spot, 0)]
        second = _log_density(
            unit * phases.strength[1, one],
            listed,
            there,
            sightings.sin_eta[rows],
            sightings.square[rows],
            brightness,
            chance[t],
            strange[t],
        )
        for k, factor in enumerate(FACTORS):
            strength = phases.strength[1, one] + factor * (
                phases.strength[0, one] - phases.strength[1, one]
            )
            counts = unit * max(strength, 0.0)
            first = _log_density(
                counts,
                listed,
                there,
                sightings.sin_eta[rows],
                sightings.square[rows],
                brightness,
                chance[t],
                strange[t],
            )
            ratio[:, t, k] = np.bincount(grain, first - second, minlength=grains)
            seen = brightness.detection.chance(counts, sightings.sin_eta[rows])
            expected[:, t, k] = np.bincount(grain, seen, minlength=grains)
    expected[:, ~phases.only_first[families]] = 0.0
    found[:, ~phases.only_first[families]] = 0
    return TellingReflections(families, ratio, expected, found, chance)


def at_factors(table: FloatArray, factor: FloatArray) -> FloatArray:
    """Sum over families (g,) of a table (g, t, k) at one factor a family (t,).

    A factor between two of `FACTORS`, as an average is, takes what lies in between.
    """
    high = np.clip(np.searchsorted(FACTORS, factor), 1, len(FACTORS) - 1)
    share = (np.asarray(factor) - FACTORS[high - 1]) / (FACTORS[high] - FACTORS[high - 1])
    family = np.arange(table.shape[1])
    low = table[:, family, high - 1] * (1.0 - share)
    return np.asarray((low + table[:, family, high] * share).sum(axis=1))


def _explained(
    sightings: Sightings, family: IntArray, phases: TwoPhases, spots: int
) -> NDArray[np.bool_]:
    """Spots that a reflection which both phases show explains."""
    explained = np.zeros(spots, dtype=np.bool_)
    common = sightings.found & ~phases.telling[family]
    explained[sightings.spot[common]] = True
    return explained


def _strangers(
    lookup: SpotLookup,
    spots: Spots,
    phases: TwoPhases,
    families: IntArray,
    explained: NDArray[np.bool_],
    lattice_vectors: FloatArray,
    position: FloatArray,
    pole: float,
) -> tuple[FloatArray, list[tuple[float, float]]]:
    """How often a place is filled by a spot that nobody explains, and its log counts' mean and sd.

    Measured at the predictions of up to 300 grains, turned out of their places.
    """
    step = max(1, len(lattice_vectors) // _PROBES)
    reciprocal = np.ascontiguousarray(np.linalg.inv(lattice_vectors[::step]).swapaxes(1, 2))
    chance = np.full(len(families), _LEAST_CHANCE)
    strange: list[tuple[float, float]] = []
    usual = np.log(np.maximum(spots.intensity, 1e-300))
    for t, one in enumerate(families):
        hkl = phases.hkl[phases.family == one][None].astype(np.float64)
        asked, filled, counts = 0, 0, [np.empty(0)]
        for turn in _TURNS:
            matches = lookup.match(
                reciprocal,
                np.ascontiguousarray(position[::step]),
                np.zeros(len(reciprocal), dtype=np.int64),
                hkl,
                pole=pole,
                sigmas=SIGMAS,
                shift=turn,
            )
            hit = matches.expected & (matches.spot >= 0)
            spot = lookup.order[matches.spot[hit]]
            spot = spot[~explained[spot]]
            asked += int(matches.expected.sum())
            filled += len(spot)
            counts.append(usual[spot])
        chance[t] = np.clip((filled + 0.5) / (asked + 1.0), _LEAST_CHANCE, 0.9)
        seen = np.concatenate(counts)
        if len(seen) < 20 and len(usual):
            seen = usual
        middle = float(np.median(seen)) if len(seen) else 0.0
        spread = float(np.std(seen)) if len(seen) else 1.0
        strange.append((middle, max(spread, 0.5)))
    return chance, strange


def _log_density(
    counts: FloatArray,
    listed: FloatArray,
    there: NDArray[np.bool_],
    sin_eta: FloatArray,
    square: FloatArray,
    brightness: Brightness,
    chance: float,
    strange: tuple[float, float],
) -> FloatArray:
    """Log density (n,) of what was seen where spots of true ``counts`` (n,) should be.

    Of a place without a spot its probability; of a spot the density of its distance, relative to
    an even one in the search, times that of the logarithm of its counts.
    """
    detection = brightness.detection
    seen = detection.chance(counts, sin_eta)
    out = np.log((1.0 - np.minimum(seen, 1.0 - 1e-9)) * (1.0 - chance))
    if not there.any():
        return out
    counts, listed, seen = counts[there], np.maximum(listed[there], 1e-300), seen[there]
    sd = detection.deviation(counts)
    # density of the listed counts times the chance to be listed, per unit of their logarithm
    normal = -0.5 * ((listed - counts) / sd) ** 2 - np.log(sd) + np.log(listed)
    with np.errstate(divide="ignore"):
        normal += math.log((1.0 - _STRAY) * detection.seen)
        log_counts = np.log(np.maximum(counts, 1e-300))
        stray = math.log(_STRAY) + np.log(seen) - 0.5 * (np.log(listed) - log_counts) ** 2
    root = 0.5 * math.log(2.0 * math.pi)
    place = math.log(unit_sphere_volume()) - 0.5 * square[there]
    own = place - root + np.logaddexp(normal, stray)
    middle, spread = strange
    other = -0.5 * ((np.log(listed) - middle) / spread) ** 2 - math.log(spread) - root
    other += math.log(chance) + np.log(1.0 - np.minimum(seen, 1.0 - 1e-9))
    out[there] = logsumexp(np.stack([own, other]), axis=0)
    return out
