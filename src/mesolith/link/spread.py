"""Spread and mean of a state's stress as a sample, with errors that know of places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.link.space import BLOCK, grain_spacing, likeness_range
from mesolith.numerics.spatial import block_labels
from mesolith.records.grains import GrainMap


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviation (MPa) of the hydrostatic stress over the grains, noise taken out.

    NaN where noise alone would spread as widely. ``blocks`` of grains count as independent.
    """

    value: float
    se: float
    grains: int
    blocks: int


def true_spread(grain_map: GrainMap) -> Spread:
    """Spread of the true hydrostatic stress of one state.

    The variance of the measured stress less the mean square of its errors. Its error is that of
    the grains as a sample: another pellet of the same kind would have other grains. It comes from
    blocks of grains, and is NaN where there are fewer than two of them.
    """
    stress, error = grain_map.stress_hydrostatic, grain_map.stress_hydrostatic_se
    nan = float("nan")
    if stress is None or error is None:
        return Spread(nan, nan, 0, 0)
    good = np.isfinite(stress) & np.isfinite(error)
    count = int(good.sum())
    if count < 3:
        return Spread(nan, nan, count, 0)
    own = (stress[good] - stress[good].mean()) ** 2 - error[good] ** 2
    variance = float(own.mean()) * count / (count - 1)
    of_variance, blocks = sample_error(
        (own - own.mean()) / count, grain_map.position[good], grain_map.radius[good]
    )
    if variance <= 0.0:
        return Spread(nan, nan, count, blocks)
    spread = float(np.sqrt(variance))
    return Spread(spread, of_variance / (2.0 * spread), count, blocks)


def sample_error(parts: FloatArray, position: FloatArray, radius: FloatArray) -> tuple[float, int]:
    """Standard error of a sum over grains taken as a sample, and the number of blocks behind it.

    Parameters
    ----------
    parts
        What each grain adds to the sum, their own mean taken off; shape (n,).
    position, radius
        Of the grains, um, shapes (n, 3) and (n,). Neighbours may be alike, so blocks count as
        independent that are wider than the parts are seen to be alike.

    Returns
    -------
    error, blocks
        The error is NaN for fewer than two blocks.
    """
    spacing = grain_spacing(radius)
    alike = likeness_range(position, parts[:, None], spacing)
    block = block_labels(position, max(BLOCK * spacing, 2.0 * alike))
    sums = np.bincount(block, weights=parts)
    blocks = len(sums)
    if blocks < 2:
        return float("nan"), blocks
    return float(np.sqrt(np.sum(sums**2) * blocks / (blocks - 1.0))), blocks
