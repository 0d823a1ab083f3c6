"""Hot and cold spots: which grains, what lies around them, and whether they change.

A grain that was chosen because its measured stress is extreme owes part of it to noise, and the
next measurement brings it back. So what chooses must not judge. Where the reflections of a grain
were indexed in two halves, one half chooses and the other judges. Otherwise the noise model
makes the halves: to the measured stress y with standard error s, random numbers z are added,
y + 2 s z chooses and y - s z / 2 judges; for normal noise of that size the errors of the two are
independent. This is done many times and averaged, so that the random numbers hardly matter. The
halves are unequal because the grains that stand out do so by far more than noise, while a judge
that sees little of y makes wide and skewed errors. On splitting by added noise: Rasines and
Young, "Splitting strategies for post-selection inference".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csr_array
from scipy.special import stdtr, stdtrit

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.link.likeness import change_test
from mesolith.link.space import Independence, independence_of
from mesolith.numerics.spatial import holm_p_values, neighbour_graph, row_means, sign_flip_test
from mesolith.records.followed import FollowedGrains, StressKind
from mesolith.records.hotspots import SpotChanges, SpotHistory

SpotKind = Literal["hot", "cold"]
Neighbourhood = Literal["grain", "radius", "diameter", "70 um"]
Chosen = Literal["fixed", "anew"]
Halves = Mapping[int, tuple[FloatArray, FloatArray]]

SPOTS = 10
_DRAWS = 100
# A spot's neighbourhood can lie across the edge of a block, and what happens to a spot happens to
# all of it: by grains where they lie the error is a little small, by whole neighbourhoods where
# their centres lie too large, since these overlap. Share of the latter in the variance, from
# simulated cells (benchmarks/intervals.py tells what it gives on others).
_WHOLE = 0.4
_LEAN = 2.0  # the judge's added noise is that of the choice over its square


@dataclass(frozen=True, slots=True)
class SpotChoice:
    """Which grains are spots of a state, in a form that can be judged without bias.

    ``share`` (n,) is the weight of each grain as a centre, sum 1; ``weight`` (n,) what that
    makes of each grain as a member of neighbourhoods, sum 1. ``excess`` (n,) is what of the sum
    of weight times stress, in the state of the choice, is owed to choosing (MPa), each grain's
    part by itself; ``centre_excess`` (n,) the same by the centre whose neighbourhood a grain is
    in. ``centre`` are the spots by the measured values themselves.
    """

    state: int
    share: FloatArray
    weight: FloatArray
    excess: FloatArray
    centre_excess: FloatArray
    centre: IntArray


def neighbourhood_reach(rule: Neighbourhood, radius: FloatArray) -> float:
    """Radius of a neighbourhood, um.

    Twice the mean radius ("radius": a region twice as wide as a grain) or twice the mean
    diameter ("diameter"), for the paper says "2x the average size"; its 70 um; or "grain", the
    centre alone (0).
    """
    rules = {
        "grain": 0.0,
        "radius": 2.0 * float(np.mean(radius)),
        "diameter": 4.0 * float(np.mean(radius)),
        "70 um": 70.0,
    }
    if rule not in rules:
        raise InvalidValueError(
            f"no neighbourhood is called {rule!r}", remedy=f"Known: {', '.join(rules)}."
        )
    return rules[rule]


def neighbourhoods(followed: FollowedGrains, rule: Neighbourhood) -> csr_array:
    """Graph of the grains in each grain's neighbourhood, itself among them."""
    reach = neighbourhood_reach(rule, followed.radius)
    if reach == 0.0:
        count = len(followed)
        return csr_array((np.ones(count), (np.arange(count), np.arange(count))))
    return neighbour_graph(followed.position, reach, itself=True)


def spots_of(values: FloatArray, *, kind: SpotKind, count: int) -> IntArray:
    """Rows of the ``count`` highest ("hot") or lowest ("cold") values, most extreme first."""
    signed = values if kind == "cold" else -values
    if not 1 <= count <= len(values):
        raise InvalidValueError(f"{count} spots among {len(values)} grains")
    # sorting only what can be among them; of equals the first are taken
    near = np.flatnonzero(signed <= np.partition(signed, count - 1)[count - 1])
    return near[np.argsort(signed[near], kind="stable")[:count]].astype(np.int64)


