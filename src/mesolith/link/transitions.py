"""Initial against final stress by direction of the current (Dixit et al. 2022, Fig. 7b-c).

Direction alternates with state, so whatever shifts a whole state - a drift of distance, energy or
temperature - moves all points of one direction one way and looks like a separation. Each
question is therefore asked with and without the pellet's mean removed, and a finding survives
both. Points of one transition share that transition: they are not independent, transitions are.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array
from scipy.special import chdtri, ndtri, stdtr, stdtrit

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.link.hotspots import (
    SPOTS,
    Halves,
    Neighbourhood,
    SpotKind,
    choose_spots,
    neighbourhoods,
    spot_levels,
)
from mesolith.numerics.exchange import StepDifference, difference_weight, step_difference
from mesolith.numerics.spatial import holm_p_values, row_means
from mesolith.records.followed import FollowedGrains, StressKind
from mesolith.records.transitions import DirectionSeparation

_KINDS: tuple[SpotKind, ...] = ("hot", "cold")
_STRESSES: tuple[StressKind, ...] = ("hydrostatic", "von_mises")
_FINDING = 0.05
# a scatter so unlikely under the stated error takes its place
_UNLIKELY = 0.16


def direction_separation(
    followed: FollowedGrains,
    *,
    count: int = SPOTS,
    neighbourhood: Neighbourhood = "radius",
    halves: Halves | None = None,
    level: float = 0.68,
    seed: int = 0,
) -> DirectionSeparation:
    """Compare the changes of stress under both directions of the current.

    Hot and cold spots are those of the first state, by hydrostatic stress; asked of hot, cold
    and both together, of hydrostatic and von Mises stress, as measured and with the mean of all
    followed grains removed from each state.

    Raises
    ------
    InvalidValueError
        Fewer than three transitions with a current, or all in one direction.
    """
    if int(np.count_nonzero(followed.direction[1:])) < 3:
        raise InvalidValueError(
            "fewer than three transitions carry a current, so directions cannot be compared"
        )
    around = neighbourhoods(followed, neighbourhood)
    levels, names, common, points = _levels(followed, count, around, halves, seed)
    test = step_difference(levels, followed.direction, seed=seed)
    scatter, freedom = _standard_error(levels, followed.direction, test)
    # what is stated of the common error, and the scatter that is left without it
    stated = np.hypot(common, np.tile(scatter[len(scatter) // 2 :], 2))
    seen = (common == 0.0) | (freedom * scatter**2 > stated**2 * chdtri(freedom, _UNLIKELY))
    # an error that is stated needs no allowance for being estimated from a few steps
    upper = 0.5 * (1.0 + level)
    se = np.where(seen, scatter, stated)
    half = np.where(seen, float(stdtrit(freedom, upper)), float(ndtri(upper))) * se
    p_family = holm_p_values(test.p)
    initial = np.array([pair[0] for _, pair in points])
    final = np.array([pair[1] for _, pair in points])
    naive = _naive_p(initial, final, followed.direction)
    half_way = len(names) // 2
    survived = [
        names[k].removesuffix(", as measured")
        for k in range(half_way)
        if max(p_family[k], p_family[k + half_way]) < _FINDING
    ]
    states = followed.state
    return DirectionSeparation(
        transition=tuple(f"{a} to {b}" for a, b in pairwise(states)),
        direction=followed.direction[1:],
        point_set=tuple(name for name, _ in points),
        initial=initial,
        final=final,
        question=tuple(names),
        spot_level=levels,
        effect=test.effect,
        effect_se=se,
        low=test.effect - half,
        high=test.effect + half,
        common_se=common,
        p_transitions=test.p_steps,
        p_states=test.p_states,
        p=test.p,
        p_family=p_family,
        naive_p=naive,
        least=test.least,
        finding=tuple(survived),
        transitions=test.steps,
        spots=count,
        grains=len(followed),
        level=level,
    )


def _levels(
    followed: FollowedGrains,
    count: int,
    around: csr_array,
    halves: Halves | None,
    seed: int,
) -> tuple[FloatArray, list[str], FloatArray, list[tuple[str, tuple[FloatArray, FloatArray]]]]:
    """Levels of each question, as measured first, then with the pellet's mean removed."""
    choices = {
        kind: choose_spots(
            followed,
            0,
            kind=kind,
            count=count,
            around=around,
            halves=None if halves is None else halves[0],
            seed=seed,
        )
        for kind in _KINDS
    }
    weight = difference_weight(followed.direction)
    measured, removed, names, common, points = [], [], [], [], []
    for stress in _STRESSES:
        values, _, shared = followed.stress(stress)
        near = row_means(around, values)
        own: dict[str, FloatArray] = {}
        for kind, choice in choices.items():
            # the choice is by hydrostatic stress: only that owes it anything
            own[kind] = (
                spot_levels(followed, choice, stress)
                if stress == "hydrostatic"
                else choice.weight @ values
            )
            spots = near[choice.centre]
            points.append((f"{kind}, {stress}", (spots[:, :-1], spots[:, 1:])))
        own_sets = {**own, "hot and cold": 0.5 * (own["hot"] + own["cold"])}
        for name, line in own_sets.items():
            measured.append(line)
            removed.append(line - values.mean(axis=0))
            names.append(f"{name}, {stress}")
            common.append(float(np.sqrt(np.sum((weight * shared) ** 2))))
    words = [f"{name}, as measured" for name in names] + [f"{name}, mean removed" for name in names]
    shared_se = np.array(common + [0.0] * len(common))
    return np.array([*measured, *removed]), words, shared_se, points


def _standard_error(
    levels: FloatArray, label: IntArray, test: StepDifference
) -> tuple[FloatArray, int]:
    """Error of the effect from the scatter that it leaves, the larger of two views.

    Either every state has an error of its own, or every step has.
    """
    states = levels.shape[1]
    step = np.asarray(label[1:])
    # what a step of its own for either direction explains is no scatter
    passed = [np.concatenate([[0.0], np.cumsum(step == sign)]) for sign in (1, -1)]
    axes, _ = np.linalg.qr(np.column_stack([np.ones(states), *passed]))
    rest = levels - levels @ axes @ axes.T
    by_state = np.sum(rest**2, axis=1) / max(states - 3, 1) * np.sum(test.weight**2)
    steps = np.diff(levels, axis=1)
    within = np.zeros(len(levels))
    for sign in (1, -1):
        own = steps[:, step == sign]
        within += np.sum((own - own.mean(axis=1, keepdims=True)) ** 2, axis=1)
    freedom = max(test.steps - 2, 1)
    rate = 1.0 / np.sum(step == 1) + 1.0 / np.sum(step == -1)
    by_step = within / freedom * rate
    return np.sqrt(np.maximum(by_state, by_step)), freedom


def _naive_p(initial: FloatArray, final: FloatArray, label: IntArray) -> FloatArray:
    """Welch's test on the changes of all points, as if they were independent; each question."""
    step = np.asarray(label[1:])
    change = final - initial
    answers = []
    for pair in (change[:2], change[2:]):
        for own in (pair[0], pair[1], np.concatenate(list(pair))):
            answers.append(_welch(own[:, step == 1].ravel(), own[:, step == -1].ravel()))
    return np.array([*answers, *answers])


def _welch(a: FloatArray, b: FloatArray) -> float:
    parts = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    total = sum(parts)
    if not total > 0.0:
        return 1.0
    freedom = total**2 / (parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1))
    return 2.0 * float(stdtr(freedom, -abs(a.mean() - b.mean()) / np.sqrt(total)))
