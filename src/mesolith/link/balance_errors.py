"""How well a weighted mean of the grains' stress is known.

The mean over the found grains errs against the mean over the body by four independent parts:
the noise of the grains; the errors of their volumes, which weigh them wrongly; the grains that
were not found, which differ from those that were; and what shifts a state as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.records.grains import GrainMap
from mesolith.records.tracking import Tracking

BoolArray = NDArray[np.bool_]

_SIZE_CLASSES = 3
_DRIFT_LEVEL = 0.01


@dataclass(frozen=True, slots=True)
class MeanErrors:
    """Variances of a weighted mean hydrostatic stress, MPa2."""

    noise: float
    volume: float
    sampling: float


def hydrostatic_variance(derivative: FloatArray, strain_covariance: FloatArray) -> FloatArray:
    """Noise variance of the hydrostatic stress of each grain (n,), MPa2."""
    row = derivative[:, :3, :].sum(axis=1) / 3.0
    return np.einsum("ni,nij,nj->n", row, strain_covariance, row)


def mean_errors(
    hydrostatic: FloatArray,
    derivative: FloatArray,
    strain_covariance: FloatArray,
    weights: FloatArray,
    *,
    radius_scatter: float,
    lost_by_grain: FloatArray,
) -> MeanErrors:
    """Parts of the variance of the mean with these weights (sum 1).

    A relative error s of the radii moves a weight by 3 s of itself, so the mean by
    3 s w (value - mean). A grain lost with chance l leaves a gap of variance l w^2 (value -
    mean)^2. What noise adds to these squares is taken off: the weights of the noise part are
    the measured ones, which hold it already.
    """
    noise = hydrostatic_variance(derivative, strain_covariance)
    deviation = (hydrostatic - float(weights @ hydrostatic)) ** 2 - noise
    squared = weights**2
    return MeanErrors(
        noise=float(squared @ noise),
        volume=max(0.0, float((3.0 * radius_scatter) ** 2 * (squared @ deviation))),
        sampling=max(0.0, float((lost_by_grain * squared) @ deviation)),
    )


def lost_shares(
    maps: Sequence[GrainMap],
    trackings: Sequence[Tracking],
    body_volume: float | None,
    porosity: float,
) -> tuple[FloatArray, list[FloatArray], FloatArray]:
    """How much of the body was not found.

    Returned: the share of the grains lost in each state; for each state the chance of each of its
    grains to be lost, by thirds of size; and the indexed share of the pellet's volume (NaN
    without its size). The shares come from grains of a neighbouring state that have no partner;
    those that have none in the state beyond either are taken for false, but at the first and
    the last state false grains count as lost. Without tracking the shares come from the volume
    that is missing; with neither the found grains count as a sample of a far larger body (1).
    """
    volumes = np.array([4.0 / 3.0 * np.pi * float(np.sum(m.radius**3)) for m in maps])
    indexed = np.full(len(maps), np.nan) if body_volume is None else volumes / body_volume
    if not trackings:
        solid = indexed / (1.0 - porosity)
        lost = np.where(np.isnan(solid), 1.0, np.clip(1.0 - solid, 0.0, 1.0))
        chances = [np.full(len(m), float(share)) for m, share in zip(maps, lost, strict=True)]
        return lost, chances, indexed
    lost = np.empty(len(maps))
    chances = []
    for k, grain_map in enumerate(maps):
        # who of the neighbours is missing here: (neighbour's radii, rows without a partner)
        seen = []
        if k > 0:
            beyond = trackings[k - 2].new if k > 1 else None
            seen.append(_missing(maps[k - 1], trackings[k - 1].lost, beyond))
        if k < len(maps) - 1:
            beyond = trackings[k + 1].lost if k < len(maps) - 2 else None
            seen.append(_missing(maps[k + 1], trackings[k].new, beyond))
        radius = np.concatenate([radius for radius, _ in seen])
        missing = np.concatenate([gone for _, gone in seen])
        lost[k] = float(missing.mean()) if missing.size else 1.0
        chances.append(_chance_by_size(radius, missing, grain_map.radius))
    return lost, chances, indexed


def _missing(
    neighbour: GrainMap, here: IntArray, beyond: IntArray | None
) -> tuple[FloatArray, BoolArray]:
    """Radii of a neighbour's credible grains, and which of them have no partner here."""
    rows = np.arange(len(neighbour))
    gone = np.isin(rows, here)
    credible = np.ones(len(rows), dtype=bool)
    if beyond is not None:
        credible = ~(gone & np.isin(rows, beyond))
    return neighbour.radius[credible], gone[credible]


def _chance_by_size(radius: FloatArray, missing: BoolArray, of: FloatArray) -> FloatArray:
    if not radius.size:
        return np.ones(len(of))
    edges = np.quantile(radius, np.arange(1, _SIZE_CLASSES) / _SIZE_CLASSES)
    group = np.searchsorted(edges, radius, side="right")
    total = np.bincount(group, minlength=_SIZE_CLASSES)
    gone = np.bincount(group, weights=missing, minlength=_SIZE_CLASSES)
    share = gone / np.maximum(total, 1)
    return np.asarray(share[np.searchsorted(edges, of, side="right")])


def drift_from_scatter(imbalance: FloatArray, variance: FloatArray) -> float:
    """Standard deviation (MPa) by which the states' means scatter beyond their own errors.

    Zero unless Cochran's Q rejects plain errors at 1 percent; else the estimate of DerSimonian
    and Laird, 10.1016/0197-2456(86)90046-2. Of two states it is known to a factor of some only.
    """
    from scipy.special import chdtrc

    count = len(imbalance)
    if count < 2 or np.any(variance <= 0.0):
        return 0.0
    weights = 1.0 / variance
    mean = float(weights @ imbalance / weights.sum())
    q = float(weights @ (imbalance - mean) ** 2)
    if float(chdtrc(count - 1, q)) >= _DRIFT_LEVEL:
        return 0.0
    scale = float(weights.sum() - (weights @ weights) / weights.sum())
    return float(np.sqrt(max(0.0, (q - (count - 1)) / scale)))