def choose_spots(
    followed: FollowedGrains,
    state: int,
    *,
    kind: SpotKind = "hot",
    count: int = SPOTS,
    quantity: StressKind = "hydrostatic",
    around: csr_array,
    halves: tuple[FloatArray, FloatArray] | None = None,
    seed: int = 0,
) -> SpotChoice:
    """Choose spots by one state's stress so that a change can be judged.

    Parameters
    ----------
    followed, state
        Grains, and the number of the state that chooses.
    kind, count, quantity
        Hottest or coldest, how many, by which stress.
    around
        Neighbourhoods, from `neighbourhoods`.
    halves
        Stress of that state from either half of the reflections; None: the noise model.
    seed
        Of the numbers that the noise model draws.
    """
    values, errors, _ = followed.stress(quantity)
    measured, sigma = values[:, state], errors[:, state]
    centre = spots_of(measured, kind=kind, count=count)
    share, weight, excess = np.zeros((3, len(followed)))
    if halves is not None:
        chosen = spots_of(halves[0], kind=kind, count=count)
        share[chosen] = 1.0 / count
        weight = _members(around, chosen)
        away = measured - halves[1]
        by_centre = share * row_means(around, away)
        return SpotChoice(state, share, weight, weight * away, by_centre, centre)
    if not np.all(sigma > 0.0):
        raise InvalidValueError(
            "without standard errors regression to the mean cannot be removed",
            where=followed.state[state],
            remedy="State hedm.sigma_strain, or give stress from halves of the reflections.",
        )
    rng = np.random.default_rng(seed)
    centre_excess = np.zeros(len(followed))
    for _ in range(_DRAWS):
        noise = sigma * rng.standard_normal(len(sigma))
        chosen = spots_of(measured + _LEAN * noise, kind=kind, count=count)
        share[chosen] += 1.0 / (count * _DRAWS)
        own = _members(around, chosen) / _DRAWS
        weight += own
        excess += own * noise / _LEAN
        centre_excess[chosen] += row_means(around[chosen], noise) / (_LEAN * count * _DRAWS)
    return SpotChoice(state, share, weight, excess, centre_excess, centre)


def _members(around: csr_array, chosen: IntArray) -> FloatArray:
    """Weight of each grain in the mean over the means of these neighbourhoods."""
    own = around[chosen]
    many = np.diff(own.indptr)
    part = np.repeat(1.0 / (many * len(chosen)), many)
    return np.bincount(own.indices, weights=part, minlength=around.shape[0]).astype(np.float64)


def spot_levels(followed: FollowedGrains, choice: SpotChoice, quantity: StressKind) -> FloatArray:
    """Mean stress of the neighbourhoods in each state (states,), without the choice's excess."""
    values, _, _ = followed.stress(quantity)
    levels = choice.weight @ values
    levels[choice.state] -= choice.excess.sum()
    return np.asarray(levels)


def spot_history(
    followed: FollowedGrains,
    *,
    kind: SpotKind = "hot",
    count: int = SPOTS,
    chosen: Chosen = "fixed",
    state: int = 0,
    neighbourhood: Neighbourhood = "radius",
    quantity: StressKind = "hydrostatic",
    independence: Independence | None = None,
) -> SpotHistory:
    """The spots of one state ("fixed") or of each state ("anew"), followed through all states."""
    values, _, _ = followed.stress(quantity)
    around = neighbourhoods(followed, neighbourhood)
    states = range(len(followed.state))
    centre = np.column_stack(
        [
            spots_of(values[:, state if chosen == "fixed" else k], kind=kind, count=count)
            for k in states
        ]
    )
    apart = independence_of(followed, quantity) if independence is None else independence
    columns: dict[str, list[float]] = {"mean": [], "se": [], "spread": []}
    spot_mean = np.empty(centre.shape)
    grains = []
    for k in states:
        own = around[centre[:, k]]
        spot_mean[:, k] = row_means(own, values[:, k])
        members = np.unique(own.indices)
        inside = values[members, k]
        columns["mean"].append(float(inside.mean()))
        columns["spread"].append(float(inside.std()))
        columns["se"].append(_mean_error(inside, apart.block[members]))
        grains.append(len(members))
    return SpotHistory(
        state=followed.state,
        centre=centre,
        spot_mean=spot_mean,
        mean=np.array(columns["mean"]),
        mean_se=np.array(columns["se"]),
        spread=np.array(columns["spread"]),
        grains=np.array(grains, dtype=np.int64),
        pellet_mean=values.mean(axis=0),
        kind=kind,
        chosen=chosen,
        neighbourhood=neighbourhood,
        reach=neighbourhood_reach(neighbourhood, followed.radius),
        quantity=quantity,
    )


