"""Orientation and deviatoric strain of the grains of a pattern, refined together.

A <- (1 + K) A with tr K = 0: three rotations and five strains a grain, analytic derivatives,
Tukey's weights. A peak that two grains explain lies at the mean of both, weighed by the strengths
that they should have, and counts less the further apart they lie.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.laue._kernels_refine import (
    PARAMETERS,
    apply_step,
    normal_equations,
    strain_of_gradients,
)
from mesolith.numerics._kernels_small import factor_positive, solve_factored

# 11 22 33 23 13 12 from e11 e22 e23 e13 e12
SIX_FROM_FIVE = np.array(
    [
        [1.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 1.0, 0.0, 0.0, 0.0],
        [-1.0, -1.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 1.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 1.0],
    ]
)
# chi^2 of two coordinates beyond which a spot does not count, and its median when normal
LIMIT = 30.0
MEDIAN = 2.0 * np.log(2.0)
# of two normal coordinates with Tukey's weights: mean of w chi^2 over the mean of w
SHRINKAGE = 0.868
# variance of what is fitted with these weights over that which the weighted sums promise
TUKEY = 0.910


@dataclass(slots=True)
class Links:
    """Spots that have a peak, one row each; see `normal_equations` for the meaning."""

    hkl: FloatArray
    grain: IntArray
    share: FloatArray
    depth: FloatArray
    doubt: FloatArray
    point: IntArray
    other: IntArray

    def __len__(self) -> int:
        return len(self.grain)


@dataclass(frozen=True, slots=True)
class Fit:
    """What a refinement leaves.

    ``reciprocal`` (grains, 3, 3); ``residual`` (rows, 2) observed minus predicted, px;
    ``square`` (rows,) chi^2, ``weight`` (rows,); ``normal`` (8 n, 8 n) with unit scale; ``scale``
    the robust mean of chi^2 per coordinate.
    """

    reciprocal: FloatArray
    residual: FloatArray
    square: FloatArray
    weight: FloatArray
    normal: FloatArray
    scale: float


def refine(
    reciprocal: FloatArray,
    links: Links,
    place: FloatArray,
    variance: FloatArray,
    row: FloatArray,
    reference: FloatArray,
    *,
    strain_sigma: float,
    steps: int,
) -> Fit | None:
    """Gauss-Newton steps from reciprocal lattices (grains, 3, 3).

    ``place`` (peaks, 2) ideal px, ``variance`` (peaks,) px^2, ``row`` the geometry,
    ``reference`` (3, 3) or (grains, 3, 3) the reciprocal lattice without strain on crystal axes.
    The scale of the residuals comes from their median at each step. Each component of the strain
    is held to 0 with the standard deviation ``strain_sigma``, which only few spots at the wrong
    places feel. None where the spots do not determine all parameters.
    """
    g = np.array(reciprocal, dtype=np.float64, order="C")
    size = PARAMETERS * len(g)
    normal, right = np.empty((size, size)), np.empty(size)
    residual, square = np.zeros((len(links), 2)), np.full(len(links), np.inf)
    weight = np.zeros(len(links))
    scale, limit = 1.0, 1e12
    inverse = np.linalg.inv(reference)

    def sums() -> None:
        five = _strain_of(g @ inverse)
        normal_equations(
            g, links.hkl, links.grain, links.share, links.depth, links.doubt, links.point,
            links.other, place, variance, limit, scale / strain_sigma**2, five, row, normal,
            right, residual, square, weight,
        )  # fmt: skip

    sums()
    for _ in range(steps):
        scale = max(_middle(square) / MEDIAN, 0.05)
        limit = LIMIT * scale
        sums()
        factor = normal.copy()
        factor[np.diag_indices(size)] *= 1.0 + 1e-10
        if not factor_positive(factor):
            return None
        solve_factored(factor, right)
        for k in range(len(g)):
            apply_step(g[k], right, PARAMETERS * k)
    sums()
    return Fit(g, residual, square, weight, normal + np.tril(normal, -1).T, scale)


def _middle(values: FloatArray) -> float:
    """The upper median."""
    return float(np.partition(values, len(values) // 2)[len(values) // 2])


def whitening(variance: FloatArray, doubt: FloatArray, by_depth: FloatArray) -> FloatArray:
    """What residuals (n, 2) are multiplied by, (n, 2, 2), to have unit errors.

    ``variance`` (n,) is that of a place, px^2; along ``by_depth`` (n, 2), px/um, comes that of
    the depth, whose standard deviation is ``doubt`` (n,), um.
    """
    along = np.linalg.norm(by_depth, axis=1)
    axis = by_depth / along[:, None]
    less = 1.0 - np.sqrt(variance / (variance + (along * doubt) ** 2))
    shrink = np.eye(2)[None] - less[:, None, None] * axis[:, :, None] * axis[:, None, :]
    return np.asarray(shrink / np.sqrt(variance)[:, None, None])


def _strain_of(gradient: FloatArray) -> FloatArray:
    """Strains e11 e22 e23 e13 e12 (grains, 5) of reciprocal gradients g g0^-1 (grains, 3, 3)."""
    five = np.empty((len(gradient), 5))
    strain_of_gradients(gradient, five)
    return five


def mean_square(fit: Fit, links: Links, grain: int | None = None) -> tuple[float, float]:
    """Weighted chi^2 per degree of freedom, and the degrees of freedom, of one grain or all."""
    own = links.other < 0
    if grain is not None:
        own &= links.grain == grain
    weight = fit.weight[own]
    parameters = PARAMETERS * (len(fit.reciprocal) if grain is None else 1)
    free = 2.0 * weight.sum() - parameters
    if free <= 0.0:
        return np.nan, 0.0
    return float(np.sum(weight * fit.square[own]) / free / SHRINKAGE), float(free)


def covariance_of_grains(fit: Fit, links: Links) -> tuple[FloatArray, FloatArray]:
    """Covariances (grains, 9, 9) of rotation vector and six strains, and scatters (grains,).

    The scatter is a grain's chi^2 per degree of freedom, drawn towards that of all grains as if
    that had twenty degrees of freedom; covariances are multiplied by it.
    """
    inverse = np.linalg.inv(fit.normal)
    count = len(fit.reciprocal)
    everywhere = mean_square(fit, links)[0]
    covariance, scatter = np.empty((count, 9, 9)), np.empty(count)
    for k in range(count):
        part = slice(PARAMETERS * k, PARAMETERS * (k + 1))
        own, free = mean_square(fit, links, k)
        if not np.isfinite(everywhere):
            everywhere = 1.0
        if not np.isfinite(own):
            own = everywhere
        scatter[k] = (own * free + 20.0 * everywhere) / (free + 20.0)
        turn = np.zeros((9, 8))
        turn[:3, :3] = np.eye(3)
        turn[3:, 3:] = SIX_FROM_FIVE
        covariance[k] = scatter[k] * turn @ inverse[part, part] @ turn.T
    return covariance, scatter
