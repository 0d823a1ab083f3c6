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


class LocalDensity:
    """How far the nearest like grains lie from each grain, in position and in orientation."""

    def __init__(self, grains: Grains, rng: np.random.Generator) -> None:
        from scipy.spatial import cKDTree

        count = len(grains)
        self.neighbours = max(min(_DENSITY_NEIGHBOURS, count - 1), 1)
        self.radius = np.zeros(count)
        if count > 1:
            tree = cKDTree(grains.position)
            reach = np.asarray(tree.query(grains.position, k=[self.neighbours + 1])[0])
            self.radius = reach[:, 0]
        self.per_angle = np.zeros(count)  # share of the orientations within ``angle``
        self.angle = np.zeros(count)
        self.operators = np.zeros(count)
        self.of_kind = np.bincount(grains.kind)[grains.kind] / max(count, 1)
        for kind, operators in enumerate(grains.operators):
            rows = grains.of_kind(kind)
            self.operators[rows] = len(operators)
            if rows.size >= 4 * _ORIENTATION_NEIGHBOURS:
                self.per_angle[rows], self.angle[rows] = _orientation_shares(
                    grains.orientation[rows], operators, rng
                )

    def logarithm(self, *, sigma_position: float, sigma_orientation: float) -> FloatArray:
        """Logarithm of the density of grains like each, per um3 and rad3.

        No finer than two sigmas (um, rad); orientations are uniform where too few are known.
        """
        radius = np.maximum(self.radius, 2.0 * sigma_position)
        place = np.log(self.of_kind * self.neighbours / (4.0 / 3.0 * np.pi * radius**3))
        uniform = self.operators / (8.0 * np.pi**2)
        angle = np.maximum(self.angle, 2.0 * sigma_orientation)
        share = self.operators * (angle - np.sin(angle)) / np.pi
        excess = np.where(self.per_angle > 0.0, self.per_angle / share, 1.0)
        density: FloatArray = place + np.log(uniform * excess)
        return density


def chance_of_maps(
    before: Grains,
    after: Grains,
    density: LocalDensity,
    *,
    sigma_position: float,
    sigma_orientation: float,
) -> Chance:
    """Local densities of the later map in position, orientation, size and phase.

    The sigmas (um, rad) are those of a pair's difference: finer than these no density is seen.
    """
    label = np.log(np.bincount(after.label)[after.label] / len(after))
    # among its own kind only: other kinds are no candidates
    return Chance(
        density.logarithm(sigma_position=sigma_position, sigma_orientation=sigma_orientation),
        _log_size_density(after.log_radius),
        _log_size_density(before.log_radius),
        label - np.log(density.of_kind),
    )


def _log_size_density(log_radius: FloatArray) -> FloatArray:
    """Logarithm of the density of each logarithmic radius among all; NaN where it says nothing."""
    density = np.full(len(log_radius), np.nan)
    known = np.isfinite(log_radius)
    if known.sum() > 1 and np.std(log_radius[known]) > 1e-6:
        mean, spread = np.mean(log_radius[known]), np.std(log_radius[known])
        density[known] = log_normal(log_radius[known] - mean, float(spread))
    return density


def _orientation_shares(
    orientation: FloatArray, operators: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Share of all orientations that lie within an angle of each, and that angle (rad).

    The angle reaches the eighth nearest of at most 3,000 others, and 15 degrees at most.
    """
    from scipy.spatial import cKDTree

    sample = orientation
    if len(orientation) > _ORIENTATION_SAMPLE:
        chosen = rng.choice(len(orientation), _ORIENTATION_SAMPLE, replace=False)
        sample = orientation[np.sort(chosen)]
    _, image = equivalents_near_zone(sample, operators, _ORIENTATION_REACH)
    reach = 2.0 * np.sin(0.25 * _ORIENTATION_REACH)
    near, _ = cKDTree(image, balanced_tree=False).query(
        nearest_equivalents(orientation, operators),
        k=_ORIENTATION_NEIGHBOURS + 1,
        distance_upper_bound=reach,
    )
    chord = np.asarray(near)
    inside = np.isfinite(chord)
    found = np.maximum(inside.sum(axis=1) - 1, 1)
    radius = np.where(inside.all(axis=1), chord[:, -1], reach)
    return found / len(sample), 4.0 * np.arcsin(0.5 * radius)


def log_normal(value: FloatArray, sigma: float) -> FloatArray:
    """Log density of a centred normal distribution."""
    log_density: FloatArray = -0.5 * (value / sigma) ** 2 - np.log(sigma * np.sqrt(2.0 * np.pi))
    return log_density
