"""Tests of stress that is alike over many grains, where blocks would be too few.

Blocks of grains that count as independent are exact where neighbours are hardly alike. Where
stress is alike over several spacings, a small pellet holds one block or a few, and they tell
nothing. There the likeness itself is estimated (`mesolith.numerics.likeness`).
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from mesolith.axes import FloatArray, IntArray
from mesolith.numerics.likeness import LikenessModel, SumTest

# along a path stress falls, and falls of a field are alike less far than the field
_FALL, _FALL_SPREAD = 0.75, 0.35


def trend_test(model: LikenessModel, position: FloatArray, fields: FloatArray) -> SumTest:
    """Slope of a plane through each field (n, fields): totals (fields, 3), per um."""
    place = position - position.mean(axis=0)
    weights = place @ np.linalg.inv(place.T @ place)
    return model.test(model.fit(fields), weights[:, None, :], (weights.T @ fields).T)


def change_test(
    model: LikenessModel,
    moved: FloatArray,
    share: FloatArray,
    around: csr_array,
    change: FloatArray,
) -> SumTest:
    """Changes (questions,) of neighbourhoods against the mean of all grains.

    ``moved`` and ``share`` (n, questions): change of each grain, and its weight as a centre.
    """
    count = np.maximum(np.diff(around.indptr), 1).astype(np.float64)
    own = np.asarray(around.T @ (share / count[:, None]))
    weights = own - own.sum(axis=0) / len(own)
    return model.test(model.fit(moved), weights[:, :, None], change[:, None])


def mean_test(model: LikenessModel, values: FloatArray) -> SumTest:
    """Mean of each column (n, columns), for the error of an index that is a mean over grains."""
    weights = np.full((len(values), 1, 1), 1.0 / len(values))
    return model.test(model.fit(values), weights, values.mean(axis=0)[:, None])


def path_test(
    position: FloatArray,
    spacing: float,
    reach: float,
    start: IntArray,
    excess: FloatArray,
    groups: tuple[IntArray, ...],
) -> SumTest:
    """Mean excess of paths in each group of states.

    ``start`` and ``excess`` (paths, states); ``reach`` (um) is the range of likeness of stress.
    Paths are alike whose starts are near, in all states together.
    """
    states = excess.shape[1]
    place = position[start.ravel()]
    model = LikenessModel(
        place,
        spacing,
        fixed=np.ones((len(place), 1)),
        expected=(_FALL * reach, _FALL_SPREAD),
    )
    member = np.zeros((states, len(groups)))
    for g, own in enumerate(groups):
        member[own, g] = 1.0 / (len(excess) * len(own))
    weights = np.tile(member, (len(excess), 1))[:, :, None]
    field = excess.ravel()
    total = np.einsum("p,pgd->gd", field, weights)
    return model.test(model.fit(field[:, None]), weights, total)
