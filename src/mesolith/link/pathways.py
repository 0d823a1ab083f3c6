"""Stress-flow pathways from the hottest grains (Dixit et al. 2022, Fig. 7d-e).

The paper gives two rules. Main text: from a grain to the neighbour with the steepest fall of
stress, on to a minimum ("grain"). Supporting information: on stress averaged over
neighbourhoods, along the steepest gradient of either sign, until two neighbourhoods each see
their steepest gradient in the other ("cluster").
"""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import Literal

import numpy as np
from scipy.sparse import csr_array
from scipy.special import stdtr

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.link.hotspots import neighbourhoods, spots_of
from mesolith.link.space import ADJACENT, grain_spacing, stress_blocks
from mesolith.numerics.spatial import neighbour_graph, row_means, sign_flip_test
from mesolith.records.followed import FollowedGrains
from mesolith.records.pathways import StressPathways

PathRule = Literal["grain", "cluster"]

PATHS = 50
_EXCHANGES = 64


def next_on_path(
    graph: csr_array, length: FloatArray, stress: FloatArray, rule: PathRule
) -> IntArray:
    """Grain that follows each grain on its path; a grain where paths end follows itself.

    ``length`` are the distances of the graph's entries, in their order. Of neighbours that fall
    equally steeply the first is taken. Under "cluster" a mutual pair ends in its colder member.
    """
    count = len(stress)
    begin, other = graph.indptr, graph.indices
    follower = np.arange(count, dtype=np.int64)
    joined = np.flatnonzero(np.diff(begin) > 0)
    if not len(joined):
        return follower
    own = np.repeat(np.arange(count), np.diff(begin))
    slope = (stress[other] - stress[own]) / length
    if rule == "cluster":
        slope = -np.abs(slope)
    steepest = np.minimum.reduceat(slope, begin[joined])
    by_row = np.zeros(count)
    by_row[joined] = steepest
    best = np.flatnonzero((slope == by_row[own]) & (slope < 0.0))
    # written backwards, so that the first of equals stays
    follower[own[best[::-1]]] = other[best[::-1]]
    if rule == "cluster":
        back = follower[follower]
        pair = np.flatnonzero((back == np.arange(count)) & (follower != np.arange(count)))
        cold = np.where(stress[pair] <= stress[follower[pair]], pair, follower[pair])
        follower[pair] = cold
    return follower


def path_ends(follower: IntArray, start: IntArray) -> tuple[IntArray, IntArray]:
    """Last grain of the paths from these grains, and the number of their steps."""
    here, steps = start.copy(), np.zeros(len(start), dtype=np.int64)
    # no path is longer than the grains; one that were would run in a circle
    for _ in range(len(follower)):
        after = follower[here]
        moving = after != here
        if not moving.any():
            break
        here = after
        steps += moving
    return here, steps


def stress_pathways(
    followed: FollowedGrains,
    *,
    rule: PathRule = "grain",
    paths: int = PATHS,
    permutations: int = 10_000,
    seed: int = 0,
) -> StressPathways:
    """Follow stress from the hottest grains of each state and test where it leads.

    Paths are tested by turning the signs of blocks of grains in all states together, for paths
    from one place, and from one grain in several states, are not independent.

    Raises
    ------
    InvalidValueError
        Fewer grains than paths, or grains without neighbours.
    """
    if len(followed) < 2 * paths:
        raise InvalidValueError(f"{len(followed)} grains are too few for {paths} pathways")
    reach = ADJACENT * grain_spacing(followed.radius)
    graph = neighbour_graph(followed.position, reach)
    if graph.nnz == 0:
        raise InvalidValueError(f"no two grains lie within {reach:.0f} um of each other")
    own = np.repeat(np.arange(len(followed)), np.diff(graph.indptr))
    apart = followed.position[graph.indices] - followed.position[own]
    length = np.maximum(np.sqrt(np.sum(apart**2, axis=1)), 1e-6)
    around = neighbourhoods(followed, "radius") if rule == "cluster" else None
    z = followed.position[:, 2]
    height = float(z.max() - z.min())
    rng = np.random.default_rng(seed)

    states = len(followed.state)
    shape = (paths, states)
    start, end = np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.int64)
    steps, expected = np.empty(shape, dtype=np.int64), np.zeros(shape)
    for k in range(states):
        stress = followed.hydrostatic[:, k]
        first = spots_of(stress, kind="hot", count=paths)
        start[:, k] = first
        field = stress if around is None else row_means(around, stress)
        end[:, k], steps[:, k] = path_ends(next_on_path(graph, length, field, rule), first)
        rest = np.setdiff1d(np.arange(len(stress)), first)
        for _ in range(_EXCHANGES):
            mixed = stress.copy()
            mixed[rest] = stress[rng.permutation(rest)]
            field = mixed if around is None else row_means(around, mixed)
            last, _ = path_ends(next_on_path(graph, length, field, rule), first)
            expected[:, k] += (z[last] - z[first]) / _EXCHANGES
    relaxation = (z[end] - z[start]) / height
    return _tested(
        followed,
        start,
        end,
        steps,
        relaxation,
        expected / height,
        height,
        reach,
        rule,
        permutations,
        seed,
    )


