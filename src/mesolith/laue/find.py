"""Which grains of which phases a pattern holds, the surest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.laue.geometry import scattering_directions
from mesolith.laue.index import (
    LaueIndexer,
    Solution,
    acceptable,
    guessed_grain,
    searched_grain,
    take_peaks,
)
from mesolith.laue.pattern import Pattern, prepared
from mesolith.records.laue import LauePeaks


@dataclass(frozen=True, slots=True)
class FoundGrains:
    """Grains of one pattern, each as refined alone.

    ``log_false`` (phases,): the smallest logarithm of a false solution's probability among all
    that were refined of each phase, 0 where none was.
    """

    pattern: Pattern
    grains: list[Solution]
    log_false: FloatArray


def find_grains(
    indexers: Sequence[LaueIndexer],
    peaks: LauePeaks,
    guesses: Sequence[Sequence[FloatArray]] = (),
    *,
    search: bool = True,
) -> FoundGrains:
    """Grains of one pattern, those of guesses first, then the surest of all phases at each turn.

    One indexer a phase, all of one station; each phase has at most its ``most_grains``.
    ``guesses`` hold one list for each of the first phases: reciprocal lattices (3, 3) of a
    neighbouring point or an earlier scan. Without ``search`` nothing else is tried.

    Raises
    ------
    InvalidValueError
        There is no indexer, or they are of different stations.
    """
    first = _of_one_station(indexers)
    pattern = prepared(
        peaks, first.geometry, depth=first.depth, sigma_px=first.settings.position_error_px
    )
    patterns = [_seen_from(pattern, one) for one in indexers]
    among = len(indexers)
    found: list[Solution] = []
    log_false = np.zeros(among)

    def take(phase: int, solution: Solution) -> None:
        take_peaks(indexers[phase], pattern, solution, len(found))
        found.append(replace(solution, phase=phase))

    def full(phase: int) -> bool:
        return sum(one.phase == phase for one in found) >= indexers[phase].settings.most_grains

    for phase, given in enumerate(guesses):
        for guess in given:
            if full(phase):
                break
            guessed = guessed_grain(indexers[phase], patterns[phase], guess, among=among)
            if guessed is not None:
                log_false[phase] = min(log_false[phase], guessed.log_false)
                if acceptable(indexers[phase], guessed):
                    take(phase, guessed)
    left = set(range(among)) if search else set()
    while left:
        free = int(pattern.free.sum())
        offered: dict[int, Solution] = {}
        for phase in sorted(left):
            if full(phase) or free < indexers[phase].settings.least_spots:
                left.remove(phase)
                continue
            solution, best = searched_grain(indexers[phase], patterns[phase], among=among)
            log_false[phase] = min(log_false[phase], best)
            if solution is None:
                # with fewer peaks there will be none either
                left.remove(phase)
            else:
                offered[phase] = solution
        if offered:
            surest = min(offered, key=lambda phase: offered[phase].log_false)
            take(surest, offered[surest])
    return FoundGrains(pattern, found, log_false)


def _seen_from(pattern: Pattern, indexer: LaueIndexer) -> Pattern:
    """The same peaks and owners; their rays start at the middling depth of the phase."""
    depth = np.full(len(pattern), indexer.depth)
    q = scattering_directions(indexer.geometry.row, pattern.fast, pattern.slow, depth)
    return replace(pattern, q=q)


def _of_one_station(indexers: Sequence[LaueIndexer]) -> LaueIndexer:
    if not indexers:
        raise InvalidValueError("a pattern is indexed with at least one phase")
    rows = [one.geometry.row for one in indexers]
    if any(not np.array_equal(row, rows[0]) for row in rows[1:]):
        raise InvalidValueError(
            "the phases were prepared for different stations",
            remedy="Make all indexers with one geometry.",
        )
    return indexers[0]
