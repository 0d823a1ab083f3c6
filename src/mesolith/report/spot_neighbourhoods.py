"""The grains of hot and cold neighbourhoods before and after each transition."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import numpy as np

from mesolith.axes import FloatArray
from mesolith.link.hotspots import Neighbourhood, SpotKind, neighbourhoods, spots_of
from mesolith.records.followed import FollowedGrains, StressKind
from mesolith.records.hotspots import SpotChanges

KINDS: tuple[SpotKind, ...] = ("hot", "cold")


@dataclass(frozen=True, slots=True)
class NeighbourhoodChange:
    """Neighbourhoods of the spots of one state, there and in another state.

    ``before`` and ``after`` are the stress of the same grains, MPa; ``row`` is the question's in
    the record of changes, None where it is not asked.
    """

    kind: str
    first: str
    last: str
    before: FloatArray
    after: FloatArray
    row: int | None


def neighbourhood_changes(
    followed: FollowedGrains, changes: SpotChanges, quantity: StressKind
) -> list[NeighbourhoodChange]:
    """Hot and cold neighbourhoods for each step of the record of changes, in their order.

    Spots are chosen in the earlier state by the measured stress, as the paper does; the last
    step is that from the first state to the last.
    """
    values, _, _ = followed.stress(quantity)
    around = neighbourhoods(followed, cast(Neighbourhood, changes.neighbourhood))
    states = followed.state
    steps = list(pairwise(range(len(states))))
    if len(states) > 2:
        steps.append((0, len(states) - 1))
    found = []
    for first, last in steps:
        names = {kind: f"{kind}: {states[first]} to {states[last]}" for kind in KINDS}
        if not any(name in changes.question for name in names.values()):
            continue
        for kind, name in names.items():
            centre = spots_of(values[:, first], kind=kind, count=changes.spots)
            inside = np.unique(around[centre].indices)
            row = changes.question.index(name) if name in changes.question else None
            found.append(
                NeighbourhoodChange(
                    kind,
                    states[first],
                    states[last],
                    values[inside, first],
                    values[inside, last],
                    row,
                )
            )
    return found