def _tested(
    followed: FollowedGrains,
    start: IntArray,
    end: IntArray,
    steps: IntArray,
    relaxation: FloatArray,
    expected: FloatArray,
    height: float,
    reach: float,
    rule: PathRule,
    permutations: int,
    seed: int,
) -> StressPathways:
    block, _ = stress_blocks(followed)
    excess = relaxation - expected
    label = followed.direction
    groups = {"cell": np.arange(len(label))}
    for sign, name in ((1, "direction 1"), (-1, "direction 2")):
        if np.any(label == sign):
            groups[name] = np.flatnonzero(label == sign)
    parts = np.zeros((len(followed), len(groups)))
    centred = np.zeros_like(parts)
    naive = []
    for g, members in enumerate(groups.values()):
        own = excess[:, members]
        np.add.at(parts[:, g], start[:, members], own / own.size)
        np.add.at(centred[:, g], start[:, members], (own - own.mean()) / own.size)
        naive.append(_one_sample(relaxation[:, members].ravel()))
    test = sign_flip_test(parts, block, draws=permutations, seed=seed)
    state_se = np.array(
        [_block_error(relaxation[:, k], block[start[:, k]]) for k in range(len(label))]
    )
    sums = np.zeros((int(block.max()) + 1, len(groups)))
    np.add.at(sums, block, centred)
    effect, p, least = _between_directions(excess.mean(axis=0), label)
    return StressPathways(
        state=followed.state,
        direction=label,
        start=start,
        end=end,
        steps=steps,
        path_relaxation=relaxation,
        path_expected=expected,
        relaxation=relaxation.mean(axis=0),
        relaxation_se=state_se,
        group=tuple(groups),
        group_relaxation=np.array([relaxation[:, own].mean() for own in groups.values()]),
        group_excess=test.total,
        group_se=np.sqrt(np.sum(sums**2, axis=0)),
        group_p=test.p,
        group_p_family=test.p_family,
        group_naive_p=np.array(naive),
        direction_effect=effect,
        direction_p=p,
        direction_least=least,
        rule=rule,
        paths=len(start),
        grains=len(followed),
        height=height,
        reach=reach,
    )


def _between_directions(mean: FloatArray, label: IntArray) -> tuple[float, float, float]:
    """Difference of the means over the states of each direction, labels exchanged exactly."""
    used = np.flatnonzero(label != 0)
    ups = int(np.sum(label[used] == 1))
    if ups == 0 or ups == len(used):
        return float("nan"), float("nan"), float("nan")
    values = mean[used]
    total, others = values.sum(), len(used) - ups
    effect = float(values[label[used] == 1].mean() - values[label[used] == -1].mean())
    if comb(len(used), ups) > 200_000:
        raise InvalidValueError(f"{len(used)} states are too many to exchange their directions")
    chosen = np.array([values[list(c)].sum() for c in combinations(range(len(used)), ups)])
    null = chosen / ups - (total - chosen) / others
    p = float(np.mean(np.abs(null) >= abs(effect) * (1.0 - 1e-9)))
    twins = 2.0 if ups == others else 1.0
    return effect, p, min(1.0, twins / len(null))


def _one_sample(values: FloatArray) -> float:
    error = float(values.std(ddof=1)) / np.sqrt(len(values))
    return 2.0 * float(stdtr(len(values) - 1, -abs(values.mean()) / error)) if error > 0.0 else 1.0


def _block_error(values: FloatArray, block: IntArray) -> float:
    sums = np.bincount(block, weights=values - values.mean())
    blocks = len(np.unique(block))
    if blocks < 2:
        return float("nan")
    return float(np.sqrt(np.sum(sums**2) * blocks / (blocks - 1.0)) / len(values))
