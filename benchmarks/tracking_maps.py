"""Two grain maps of one virtual pellet with known partners, for `track_grains.py`.

The maps come from this file alone: points with a hard core in a cylinder, random orientations,
and every change between the states drawn explicitly. Noise is drawn for both maps, with the
stated sigma for each coordinate of each map.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.symmetry import rotation_operators
from mesolith.numerics.rotations import (
    matrix_from_quaternion,
    quaternion_from_rotation_vector,
    quaternion_multiply,
    random_quaternions,
)
from mesolith.records.grains import GrainMap, Phases

LATTICE = np.array([12.95, 12.95, 12.95, *np.radians([90.0, 90.0, 90.0])])
PHASES = Phases(
    name=("LLZTO-I-43d", "LLZTO-Ia-3d"),
    space_group=np.array([220, 230]),
    lattice=np.array([LATTICE, LATTICE]),
)


@dataclass(frozen=True)
class Change:
    """What happens between the two states, and how well either is measured.

    Lengths in um, angles in degrees, shares of all grains. ``sigma_position`` and
    ``sigma_orientation`` hold per coordinate and per map. ``tail`` is the number of degrees of
    freedom of Student's t for the noise (None: Gaussian); ``cut`` is the share of the cylinder
    that the later map misses; ``told`` multiplies the sigmas that the tracker is told;
    ``reindexed`` is the share of grains found as the other phase.
    """

    grains: int = 30_000
    sigma_position: float = 5.0
    sigma_orientation: float = 0.05
    lost: float = 0.03
    new: float = 0.03
    split: float = 0.0
    rotated: float = 0.0
    twins: float = 0.0
    shift: float = 40.0
    turn: float = 1.0
    affine: float = 0.0
    radius_noise: float = 0.10
    tail: float | None = None
    cut: float = 0.0
    told: float = 1.0
    reindexed: float = 0.0
    minority: float = 0.03


EASY = Change()
HARD = Change(
    sigma_position=20.0,
    sigma_orientation=0.1,
    lost=0.15,
    new=0.15,
    split=0.03,
    rotated=0.02,
    twins=0.10,
    shift=200.0,
    turn=3.0,
    affine=1e-3,
)


@dataclass(frozen=True)
class Pair:
    """Two maps and the truth: the later row of each earlier row, or -1.

    ``fragment`` is the later row of the smaller part of a grain that split, or -1; the larger
    part counts as the grain itself. The motion takes true earlier to later positions.
    """

    before: GrainMap
    after: GrainMap
    partner: IntArray
    fragment: IntArray
    rotation: FloatArray
    translation: FloatArray


def two_maps(change: Change, seed: int) -> Pair:
    """A pair of maps with its truth; the same seed gives the same maps."""
    rng = np.random.default_rng([seed, 20])
    lost = round(change.lost * change.grains)
    new = round(change.new * change.grains)
    points = _hard_core_cylinder(rng, change.grains + new)
    rng.shuffle(points)
    radius = 24.0 * np.exp(0.2 * rng.standard_normal(len(points)))
    orientation = random_quaternions(rng, len(points))
    _plant_twins(rng, points, orientation, change.twins)
    phase = (rng.random(len(points)) < change.minority).astype(np.int64)

    old = np.arange(change.grains)
    gone = np.zeros(len(points), dtype=bool)
    gone[rng.choice(old, lost, replace=False)] = True
    gone[: change.grains] |= points[: change.grains, 0] > _quantile(points[:, 0], 1 - change.cut)

    later, turned = points.copy(), orientation.copy()
    later_radius = radius.copy()
    staying = old[~gone[: change.grains]]
    picked = rng.permutation(staying)
    splitting = picked[: round(change.split * staying.size)]
    rotating = picked[splitting.size :][: round(change.rotated * staying.size)]
    angle = np.radians(rng.uniform(0.5, 2.0, rotating.size))
    turned[rotating] = quaternion_multiply(
        quaternion_from_rotation_vector(_directions(rng, rotating.size) * angle[:, None]),
        turned[rotating],
    )
    share = rng.uniform(0.5, 0.9, splitting.size)
    along = _directions(rng, splitting.size) * radius[splitting, None]
    piece = points[splitting] + share[:, None] * along
    later[splitting] -= (1.0 - share)[:, None] * along
    piece_radius = radius[splitting] * (1.0 - share) ** (1.0 / 3.0)
    later_radius[splitting] *= share ** (1.0 / 3.0)
    tilt = np.radians(rng.uniform(0.0, 0.3, splitting.size))
    piece_orientation = quaternion_multiply(
        quaternion_from_rotation_vector(_directions(rng, splitting.size) * tilt[:, None]),
        orientation[splitting],
    )

    source = np.concatenate([np.flatnonzero(~gone), np.full(splitting.size, -1)])
    source[source >= change.grains] = -1
    position = np.concatenate([later[~gone], piece])
    attitude = np.concatenate([turned[~gone], piece_orientation])
    size = np.concatenate([later_radius[~gone], piece_radius])
    kind = np.concatenate([phase[~gone], phase[splitting]])
    parent = np.concatenate([np.full(int((~gone).sum()), -1), splitting])
    order = rng.permutation(len(source))
    source, parent = source[order], parent[order]
    other = rng.random(len(kind)) < change.reindexed
    kind = np.where(other, 1 - kind, kind)

    spin = quaternion_from_rotation_vector(_directions(rng, 1)[0] * np.radians(change.turn))
    rotation = matrix_from_quaternion(spin)
    translation = _directions(rng, 1)[0] * change.shift
    strain = rng.uniform(-1.0, 1.0, (3, 3)) * change.affine
    stretch = np.eye(3) + 0.5 * (strain + strain.T)
    moved = position[order] @ (stretch @ rotation).T + translation
    moved_attitude = quaternion_multiply(spin, attitude[order])

    partner = np.full(change.grains, -1)
    partner[source[source >= 0]] = np.flatnonzero(source >= 0)
    fragment = np.full(change.grains, -1)
    fragment[parent[parent >= 0]] = np.flatnonzero(parent >= 0)
    return Pair(
        _measured(rng, change, points[old], orientation[old], radius[old], phase[old]),
        _measured(rng, change, moved, moved_attitude, size[order], kind[order]),
        partner,
        fragment,
        rotation,
        translation,
    )


def misspecified(change: Change) -> dict[str, Change]:
    """The same change where an assumption of the tracker fails, one at a time."""
    return {
        "heavy tails (t, 3 degrees of freedom)": replace(change, tail=3.0),
        "told a third of the noise": replace(change, told=1.0 / 3.0),
        "told three times the noise": replace(change, told=3.0),
        "half of the later map missing": replace(change, cut=0.5),
        "one grain in ten found as the other phase": replace(change, reindexed=0.1),
    }


def _quantile(values: FloatArray, share: float) -> float:
    return np.inf if share >= 1.0 else float(np.quantile(values, share))


def _directions(rng: np.random.Generator, n: int) -> FloatArray:
    vector = rng.standard_normal((n, 3))
    return vector / np.linalg.norm(vector, axis=1, keepdims=True)


def _hard_core_cylinder(rng: np.random.Generator, n: int) -> FloatArray:
    """``n`` points in a cylinder, 1.6 by 0.9 in shape, 60,300 um3 a point, 30 um apart."""
    scale = (n / 30_000.0) ** (1.0 / 3.0)
    diameter, height = 1600.0 * scale, 900.0 * scale
    points = np.zeros((0, 3))
    while len(points) < n:
        trial = rng.uniform(-0.5, 0.5, (2 * n, 3)) * [diameter, diameter, height]
        trial = trial[np.hypot(trial[:, 0], trial[:, 1]) < 0.5 * diameter]
        if len(points):
            trial = trial[cKDTree(points).query(trial)[0] > 30.0]
        near = cKDTree(trial).query_pairs(30.0, output_type="ndarray")
        dropped = np.zeros(len(trial), dtype=bool)
        dropped[near.max(axis=1)] = True
        points = np.concatenate([points, trial[~dropped]])
    return points[:n]


def _plant_twins(
    rng: np.random.Generator, points: FloatArray, orientation: FloatArray, share: float
) -> None:
    """Give a share of the grains the Sigma3 twin orientation of their nearest neighbour."""
    twin = rng.choice(len(points), round(share * len(points)), replace=False)
    if twin.size == 0:
        return
    _, near = cKDTree(points).query(points[twin], k=2)
    axis = np.array([[1, 1, 1], [1, 1, -1], [1, -1, 1], [-1, 1, 1]]) / np.sqrt(3.0)
    turn = quaternion_from_rotation_vector(axis[rng.integers(4, size=twin.size)] * np.pi / 3.0)
    orientation[twin] = quaternion_multiply(orientation[near[:, 1]], turn)


def _noise(rng: np.random.Generator, change: Change, n: int) -> FloatArray:
    noise = rng.standard_normal((n, 3))
    if change.tail is not None:
        noise /= np.sqrt(rng.chisquare(change.tail, (n, 1)) / change.tail)
    return noise


def _measured(
    rng: np.random.Generator,
    change: Change,
    position: FloatArray,
    orientation: FloatArray,
    radius: FloatArray,
    phase: IntArray,
) -> GrainMap:
    """A map as an indexer would give it: noise, and one of the equivalent orientations."""
    n = len(position)
    seen = position + change.sigma_position * _noise(rng, change, n)
    turn = quaternion_from_rotation_vector(
        np.radians(change.sigma_orientation) * _noise(rng, change, n)
    )
    operators = rotation_operators(220)
    equivalent = operators[rng.integers(len(operators), size=n)]
    covariance = np.zeros((n, 12, 12))
    covariance[:, range(3), range(3)] = (change.told * change.sigma_position) ** 2
    covariance[:, range(3, 6), range(3, 6)] = (
        np.radians(change.told * change.sigma_orientation) ** 2
    )
    covariance[:, range(6, 12), range(6, 12)] = 1e-8
    return GrainMap(
        grain_id=np.arange(n),
        position=seen,
        orientation=quaternion_multiply(quaternion_multiply(turn, orientation), equivalent),
        lattice=np.tile(LATTICE, (n, 1)),
        radius=radius * np.exp(change.radius_noise * rng.standard_normal(n)),
        completeness=np.ones(n),
        phase=phase,
        phases=PHASES,
        covariance=covariance,
        error_source="assumed",
    )
