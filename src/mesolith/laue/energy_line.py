"""Lattice parameter against distance from an interface or a grain boundary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.records.laue_energy import SizedLattices


@dataclass(frozen=True, slots=True)
class LatticeTrend:
    """Mean lattice parameters by distance.

    ``distance`` (b,) um is the mean of each bin's points, ``lattice_parameter`` (b,) angstrom
    their mean weighed by the random errors, ``random_se`` (b,) what is independent from bin to
    bin, ``total_se`` (b,) with the common part; ``points`` (b,). ``difference`` is the first bin
    less the last, relative to the last; most of the common part is gone from its error.
    """

    distance: FloatArray
    lattice_parameter: FloatArray
    random_se: FloatArray
    total_se: FloatArray
    points: IntArray
    difference: float
    difference_se: float


def lattice_against_distance(
    lattices: SizedLattices, distance: FloatArray, edges: FloatArray
) -> LatticeTrend:
    """Means in bins of distance, of the first component of each point.

    Parameters
    ----------
    distance
        Of each row of ``lattices`` from the interface or boundary, um, (rows,).
    edges
        Edges of the bins, um, ascending; empty bins are left out.

    The random error of a mean is that of its points' stated errors, or their scatter about the
    mean where that is larger: lattices differ, too.

    Raises
    ------
    InvalidValueError
        Fewer than two bins hold points.
    """
    which = np.digitize(distance, edges) - 1
    inside = (lattices.component == 0) & (which >= 0) & (which < len(edges) - 1)
    bins = np.unique(which[inside])
    if len(bins) < 2:
        raise InvalidValueError(
            f"points lie in {len(bins)} of {len(edges) - 1} bins of distance",
            remedy="Choose edges that part the points.",
        )
    weights = np.zeros((len(bins), len(lattices)))
    for k, one in enumerate(bins):
        rows = np.flatnonzero(inside & (which == one))
        weights[k, rows] = 1.0 / lattices.lattice_parameter_se[rows] ** 2
    weights /= weights.sum(axis=1, keepdims=True)
    a = lattices.lattice_parameter
    mean = weights @ a
    points = np.count_nonzero(weights > 0.0, axis=1)
    variance = weights**2 @ lattices.lattice_parameter_se**2
    apart = np.where(weights > 0.0, a[None, :] - mean[:, None], 0.0) ** 2
    spread = np.sum(weights * apart, axis=1) / np.maximum(points - 1, 1)
    variance = np.maximum(variance, spread)
    contrast = weights[0] - weights[-1]
    common, left = np.zeros(len(bins)), 0.0
    for mode in lattices.common_modes:
        if "lattice_parameter" in mode.derivatives:
            shift = mode.sigma * mode.derivatives["lattice_parameter"]
            common += (weights @ shift) ** 2
            left += float(contrast @ shift) ** 2
    return LatticeTrend(
        distance=weights @ distance,
        lattice_parameter=mean,
        random_se=np.sqrt(variance),
        total_se=np.sqrt(variance + common),
        points=points,
        difference=float(mean[0] / mean[-1] - 1.0),
        difference_se=float(np.sqrt(variance[0] + variance[-1] + left) / mean[-1]),
    )
