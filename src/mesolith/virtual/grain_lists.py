"""The instrument that makes a measured grain list from the truth of one state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mesolith.records.grains import GrainMap, Phases
from mesolith.virtual.arrays import FloatArray, IntArray, full_tensor
from mesolith.virtual.cell import GrainTruth
from mesolith.virtual.rotation import (
    matrices_from_quaternions,
    matrices_from_vectors,
    quaternions_from_matrices,
    random_orientations,
)

PHASE_NAMES = ("LLZTO I-43d", "LLZTO Ia-3d")
SPACE_GROUPS = (220, 230)


@dataclass(frozen=True, slots=True)
class GrainInstrument:
    """What a grain list does to the truth.

    The sigmas are standard deviations of each component: position (um), rotation vector (rad),
    strain (tensor components on sample axes). With ``tail_freedom`` above 2 the errors follow
    Student's t of that freedom, scaled to the same sigma; 0 means normal. With ``size_exponent``
    they grow as (mean radius / radius)^exponent. ``radius_scatter`` is relative. ``lost`` is the
    share of grains not found, small ones first to go; ``false`` the number of invented grains
    over that of found ones. ``lattice_angstrom`` stands in the file's head; the true stress-free
    lattice is ``lattice_angstrom * (1 + reference_offset)``, so that a strain taken against the
    file is too large by the offset. ``stated_share`` is the sigma that a file's user states,
    over the true one.
    """

    sigma_position_um: float = 8.0
    sigma_orientation_rad: float = math.radians(0.05)
    sigma_strain: float = 5e-5
    tail_freedom: float = 0.0
    size_exponent: float = 0.0
    radius_scatter: float = 0.08
    lost: float = 0.03
    false: float = 0.01
    reference_offset: float = 1e-4
    lattice_angstrom: float = 12.95
    stated_share: float = 1.0


@dataclass(frozen=True, slots=True)
class Motion:
    """How a state was mounted: x = rotation @ x_body + translation (um).

    ``dilatation`` is the drift of the instrument's length scale: it strains every lattice alike.
    """

    rotation: FloatArray
    translation: FloatArray
    dilatation: float = 0.0


STILL = Motion(np.eye(3), np.zeros(3))


@dataclass(frozen=True, slots=True)
class MeasuredGrains:
    """A grain list and what is behind it.

    ``truth_row`` is the row in ``truth`` of each row of ``map``, -1 for an invented grain;
    ``truth`` stands on the sample axes of this state, its motion applied.
    """

    map: GrainMap
    truth_row: IntArray
    truth: GrainTruth


def draw_motions(
    rng: np.random.Generator,
    states: int,
    *,
    shift_um: float = 40.0,
    rotation_deg: float = 0.5,
    drift: float = 0.0,
) -> tuple[Motion, ...]:
    """Motions of each state, the first one still; sizes are standard deviations."""
    motions = [STILL]
    for _ in range(states - 1):
        vector = rng.normal(size=3) * math.radians(rotation_deg) / math.sqrt(3.0)
        rotation = matrices_from_vectors(vector[None])[0]
        shift = rng.normal(size=3) * shift_um / math.sqrt(3.0)
        motions.append(Motion(rotation, shift, drift * float(rng.normal())))
    return tuple(motions)


def drifted(motions: Sequence[Motion], dilatation: FloatArray) -> tuple[Motion, ...]:
    """The motions with a further dilatation of each state, shape (states,)."""
    pairs = zip(motions, dilatation.tolist(), strict=True)
    return tuple(replace(m, dilatation=m.dilatation + own) for m, own in pairs)


def moved_truth(truth: GrainTruth, motion: Motion) -> GrainTruth:
    """Truth on the sample axes after the motion: places, orientations and tensors turn."""
    rotation = motion.rotation
    return GrainTruth(
        grain=truth.grain,
        position=truth.position @ rotation.T + motion.translation,
        volume=truth.volume,
        orientation=rotation @ truth.orientation,
        phase=truth.phase,
        stress=rotation @ truth.stress @ rotation.T,
        strain=rotation @ truth.strain @ rotation.T,
    )


def measure_grains(
    truth: GrainTruth,
    instrument: GrainInstrument,
    rng: np.random.Generator,
    *,
    motion: Motion = STILL,
) -> MeasuredGrains:
    """Grain list of one state: rows in a random order, ids of their own, strain still unknown.

    A lattice carries the elastic strain of its grain on the stress-free lattice and the drift;
    the orientation goes with it, so that orientation and lattice parameters together give the
    strained basis (x along a, z along c*).
    """
    truth = moved_truth(truth, motion)
    found = rng.permutation(_found(truth.radius, instrument.lost, rng))
    size = (truth.radius.mean() / truth.radius[found]) ** instrument.size_exponent
    noise = _Noise(rng, instrument.tail_freedom, size)
    strain = truth.strain[found] + motion.dilatation * np.eye(3)
    strain = strain + full_tensor(noise.draw(6) * instrument.sigma_strain)
    turn = matrices_from_vectors(noise.draw(3) * instrument.sigma_orientation_rad)
    rotation = turn @ truth.orientation[found]
    position = truth.position[found] + noise.draw(3) * instrument.sigma_position_um
    radius = truth.radius[found] * np.exp(instrument.radius_scatter * noise.draw(1)[:, 0])
    completeness = 1.0 - 0.22 * rng.beta(1.5, 5.0, len(found)) * np.minimum(size, 1.3)

    count = round(instrument.false * len(found))
    guess = rng.integers(0, len(found), count)
    spread = np.ptp(truth.position, axis=0)
    strain = np.concatenate([strain, full_tensor(rng.normal(size=(count, 6)) * 3e-4)])
    rotation = np.concatenate(
        [rotation, matrices_from_quaternions(random_orientations(rng, count))]
    )
    places = truth.position.mean(axis=0) + (rng.random((count, 3)) - 0.5) * spread * 0.8
    position = np.concatenate([position, places])
    radius = np.concatenate([radius, 0.6 * radius[guess]])
    completeness = np.concatenate([completeness, 0.70 + 0.08 * rng.random(count)])
    phase = np.concatenate([truth.phase[found], np.zeros(count, dtype=np.int64)])
    row = np.concatenate([found, np.full(count, -1)])

    order = rng.permutation(len(row))
    file_lattice = instrument.lattice_angstrom
    rotation, lattice = _lattice_of(
        strain[order], rotation[order], file_lattice * (1.0 + instrument.reference_offset)
    )
    phases = Phases(
        name=PHASE_NAMES,
        space_group=np.array(SPACE_GROUPS),
        lattice=np.array([[file_lattice] * 3 + [math.pi / 2.0] * 3] * 2),
    )
    return MeasuredGrains(
        map=GrainMap(
            grain_id=rng.permutation(3 * len(row))[: len(row)] + 1,
            position=position[order],
            orientation=quaternions_from_matrices(rotation),
            lattice=lattice,
            radius=radius[order],
            completeness=completeness[order],
            phase=phase[order],
            phases=phases,
            covariance=_stated_covariance(instrument, len(row)),
            error_source="given",
        ),
        truth_row=row[order],
        truth=truth,
    )


@dataclass(frozen=True, slots=True)
class _Noise:
    """Errors of unit variance, normal or heavy-tailed, larger for small grains."""

    rng: np.random.Generator
    freedom: float
    size: FloatArray

    def draw(self, columns: int) -> FloatArray:
        shape = (len(self.size), columns)
        if self.freedom > 2.0:
            scale = math.sqrt((self.freedom - 2.0) / self.freedom)
            values = self.rng.standard_t(self.freedom, shape) * scale
        else:
            values = self.rng.standard_normal(shape)
        return np.asarray(values * self.size[:, None])


def _found(radius: FloatArray, lost: float, rng: np.random.Generator) -> IntArray:
    """Rows that survive: the share ``lost`` goes, a small grain more easily than a large one."""
    count = len(radius)
    chance = (radius.mean() / radius) ** 2
    gone = rng.choice(count, round(lost * count), replace=False, p=chance / chance.sum())
    return np.setdiff1d(np.arange(count), gone)


def _lattice_of(
    strain: FloatArray, rotation: FloatArray, lattice: float
) -> tuple[FloatArray, FloatArray]:
    """Orientation (n, 3, 3) and lattice parameters (n, 6) of strained cubic crystals.

    The lattice vectors are (1 + strain) rotation times the cube edges. Orientation axes follow
    from them: x along a, z along a x b, which is c*.
    """
    basis = lattice * (np.eye(3) + strain) @ rotation
    a, b, c = basis[..., 0], basis[..., 1], basis[..., 2]
    x = a / np.linalg.norm(a, axis=1, keepdims=True)
    z = np.cross(a, b)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    turned = np.stack([x, np.cross(z, x), z], axis=-1)
    length = np.linalg.norm(basis, axis=1)
    cosine = np.stack(
        [
            (p * q).sum(axis=1) / (length[:, i] * length[:, j])
            for p, q, i, j in ((b, c, 1, 2), (a, c, 0, 2), (a, b, 0, 1))
        ],
        axis=1,
    )
    return turned, np.concatenate([length, np.arccos(cosine)], axis=1)


def _stated_covariance(instrument: GrainInstrument, count: int) -> FloatArray:
    """Diagonal covariance (n, 12, 12) of the sigmas that the user of the file states."""
    sigma = np.array(
        [instrument.sigma_position_um] * 3
        + [instrument.sigma_orientation_rad] * 3
        + [instrument.sigma_strain] * 6
    )
    return np.tile(np.diag((instrument.stated_share * sigma) ** 2), (count, 1, 1))
