"""One pattern from its peaks to records: grains found, then refined together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.errors import InvalidValueError
from mesolith.laue._kernels_match import nearest_peaks, one_spot_a_peak
from mesolith.laue.find import find_grains
from mesolith.laue.index import LaueIndexer, Solution, links_of
from mesolith.laue.modes import depth_motion, modes_of_grains, strain_by_motions
from mesolith.laue.pattern import CELL, Pattern
from mesolith.laue.predict import PredictedSpots, predict_spots
from mesolith.laue.refine import Fit, Links, covariance_of_grains, refine
from mesolith.laue.strain import deviatoric_strain, orientation_and_stretch
from mesolith.numerics.rotations import quaternion_from_matrix
from mesolith.records.grains import Phases
from mesolith.records.laue import LaueAssignment, LaueGrains, LauePeaks

# two spots this close become one peak; a share below this does not shift it
_BLEND_PX = 3.0
_LEAST_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class IndexedPattern:
    """What was found in one pattern.

    ``phase_false`` (phases,) bounds, for each phase that was looked for, the probability that the
    surest of its solutions is false; of a phase without a grain that of the best one refused,
    1 where nothing resembled it.
    """

    grains: LaueGrains
    assignment: LaueAssignment
    phase_false: FloatArray


def index_pattern(
    indexer: LaueIndexer,
    peaks: LauePeaks,
    guesses: Sequence[FloatArray] = (),
    *,
    search: bool = True,
) -> IndexedPattern:
    """Grains of one pattern and the peaks of each.

    ``guesses`` are reciprocal lattices (3, 3), columns a* b* c* in 1/angstrom on laboratory axes,
    which are tried first: those of the neighbouring point, or of the scan before. Without
    ``search`` nothing else is tried.

    Raises
    ------
    InvalidValueError
        The peaks are those of several patterns.
    """
    return index_phases((indexer,), peaks, (guesses,), search=search)


def index_phases(
    indexers: Sequence[LaueIndexer],
    peaks: LauePeaks,
    guesses: Sequence[Sequence[FloatArray]] = (),
    *,
    search: bool = True,
) -> IndexedPattern:
    """Grains of several phases in one pattern; ``phases`` of the answer are those of the indexers.

    As `index_pattern`, with one list of guesses for each of the first phases. At each turn the
    surest grain of all phases takes its peaks. A phase that is not there has no grain, and
    ``phase_false`` says how likely the best that it offered was chance.

    Raises
    ------
    InvalidValueError
        The peaks are those of several patterns, or the indexers of several stations.
    """
    if len(peaks) and peaks.pattern[0] != peaks.pattern[-1]:
        raise InvalidValueError(
            f"peaks of patterns {peaks.pattern[0]} to {peaks.pattern[-1]} are indexed as one",
            remedy="Give the peaks of one pattern at a time.",
        )
    number = int(peaks.pattern[0]) if len(peaks) else 0
    answer = find_grains(indexers, peaks, guesses, search=search)
    found, pattern, false = answer.grains, answer.pattern, np.exp(answer.log_false)
    if not found:
        return IndexedPattern(_no_grains(indexers), _no_assignment(), false)
    reciprocal = np.stack([one.reciprocal for one in found])
    fit, links, spots, factor = _together(indexers, pattern, found, reciprocal)
    return IndexedPattern(
        _grains(indexers, found, fit, links, number, pattern, factor),
        _assignment(indexers, found, pattern, fit, links, spots),
        false,
    )


def _together(
    indexers: Sequence[LaueIndexer],
    pattern: Pattern,
    found: list[Solution],
    reciprocal: FloatArray,
) -> tuple[Fit, Links, PredictedSpots, float]:
    """Refine all grains on all peaks; twice, since links change as the lattices do.

    The last number is what the stated variances were multiplied by.
    """
    best: tuple[Fit, Links, PredictedSpots, float] | None = None
    factor = 1.0
    reference = np.stack([indexers[one.phase].reflections.reciprocal for one in found])
    for _ in range(2):
        links, spots = _links(indexers, pattern, found, reciprocal)
        fit = refine(
            reciprocal, links, pattern.place, factor * pattern.variance, indexers[0].geometry.row,
            reference, strain_sigma=indexers[0].settings.strain_sigma, steps=2,
        )  # fmt: skip
        if fit is None:
            break
        best, reciprocal = (fit, links, spots, factor), fit.reciprocal
        # the noise as it is, so that it weighs rightly beside doubts of depths and blends
        factor = min(max(factor * fit.scale, 0.05), 50.0)
    if best is None:
        raise InvalidValueError(
            "the grains of a pattern cannot be told apart by their peaks",
            remedy="Lower most_grains, or raise least_spots.",
        )
    return best


def _links(
    indexers: Sequence[LaueIndexer],
    pattern: Pattern,
    found: list[Solution],
    reciprocal: FloatArray,
) -> tuple[Links, PredictedSpots]:
    """Each peak with the one or two spots that should make it; two link to each other."""
    parts, all_spots, bright = [], [], []
    everything = np.ones(len(pattern), dtype=np.bool_)
    scratch = np.empty(len(pattern), dtype=np.int64)
    for grain, one in enumerate(reciprocal):
        indexer = indexers[found[grain].phase]
        spots = predict_spots(one, indexer.reflections, indexer.geometry)
        peak, distance = np.empty(len(spots), np.int64), np.empty(len(spots))
        nearest_peaks(
            spots.place, pattern.fast, pattern.slow, everything, pattern.head, pattern.after, CELL,
            max(_BLEND_PX, found[grain].radius), peak, distance,
        )  # fmt: skip
        near = np.flatnonzero(peak >= 0)
        own = peak.copy()
        one_spot_a_peak(own, distance, spots.strength, scratch)
        exact = (own >= 0) & (distance < found[grain].radius)
        ratio = pattern.strength[peak[exact]] / spots.strength[exact]
        scale = float(np.median(ratio)) if len(ratio) else 0.0
        parts.append(links_of(indexer.reflections, spots, near, peak[near], grain))
        all_spots.append(spots.take(near))
        bright.append(scale * spots.strength[near])
    joined = Links(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("hkl", "grain", "share", "depth", "doubt", "point", "other")
        )
    )
    joined.share = np.concatenate(bright)
    place = np.concatenate([spots.place for spots in all_spots])
    distance = np.linalg.norm(pattern.place[joined.point] - place, axis=1)
    radius = np.array([one.radius for one in found])[joined.grain]
    # of each peak the brightest two; a peak that none of them alone or both together can
    # explain stays out
    order = np.lexsort((-joined.share, joined.point))
    share, first = joined.share[order], _firsts(joined.point[order])
    length = np.diff(first, append=len(order))
    follower = np.minimum(first + 1, max(len(order) - 1, 0))
    total = np.add.reduceat(share, first) if len(first) else share
    double = (length > 1) & (share[follower] >= _LEAST_SHARE * total)
    single = order[first[~double]]
    keep = single[distance[single] < radius[single]].tolist()
    other = [-1] * len(keep)
    for one, two in zip(order[first[double]], order[follower[double]], strict=True):
        part = joined.share[one] / (joined.share[one] + joined.share[two])
        middle = part * place[one] + (1.0 - part) * place[two]
        apart = math.dist(place[one], place[two])
        off = math.dist(pattern.place[joined.point[one]], middle)
        if off < max(radius[one], radius[two]) + 0.5 * apart:
            at = len(keep)
            keep += [int(one), int(two)]
            other += [at + 1, at]
    chosen = np.array(keep, dtype=np.int64)
    links = Links(
        hkl=joined.hkl[chosen],
        grain=joined.grain[chosen],
        share=joined.share[chosen],
        depth=joined.depth[chosen],
        doubt=joined.doubt[chosen],
        point=joined.point[chosen],
        other=np.array(other, dtype=np.int64),
    )
    spots = PredictedSpots(
        *(
            np.concatenate([getattr(one, name) for one in all_spots])[chosen]
            for name in ("direction", "order", "place", "strength", "depth", "doubt", "energy")
        )
    )
    return links, spots


def _firsts(values: IntArray) -> IntArray:
    """Where each run of equal values begins."""
    begins = np.ones(len(values), dtype=np.bool_)
    begins[1:] = values[1:] != values[:-1]
    return np.flatnonzero(begins)


def _grains(
    indexers: Sequence[LaueIndexer],
    found: list[Solution],
    fit: Fit,
    links: Links,
    number: int,
    pattern: Pattern,
    factor: float,
) -> LaueGrains:
    phase = np.array([one.phase for one in found], dtype=np.int64)
    lattices = np.stack([one.reflections.lattice for one in indexers])
    reference = basis_from_lattice(lattices[phase])
    vectors = np.swapaxes(np.linalg.inv(fit.reciprocal), 1, 2)
    size = np.linalg.det(vectors) / np.linalg.det(reference)
    vectors = vectors / np.cbrt(size)[:, None, None]
    rotation, stretch = orientation_and_stretch(vectors, reference)
    covariance, scatter = covariance_of_grains(fit, links)
    count = len(found)
    used = fit.weight > 0.0
    alone = used & (links.other < 0)
    rms = [
        math.sqrt(float(np.mean(fit.residual[alone & (links.grain == k)] ** 2)))
        if np.any(alone & (links.grain == k))
        else math.nan
        for k in range(count)
    ]
    strain = deviatoric_strain(stretch)
    geometry = indexers[0].geometry
    motions = [depth_motion(geometry), *(mode.motion for mode in geometry.modes)]
    shifted = strain_by_motions(
        geometry, fit, links, pattern.place, factor * pattern.variance, np.stack(motions)
    )
    return LaueGrains(
        pattern=np.full(count, number, dtype=np.int64),
        lattice_vectors=vectors,
        orientation=quaternion_from_matrix(rotation),
        strain=0.5 * (strain + np.swapaxes(strain, 1, 2)),
        covariance=covariance,
        phase=phase,
        phases=_phases(indexers),
        completeness=np.array([one.completeness for one in found]),
        spots=np.bincount(links.grain[used], minlength=count),
        own_spots=np.bincount(links.grain[alone], minlength=count),
        rms=np.array(rms),
        scatter=factor * scatter,
        false_probability=np.exp([one.log_false for one in found]),
        depth_sensitivity=shifted[0],
        common_modes=modes_of_grains(geometry.modes, shifted[1:]),
    )


def _assignment(
    indexers: Sequence[LaueIndexer],
    found: list[Solution],
    pattern: Pattern,
    fit: Fit,
    links: Links,
    spots: PredictedSpots,
) -> LaueAssignment:
    hkl = np.empty((len(links), 3), dtype=np.int64)
    for grain, one in enumerate(found):
        own = links.grain == grain
        hkl[own] = indexers[one.phase].reflections.hkl[spots.direction[own]]
    return LaueAssignment(
        peak=pattern.row[links.point],
        grain=links.grain,
        hkl=hkl * spots.order[:, None],
        energy=spots.energy,
        depth=spots.depth,
        residual=fit.residual,
        weight=fit.weight,
        shared=links.other >= 0,
    )


def _phases(indexers: Sequence[LaueIndexer]) -> Phases:
    every = [one.reflections for one in indexers]
    return Phases(
        name=tuple(one.name for one in every),
        space_group=np.array([one.space_group for one in every]),
        lattice=np.stack([one.lattice for one in every]),
    )


def _no_grains(indexers: Sequence[LaueIndexer]) -> LaueGrains:
    none, whole = np.zeros(0), np.zeros(0, dtype=np.int64)
    return LaueGrains(
        pattern=whole,
        lattice_vectors=np.zeros((0, 3, 3)),
        orientation=np.zeros((0, 4)),
        strain=np.zeros((0, 3, 3)),
        covariance=np.zeros((0, 9, 9)),
        phase=whole,
        phases=_phases(indexers),
        completeness=none,
        spots=whole,
        own_spots=whole,
        rms=none,
        scatter=none,
        false_probability=none,
        depth_sensitivity=np.zeros((0, 3, 3)),
        common_modes=modes_of_grains(
            indexers[0].geometry.modes, np.zeros((len(indexers[0].geometry.modes), 0, 3, 3))
        ),
    )


def _no_assignment() -> LaueAssignment:
    none, whole = np.zeros(0), np.zeros(0, dtype=np.int64)
    return LaueAssignment(
        peak=whole,
        grain=whole,
        hkl=np.zeros((0, 3), dtype=np.int64),
        energy=none,
        depth=none,
        residual=np.zeros((0, 2)),
        weight=none,
        shared=np.zeros(0, dtype=np.bool_),
    )
