"""How densely chance partners lie around each grain: what a candidate pair is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.link.candidates import Grains, equivalents_near_zone, nearest_equivalents

_DENSITY_NEIGHBOURS = 12
_ORIENTATION_NEIGHBOURS = 8
_ORIENTATION_SAMPLE = 3000
_ORIENTATION_REACH = np.radians(15.0)


@dataclass(frozen=True, slots=True)
class Chance:
    """Density of chance partners: per later grain, the logarithms of what a new grain would give.

    ``place`` is grains per um3 and rad3 if every later grain were new; ``size`` the density of
    its logarithmic radius (NaN where unknown) and ``size_before`` that of each earlier grain's;
    ``label`` the share of its phase label.
    """

    place: FloatArray
    size: FloatArray
    size_before: FloatArray
    label: FloatArray


def chance_of_maps(
    before: Grains,
    after: Grains,
    *,
    sigma_position: float,
    sigma_orientation: float,
    rng: np.random.Generator,
) -> Chance:
    """Local densities of the later map in position, orientation, size and phase.

    The sigmas (um, rad) are those of a pair's difference: finer than these no density is seen.
    """
    from scipy.spatial import cKDTree

    count = len(after)
    neighbours = min(_DENSITY_NEIGHBOURS, count - 1)
    radius = np.full(count, 2.0 * sigma_position)
    if neighbours > 0:
        reach = np.asarray(cKDTree(after.position).query(after.position, k=neighbours + 1)[0])
        radius = np.maximum(radius, reach[:, -1])
    place = np.log(max(neighbours, 1) / (4.0 / 3.0 * np.pi * radius**3))
    for kind, operators in enumerate(after.operators):
        rows = after.of_kind(kind)
        if rows.size:
            place[rows] += np.log(rows.size / count)
            place[rows] += _log_orientation_density(
                after.orientation[rows], operators, 2.0 * sigma_orientation, rng
            )
    label = np.log(np.bincount(after.label)[after.label] / count)
    # among its own kind only: other kinds are no candidates
    of_kind = np.bincount(after.kind)[after.kind] / count
    return Chance(
        place,
        _log_size_density(after.log_radius),
        _log_size_density(before.log_radius),
        label - np.log(of_kind),
    )


def _log_size_density(log_radius: FloatArray) -> FloatArray:
    """Logarithm of the density of each logarithmic radius among all; NaN where it says nothing."""
    density = np.full(len(log_radius), np.nan)
    known = np.isfinite(log_radius)
    if known.sum() > 1 and np.std(log_radius[known]) > 1e-6:
        mean, spread = np.mean(log_radius[known]), np.std(log_radius[known])
        density[known] = log_normal(log_radius[known] - mean, float(spread))
    return density


def _log_orientation_density(
    orientation: FloatArray, operators: FloatArray, finest: float, rng: np.random.Generator
) -> FloatArray:
    """Logarithm of the local density of orientations, per rad3, from the nearest ones.

    ``finest`` (rad) is the smallest angle over which it is taken.
    """
    from scipy.spatial import cKDTree

    uniform = len(operators) / (8.0 * np.pi**2)
    count = len(orientation)
    nearest = _ORIENTATION_NEIGHBOURS
    if count < 4 * nearest:
        return np.full(count, np.log(uniform))
    sample = orientation
    if count > _ORIENTATION_SAMPLE:
        sample = orientation[np.sort(rng.choice(count, _ORIENTATION_SAMPLE, replace=False))]
    _, image = equivalents_near_zone(sample, operators, _ORIENTATION_REACH)
    reach = 2.0 * np.sin(0.25 * _ORIENTATION_REACH)
    near, _ = cKDTree(image, balanced_tree=False).query(
        nearest_equivalents(orientation, operators), k=nearest + 1, distance_upper_bound=reach
    )
    chord = np.asarray(near)
    inside = np.isfinite(chord)
    found = np.maximum(inside.sum(axis=1) - 1, 1)
    radius = np.where(inside.all(axis=1), chord[:, -1], reach)
    angle = np.maximum(4.0 * np.arcsin(0.5 * radius), finest)
    share = len(operators) * (angle - np.sin(angle)) / np.pi
    log_density: FloatArray = np.log(uniform * found / (len(sample) * share))
    return log_density


def log_normal(value: FloatArray, sigma: float) -> FloatArray:
    """Log density of a centred normal distribution."""
    log_density: FloatArray = -0.5 * (value / sigma) ** 2 - np.log(sigma * np.sqrt(2.0 * np.pi))
    return log_density
