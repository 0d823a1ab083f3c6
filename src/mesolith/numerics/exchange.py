"""Exact tests of a few ordered states: does a step go otherwise under one label than another?

Few transitions make few arrangements, so these are enumerated where they can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from math import comb, factorial

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError

_MOST = 41_000  # 8! arrangements and all choices of 8 in 16 are enumerated
_MOST_SUMS = 200_000
_ROUND = 1.0 - 1e-9


@dataclass(frozen=True, slots=True)
class StepDifference:
    """Mean step under label 1 less that under -1, for each row of levels; see `step_difference`.

    ``weight`` (states,) makes the effect of the levels.
    """

    effect: FloatArray
    p_steps: FloatArray
    p_states: FloatArray
    least: float
    weight: FloatArray
    steps: int

    @property
    def p(self) -> FloatArray:
        """The larger of both p-values: it holds whichever of the two nulls is true."""
        return np.maximum(self.p_steps, self.p_states)


def difference_weight(label: IntArray) -> FloatArray:
    """Weight of each state in (mean step under 1) - (mean step under -1).

    ``label`` (states,) belongs to the step that led to the state; 0 leaves a step out.
    """
    step = np.asarray(label[1:])
    up, down = step == 1, step == -1
    if not (up.any() and down.any()):
        raise InvalidValueError(
            "the current flowed in one direction only, so directions cannot be compared"
        )
    rate = up / up.sum() - down / down.sum()
    weight = np.zeros(len(label))
    weight[1:] += rate
    weight[:-1] -= rate
    return weight


def step_difference(
    levels: FloatArray, label: IntArray, *, draws: int = 20_000, seed: int = 0
) -> StepDifference:
    """Test whether steps between states differ by their label.

    Parameters
    ----------
    levels
        One value a state in each row, shape (rows, states).
    label
        1, -1 or 0 of the step that led to each state, shape (states,); the first is not used.

    Returns
    -------
    difference
        ``p_steps`` exchanges the labels of the steps: exact where steps are independent, as when
        changes add up. Neighbouring steps share a state, though: where each state has an error
        of its own, alternating labels find it again and again, and ``p_steps`` is too small.
        ``p_states`` exchanges the states, exact there. All p-values are two-sided.
    """
    weight = difference_weight(label)
    step = np.asarray(label[1:])
    used = np.flatnonzero(step != 0)
    steps = np.diff(levels, axis=1)[:, used]
    up = step[used] == 1
    rng = np.random.default_rng(seed)
    effect = levels @ weight

    chosen = _choices(len(used), int(up.sum()), draws, rng)
    rate = chosen / up.sum() - (1.0 - chosen) / (len(used) - up.sum())
    p_steps = _reached(effect, steps @ rate.T)

    order = _orders(len(label), draws, rng)
    p_states = np.array(
        [_reached(own[None] @ weight, own[order].dot(weight)[None])[0] for own in levels]
    )
    twins = 2.0 if 2 * int(up.sum()) == len(used) else 1.0
    return StepDifference(
        effect=effect,
        p_steps=p_steps,
        p_states=p_states,
        least=min(1.0, twins / comb(len(used), int(up.sum()))),
        weight=weight,
        steps=len(used),
    )


@dataclass(frozen=True, slots=True)
class PooledDifference:
    """The step difference of several series together; see `pooled_step_difference`.

    ``share`` (series,) is the weight of each one's own effect in ``effect``.
    """

    effect: FloatArray
    p_steps: FloatArray
    p_states: FloatArray
    least: float
    share: FloatArray
    steps: int

    @property
    def p(self) -> FloatArray:
        """The larger of both p-values: it holds whichever of the two nulls is true."""
        return np.maximum(self.p_steps, self.p_states)


def pooled_step_difference(
    series: Sequence[tuple[FloatArray, IntArray]], *, draws: int = 20_000, seed: int = 0
) -> PooledDifference:
    """Test whether steps differ by their label in several series of states taken together.

    Parameters
    ----------
    series
        Levels (rows, states) and label (states,) of each, as `step_difference` takes them; the
        rows ask the same questions. States may differ in number.

    Returns
    -------
    difference
        ``effect`` is the mean of the series' own effects, weighted by their steps. Labels, or
        states, are exchanged within each series and independently between them, so that nothing
        is taken for alike but what one series holds; two series of four steps give
        36 arrangements, of which two are as extreme as can be.
    """
    rng = np.random.default_rng(seed)
    counts = np.array([np.count_nonzero(label[1:]) for _, label in series])
    share = counts / counts.sum()
    effect: FloatArray = np.zeros(len(series[0][0]))
    by_steps, by_states = [], []
    least, balanced = 1.0, True
    for part, (levels, label) in zip(share, series, strict=True):
        weight = difference_weight(label)
        step = np.asarray(label[1:])
        used = np.flatnonzero(step != 0)
        up = int((step == 1).sum())
        chosen = _choices(len(used), up, draws, rng)
        rate = chosen / up - (1.0 - chosen) / (len(used) - up)
        effect = effect + part * (levels @ weight)
        by_steps.append(part * (np.diff(levels, axis=1)[:, used] @ rate.T))
        order = _orders(len(label), draws, rng)
        by_states.append(part * np.stack([own[order] @ weight for own in levels]))
        least /= comb(len(used), up)
        balanced &= 2 * up == len(used)
    return PooledDifference(
        effect=effect,
        p_steps=_reached(effect, _summed(by_steps, effect, rng)),
        p_states=_reached(effect, _summed(by_states, effect, rng)),
        least=min(1.0, least * (2.0 if balanced else 1.0)),
        share=share,
        steps=int(counts.sum()),
    )


def _summed(
    parts: Sequence[FloatArray], effect: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Sums of one arrangement of each part, (rows, arrangements): all, or the true and drawn."""
    total = parts[0]
    for part in parts[1:]:
        if total.shape[1] * part.shape[1] <= _MOST_SUMS:
            total = (total[:, :, None] + part[:, None, :]).reshape(len(total), -1)
        else:
            first, second = (rng.integers(0, own.shape[1], _MOST_SUMS) for own in (total, part))
            total = np.column_stack([effect, total[:, first] + part[:, second]])
    return total


def _reached(effect: FloatArray, null: FloatArray) -> FloatArray:
    """Share of the arrangements, the true one among them, that reach the effect."""
    return np.asarray(np.mean(np.abs(null) >= np.abs(effect)[:, None] * _ROUND, axis=1))


def _choices(steps: int, ups: int, draws: int, rng: np.random.Generator) -> FloatArray:
    if comb(steps, ups) <= _MOST:
        found = np.zeros((comb(steps, ups), steps))
        for row, members in enumerate(combinations(range(steps), ups)):
            found[row, list(members)] = 1.0
        return found
    found = np.zeros((draws, steps))
    found[:, :ups] = 1.0
    return rng.permuted(found, axis=1)


def _orders(states: int, draws: int, rng: np.random.Generator) -> IntArray:
    if factorial(states) <= _MOST:
        return np.array(list(permutations(range(states))), dtype=np.int64)
    return rng.permuted(np.tile(np.arange(states), (draws, 1)), axis=1)
