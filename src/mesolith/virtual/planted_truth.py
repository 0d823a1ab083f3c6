"""What of the planted effects is true of a cell: read from its stress, not from what was asked."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from mesolith.virtual.arrays import FloatArray, IntArray
from mesolith.virtual.cell import VirtualCell
from mesolith.virtual.elasticity import isotropic_moduli
from mesolith.virtual.planting import spot_grains, within

_PAIRS = 1.5  # grains no farther apart than this many mean diameters are a pair


@dataclass(frozen=True, slots=True)
class PlantedTruth:
    """True strengths, hydrostatic stress in MPa; what the cell holds beside is in them too.

    ``trend_mpa`` (3,): rise across the whole cell along x, y and z of the plane through the
    change of all grains from the first state to the last. ``clustering_mpa``: square root of the
    mean product of that change, its mean removed, over pairs of neighbours; a product below
    zero gives minus the root of its size. ``hot``, ``cold``: numbers of the grains that are the
    spots of the first state. ``hot_mpa``, ``cold_mpa``, ``both_mpa``, ``far_mpa`` (states,): mean
    over the grains near hot spots, near cold spots, near either, near none; NaN over no grain.
    ``direction_mpa``: half of what ``both_mpa`` less ``far_mpa`` changes by in half cycles that
    plate, less that in half cycles that strip; NaN without either. ``relaxation_mpa`` (states,):
    fall of stress towards the working electrode over ``relaxation_um``, by least squares over
    the grains near the hottest ones of the first state. ``drift_mpa`` (states,): what the
    dilatation of the instrument pretends.
    """

    trend_mpa: FloatArray
    clustering_mpa: float
    hot: IntArray
    cold: IntArray
    hot_mpa: FloatArray
    cold_mpa: FloatArray
    both_mpa: FloatArray
    far_mpa: FloatArray
    direction_mpa: float
    relaxation_mpa: FloatArray
    drift_mpa: FloatArray


def planted_truth(cell: VirtualCell) -> PlantedTruth:
    """True strengths of the effects that `mesolith.virtual.planted.Planted` can plant.

    Grains count alike, whatever their size, and those that have solid in all states.
    """
    plan, planted = cell.plan, cell.plan.planted
    truths = [cell.grain_truth(k) for k in range(len(plan.states))]
    last = truths[-1].grain  # pores only grow: what is left at the end was there before
    rows = [np.searchsorted(truth.grain, last) for truth in truths]
    stress = np.column_stack(
        [t.stress_hydrostatic[own] for t, own in zip(truths, rows, strict=True)]
    )
    place = truths[-1].position
    hot, cold = spot_grains(stress[:, 0], planted.spots)
    near_hot = within(place, hot, planted.spot_um)
    near_cold = within(place, cold, planted.spot_um)
    near = near_hot | near_cold
    both, far = _mean(stress[near]), _mean(stress[~near])
    change = stress[:, -1] - stress[:, 0]
    bulk, _ = isotropic_moduli(plan.stiffness_mpa)
    return PlantedTruth(
        trend_mpa=_rise(place, change)
        * np.array([plan.diameter_um, plan.diameter_um, plan.thickness_um]),
        clustering_mpa=_alike(place, change, _PAIRS * plan.grain_um),
        hot=last[hot],
        cold=last[cold],
        hot_mpa=_mean(stress[near_hot]),
        cold_mpa=_mean(stress[near_cold]),
        both_mpa=both,
        far_mpa=far,
        direction_mpa=_half_difference(np.diff(both - far), cell),
        relaxation_mpa=_fall(place, stress, planted.relaxation_spots, planted.relaxation_um),
        drift_mpa=3.0 * bulk * cell.drift,
    )


def _mean(stress: FloatArray) -> FloatArray:
    if not len(stress):
        return np.full(stress.shape[1], np.nan)
    return np.asarray(stress.mean(axis=0))


def _rise(place: FloatArray, change: FloatArray) -> FloatArray:
    """Slopes (3,) of the plane through the values, MPa/um."""
    columns = np.column_stack([np.ones(len(place)), place])
    return np.asarray(np.linalg.lstsq(columns, change, rcond=None)[0][1:])


def _alike(place: FloatArray, change: FloatArray, reach: float) -> float:
    pairs = cKDTree(place).query_pairs(reach, output_type="ndarray")
    rest = change - change.mean()
    product = float(np.mean(rest[pairs[:, 0]] * rest[pairs[:, 1]])) if len(pairs) else 0.0
    return math.copysign(math.sqrt(abs(product)), product)


def _half_difference(step: FloatArray, cell: VirtualCell) -> float:
    moved = np.diff([state.net for state in cell.plan.states])
    if not ((moved > 0).any() and (moved < 0).any()):
        return math.nan
    return 0.5 * float(step[moved > 0].mean() - step[moved < 0].mean())


def _fall(place: FloatArray, stress: FloatArray, spots: int, reach: float) -> FloatArray:
    """Minus the slope along z about the nearest of the hottest grains, times the reach."""
    hot, _ = spot_grains(stress[:, 0], spots)
    distance, nearest = cKDTree(place[hot]).query(place)
    around = (distance <= reach) & (distance > 0.0)
    rise = place[around, 2] - place[hot[np.asarray(nearest)[around]], 2]
    rise -= rise.mean()
    values = stress[around] - stress[around].mean(axis=0)
    return np.asarray(-reach * (rise @ values) / (rise @ rise))
