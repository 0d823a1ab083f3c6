"""Grains under more tension than the first state holds: how many, where, and whether by chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray
from mesolith.records.cell import Cell
from mesolith.records.grains import GrainMap
from mesolith.records.lives import life_numbers, motions_since_first
from mesolith.report.state_stress import TAIL, mean_of_state

_ERRORS = 4.0


@dataclass(frozen=True, slots=True)
class HotGrains:
    """Grains of one state beyond the threshold, and those of them that were not in the first.

    ``chance`` is the probability that a state like the first gives as many. ``newly`` counts the
    grains that were found in the first state below the threshold, or not at all; where no grain
    is ``followed`` from the first state, all count. ``centre``, its standard error and ``spread``
    (standard deviations, um, axes and mount of the first state) say where they lie; NaN where
    there are fewer than two. ``body`` is the spread of all grains.
    """

    state: str
    count: int
    grains: int
    chance: float
    newly: int
    followed: bool
    centre: FloatArray
    centre_se: FloatArray
    spread: FloatArray
    body: FloatArray


@dataclass(frozen=True, slots=True)
class Tension:
    """Hot grains by state; ``threshold`` in MPa above the mean of the grain's own state."""

    threshold: float
    states: tuple[HotGrains, ...]


class _State(NamedTuple):
    name: str
    number: int
    grains: GrainMap
    away: FloatArray
    sigma: FloatArray


def tension(cell: Cell) -> Tension | None:
    """Count the grains under unusual tension in every state; None below two states with stress.

    A grain is hot where its hydrostatic stress lies above the mean of its state by more than the
    99.5 % point of the first state, and by more than four stated standard errors of itself and of
    the median grain of any state. Its state's mean is taken off, so that a drift of distance,
    energy or temperature makes no hot grains. The first state's count is smeared to the noise of
    the state it is compared with. Counts of two states are compared by the exact binomial
    test of two Poisson rates: with n of N grains hot in the first state, the number hot in a
    like state follows a negative binomial. Grains found in both states make the test cautious.
    """
    states = _states(cell)
    if len(states) < 2:
        return None
    first = states[0]
    noise = max(float(np.median(state.sigma)) for state in states)
    threshold = max(float(np.quantile(first.away, 1.0 - TAIL)), _ERRORS * noise)
    lives = life_numbers(cell, {state.index: grains for state, grains in cell.having(GrainMap)})
    motions = motions_since_first(cell)
    cold = lives[first.number][_hot(first, threshold)]
    found = []
    for state in states:
        hot = _hot(state, threshold)
        new = hot & ~np.isin(lives[state.number], cold)
        position = motions[state.number].undone(state.grains.position)
        centre, error, spread = _where(position[new])
        found.append(
            HotGrains(
                state=state.name,
                count=int(hot.sum()),
                grains=len(hot),
                chance=_chance(first, state, threshold) if state is not first else 1.0,
                newly=int(new.sum()),
                followed=bool(np.isin(lives[state.number], lives[first.number]).any()),
                centre=centre,
                centre_se=error,
                spread=spread,
                body=np.std(position, axis=0, ddof=1) if len(position) > 1 else np.full(3, np.nan),
            )
        )
    return Tension(threshold, tuple(found))


def _states(cell: Cell) -> list[_State]:
    found = []
    for state, grains in cell.having(GrainMap):
        stress, sigma = grains.stress_hydrostatic, grains.stress_hydrostatic_se
        if stress is None or sigma is None or not np.any(np.isfinite(stress)):
            continue
        away = stress - mean_of_state(cell, state.name, grains)
        away = np.where(np.isfinite(away), away, -np.inf)
        found.append(_State(state.name, state.index, grains, away, np.nan_to_num(sigma)))
    return found


def _hot(state: _State, threshold: float) -> NDArray[np.bool_]:
    return np.asarray((state.away > threshold) & (state.away > _ERRORS * state.sigma))


def _chance(first: _State, state: _State, threshold: float) -> float:
    """Probability of as many hot grains where nothing but the noise differs."""
    from scipy.stats import binom, norm

    extra = float(np.median(state.sigma)) ** 2 - float(np.median(first.sigma)) ** 2
    before = int(_hot(first, threshold).sum())
    if extra > 0.0:
        smeared = norm.sf((threshold - first.away) / np.sqrt(extra))
        before = max(before, int(np.ceil(float(np.sum(smeared)))))
    after = int(_hot(state, threshold).sum())
    share = len(state.away) / (len(first.away) + len(state.away))
    return float(binom.sf(after - 1, before + after, share)) if after else 1.0


def _where(position: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    if len(position) < 2:
        unknown = np.full(3, np.nan)
        return unknown, unknown, unknown
    spread = np.std(position, axis=0, ddof=1)
    return np.mean(position, axis=0), spread / np.sqrt(len(position)), spread
