"""Whether a grain is there or its reflections were found by chance.

Near dense rings a prediction finds some spot by chance, so a share of found reflections says
little by itself. Here every reflection is weighed: a spot found at distance d (in standard
deviations) is likelier by a grain than by chance in the ratio of the normal density to the
density of spots on its ring; one that is missing speaks against the grain. How often a grain's
spots are seen at all is not known, so it is fitted, and paid for. Spots that better grains
explain say nothing. The density is measured: the same predictions turned by some degrees find
what chance finds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm import _kernels_occupancy as kernels
from mesolith.hedm.match import Matches, SpotLookup
from mesolith.hedm.phase_rings import ReflectionTable

_TURNS = (0.13, -0.22, 0.31)  # rad: far enough that no spot of the grain itself is met
_LEAST_CHANCE = 2e-3
_PROBES = 200


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for each grain.

    ``ratio`` (g,) are log likelihood ratios against chance, after better grains took their
    spots; ``accepted`` (g,) those that are there; ``found``, ``own`` and ``expected`` (g,) count
    reflections with a spot, spots that no better grain explains, and reflections that must be
    seen. ``explained`` (spots,) are the rows of the sorted spots that accepted grains explain.
    """

    ratio: FloatArray
    accepted: NDArray[np.bool_]
    found: IntArray
    own: IntArray
    expected: IntArray
    explained: NDArray[np.bool_]

    def rows(self, rows: IntArray | NDArray[np.bool_]) -> Evidence:
        """That of some of the grains; what is explained stays as it is."""
        return Evidence(
            self.ratio[rows],
            self.accepted[rows],
            self.found[rows],
            self.own[rows],
            self.expected[rows],
            self.explained,
        )

    @property
    def completeness(self) -> FloatArray:
        """Found share of the expected reflections (g,)."""
        return np.minimum(self.found / np.maximum(self.expected, 1), 1.0)


def chance_occupancy(
    lookup: SpotLookup,
    table: ReflectionTable,
    reciprocal: FloatArray,
    position: FloatArray,
    phase: IntArray,
    *,
    pole: float,
    sigmas: float,
) -> FloatArray:
    """How often a search finds a spot by chance, by ring (rings,).

    Measured at the predictions of up to 200 of the given grains, turned out of their places.
    """
    step = max(1, len(reciprocal) // _PROBES)
    filled, asked = np.zeros(table.rings), np.zeros(table.rings)
    ring = table.ring[phase[::step]][:, :, None].repeat(2, axis=2)
    for turn in _TURNS:
        matches = lookup.match(
            reciprocal[::step],
            position[::step],
            phase[::step],
            table.hkl,
            pole=pole,
            sigmas=sigmas,
            shift=turn,
        )
        asked += np.bincount(ring[matches.expected], minlength=len(asked))
        hit = matches.expected & (matches.spot >= 0)
        filled += np.bincount(ring[hit], minlength=len(asked))
    return np.clip(filled / np.maximum(asked, 1.0), _LEAST_CHANCE, 0.95)


def weigh_grains(
    matches: Matches,
    phase: IntArray,
    table: ReflectionTable,
    chance: FloatArray,
    *,
    spots: int,
    sigmas: float,
    evidence: float,
    least_spots: int,
    least_completeness: float = 0.0,
    explained: NDArray[np.bool_] | None = None,
) -> Evidence:
    """Accept grains, the likeliest first, each with the spots that better ones left.

    ``explained`` (spots,) are taken from the start. Matches within ``sigmas`` count; ``chance`` is
    that of `chance_occupancy`.
    """
    count = len(matches.spot)
    volume = 4.0 / 3.0 * math.pi * sigmas**3 / (2.0 * math.pi) ** 1.5
    ratio, counts = np.empty(count), np.zeros((count, 3), dtype=np.int64)
    explained = np.zeros(spots, dtype=np.bool_) if explained is None else explained.copy()
    order = np.arange(count)
    for explain in (False, True):
        kernels.log_ratios(
            matches.spot,
            matches.square,
            matches.expected,
            phase,
            table.ring,
            sigmas**2,
            volume,
            chance,
            explained,
            order,
            evidence,
            least_spots,
            explain,
            ratio,
            counts,
        )
        if not explain:
            order = np.argsort(-ratio, kind="stable")
    accepted = (ratio >= evidence) & (counts[:, 1] >= least_spots)
    found, own, expected = counts.T
    accepted &= found >= least_completeness * expected
    return Evidence(ratio, accepted, found, own, expected, explained)
