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
from mesolith.link._kernels_pathways import exchanged_ends
from mesolith.link.hotspots import neighbourhoods, spots_of
from mesolith.link.likeness import path_test
from mesolith.link.space import ADJACENT, Independence, grain_spacing, independence_of
from mesolith.numerics.spatial import (
    family_p_values,
    holm_p_values,
    mean_by_exchange,
    neighbour_graph,
    row_means,
)
from mesolith.records.followed import FollowedGrains
from mesolith.records.pathways import StressPathways

PathRule = Literal["grain", "cluster"]

PATHS = 50
_EXCHANGES = 1_000  # tell a mean well enough


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
    independence: Independence | None = None,
    seed: int = 0,
) -> StressPathways:
    """Follow stress from the hottest grains of each state and test where it leads.

    All grains that start no path exchange their stress, all states of a grain together: that
    tells what the places of the starts alone make of the paths. What is left, over its standard
    error by blocks, is held against the same ratio of each exchange. So the test is exact where
    stress is independent of place, and stands on the scatter between blocks where neighbours are
    alike. Paths from one block count as one, those of all states together. A standard error is
    that by blocks, stretched so that 68 % of the ratios are below 1 under exchange. Where
    stress is alike beyond a block, likeness judges instead, and exchanges only
    say what the starts make.

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
    around = neighbourhoods(followed, "radius" if rule == "cluster" else "grain")

    shape = (paths, len(followed.state))
    start, end = np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.int64)
    steps = np.empty(shape, dtype=np.int64)
    for k in range(shape[1]):
        stress = followed.hydrostatic[:, k]
        start[:, k] = spots_of(stress, kind="hot", count=paths)
        follower = next_on_path(graph, length, row_means(around, stress), rule)
        end[:, k], steps[:, k] = path_ends(follower, start[:, k])
    free = np.ones(len(followed), dtype=np.bool_)
    free[start] = False
    units = independence_of(followed) if independence is None else independence
    others, _ = exchanged_ends(
        start,
        free,
        np.array(followed.hydrostatic),  # a copy: one kind of array, compiled for once
        graph.indptr,
        graph.indices,
        length,
        around.indptr,
        around.indices,
        rule == "cluster",
        permutations if units.alike is None else min(permutations, _EXCHANGES),
        np.random.SeedSequence(seed).generate_state(1, np.uint64)[0],
    )
    return _tested(followed, start, end, steps, others, units, rule=rule, reach=reach)


def _tested(
    followed: FollowedGrains,
    start: IntArray,
    end: IntArray,
    steps: IntArray,
    others: IntArray,
    apart: Independence,
    *,
    rule: PathRule,
    reach: float,
) -> StressPathways:
    block, alike = apart.block, apart.alike
    z = followed.position[:, 2]
    height = float(np.ptp(z))
    relaxation, exchanged = (z[end] - z[start]) / height, (z[others] - z[start]) / height
    expected = exchanged.mean(axis=0)
    excess, null = relaxation - expected, exchanged - expected
    label = followed.direction
    groups = {"cell": np.arange(len(label))}
    for sign, name in ((1, "direction 1"), (-1, "direction 2")):
        if np.any(label == sign):
            groups[name] = np.flatnonzero(label == sign)
    chosen = (*groups.values(), *np.arange(len(label))[:, None])
    count = len(groups)
    if alike is None:
        tests = [
            mean_by_exchange(
                excess[:, own].ravel(),
                null[:, :, own].reshape(len(null), -1),
                block[start[:, own]].ravel(),
            )
            for own in chosen
        ]
        se = np.array([test.se for test in tests])
        # paths that all start in one block tell nothing
        p = np.array([test.p if np.isfinite(test.se) else np.nan for test in tests[:count]])
        p_family = family_p_values(
            np.array([test.distance for test in tests[:count]]),
            np.column_stack([test.null for test in tests[:count]]),
        )
        units = np.array([len(np.unique(block[start[:, own]])) for own in groups.values()])
    else:
        spacing = grain_spacing(followed.radius)
        by_likeness = path_test(
            alike, followed.position, spacing, followed.hydrostatic, start, excess, chosen
        )
        se, p = by_likeness.se[:, 0], by_likeness.p[:count]
        p_family = holm_p_values(p)
        units = np.floor(by_likeness.units[:count])
    effect, direction_p, least = _between_directions(excess.mean(axis=0), label)
    return StressPathways(
        state=followed.state,
        direction=label,
        start=start,
        end=end,
        steps=steps,
        path_relaxation=relaxation,
        path_expected=expected,
        relaxation=relaxation.mean(axis=0),
        relaxation_se=se[count:],
        group=tuple(groups),
        group_relaxation=np.array([relaxation[:, own].mean() for own in groups.values()]),
        group_excess=np.array([excess[:, own].mean() for own in groups.values()]),
        group_se=se[:count],
        group_independent=units.astype(np.int64),
        group_p=p,
        group_p_family=np.where(np.isfinite(p), p_family, np.nan),
        group_naive_p=np.array(
            [_one_sample(relaxation[:, own].ravel()) for own in groups.values()]
        ),
        direction_effect=effect,
        direction_p=direction_p,
        direction_least=least,
        judged_by=apart.judged_by,
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
