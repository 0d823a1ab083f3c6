"""Mean stress that equilibrium asks for, and the reference that grants it.

The mean stress over a whole body is (1/V) times the surface integral of sym(t (x) x): a stack
pressure p along z with free sides gives diag(0, 0, -p). Pores count as zero stress, so the mean
over the solid is larger by 1 / (1 - porosity).
"""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray
from mesolith.crystal.elasticity import stress_by_strain
from mesolith.errors import InvalidValueError

_IDENTITY = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])


def target_stress(
    pressure: float, *, lateral: str = "free", porosity: float = 0.0
) -> tuple[FloatArray, float]:
    """Mean stress over the solid (3, 3), MPa, and the half-width of what a die leaves open.

    With "free" sides diag(0, 0, -p) / (1 - porosity), half-width 0. With "confined" sides the
    radial stress q is unknown between 0 (no contact) and -p: the middle is given, and how far the
    hydrostatic mean can lie from it on either side.
    """
    if not (pressure >= 0.0 and 0.0 <= porosity < 1.0):
        raise InvalidValueError(
            f"stack pressure {pressure} MPa and porosity {porosity} make no target",
            remedy="A stack pressure is positive in compression.",
        )
    axial = -pressure / (1.0 - porosity)
    radial = 0.5 * axial if lateral == "confined" else 0.0
    half_width = abs(axial) / 3.0 if lateral == "confined" else 0.0
    return np.diag([radial, radial, axial]), half_width


def normalised_weights(radius: FloatArray, completeness: FloatArray) -> FloatArray:
    """Weight of each grain in a mean over the body: volume times confidence, sum 1."""
    weights = np.asarray(radius, dtype=np.float64) ** 3 * np.asarray(completeness)
    total = float(weights.sum())
    if not (np.all(weights >= 0.0) and np.isfinite(total) and total > 0.0):
        raise InvalidValueError(
            "the volumes times confidences of the grains are not positive",
            remedy="Check the columns of radius and confidence.",
        )
    return weights / total


def weighted_mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted mean over the first axis; a fixed order of summation, so always the same bits."""
    return np.asarray(np.sum(weights.reshape(-1, *[1] * (values.ndim - 1)) * values, axis=0))


def response_to_dilatation(stiffness: FloatArray, orientation: FloatArray) -> FloatArray:
    """Stress 11 22 33 23 13 12 of a unit uniform dilatation of each grain, MPa, (n, 6).

    3K on the diagonal for a cubic crystal. A reference lattice larger by d lowers the stress by
    d times this.
    """
    return np.asarray(stress_by_strain(stiffness, orientation) @ _IDENTITY)


def isotropic_correction(
    mean_stress: FloatArray, mean_response: FloatArray, target: FloatArray
) -> float:
    """Uniform dilatation that the mean stress has too much, by least squares over six components.

    All three arguments are 11 22 33 23 13 12. For cubic crystals the response is along the
    identity, so that this balances the hydrostatic mean exactly.
    """
    residual = mean_stress - target
    return float(mean_response @ residual / (mean_response @ mean_response))
