"""Grain hypotheses from Friedel pairs alone: two pairs make one, the others confirm it.

Two pairs whose directions stand at an angle that the table of two rings knows, and whose
position equations agree, give an orientation and a place. Wald's sequential test on the other
reflections, those of the emptiest rings first, throws chance out after a few looks. What
passes is fitted to all pairs that agree with it and weighed against the chance occupancy of
each ring; the best hypothesis of a seed claims its spots.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm._kernels_pair_map import EDGE, map_entries, occupied
from mesolith.hedm._kernels_search import search_seeds
from mesolith.hedm.friedel import FriedelPairs
from mesolith.hedm.index_settings import IndexSettings
from mesolith.hedm.phase_rings import PhaseRings, ring_angles
from mesolith.numerics.rotations import matrix_from_quaternion, random_quaternions

_CELL = 0.006  # of the map, in units of its radius
_COARSE = 0.05
_PROBES = 40
_MOST_TESTS = 40
# plans are gone through until so much work was done; few pairs leave room for many plans
_FREE_PLANS, _FREE_WORK = 40, 100_000
_HOPELESS = 0.4  # a ring that chance fills this often says nothing
_LEAST_CHANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Hypotheses:
    """Grains found from pairs: reciprocal lattices (k, 3, 3) in 1/angstrom and places (k, 3).

    Turntable axes. ``ratio`` (k,) are log likelihood ratios against chance, from pairs alone.
    """

    reciprocal: FloatArray
    place: FloatArray
    ratio: FloatArray


class PairMap:
    """The pairs of one phase, sorted by ring and direction."""

    def __init__(
        self, pairs: FriedelPairs, phase: PhaseRings, settings: IndexSettings, seed: int = 0
    ) -> None:
        self.pairs, self.phase, self.settings = pairs, phase, settings
        self.ring = ring_of_pairs(pairs, phase, settings.strain)
        self._cells = int(2.0 * EDGE / _CELL)
        rings = len(phase.spacing)
        self._start = np.zeros(rings * self._cells**2 + 1, dtype=np.int64)
        entry = np.empty(2 * len(pairs), dtype=np.int64)
        total = map_entries(pairs.g, self.ring, rings, self._cells, self._start, entry)
        self._entry = entry[:total]
        rows = pairs.equation[np.abs(self._entry) - 1].astype(np.float32)
        rows[:, :3] *= np.sign(self._entry)[:, None]
        self._rows = rows
        self.sizes = np.array([settings.sample_radius**2 / 4.0, settings.height**2 / 12.0])
        self.noise = pairs.sigma_place**2
        turn = max(pairs.sigma_turn, 1e-5)
        radial = self._radial_error()
        bend = 0.5 * settings.strain
        self.first_tolerance = np.array([4.5 * turn, 3.0 * turn + 4.5 * radial + bend])
        self.tolerance = np.array(
            [
                self.first_tolerance,
                [4.5 * turn, 0.7 * turn + 4.5 * radial],
                [4.0 * turn, 0.2 * turn + 4.0 * radial],
            ]
        )
        self.chance = self._chance(seed)

    def _radial_error(self) -> float:
        """Relative error of the length of g of the innermost ring, from the places on the panel."""
        # |g| goes with the radius of the pair, which is as uncertain as an equation
        length = np.linalg.norm(self.pairs.g, axis=1)
        if not len(length):
            return 1e-4
        return float(self.noise**0.5 / (np.median(length) * self._reach()))

    def _reach(self) -> float:
        """um on the panel for one 1/angstrom of g, from the pairs themselves."""
        # tan 2 theta = wavelength |g| nearly: the coefficient along the axis is that share
        g = self.pairs.g
        share = np.hypot(self.pairs.equation[:, 6], self.pairs.equation[:, 7])
        steep = np.abs(g[:, 2]) > 0.3 * np.linalg.norm(g, axis=1)
        wavelength = float(np.median(share[steep] / np.abs(g[steep, 2]))) if steep.any() else 1.0
        return wavelength * self.pairs.distance

    def _chance(self, seed: int) -> FloatArray:
        """Share of slots that chance fills on each ring, measured with random grains.

        A reflection has two slots, one for each of its pairs.
        """
        rng = np.random.default_rng([seed, 41])
        half = self.phase.half
        matrices = matrix_from_quaternion(random_quaternions(rng, _PROBES)) @ self.phase.reciprocal
        radius = self.settings.sample_radius * np.sqrt(rng.random(_PROBES))
        angle = 2.0 * math.pi * rng.random(_PROBES)
        place = np.column_stack(
            [
                radius * np.cos(angle),
                radius * np.sin(angle),
                self.settings.height * (rng.random(_PROBES) - 0.5),
            ]
        )
        filled = occupied(
            np.ascontiguousarray(matrices),
            place,
            self.phase.hkl[half].astype(np.float64),
            self.phase.ring[half],
            len(self.phase.spacing),
            self.noise,
            self.first_tolerance,
            self._rows,
            self._start,
            self._cells,
            self._entry,
        )
        return np.clip(filled, _LEAST_CHANCE, 0.95)

    def search(
        self,
        *,
        taken: NDArray[np.bool_],
        spot_taken: NDArray[np.bool_],
        evidence: float,
        enough: float,
        plans: int,
        seen: float,
        each: int = 2,
        most: int = 200_000,
    ) -> Hypotheses:
        """Look for grains with the first ``plans`` choices of two rings, more where they are cheap.

        ``evidence`` is asked of a grain; with the share ``enough`` of its slots filled no better
        one is looked for. ``seen`` is the share of reflections that the test expects to see,
        ``each`` the pairs that one makes.

        ``taken`` (pairs) and ``spot_taken`` (rows of the `Spots`) say what belongs to grains
        already; both are changed.
        """
        phase, pairs = self.phase, self.pairs
        spots = int(pairs.members.max(initial=-1)) + 1
        around_start, around = _pairs_around(pairs.members, max(spots, len(spot_taken)))
        half = phase.half
        tests, test_ring = self._tests()
        gain = np.column_stack(
            [np.log(seen / self.hit_chance), np.log((1 - seen) / (1 - self.hit_chance))]
        )
        # a reflection counts as seen if one of its pairs is; the fit counts all slots
        slot_chance = np.clip(self.chance / each, _LEAST_CHANCE, 0.9)
        found: list[tuple[FloatArray, FloatArray, FloatArray]] = []
        work = 0
        coarse_cells = int(2.0 * EDGE / _COARSE)
        for number, (one, two) in enumerate(self.plans()):
            if number >= plans and (work > _FREE_WORK or number >= _FREE_PLANS):
                break
            cosines, choices = ring_angles(phase, one, two)
            if not len(cosines):
                continue
            order = np.argsort(cosines)
            coarse_start = np.zeros(coarse_cells**2 + 1, dtype=np.int64)
            entry = np.empty(2 * len(pairs), dtype=np.int64)
            ring = np.where((self.ring == two) & ~taken, 0, -1)
            total = map_entries(pairs.g, ring, 1, coarse_cells, coarse_start, entry)
            room = min(most, int(np.sum((self.ring == one) & ~taken)) + 1)
            lattice, places = np.empty((room, 3, 3)), np.empty((room, 3))
            ratio = np.empty(room)
            grains, done = search_seeds(
                np.flatnonzero((self.ring == one) & ~taken),
                cosines[order],
                np.cumsum([0, *(len(choices[k]) for k in order)]),
                np.concatenate([choices[k] for k in order]),
                2.5 * pairs.sigma_turn + 0.4 * self.settings.strain,
                tests,
                test_ring,
                gain,
                phase.hkl[half].astype(np.float64),
                phase.ring[half],
                slot_chance,
                self.tolerance,
                self.first_tolerance,
                self.sizes,
                self.noise,
                math.sin(self.settings.pole) * 1.1,
                each,
                evidence,
                enough,
                phase.reciprocal,
                pairs.g,
                pairs.equation,
                pairs.members,
                self._rows,
                self._start,
                self._cells,
                self._entry,
                coarse_start,
                coarse_cells,
                entry[:total],
                taken,
                spot_taken,
                around_start,
                around,
                lattice,
                places,
                ratio,
            )
            work += done
            found.append((lattice[:grains], places[:grains], ratio[:grains]))
        if not found:
            return Hypotheses(np.empty((0, 3, 3)), np.empty((0, 3)), np.empty(0))
        return Hypotheses(
            np.concatenate([one for one, _, _ in found]),
            np.concatenate([two for _, two, _ in found]),
            np.concatenate([three for _, _, three in found]),
        )

    @property
    def hit_chance(self) -> FloatArray:
        """Chance (rings,) that a random place finds a pair in a test."""
        return np.clip(self.chance, _LEAST_CHANCE, 0.6)

    def plans(self) -> list[tuple[int, int]]:
        """Choices of two rings, the cheapest first that has pairs enough."""
        count, members = self._pairs_of_rings()
        rich = self._rich()
        usable = [r for r in np.argsort(members, kind="stable") if rich[r] and count[r] > 1]
        plans = [(one, two) for k, one in enumerate(usable) for two in usable[: k + 1]]
        plans += [(two, one) for k, one in enumerate(usable) for two in usable[:k]]
        return sorted(plans, key=lambda plan: int(members[plan[0]]) * int(members[plan[1]]))

    def _pairs_of_rings(self) -> tuple[IntArray, IntArray]:
        """Pairs and reflections of each ring."""
        count = np.bincount(self.ring[self.ring >= 0], minlength=len(self.phase.spacing))
        return count, np.bincount(self.phase.ring, minlength=len(self.phase.spacing))

    def _rich(self) -> NDArray[np.bool_]:
        """Rings (rings,) that show pairs; a ring too weak to be seen says nothing."""
        count, members = self._pairs_of_rings()
        # chance pairs make the work, pairs for each reflection make the yield
        supply = count / members
        return np.asarray(supply >= 0.25 * supply.max(initial=0.0))

    def _tests(self) -> tuple[FloatArray, IntArray]:
        """Half of the reflections of telling rings, spread over directions."""
        half = self.phase.half
        ring = self.phase.ring[half]
        telling = (self.chance[ring] < _HOPELESS) & self._rich()[ring]
        if not telling.any():
            telling = self.chance[ring] <= self.chance[ring].min()
        order = np.argsort(self.chance[ring][telling], kind="stable")[:_MOST_TESTS]
        rows = half[telling][order]
        return self.phase.hkl[rows].astype(np.float64), self.phase.ring[rows]


def ring_of_pairs(pairs: FriedelPairs, phase: PhaseRings, strain: float) -> IntArray:
    """Ring of each pair (m,), -1 where its spacing is off by more than ``strain`` from all."""
    length = np.linalg.norm(pairs.g, axis=1)
    levels = 1.0 / phase.spacing
    order = np.argsort(levels)
    place = np.searchsorted(levels[order], length)
    below = order[np.maximum(place - 1, 0)]
    above = order[np.minimum(place, len(levels) - 1)]
    off_below = np.abs(length / levels[below] - 1.0)
    off_above = np.abs(length / levels[above] - 1.0)
    nearest = np.where(off_below < off_above, below, above)
    return np.where(np.minimum(off_below, off_above) <= strain, nearest, -1).astype(np.int64)


def _pairs_around(members: IntArray, spots: int) -> tuple[IntArray, IntArray]:
    """Pairs of each spot: where they begin (spots + 1,), and the pairs (2 m,)."""
    flat = members.ravel()
    start = np.zeros(spots + 1, dtype=np.int64)
    start[1:] = np.cumsum(np.bincount(flat, minlength=spots))
    return start, np.argsort(flat, kind="stable") // 2
