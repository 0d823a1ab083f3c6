"""Grains of a white-beam pattern, from the strong reflections of its phase.

Pairs of bright peaks give orientations; each is tried on the strongest spots that it predicts
and given up as soon as they are missing. The best are refined, set against their coincidence
relatives and accepted by the share of predicted strong spots that are found. Their peaks are
taken, and the search begins anew with the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.laue._kernels_match import nearest_peaks, one_spot_a_peak
from mesolith.laue._kernels_search import search_pairs, support_of_all
from mesolith.laue.chance import log_false
from mesolith.laue.geometry import LaueGeometry
from mesolith.laue.index_settings import IndexSettings
from mesolith.laue.pattern import CELL, PICTURE_CELL, Pattern
from mesolith.laue.predict import PredictedSpots, predict_spots
from mesolith.laue.refine import Fit, Links, refine
from mesolith.laue.reflections import LaueReflections, PairTable, pair_table
from mesolith.laue.relatives import coincidence_rotations

# radius about a predicted spot, px, how many of the strongest spots are looked at, and among
# directions that can be at least so strong
_STAGES = ((7.0, 60, 0.01), (3.0, 150, 0.003), (1.5, 400, 0.001))
_LISTED = 0.001
_JUDGED = 200
_PICTURE_RADIUS = 4.5
_BLEND_PX = 3.0
_STRONG = 0.01
_LOOKED_AT = 60
_SAME = math.cos(math.radians(0.4))
_EXPECTED_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class LaueIndexer:
    """What indexing needs to know of a phase and a station, made once for all patterns."""

    reflections: LaueReflections
    geometry: LaueGeometry
    settings: IndexSettings
    pairs: PairTable
    relatives: FloatArray
    depth: float
    strong: int
    stages: tuple[tuple[float, int, float], ...] = _STAGES


@dataclass(frozen=True, slots=True)
class Solution:
    """A refined orientation: reciprocal lattice (3, 3), its spots, and how sure it is.

    ``spots`` are the predicted ones, ``peak`` (n,) the peak of each or -1. ``log_false`` bounds
    the logarithm of the probability that it is false. ``phase`` numbers the indexers.
    """

    reciprocal: FloatArray
    spots: PredictedSpots
    peak: IntArray
    radius: float
    completeness: float
    log_false: float
    phase: int = 0

    @property
    def found(self) -> int:
        """Predicted spots that have a peak."""
        return int(np.count_nonzero(self.peak >= 0))


def laue_indexer(
    reflections: LaueReflections, geometry: LaueGeometry, settings: IndexSettings | None = None
) -> LaueIndexer:
    """Prepare indexing of one phase; settings default to those of `IndexSettings`."""
    settings = settings or IndexSettings()
    table = reflections.table
    middling = float(np.average(table.length, weights=table.photons))
    return LaueIndexer(
        reflections=reflections,
        geometry=geometry,
        settings=settings,
        pairs=pair_table(reflections, families=settings.families),
        relatives=coincidence_rotations(reflections),
        # the way out is about as long as the way in
        depth=0.5 * middling,
        strong=int(np.searchsorted(-reflections.most, -_STRONG)),
    )


def guessed_grain(
    indexer: LaueIndexer, pattern: Pattern, guess: FloatArray, *, among: int = 1
) -> Solution | None:
    """A guessed reciprocal lattice (3, 3) refined on the free peaks, or its better relative.

    ``among`` is the number of guesses or phases that are tried beside it.
    """
    share = pattern.repaint(_PICTURE_RADIUS)
    return _judged(indexer, pattern, guess, share, tried=among)


def searched_grain(
    indexer: LaueIndexer, pattern: Pattern, *, among: int = 1
) -> tuple[Solution | None, float]:
    """One more grain among the free peaks, if there is one.

    The number is the smallest logarithm of a false solution's probability among all that were
    refined, whether good enough or not; ``among`` is the number of phases looked for.
    """
    share = pattern.repaint(_PICTURE_RADIUS)
    gain, loss = evidence_of_spots(share)
    free = np.flatnonzero(pattern.free)[: indexer.settings.bright]
    second, first = np.tril_indices(len(free), -1)
    pairs = np.stack([free[first], free[second]], axis=1)
    tolerance = 1.5 * indexer.settings.strain_limit
    reflections, geometry = indexer.reflections, indexer.geometry
    tried, at, best = 0, 0, 0.0
    # a third of the bright peaks first, then two thirds, then all
    ends = [min(len(pairs), n * (n - 1) // 2) for n in (12, 25, len(free))]
    for end in sorted(set(ends)):
        while at < end:
            at, kept, marks, more = search_pairs(
                pattern.q, pairs, at, end, indexer.pairs.angle, indexer.pairs.one,
                indexer.pairs.two, reflections.direction[: indexer.strong], reflections.length,
                reflections.start, reflections.order, reflections.square,
                reflections.table.photons, geometry.centre,
                math.cos(geometry.half_angle + 2e-3), _STRONG * reflections.scale, indexer.depth,
                geometry.row, pattern.picture, PICTURE_CELL, gain, loss, 1.2 * gain, _LOOKED_AT,
                tolerance, 9.0 * gain, 6,
            )  # fmt: skip
            tried += more
            for k in np.argsort(-marks[:, 0], kind="stable"):
                if marks[k, 0] < 3.0 * gain:
                    break
                solution = _judged(
                    indexer, pattern, kept[k] @ reflections.reciprocal, share, tried=tried * among
                )
                if solution is not None:
                    best = min(best, solution.log_false)
                    if acceptable(indexer, solution):
                        return solution, best
    return None, best


def evidence_of_spots(share: float) -> tuple[float, float]:
    """What a predicted spot with a peak adds, and what one without takes away.

    ``share`` is the chance that there is one for no reason.
    """
    share = min(max(share, 1e-5), 0.3)
    return math.log(_EXPECTED_SHARE / share), math.log((1.0 - share) / (1.0 - _EXPECTED_SHARE))


def _judged(
    indexer: LaueIndexer, pattern: Pattern, guess: FloatArray, share: float, *, tried: int
) -> Solution | None:
    """An orientation refined and set against its coincidence relatives; None: too few peaks."""
    solution = _verified(indexer, pattern, guess, tried=tried)
    if solution is None:
        return None
    return _best_relative(indexer, pattern, solution, *evidence_of_spots(share), tried)


def acceptable(indexer: LaueIndexer, solution: Solution) -> bool:
    """Whether a solution has spots enough and is sure enough to be a grain."""
    settings = indexer.settings
    return (
        solution.found >= settings.least_spots
        and solution.completeness >= settings.least_completeness
        and solution.log_false <= math.log(settings.false_probability)
    )


def take_peaks(indexer: LaueIndexer, pattern: Pattern, solution: Solution, grain: int) -> None:
    """Give all free peaks near the spots of a solution to the grain of that number."""
    everything = predict_spots(solution.reciprocal, indexer.reflections, indexer.geometry)
    peak = nearest_of(pattern, everything.place, max(solution.radius, 1.0), pattern.free)[0]
    pattern.owner[peak[peak >= 0]] = grain


def _verified(
    indexer: LaueIndexer, pattern: Pattern, guess: FloatArray, *, tried: int
) -> Solution | None:
    """Refine an orientation on the free peaks and judge it; None where it finds too few."""
    reciprocal = np.ascontiguousarray(guess)
    scale = 1.0
    for radius, strongest, weakest in indexer.stages:
        fit = _refined(indexer, pattern, reciprocal, radius, strongest, weakest)[0]
        if fit is None:
            return None
        reciprocal, scale = fit.reciprocal[0], fit.scale
    sigma = math.sqrt(max(float(np.median(pattern.variance)) * scale, 1e-4))
    radius = min(max(5.0 * sigma, 0.5), 3.0)
    fit, spots, peak = _refined(indexer, pattern, reciprocal, radius, None, _LISTED)
    if fit is None:
        return None
    reciprocal = fit.reciprocal[0]
    hits, share = _hits(indexer, pattern, reciprocal, radius)
    if not len(hits):
        return None
    return Solution(
        reciprocal=reciprocal,
        spots=spots,
        peak=peak,
        radius=radius,
        completeness=float(hits[:_LOOKED_AT].mean()),
        log_false=log_false(hits, share, tried),
    )


def _refined(
    indexer: LaueIndexer,
    pattern: Pattern,
    reciprocal: FloatArray,
    radius: float,
    most: int | None,
    weakest: float,
) -> tuple[Fit | None, PredictedSpots, IntArray]:
    spots = predict_spots(reciprocal, indexer.reflections, indexer.geometry, weakest=weakest)
    if most is not None:
        spots = spots.strongest(most)
    peak = nearest_of(pattern, spots.place, radius, pattern.free, spots.strength)[0]
    rows = np.flatnonzero(peak >= 0)
    if len(rows) < 5:
        return None, spots, peak
    links = links_of(indexer.reflections, spots, rows, peak[rows], 0)
    fit = refine(
        reciprocal[None], links, pattern.place, pattern.variance, indexer.geometry.row,
        indexer.reflections.reciprocal, strain_sigma=indexer.settings.strain_sigma, steps=2,
    )  # fmt: skip
    return fit, spots, peak


def links_of(
    reflections: LaueReflections, spots: PredictedSpots, rows: IntArray, peak: IntArray, grain: int
) -> Links:
    """Links between predicted spots (rows of ``spots``) and peaks, of one grain."""
    return Links(
        hkl=reflections.hkl_float[spots.direction[rows]],
        grain=np.full(len(rows), grain, dtype=np.int64),
        share=spots.strength[rows],
        depth=spots.depth[rows],
        doubt=spots.doubt[rows],
        point=peak,
        other=np.full(len(rows), -1, dtype=np.int64),
    )


def nearest_of(
    pattern: Pattern,
    place: FloatArray,
    radius: float,
    usable: np.ndarray[tuple[int], np.dtype[np.bool_]],
    strength: FloatArray | None = None,
) -> tuple[IntArray, FloatArray]:
    """Nearest usable peak (n,) of each place, -1 for none; one a peak where strengths are given."""
    peak, distance = np.empty(len(place), dtype=np.int64), np.empty(len(place))
    nearest_peaks(
        place, pattern.fast, pattern.slow, usable, pattern.head, pattern.after, CELL, radius, peak,
        distance,
    )  # fmt: skip
    if strength is not None:
        one_spot_a_peak(peak, distance, strength, np.empty(len(pattern), dtype=np.int64))
    return peak, distance


def _hits(
    indexer: LaueIndexer, pattern: Pattern, reciprocal: FloatArray, radius: float
) -> tuple[IntArray, float]:
    """Whether each predicted strong spot, strongest first, has a free peak; the share by chance.

    A spot within reach of a peak that another grain took says nothing and is left out.
    """
    spots = predict_spots(
        reciprocal, indexer.reflections, indexer.geometry, weakest=_LISTED
    ).strongest(_JUDGED)
    place = spots.place
    free = pattern.free
    hit = nearest_of(pattern, place, radius, free, spots.strength)[0] >= 0
    if not free.all():
        taken = nearest_of(pattern, place, _BLEND_PX, ~free)[0] >= 0
        hit = hit[hit | ~taken]
    share = int(free.sum()) * math.pi * radius**2 / indexer.geometry.area
    return hit.astype(np.int64), min(share, 0.5)


def _best_relative(
    indexer: LaueIndexer,
    pattern: Pattern,
    solution: Solution,
    gain: float,
    loss: float,
    tried: int,
) -> Solution:
    """The solution, or the coincidence relative of it that explains the free peaks better."""
    reflections, geometry = indexer.reflections, indexer.geometry
    reference = basis_from_lattice(reflections.lattice)
    rotation = solution.reciprocal @ reference.T
    left, _, right = np.linalg.svd(rotation)
    rotation = left @ right
    turned = np.concatenate([rotation[None], rotation @ indexer.relatives])
    marks = np.empty(len(turned))
    support_of_all(
        turned, reflections.direction[: indexer.strong], reflections.length, reflections.start,
        reflections.order, reflections.square, reflections.table.photons, geometry.centre,
        math.cos(geometry.half_angle + 2e-3), _STRONG * reflections.scale, indexer.depth,
        geometry.row, pattern.picture, PICTURE_CELL, gain, loss, 1.2 * gain, _LOOKED_AT, marks,
    )  # fmt: skip
    best = int(np.argmax(marks))
    if best == 0 or marks[best] <= marks[0]:
        return solution
    other = _verified(indexer, pattern, turned[best] @ reflections.reciprocal, tried=tried)
    if other is None or other.log_false >= solution.log_false:
        return solution
    return other