def spot_changes(
    followed: FollowedGrains,
    *,
    kinds: tuple[SpotKind, ...] = ("hot", "cold"),
    steps: tuple[tuple[int, int], ...] | None = None,
    count: int = SPOTS,
    neighbourhood: Neighbourhood = "radius",
    quantity: StressKind = "hydrostatic",
    chosen: Chosen = "anew",
    state: int = 0,
    halves: Halves | None = None,
    independence: Independence | None = None,
    level: float = 0.68,
    seed: int = 0,
) -> SpotChanges:
    """Do the neighbourhoods of the most extreme grains change more than the pellet does?

    The spots of each question are chosen in its first state. The change is judged against the
    mean of all followed grains, so that a drift common to a state cannot make one; p-values come
    from turning the signs of blocks of grains, Holm's correction from all questions together.

    Parameters
    ----------
    steps
        Pairs of states: the one that chooses, and the other. None: with ``chosen`` "anew" each
        transition, and first to last; with "fixed" from ``state`` to every other state.
    halves
        By number of state: stress from either half of the reflections. All states that choose
        must be there; None: the noise model.
    independence
        From `independence_of`, for that stress; None: found here.
    level
        Probability that an interval holds the truth.
    """
    states = len(followed.state)
    pairs = _default_steps(states, chosen, state) if steps is None else steps
    around = neighbourhoods(followed, neighbourhood)
    apart = independence_of(followed, quantity) if independence is None else independence
    block, alike = apart.block, apart.alike
    found: dict[str, list[float]] = {}
    names = []
    choices: dict[tuple[SpotKind, int], SpotChoice] = {}
    for kind in kinds:
        for first, last in pairs:
            if (kind, first) not in choices:
                choices[kind, first] = choose_spots(
                    followed,
                    first,
                    kind=kind,
                    count=count,
                    quantity=quantity,
                    around=around,
                    halves=None if halves is None else halves[first],
                    seed=seed,
                )
            choice = choices[kind, first]
            answer = _change(followed, choice, last, around, block, quantity, level, seed)
            names.append(f"{kind}: {followed.state[first]} to {followed.state[last]}")
            for name, value in answer.items():
                found.setdefault(name, []).append(value)
    columns = {name: np.array(values) for name, values in found.items()}
    grains, independent = columns.pop("grains"), columns.pop("independent")
    if alike is not None:
        values, _, _ = followed.stress(quantity)
        asked = [(kind, first, last) for kind in kinds for first, last in pairs]
        test = change_test(
            alike,
            np.column_stack([values[:, last] - values[:, first] for _, first, last in asked]),
            np.column_stack([choices[kind, first].weight for kind, first, _ in asked]),
            columns["change"],
        )
        se, independent = test.se[:, 0], np.floor(test.units)
        half = stdtrit(test.freedom, 0.5 * (1.0 + level)) * se
        shared = np.array([_common(followed, first, last, quantity) for _, first, last in asked])
        columns |= {
            "change_se": se,
            "low": columns["change"] - half,
            "high": columns["change"] + half,
            "p": test.p,
            "absolute_se": np.hypot(se, shared),
            "least": np.zeros(len(asked)),
        }
    return SpotChanges(
        question=tuple(names),
        **columns,
        p_family=holm_p_values(columns["p"]),
        spots=count,
        grains=grains.astype(np.int64),
        independent=np.minimum(independent, count).astype(np.int64),
        judged_by=apart.judged_by,
        level=level,
        chosen=chosen,
        correction="noise model" if halves is None else "halves of the reflections",
        neighbourhood=neighbourhood,
        reach=neighbourhood_reach(neighbourhood, followed.radius),
        quantity=quantity,
    )


