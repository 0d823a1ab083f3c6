"""Spots of a layer made ready for indexing, and the single acts of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray
from mesolith.hedm.friedel import (
    UprightSpots,
    all_pairs,
    friedel_pairs,
    pairs_of_a_reflection,
    upright_spots,
)
from mesolith.hedm.hypotheses import NO_GRAINS, Grains
from mesolith.hedm.index_settings import IndexSettings
from mesolith.hedm.match import Matches, SpotLookup, joined_matches
from mesolith.hedm.measured_errors import measured_factors
from mesolith.hedm.occupancy import Evidence, chance_occupancy, weigh_grains
from mesolith.hedm.phase_rings import PhaseRings, ReflectionTable, reflection_table, some_rings
from mesolith.hedm.refine import Refined, refine_grains
from mesolith.hedm.relatives import coincidence_rotations
from mesolith.hedm.search import PairMap
from mesolith.instrument.goniometer import axis_tilt
from mesolith.instrument.instrument import Instrument
from mesolith.records.spots import Spots

FIRST_SIGMAS, SIGMAS, WIDE_SIGMAS = 5.0, 4.0, 10.0  # how far spots may lie from predictions
_SCALED = 250  # grains that tell by how much the stated errors are off
_MEASURED, _SETTLED = 4, 1.15  # turns at most; factor of nine in ten after which none follows
_WRONG = 3.0  # times what most spots state: no error of spots


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


class LayerIndex:
    """Spots of a layer, made ready for indexing; ``count`` is how many there are."""

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
        self.count = len(spots)
        self._pairs = pairs_of_a_reflection(spots)
        self._rotations: dict[int, FloatArray] = {}

    def search(
        self,
        taken: NDArray[np.bool_],
        boldness: Pass,
        bright: NDArray[np.bool_] | None = None,
    ) -> Grains:
        """New hypotheses from pairs on ``bright`` rings of the table (rings,), on all by default.

        Spots that are ``taken`` (rows of the `Spots`) make no pairs.
        """
        crossings = boldness.crossings or self._pairs[0] < 1.0
        make = all_pairs if crossings else friedel_pairs
        pairs = make(self.upright, self.settings, taken=taken)
        each = max(round(sum(self._pairs) if crossings else self._pairs[0]), 1)
        found = NO_GRAINS
        gone = np.zeros(len(pairs), dtype=np.bool_)
        spot_gone = np.zeros(self.count, dtype=np.bool_)
        for number, phase in enumerate(self.phases):
            looked_at = phase
            if bright is not None:
                own = np.unique(self.table.ring[number, : len(phase.hkl)])
                looked_at = some_rings(phase, bright[own])
            pair_map = PairMap(pairs, looked_at, self.settings)
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

    def match(self, grains: Grains, sigmas: float = SIGMAS) -> Matches:
        """Spots next to the predictions of grains."""
        return self.lookup.match(
            grains.reciprocal,
            grains.position,
            grains.phase,
            self.table.hkl,
            pole=self.settings.pole,
            sigmas=sigmas,
            wide=WIDE_SIGMAS,
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
        return Grains(refined.reciprocal, refined.position, grains.phase), refined

    def joined(self, matches: Matches, others: Matches) -> Matches:
        """Matches of two lots of grains; a spot of both is shared."""
        return joined_matches(matches, others, sigmas=SIGMAS, spots=self.count)

    def weigh_alone(self, grains: Grains, matches: Matches, chance: FloatArray) -> Evidence:
        """Evidence of each grain as if no other were there."""
        return self._weigh(grains, matches, chance, evidence=np.inf, least_spots=0)

    def weigh(
        self,
        grains: Grains,
        matches: Matches,
        chance: FloatArray,
        explained: NDArray[np.bool_] | None = None,
    ) -> Evidence:
        """Which grains are there, beside those that left spots ``explained``."""
        return self._weigh(
            grains,
            matches,
            chance,
            evidence=self.settings.evidence,
            least_spots=self.settings.least_spots,
            least_completeness=self.settings.least_completeness,
            explained=explained,
        )

    def _weigh(
        self, grains: Grains, matches: Matches, chance: FloatArray, **asked: Any
    ) -> Evidence:
        return weigh_grains(
            matches, grains.phase, self.table, chance, spots=self.count, sigmas=SIGMAS, **asked
        )

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
                sigmas=SIGMAS,
            )
            rings = self.table.ring[number, : len(self.phases[number].hkl)]
            chance[rings] = measured[rings]
        return chance

    def relatives(self, phase: int) -> FloatArray:
        """Rotations (k, 3, 3) that take grains of a phase to their coincidence relatives."""
        if phase not in self._rotations:
            self._rotations[phase] = coincidence_rotations(self.phases[phase])
        return self._rotations[phase]

    def measure_errors(self, grains: Grains) -> tuple[float, float]:
        """Give spots the errors that residuals show; returns the median factors of place and omega.

        Spots that are off by more than they state are met only when they state more, so it is
        done in turns. Where most would have to state several times more, the station is wrong or
        the grains are, with wider errors anything would fit, and all stays as it is.
        """
        rows = np.unique(np.linspace(0, len(grains) - 1, _SCALED).astype(np.int64))
        some = grains.rows(rows[: len(grains)])
        total = np.ones((2, self.count))
        middle = np.ones(2)
        for _ in range(_MEASURED):
            matches = self.match(some)
            some, refined = self.refine(some, matches, 2)
            factors = np.stack(measured_factors(self.lookup, matches, refined))
            self.lookup.rescale(*factors)
            total *= factors
            middle = np.median(total, axis=1) if self.count else middle
            if middle.max() > _WRONG:
                self.lookup.rescale(*(1.0 / total))
                return 1.0, 1.0
            few = factors[:, :: 1 + self.count // 20_000]
            if not few.size or np.quantile(few, 0.9) < _SETTLED:
                break
        return float(middle[0]), float(middle[1])
