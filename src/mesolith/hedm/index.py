"""Far-field HEDM: from the spots of one layer to its grains.

Friedel pairs make hypotheses (`search`), predictions on all spots weigh them (`match`,
`occupancy`), least squares refine them (`refine`). What is left of the spots is searched again
with less evidence asked of pairs, until nothing new is found; the evidence asked of a grain in
the end is the same for all. See decision record 19.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm.bright_rings import bright_rings
from mesolith.hedm.hypotheses import NO_GRAINS, Grains
from mesolith.hedm.layer_index import FIRST_SIGMAS, SIGMAS, LayerIndex, Pass
from mesolith.hedm.look_elsewhere import search_cost
from mesolith.hedm.match import Matches
from mesolith.hedm.occupancy import Evidence
from mesolith.hedm.refine import Refined
from mesolith.hedm.second_looks import likelier_phases, settled, untangled, without_relatives

PASSES = (
    Pass(30.0, 0.6, 1, 0.7, False, False),
    Pass(15.0, 0.5, 3, 0.55, False, True),
    # faint grains show a quarter of their reflections; what chance adds must pay for the search
    Pass(10.0, 0.4, 6, 0.25, True, True),
)
_MOST_REPEATS = 4  # of the last, while it finds something
_ONE_IN_A_THOUSAND = math.log(1000.0)  # layers in which chance makes a grain


@dataclass(frozen=True, slots=True)
class Found:
    """Accepted grains with all that is known of them, and what of the spots is left."""

    grains: Grains
    refined: Refined
    matches: Matches
    evidence: Evidence
    chance: FloatArray
    error_scale: tuple[float, float]

    def rows(self, rows: IntArray) -> Found:
        """Some of the grains; spots that only the others explain stay told as explained."""
        return Found(
            self.grains.rows(rows),
            self.refined.rows(rows),
            self.matches.rows(rows),
            self.evidence.rows(rows),
            self.chance,
            self.error_scale,
        )


def find_grains(index: LayerIndex) -> Found:
    """All grains of a layer, accepted by their likelihood, refined, likeliest first."""
    grains = NO_GRAINS
    matches = index.match(grains)
    chance = np.full(index.table.rings, np.nan)
    explained = np.zeros(index.count, dtype=np.bool_)
    bright = np.ones(index.table.rings, dtype=np.bool_)
    for number in range(len(PASSES) + _MOST_REPEATS):
        boldness = PASSES[min(number, len(PASSES) - 1)]
        new = index.search(explained, boldness, bright)
        if not len(new):
            if number >= len(PASSES) - 1:
                break
            continue
        if boldness.rough:
            # few pairs leave a grain so uncertain that it must first find its spots
            new, refined = index.refine(new, index.match(new, FIRST_SIGMAS), 1)
            new = new.rows(np.isfinite(refined.variance))
        if not len(grains):
            index.measure_errors(new)
            chance = index.chance(new)
        new, new_matches = settled(index, new, index.match(new), chance)
        new, new_matches = without_relatives(index, new, new_matches, chance)
        if len(grains):
            told = explained[index.lookup.order]
            there = index.weigh(new, new_matches, chance, told).accepted
            new, new_matches = new.rows(there), new_matches.rows(there)
        # the best takes its spots first, also from grains of earlier passes
        grains = grains.joined(new)
        matches = index.joined(matches, new_matches)
        weighed = index.weigh(grains, matches, chance)
        explained[index.lookup.order] = weighed.explained
        grains, matches = grains.rows(weighed.accepted), matches.rows(weighed.accepted)
        shown = weighed.rows(weighed.accepted).completeness
        bright = bright_rings(matches, grains.phase, shown, index.table, sigmas=SIGMAS)
    grains, refined = index.refine(grains, matches, 1)
    grains = untangled(index, grains, matches, refined)
    scale = index.measure_errors(grains)
    matches = index.match(grains)
    relabelled = likelier_phases(index, grains, matches, chance)
    if np.any(relabelled.phase != grains.phase):
        grains, matches = relabelled, index.match(relabelled)
    weighed = index.weigh(grains, matches, chance)
    order = np.argsort(-weighed.ratio, kind="stable")
    order = order[weighed.accepted[order]]
    grains, matches, weighed = grains.rows(order), matches.rows(order), weighed.rows(order)
    grains, refined = index.refine(grains, matches, 2)
    found = Found(grains, refined, matches, weighed, chance, scale)
    cost = search_cost(refined.covariance, grains.phase, index.phases, index.settings)
    return found.rows(np.flatnonzero(weighed.ratio - cost >= _ONE_IN_A_THOUSAND))
