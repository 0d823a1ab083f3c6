"""Lattice and place of each grain by robust least squares on its spots, with covariances.

Unknown are the nine entries of the lattice matrix, as rotation vector and strain about the
present one, and the place; observed are fast, slow and omega of each spot with their covariance.
Derivatives are analytic. A spot that a neighbour displaced loses weight as if one in ten were
off by four standard deviations; one that several predictions claim counts by its share.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm import _kernels_refine as kernels
from mesolith.hedm.match import Matches, SpotLookup


@dataclass(frozen=True, slots=True)
class Refined:
    """Refined grains, sample axes.

    ``reciprocal`` (g, 3, 3) maps hkl to 1/angstrom, ``position`` (g, 3) is in um. ``covariance``
    (g, 12, 12) is that of place (um), rotation vector (rad) and strain 11 22 33 23 13 12 about the
    grain's own lattice, NaN where the spots do not determine it; it holds for the errors that
    the spots state, and ``variance`` (g,) is the mean squared residual in units of them.
    ``scatter`` (g,) is the mean squared residual with every spot counted as much as it decides,
    over what it is on average where the stated errors are right; ``effective`` (g,) how many
    spots of equal leverage would decide as these do. ``residual`` (g, h, 2, 3) is observed minus
    predicted fast, slow (px), omega (rad), NaN without a spot; ``square`` (g, h, 2) its square in
    units of the stated errors, and ``weight`` (g, h, 2) what each spot counted, both 0 there.
    """

    reciprocal: FloatArray
    position: FloatArray
    covariance: FloatArray
    variance: FloatArray
    scatter: FloatArray
    effective: FloatArray
    residual: FloatArray
    square: FloatArray
    weight: FloatArray

    def rows(self, rows: IntArray) -> Refined:
        """Those of some of the grains."""
        return Refined(*(getattr(self, field.name)[rows] for field in fields(self)))


def refine_grains(
    lookup: SpotLookup,
    reciprocal: FloatArray,
    position: FloatArray,
    phase: IntArray,
    table: FloatArray,
    matches: Matches,
    *,
    steps: int,
) -> Refined:
    """Refine grains on the spots of their matches with ``steps`` Gauss-Newton steps.

    What is told of the spots, and all errors, are those at the start of the last step.

    Grains are (g, 3, 3), (g, 3) and (g,), sample axes; ``table`` holds the indices of the phases.
    """
    shape = matches.spot.shape
    refined = Refined(
        np.array(reciprocal, dtype=np.float64),
        np.array(position, dtype=np.float64),
        np.empty((shape[0], 12, 12)),
        np.empty(shape[0]),
        np.empty(shape[0]),
        np.empty(shape[0]),
        np.full((*shape, 3), np.nan),
        np.zeros(shape),
        np.zeros(shape),
    )
    kernels.refine_grains(
        refined.reciprocal,
        refined.position,
        phase,
        table,
        matches.spot,
        matches.share,
        lookup.rows,
        lookup.panel,
        lookup.source,
        lookup.panels,
        steps,
        refined.covariance,
        refined.variance,
        refined.scatter,
        refined.effective,
        refined.residual,
        refined.square,
        refined.weight,
    )
    size, density, weight = _normal_sizes()
    expected = np.sum(density * weight**2 * size**2) / (3.0 * np.sum(density * weight))
    refined.scatter[:] /= expected
    return refined


def expected_variance() -> float:
    """What ``variance`` is on average where the stated errors are right: a little below 1."""
    size, density, weight = _normal_sizes()
    return float(np.sum(density * weight * size**2) / (3.0 * np.sum(density * weight)))


def _normal_sizes() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Lengths of normal residuals in three coordinates, how dense they lie, their weights."""
    size = np.linspace(0.0, 12.0, 2_401)
    density = size**2 * np.exp(-0.5 * size**2)
    weight = np.array([kernels.robust_weight(float(value) ** 2) for value in size])
    return size, density, weight
