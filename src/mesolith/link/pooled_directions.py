"""Does stress change with the direction of the current, asked of several cells together?

Four transitions of one cell cannot reach 5 %, however large the effect. Two cells of four come
to 5.6 %, three below 1 %; corrected for a dozen questions it takes four cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.numerics.exchange import pooled_step_difference
from mesolith.numerics.spatial import holm_p_values
from mesolith.records.transitions import DirectionSeparation

_FINDING = 0.05
_MEASURED, _REMOVED = ", as measured", ", mean removed"


@dataclass(frozen=True, slots=True)
class PooledDirections:
    """Separation by direction of several cells together, one row a question that all ask.

    ``effect`` (MPa) is the mean of the cells' effects weighted by their transitions, with a 68 %
    interval; ``p_family`` is Holm's over all questions, ``least`` the smallest p that so many
    transitions can give. ``finding`` names the questions that survive with and without the
    pellet's mean.
    """

    question: tuple[str, ...]
    effect: FloatArray
    low: FloatArray
    high: FloatArray
    p: FloatArray
    p_family: FloatArray
    least: float
    transitions: int
    cells: int
    grains: int
    finding: tuple[str, ...]


def pooled_directions(
    separations: Sequence[DirectionSeparation], *, level: float = 0.68, seed: int = 0
) -> PooledDirections:
    """Combine the separations of several cells.

    Directions, or states, are exchanged within each cell and independently between cells.

    Raises
    ------
    InvalidValueError
        No cell, or no question that all ask.
    """
    if not separations:
        raise InvalidValueError("no cell has transitions to pool")
    questions = [
        question
        for question in separations[0].question
        if all(question in other.question for other in separations)
    ]
    if not questions:
        raise InvalidValueError("the cells' transitions answer no question in common")
    rows = [[own.question.index(question) for question in questions] for own in separations]
    series = [
        (own.spot_level[row], np.concatenate([[0], own.direction]))
        for own, row in zip(separations, rows, strict=True)
    ]
    test = pooled_step_difference(series, seed=seed)
    variance = sum(
        (share * own.effect_se[row]) ** 2
        for share, own, row in zip(test.share, separations, rows, strict=True)
    )
    freedom = max(sum(own.transitions - 2 for own in separations), 1)
    half = float(stdtrit(freedom, 0.5 * (1.0 + level))) * np.sqrt(variance)
    family = holm_p_values(test.p)
    by_name = dict(zip(questions, family.tolist(), strict=True))
    survived = [
        name
        for question in questions
        if question.endswith(_MEASURED)
        and (name := question.removesuffix(_MEASURED)) + _REMOVED in by_name
        and max(by_name[question], by_name[name + _REMOVED]) < _FINDING
    ]
    return PooledDirections(
        question=tuple(questions),
        effect=test.effect,
        low=test.effect - half,
        high=test.effect + half,
        p=test.p,
        p_family=family,
        least=test.least,
        transitions=test.steps,
        cells=len(separations),
        grains=sum(own.grains for own in separations),
        finding=tuple(survived),
    )
