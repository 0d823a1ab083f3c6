"""What looking everywhere costs: evidence that a grain must bring beyond that of its place.

A grain is the best of very many hypotheses: every orientation, place and strain that its spots
can tell apart was a chance for strangers' spots to fall into line. Their number is the volume of
what was allowed over the volume that the grain's own errors leave, so its logarithm is what the
log likelihood ratio loses where the twelve unknowns are integrated out instead of fitted
(Laplace's approximation; MacKay 2003, Information Theory, Inference, and Learning Algorithms,
chapter 28). A ratio that exceeds it by x comes by chance in less than exp(-x) layers: no
likelihood ratio passes exp(x) more often than that where chance alone is at work.
"""

from __future__ import annotations

import math

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.symmetry import rotation_operators
from mesolith.hedm.index_settings import IndexSettings
from mesolith.hedm.phase_rings import PhaseRings

_ALL_ROTATIONS = 8.0 * math.pi**2  # volume of the rotations, rad^3
_UNKNOWNS = 12


def search_cost(
    covariance: FloatArray,
    phase: IntArray,
    phases: tuple[PhaseRings, ...],
    settings: IndexSettings,
) -> FloatArray:
    """Logarithm of the number of grains that the search could have told apart, for each grain.

    Parameters
    ----------
    covariance
        Of place (um), rotation vector (rad) and strain 11 22 33 23 13 12. Shape (g, 12, 12).
    phase
        Row of ``phases``. Shape (g,).
    settings
        Bounds of place and strain; orientations are bounded by the symmetry of the crystal.

    Returns
    -------
    cost
        Shape (g,), never negative; infinite where the spots do not determine a grain.
    """
    place = math.pi * settings.sample_radius**2 * settings.height
    strain = (2.0 * settings.strain) ** 6
    turns = np.array([_ALL_ROTATIONS / len(rotation_operators(one.space_group)) for one in phases])
    allowed = np.log(place * strain * turns)[phase]
    cost = np.full(len(phase), np.inf)
    known = np.isfinite(covariance).all(axis=(1, 2))
    # with unit variances the determinant keeps its digits
    sigma = np.sqrt(np.diagonal(covariance[known], axis1=1, axis2=2))
    scaled = covariance[known] / (sigma[:, :, None] * sigma[:, None, :])
    sign, logarithm = np.linalg.slogdet(scaled)
    left = 0.5 * (logarithm + _UNKNOWNS * math.log(2.0 * math.pi)) + np.log(sigma).sum(axis=1)
    cost[known] = np.where(sign > 0.0, np.maximum(allowed[known] - left, 0.0), np.inf)
    return cost
