"""Random errors as the measurement itself shows them: tracked pairs of two states.

The difference of a grain between two states holds the noise of both and whatever really
changed, so a standard error taken from it is an upper bound. Medians keep the few grains that
changed much from deciding it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mesolith.axes import SIX, FloatArray
from mesolith.crystal.elasticity import strain_from_lattice
from mesolith.numerics.heavy_tails import freedom_of_differences
from mesolith.records.grains import GrainMap
from mesolith.records.tracking import Tracking

_SURE = 0.95
_FEWEST = 30
_MAD = 1.482602218505602  # median absolute deviation -> standard deviation of a normal
_CHI3 = 1.538172254455262  # median of the length of a 3-vector of unit normals


@dataclass(frozen=True, slots=True)
class Repeatability:
    """Upper bounds of the random standard errors per component, from one pair of states.

    ``position`` um, ``orientation`` rad, ``strain`` and ``radius`` (relative) without unit;
    ``pairs`` is how many sure pairs they stand on.
    """

    position: float
    orientation: float
    strain: float
    radius: float
    pairs: int


def repeatability(before: GrainMap, after: GrainMap, tracking: Tracking) -> Repeatability | None:
    """Bounds from the pairs that are right with probability 0.95; None for fewer than 30.

    A change that all grains share (motion, drift of a length scale) is removed first.
    """
    sure = tracking.probability >= _SURE
    if int(sure.sum()) < _FEWEST:
        return None
    first, last = tracking.before[sure], tracking.after[sure]
    start = before.phases.lattice[before.phase[first]]
    strain = strain_from_lattice(before.lattice[first], start, before.orientation[first])
    # the later strain against the same lattice, turned back into the earlier mounting
    later = strain_from_lattice(after.lattice[last], start, after.orientation[last])
    turn = tracking.rotation
    change = turn.T @ later @ turn - strain
    spreads = [_spread(change[:, i, j]) for i, j in SIX]
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = np.log(after.radius[last] / before.radius[first])
    growth = growth[np.isfinite(growth)]
    half = np.sqrt(0.5)
    return Repeatability(
        position=float(half * np.median(tracking.distance[sure]) / _CHI3),
        orientation=float(half * np.median(tracking.misorientation[sure]) / _CHI3),
        strain=float(half * np.sqrt(np.mean(np.square(spreads)))),
        radius=float(half * _spread(growth)) if growth.size >= _FEWEST else float("nan"),
        pairs=int(sure.sum()),
    )


def noise_freedom(trackings: Sequence[Tracking]) -> float:
    """Degrees of freedom of the noise's tails, from all sure pairs; infinite where normal.

    Positions and orientations do not change between states, once the common motion is removed,
    so that what is left of them shows the shape of the noise. Strain, which does change, is
    taken to have noise of the same shape: a grain that is badly fitted is so in all.
    """
    lengths = []
    for tracking in trackings:
        sure = tracking.probability >= _SURE
        lengths += [tracking.distance[sure], tracking.misorientation[sure]]
    return freedom_of_differences(lengths)


def _spread(values: FloatArray) -> float:
    return _MAD * float(np.median(np.abs(values - np.median(values))))


def tightest(bounds: Sequence[Repeatability]) -> Repeatability | None:
    """The smallest bound of each quantity: that pair saw the least real change.

    Sizes do not change between states, so that radii have nothing to be bounded: their spreads
    are averaged.
    """
    if not bounds:
        return None
    radii = [bound.radius for bound in bounds if np.isfinite(bound.radius)]
    radius = float(np.sqrt(np.mean(np.square(radii)))) if radii else float("nan")
    return Repeatability(
        position=min(bound.position for bound in bounds),
        orientation=min(bound.orientation for bound in bounds),
        strain=min(bound.strain for bound in bounds),
        radius=radius,
        pairs=max(bound.pairs for bound in bounds),
    )


def widened_covariance(
    covariance: FloatArray, *, position: float, orientation: float, strain: float
) -> FloatArray:
    """Covariance (n, 12, 12) whose blocks are raised to measured standard errors per component.

    A block (position in um, rotation vector in rad, strain) is scaled so that its median standard
    error becomes the given one where that is larger; a NaN or smaller one leaves it alone.
    """
    widened = covariance.copy()
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    blocks = ((position, slice(0, 3)), (orientation, slice(3, 6)), (strain, slice(6, 12)))
    for estimated, block in blocks:
        assumed = float(np.sqrt(np.median(variance[:, block]))) if len(variance) else 0.0
        if estimated > assumed > 0.0:
            widened[:, block, :] *= estimated / assumed
            widened[:, :, block] *= estimated / assumed
    return widened