def _default_steps(states: int, chosen: Chosen, state: int) -> tuple[tuple[int, int], ...]:
    if chosen == "fixed":
        return tuple((state, k) for k in range(states) if k != state)
    steps = [(k, k + 1) for k in range(states - 1)]
    return tuple(steps if states < 3 else [*steps, (0, states - 1)])


def _change(
    followed: FollowedGrains,
    choice: SpotChoice,
    last: int,
    around: csr_array,
    block: IntArray,
    quantity: StressKind,
    level: float,
    seed: int,
) -> dict[str, float]:
    values, _, _ = followed.stress(quantity)
    moved = values[:, last] - values[:, choice.state]
    shift = float(moved.mean())
    # a choice that favoured high noise made the earlier state too high by the excess; each grain
    # counts where it lies, for neighbourhoods on either side of a block's edge share grains, and
    # once for its own part in the pellet's mean
    against = choice.weight - 1.0 / len(followed)
    part = against * (moved - shift) + choice.excess
    change = float(part.sum())
    test = sign_flip_test(part[:, None], block, share=choice.weight, seed=seed)
    spots = row_means(around, moved - shift)
    se, freedom = _weighted_error(part, choice.weight, block, most=len(choice.centre))
    whole, _ = _weighted_error(
        choice.share * spots + choice.centre_excess, choice.share, block, most=len(choice.centre)
    )
    se = float(np.sqrt((1.0 - _WHOLE) * se**2 + _WHOLE * whole**2))
    half = float(stdtrit(freedom, 0.5 * (1.0 + level))) * se
    spots = spots[choice.centre]
    own_error = float(spots.std(ddof=1)) / np.sqrt(len(spots)) if len(spots) > 1 else np.inf
    naive = float(spots.mean())
    pull = abs(naive) / own_error if own_error > 0.0 else np.inf
    shared = _common(followed, choice.state, last, quantity)
    return {
        "naive": naive,
        "naive_p": 2.0 * float(stdtr(len(spots) - 1, -pull)) if len(spots) > 1 else 1.0,
        "regression": -float(choice.excess.sum()),
        "change": change,
        "change_se": se,
        "low": change - half,
        "high": change + half,
        "p": float(test.p[0]),
        "absolute": change + shift,
        "absolute_se": float(np.hypot(se, shared)),
        "grains": float(len(np.unique(around[choice.centre].indices))),
        "independent": freedom + 1.0,
        "least": test.least,
    }


def _common(followed: FollowedGrains, first: int, last: int, quantity: StressKind) -> float:
    """Error of a change between two states that all grains share, MPa."""
    _, _, common = followed.stress(quantity)
    return float(np.hypot(common[first], common[last]))


def _weighted_error(
    part: FloatArray, weight: FloatArray, block: IntArray, *, most: int
) -> tuple[float, float]:
    """Standard error of a weighted mean by blocks (NaN for one), and its degrees of freedom.

    There are no more independent units than ``most``, the spots, over however many blocks their
    neighbourhoods spread.
    """
    if int(block.max()) == 0:
        return float("nan"), 1.0
    change = float(part.sum())
    sums = np.bincount(block, weights=part - weight * change)
    effective = 1.0 / float(np.sum(np.bincount(block, weights=weight) ** 2))
    effective = min(effective, float(most))
    freedom = max(effective - 1.0, 1.0)
    return float(np.sqrt(np.sum(sums**2) * max(effective, 2.0) / freedom)), freedom


def _mean_error(values: FloatArray, block: IntArray) -> float:
    """Standard error of a mean over grains whose blocks are independent."""
    sums = np.bincount(block, weights=values - values.mean())
    blocks = len(np.unique(block))
    if blocks < 2:
        return float("nan")
    return float(np.sqrt(np.sum(sums**2) * blocks / (blocks - 1.0)) / len(values))
