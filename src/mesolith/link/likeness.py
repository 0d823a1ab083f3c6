"""Tests of stress that is alike over many grains, where blocks would be too few.

Blocks of grains that count as independent are exact where neighbours are hardly alike. Where
stress is alike over several spacings, a small pellet holds one block or a few, and they tell
nothing. There the likeness itself is estimated (`mesolith.numerics.likeness`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.numerics.likeness import LEAST_UNITS, LikenessModel, SumTest

# along a path stress falls, and falls of a field are alike less far than the field
_FALL, _FALL_SPREAD = 0.85, 0.35


def trend_test(model: LikenessModel, position: FloatArray, fields: FloatArray) -> SumTest:
    """Slope of a plane through each field (n, fields): totals (fields, 3), per um."""
    place = position - position.mean(axis=0)
    weights = place @ np.linalg.inv(place.T @ place)
    return model.test(model.fit(fields), weights[:, None, :], (weights.T @ fields).T)


def change_test(
    model: LikenessModel, moved: FloatArray, weight: FloatArray, change: FloatArray
) -> SumTest:
    """Changes (questions,) of neighbourhoods against the mean of all grains.

    ``moved`` and ``weight`` (n, questions): change of each grain, and its weight as a member of
    the neighbourhoods, sum 1.
    """
    weights = weight - weight.sum(axis=0) / len(weight)
    return model.test(model.fit(moved), weights[:, :, None], change[:, None])


def mean_test(model: LikenessModel, values: FloatArray) -> SumTest:
    """Mean of each column (n, columns), for the error of an index that is a mean over grains."""
    weights = np.full((len(values), 1, 1), 1.0 / len(values))
    return model.test(model.fit(values), weights, values.mean(axis=0)[:, None])


def path_test(
    model: LikenessModel,
    position: FloatArray,
    spacing: float,
    stress: FloatArray,
    start: IntArray,
    excess: FloatArray,
    groups: tuple[IntArray, ...],
) -> SumTest:
    """Mean excess of paths in each group of states.

    ``stress`` (n, states) is what the paths follow; ``start`` and ``excess`` (paths, states).
    Paths are alike whose starts are near, in all states together. Nothing is told (NaN) where
    the stress of the starts itself holds too few independent units.
    """
    paths, states = excess.shape
    likeness = model.fit(stress)
    crowd = np.zeros((len(position), states))
    np.add.at(crowd, (start, np.arange(states)), 1.0 / paths)
    hot = model.test(likeness, crowd[:, :, None], np.sum(crowd * stress, axis=0)[:, None])

    place = position[start.ravel()]
    reach = float(np.median(model.reach(likeness)))
    expected = (_FALL * reach, _FALL_SPREAD)
    own = LikenessModel(place, spacing, fixed=np.ones((len(place), 1)), expected=expected)
    member = np.zeros((states, len(groups)))
    for g, chosen in enumerate(groups):
        member[chosen, g] = 1.0 / (paths * len(chosen))
    weights = np.tile(member, (paths, 1))[:, :, None]
    field = excess.ravel()
    found = own.test(own.fit(field[:, None]), weights, np.einsum("p,pgd->gd", field, weights))
    few = np.array([np.median(hot.units[chosen]) < LEAST_UNITS for chosen in groups])
    return replace(
        found,
        covariance=np.where(few[:, None, None], np.nan, found.covariance),
        freedom=np.where(few, np.nan, found.freedom),
        p=np.where(few, np.nan, found.p),
    )
