"""From planted strengths to the eigenstrains that make exactly those.

In a homogeneous isotropic body the hydrostatic stress of a dilatational eigenstrain e is local:
-4 K G / (K + 4 G / 3) times (e less its mean), wherever it lies (Mura, Micromechanics of Defects
in Solids, 1987, 10.1007/978-94-009-3489-4, chapter 2; each wave of the solver obeys it). So a
field of hydrostatic stress, one value a grain, is planted by one dilatation a grain, and the
solver adds the shear stress that balances it. What makes the mean over the cell its load shifts
all grains alike.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from mesolith.errors import InvalidValueError
from mesolith.virtual.arrays import BoolArray, FloatArray, IntArray
from mesolith.virtual.elasticity import Cubic, isotropic_moduli
from mesolith.virtual.misfit import EARLY_MODE, MODES
from mesolith.virtual.plan import CellPlan
from mesolith.virtual.planted import Planted

FIRST, WITH_LITHIUM, WITH_CHARGE = range(MODES)


def hydrostatic_per_dilatation(stiffness: Cubic) -> float:
    """Hydrostatic stress (MPa) of a dilatational eigenstrain of 1 in all three normals."""
    bulk, shear = isotropic_moduli(stiffness)
    return -4.0 * bulk * shear / (bulk + 4.0 * shear / 3.0)


def planted_misfit(
    misfit: FloatArray,
    plan: CellPlan,
    *,
    grain: IntArray,
    position: FloatArray,
    hydrostatic: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Eigenstrains with the planted stress in them, shape (modes, n, 6).

    ``grain`` (m,) are the rows of ``misfit`` that have a place: ``position`` (m, 3), um, and
    ``hydrostatic`` (m,), MPa, true in the first state without anything planted. A rise from the
    second state on is a mode of its own, added only where one is planted.
    """
    stress = _planted_stress(plan, position, hydrostatic, rng)
    count = len(stress) if stress[EARLY_MODE].any() else MODES
    full = np.zeros((count, *misfit.shape[1:]))
    full[:MODES] = misfit
    dilatation = stress[:count] / hydrostatic_per_dilatation(plan.stiffness_mpa)
    full[:, grain, :3] += dilatation[:, :, None]
    return full


def spot_grains(hydrostatic: FloatArray, count: int) -> tuple[IntArray, IntArray]:
    """Rows of the hottest and of the coldest grains, most extreme first."""
    order = np.argsort(hydrostatic, kind="stable").astype(np.int64)
    if count > len(order):
        raise InvalidValueError(f"{count} planted spots in a cell of {len(order)} grains")
    return order[::-1][:count], order[:count]


def within(position: FloatArray, centre: IntArray, reach: float) -> BoolArray:
    """Whether each grain's centre lies within ``reach`` of one of these grains'."""
    distance, _ = cKDTree(position[centre]).query(position)
    return np.asarray(distance <= reach)


def drift_by_state(plan: CellPlan, seed: int) -> FloatArray:
    """Dilatation of each state that pretends ``plan.planted.drift_mpa``; the first has none."""
    dilatation = np.zeros(len(plan.states))
    if plan.planted.drift_mpa != 0.0 and len(dilatation) > 1:
        later = np.random.default_rng([seed, 0xD21F]).standard_normal(len(dilatation) - 1)
        later /= np.sqrt(np.mean(later**2))
        bulk, _ = isotropic_moduli(plan.stiffness_mpa)
        dilatation[1:] = plan.planted.drift_mpa / (3.0 * bulk) * later
    return dilatation


def _planted_stress(
    plan: CellPlan, position: FloatArray, hydrostatic: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Hydrostatic stress of each mode, (MODES + 1, m), MPa."""
    planted = plan.planted
    stress = np.zeros((MODES + 1, len(position)))
    if planted.relaxation_mpa != 0.0:
        stress[FIRST] += _relaxing(planted, position, hydrostatic)
    hot, cold = spot_grains(hydrostatic + stress[FIRST], planted.spots)
    near_hot = within(position, hot, planted.spot_um)
    near_cold = within(position, cold, planted.spot_um)
    stress[WITH_LITHIUM] += planted.direction_mpa * (near_hot | near_cold)
    stress[EARLY_MODE] += planted.hot_spot_mpa * near_hot + planted.cold_spot_mpa * near_cold
    if planted.trend_mpa != 0.0:
        axis = "xyz".index(planted.trend_axis)
        extent = plan.thickness_um if axis == 2 else plan.diameter_um
        stress[WITH_CHARGE] += planted.trend_mpa * position[:, axis] / extent
    if planted.clustering_mpa != 0.0:
        field = _smooth_field(position, planted.clustering_um, rng)
        stress[WITH_CHARGE] += planted.clustering_mpa * field
    return stress


def _relaxing(planted: Planted, position: FloatArray, hydrostatic: FloatArray) -> FloatArray:
    """Stress that falls along z about each of the hottest grains, which keep their own.

    It never rises above that of the spot, so that the hottest grains stay the hottest. A grain
    within reach of several belongs to the nearest.
    """
    hot, _ = spot_grains(hydrostatic, planted.relaxation_spots)
    distance, nearest = cKDTree(position[hot]).query(position)
    rise = (position[:, 2] - position[hot[nearest], 2]) / planted.relaxation_um
    strength = abs(planted.relaxation_mpa)
    stress = -strength * (np.sign(planted.relaxation_mpa) * rise + 1.0)
    stress[distance > planted.relaxation_um] = 0.0
    stress[hot] = 0.0
    return np.asarray(stress)


def _smooth_field(position: FloatArray, width: float, rng: np.random.Generator) -> FloatArray:
    """Random values alike over ``width`` (Gaussian weights), mean 0 and deviation 1."""
    tree = cKDTree(position)
    pairs = tree.sparse_distance_matrix(tree, 3.0 * width, output_type="coo_matrix").tocsr()
    pairs.data = np.exp(-0.5 * (pairs.data / width) ** 2)
    values = rng.standard_normal(len(position))
    field = pairs @ values + values  # a distance of zero is no entry of the matrix
    return np.asarray((field - field.mean()) / field.std())
