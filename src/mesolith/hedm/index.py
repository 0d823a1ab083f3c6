"""Far-field HEDM: from the spots of one layer to its grains.

Friedel pairs make hypotheses (`search`), predictions on all spots weigh them (`match`,
`occupancy`), least squares refine them (`refine`). What is left of the spots is searched again
with less evidence asked of pairs, until nothing new is found; the evidence asked of a grain in
the end is the same for all. See decision record 19.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm.friedel import (
    UprightSpots,
    all_pairs,
    friedel_pairs,
    pairs_of_a_reflection,
    upright_spots,
)
from mesolith.hedm.index_settings import IndexSettings
from mesolith.hedm.match import Matches, SpotLookup, joined_matches
from mesolith.hedm.measured_errors import measured_factors
from mesolith.hedm.occupancy import Evidence, chance_occupancy, weigh_grains
from mesolith.hedm.phase_rings import PhaseRings, ReflectionTable, reflection_table
from mesolith.hedm.refine import Refined, pulls, refine_grains
from mesolith.hedm.relatives import coincidence_rotations
from mesolith.hedm.search import PairMap
from mesolith.instrument.goniometer import axis_tilt
from mesolith.instrument.instrument import Instrument
from mesolith.records.spots import Spots

_FIRST_SIGMAS, _SIGMAS, _WIDE_SIGMAS = 5.0, 4.0, 10.0
_SCALED = 500  # grains that tell by how much the stated errors are off
_MEASURED, _SETTLED = 4, 1.15  # turns at most; factor of nine in ten after which none follows
_WRONG = 3.0  # times what most spots state: no error of spots
_DOUBTFUL = 0.5  # completeness below which relatives are tried
_TANGLED, _TURNS = 1.4, 8  # residuals over the usual that call for turns, and how many
_MOST_RELATIVES = 5_000  # at once


@dataclass(frozen=True, slots=True)
class Pass:
    """How boldly pairs are searched.

    ``evidence`` asked of pairs alone; ``enough``, the share of filled slots at which a seed looks
    no further; ``plans``, how many choices of two rings; ``seen``, the share of reflections that
    the sequential test expects to see; ``crossings``, whether -g at its other crossing makes
    pairs too; ``rough``, whether grains are uncertain by more than their spots.
    """

    evidence: float
    enough: float
    plans: int
    seen: float
    crossings: bool
    rough: bool


PASSES = (
    Pass(30.0, 0.6, 1, 0.7, False, False),
    Pass(15.0, 0.5, 3, 0.55, False, True),
    Pass(10.0, 0.4, 6, 0.4, True, True),
)
_MOST_REPEATS = 4  # of the last, while it finds something


@dataclass(frozen=True, slots=True)
class Grains:
    """Hypotheses on sample axes: reciprocal lattices (g, 3, 3), places (g, 3), phases (g,)."""

    reciprocal: FloatArray
    position: FloatArray
    phase: IntArray

    def __len__(self) -> int:
        return len(self.phase)

    def rows(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Grains:
        """Some of the grains."""
        return Grains(self.reciprocal[rows], self.position[rows], self.phase[rows])

    def joined(self, other: Grains) -> Grains:
        """These grains and others."""
        return Grains(
            np.concatenate([self.reciprocal, other.reciprocal]),
            np.concatenate([self.position, other.position]),
            np.concatenate([self.phase, other.phase]),
        )


NO_GRAINS = Grains(np.empty((0, 3, 3)), np.empty((0, 3)), np.empty(0, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Found:
    """Accepted grains with all that is known of them, and what of the spots is left.

    ``scatter`` and ``effective`` (g,) are as `mesolith.hedm.refine.pulls` finds them.
    """

    grains: Grains
    refined: Refined
    matches: Matches
    evidence: Evidence
    chance: FloatArray
    error_scale: tuple[float, float]
    scatter: FloatArray
    effective: FloatArray


class LayerIndex:
    """Spots of a layer, made ready for indexing."""

    def __init__(
        self,
        spots: Spots,
        instrument: Instrument,
        phases: tuple[PhaseRings, ...],
        settings: IndexSettings,
    ) -> None:
        if instrument.beam.height is not None:
            settings = replace(settings, height=min(settings.height, instrument.beam.height))
        self.instrument, self.phases, self.settings = instrument, phases, settings
        self.table: ReflectionTable = reflection_table(phases)
        self.lookup = SpotLookup(spots, instrument)
        spacings = np.concatenate([phase.spacing for phase in phases])
        self.upright: UprightSpots = upright_spots(spots, instrument, spacings, settings)
        self._tilt = axis_tilt(instrument.goniometer)
        self._spots = len(spots)
        self._pairs = pairs_of_a_reflection(spots)
        self._rotations: dict[int, FloatArray] = {}

    def search(self, taken: NDArray[np.bool_], boldness: Pass) -> Grains:
        """New hypotheses from pairs of spots that are not ``taken`` (rows of the `Spots`)."""
        crossings = boldness.crossings or self._pairs[0] < 1.0
        make = all_pairs if crossings else friedel_pairs
        pairs = make(self.upright, self.settings, taken=taken)
        each = max(round(sum(self._pairs) if crossings else self._pairs[0]), 1)
        found = NO_GRAINS
        gone = np.zeros(len(pairs), dtype=np.bool_)
        spot_gone = np.zeros(self._spots, dtype=np.bool_)
        for number, phase in enumerate(self.phases):
            pair_map = PairMap(pairs, phase, self.settings)
            new = pair_map.search(
                taken=gone,
                spot_taken=spot_gone,
                evidence=boldness.evidence,
                enough=boldness.enough,
                plans=boldness.plans,
                seen=boldness.seen,
                each=each,
            )
            # the search works on axes that stand upright on the turntable
            found = found.joined(
                Grains(
                    self._tilt @ new.reciprocal,
                    new.place @ self._tilt.T,
                    np.full(len(new.ratio), number, dtype=np.int64),
                )
            )
        return found

    def match(self, grains: Grains, sigmas: float = _SIGMAS) -> Matches:
        """Spots next to the predictions of grains."""
        return self.lookup.match(
            grains.reciprocal,
            grains.position,
            grains.phase,
            self.table.hkl,
            pole=self.settings.pole,
            sigmas=sigmas,
            wide=_WIDE_SIGMAS,
        )

    def refine(self, grains: Grains, matches: Matches, steps: int) -> tuple[Grains, Refined]:
        """Grains refined on their matches; those that the spots do not determine drop out."""
        refined = refine_grains(
            self.lookup,
            grains.reciprocal,
            grains.position,
            grains.phase,
            self.table.hkl,
            matches,
            steps=steps,
        )
        return replace_places(grains, refined), refined

    def weigh_alone(self, grains: Grains, matches: Matches, chance: FloatArray) -> Evidence:
        """Evidence of each grain as if no other were there."""
        return weigh_grains(
            matches,
            grains.phase,
            self.table,
            chance,
            spots=self._spots,
            sigmas=_SIGMAS,
            evidence=np.inf,
            least_spots=0,
        )

    def weigh(
        self,
        grains: Grains,
        matches: Matches,
        chance: FloatArray,
        explained: NDArray[np.bool_] | None = None,
    ) -> Evidence:
        """Which grains are there, beside those that left spots ``explained``."""
        return weigh_grains(
            matches,
            grains.phase,
            self.table,
            chance,
            spots=self._spots,
            sigmas=_SIGMAS,
            evidence=self.settings.evidence,
            least_spots=self.settings.least_spots,
            least_completeness=self.settings.least_completeness,
            explained=explained,
        )

    def settled(
        self, grains: Grains, matches: Matches, chance: FloatArray
    ) -> tuple[Grains, Matches]:
        """Grains that meet few spots led to more from farther away, where that brings any."""
        poor = self.weigh_alone(grains, matches, chance).completeness < _DOUBTFUL
        if not poor.any():
            return grains, matches
        moved = grains.rows(poor)
        for sigmas in (_WIDE_SIGMAS, _FIRST_SIGMAS):
            moved, _ = self.refine(moved, self.match(moved, sigmas), 1)
        moved_matches = self.match(moved)
        before = self.weigh_alone(grains.rows(poor), matches.rows(poor), chance).ratio
        better = self.weigh_alone(moved, moved_matches, chance).ratio > before
        rows = np.flatnonzero(poor)[better]
        kept = np.setdiff1d(np.arange(len(grains)), rows)
        return grains.rows(kept).joined(moved.rows(better)), joined_matches(
            matches.rows(kept),
            moved_matches.rows(better),
            sigmas=_SIGMAS,
            spots=self._spots,
        )

    def untangled(self, grains: Grains, matches: Matches, refined: Refined) -> Grains:
        """Grains that fit badly, and those they share spots with, matched and refined in turns.

        Two grains that lie alike take each other's spots at first; each turn parts them further.
        """
        if not len(grains):
            return grains
        bad = refined.variance > _TANGLED * np.median(refined.variance)
        if not bad.any():
            return grains
        theirs = np.zeros(self._spots, dtype=np.bool_)
        theirs[matches.spot[bad][matches.spot[bad] >= 0]] = True
        common = ((matches.spot >= 0) & theirs[matches.spot]).sum(axis=(1, 2))
        rows = np.flatnonzero(common >= self.settings.least_spots)
        some = grains.rows(rows)
        for _ in range(_TURNS):
            some, _ = self.refine(some, self.match(some), 1)
        reciprocal, position = grains.reciprocal.copy(), grains.position.copy()
        reciprocal[rows], position[rows] = some.reciprocal, some.position
        return Grains(reciprocal, position, grains.phase)

    def without_relatives(
        self, grains: Grains, matches: Matches, chance: FloatArray
    ) -> tuple[Grains, Matches]:
        """Grains of which little is seen replaced by a coincidence relative that explains more."""
        alone = self.weigh_alone(grains, matches, chance)
        doubtful = np.flatnonzero(alone.completeness < _DOUBTFUL)
        changed = np.zeros(len(grains), dtype=np.bool_)
        reciprocal = grains.reciprocal.copy()
        for number, phase in enumerate(self.phases):
            rows = doubtful[grains.phase[doubtful] == number]
            rotations = self._relatives(number)
            if not len(rows) or not len(rotations):
                continue
            count = len(rotations)
            back = np.linalg.inv(phase.reciprocal)
            turned = back @ rotations @ phase.reciprocal
            for part in np.array_split(rows, 1 + len(rows) * count // _MOST_RELATIVES):
                relatives = Grains(
                    (grains.reciprocal[part][:, None] @ turned).reshape(-1, 3, 3),
                    np.repeat(grains.position[part], count, axis=0),
                    np.full(len(part) * count, number),
                )
                found = self.weigh_alone(relatives, self.match(relatives), chance)
                ratio = found.ratio.reshape(len(part), count)
                best = np.argmax(ratio, axis=1)
                won = ratio[np.arange(len(part)), best] > alone.ratio[part]
                won_rows = np.flatnonzero(won) * count + best[won]
                reciprocal[part[won]] = relatives.reciprocal[won_rows]
                changed[part[won]] = True
        if not changed.any():
            return grains, matches
        grains = Grains(reciprocal, grains.position, grains.phase)
        better = grains.rows(changed)
        better, _ = self.refine(better, self.match(better), 1)
        grains = grains.rows(~changed).joined(better)
        return grains, joined_matches(
            matches.rows(~changed), self.match(better), sigmas=_SIGMAS, spots=self._spots
        )

    def _relatives(self, phase: int) -> FloatArray:
        if phase not in self._rotations:
            self._rotations[phase] = coincidence_rotations(self.phases[phase])
        return self._rotations[phase]

    def chance(self, grains: Grains) -> FloatArray:
        """Chance occupancy of each ring of each phase, at the predictions of grains.

        Where a phase has no grain yet, those of the others stand in for it.
        """
        chance = np.empty(self.table.rings)
        for number in range(len(self.phases)):
            own = grains.rows(grains.phase == number)
            probes = own if len(own) else grains
            measured = chance_occupancy(
                self.lookup,
                self.table,
                probes.reciprocal,
                probes.position,
                np.full(len(probes), number),
                pole=self.settings.pole,
                sigmas=_SIGMAS,
            )
            rings = self.table.ring[number, : len(self.phases[number].hkl)]
            chance[rings] = measured[rings]
        return chance

    def likelier_phases(self, grains: Grains, matches: Matches, chance: FloatArray) -> Grains:
        """Grains that another phase of nearly the same lattice explains better, relabelled."""
        if len(self.phases) == 1 or not len(grains):
            return grains
        best = self.weigh_alone(grains, matches, chance).ratio
        phase = grains.phase.copy()
        for number, other in enumerate(self.phases):
            # of one lattice if no vector differs by more than a strain
            bend = np.linalg.svd(grains.reciprocal @ other.basis.T, compute_uv=False)
            rows = np.flatnonzero(
                (np.abs(bend - 1.0).max(axis=1) < self.settings.strain) & (grains.phase != number)
            )
            if not len(rows):
                continue
            tried = Grains(
                grains.reciprocal[rows], grains.position[rows], np.full(len(rows), number)
            )
            ratio = self.weigh_alone(tried, self.match(tried), chance).ratio
            won = ratio > best[rows]
            phase[rows[won]], best[rows[won]] = number, ratio[won]
        return Grains(grains.reciprocal, grains.position, phase)


def replace_places(grains: Grains, refined: Refined) -> Grains:
    """The grains with refined lattices and places."""
    return Grains(refined.reciprocal, refined.position, grains.phase)


def find_grains(index: LayerIndex) -> Found:
    """All grains of a layer, accepted by their likelihood, refined, likeliest first."""
    grains = NO_GRAINS
    matches = index.match(grains)
    chance = np.full(index.table.rings, np.nan)
    explained = np.zeros(index.lookup.order.size, dtype=np.bool_)
    for number in range(len(PASSES) + _MOST_REPEATS):
        boldness = PASSES[min(number, len(PASSES) - 1)]
        new = index.search(explained, boldness)
        if not len(new):
            if number >= len(PASSES):
                break
            continue
        if boldness.rough:
            # few pairs leave a grain so uncertain that it must first find its spots
            new, refined = index.refine(new, index.match(new, _FIRST_SIGMAS), 1)
            new = new.rows(np.isfinite(refined.variance))
        if not len(grains):
            measure_errors(index, new)
            chance = index.chance(new)
        new, new_matches = index.settled(new, index.match(new), chance)
        new, new_matches = index.without_relatives(new, new_matches, chance)
        if len(grains):
            told = explained[index.lookup.order]
            there = index.weigh(new, new_matches, chance, told).accepted
            new, new_matches = new.rows(there), new_matches.rows(there)
        # the best takes its spots first, also from grains of earlier passes
        grains = grains.joined(new)
        matches = joined_matches(
            matches, new_matches, sigmas=_SIGMAS, spots=index.lookup.order.size
        )
        weighed = index.weigh(grains, matches, chance)
        explained[index.lookup.order] = weighed.explained
        grains, matches = grains.rows(weighed.accepted), matches.rows(weighed.accepted)
    grains, refined = index.refine(grains, matches, 1)
    grains = index.untangled(grains, matches, refined)
    scale = measure_errors(index, grains)
    matches = index.match(grains)
    relabelled = index.likelier_phases(grains, matches, chance)
    if np.any(relabelled.phase != grains.phase):
        grains, matches = relabelled, index.match(relabelled)
    weighed = index.weigh(grains, matches, chance)
    order = np.argsort(-weighed.ratio, kind="stable")
    order = order[weighed.accepted[order]]
    grains, matches, weighed = grains.rows(order), matches.rows(order), weighed.rows(order)
    grains, refined = index.refine(grains, matches, 2)
    scatter, effective = pulls(index.lookup, refined, grains.phase, index.table.hkl, matches)
    return Found(grains, refined, matches, weighed, chance, scale, scatter, effective)


def measure_errors(index: LayerIndex, grains: Grains) -> tuple[float, float]:
    """Give spots the errors that residuals show; returns the median factors of place and omega.

    Spots that are off by more than they state are met only when they state more, so it is done in
    turns. Where most would have to state several times more, the station is wrong or the grains
    are, with wider errors anything would fit, and all stays as it is.
    """
    lookup = index.lookup
    rows = np.unique(np.linspace(0, len(grains) - 1, _SCALED).astype(np.int64))
    some = grains.rows(rows[: len(grains)])
    total = np.ones((2, len(lookup.rows)))
    middle = np.ones(2)
    for _ in range(_MEASURED):
        matches = index.match(some)
        some, refined = index.refine(some, matches, 2)
        factors = np.stack(measured_factors(lookup, matches, refined))
        lookup.rescale(*factors)
        total *= factors
        middle = np.median(total, axis=1) if total.size else middle
        if middle.max() > _WRONG:
            lookup.rescale(*(1.0 / total))
            return 1.0, 1.0
        few = factors[:, :: 1 + len(lookup.rows) // 20_000]
        if not few.size or np.quantile(few, 0.9) < _SETTLED:
            break
    return float(middle[0]), float(middle[1])
