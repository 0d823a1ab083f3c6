"""Maps of a virtual section drawn from its truth, without patterns.

Each value is the truth at the surface plus noise: a share that is a point's own, and one that
fades with distance, as smooth errors of the analysis do. What is wrong for all points of a scan
is drawn too: the calibration, the same in all scans, and the depth, anew in each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from mesolith.records.field import CommonMode
from mesolith.records.grains import Phases
from mesolith.records.laue_map import BESIDE_BOUNDARY, NO_PATTERN, LaueMap, LaueMapGrains
from mesolith.records.laue_scan import LaueScan
from mesolith.virtual.arrays import COMPONENTS, FloatArray, IntArray, full_tensor
from mesolith.virtual.laue.section import Section
from mesolith.virtual.rotation import matrices_from_vectors, quaternions_from_matrices

_TILT = math.radians(45.0)
# columns: the section's axes in the laboratory, beam along x, z up
SECTION_AXES = np.array(
    [
        [math.cos(_TILT), 0.0, -math.sin(_TILT)],
        [0.0, 1.0, 0.0],
        [math.sin(_TILT), 0.0, math.cos(_TILT)],
    ]
)


@dataclass(frozen=True, slots=True)
class MapNoise:
    """Standard deviations of what is wrong with a map.

    ``strain``, ``turn`` (rad) and ``width`` (px) are of one point; ``smooth`` is the share of the
    variance that fades with ``reach`` um. ``depth`` (um) is that of the depth, anew in each scan,
    ``calibration`` the strain that a common error puts into grains.
    """

    strain: float = 6e-5
    turn: float = 4e-5
    width: float = 0.03
    smooth: float = 0.4
    reach: float = 12.0
    depth: float = 3.0
    calibration: float = 5e-5


def map_from_truth(
    section: Section,
    scan: LaueScan,
    *,
    state: int,
    noise: MapNoise,
    seed: int,
    shift: tuple[float, float] = (0.0, 0.0),
) -> LaueMap:
    """Map of a state, as a scan shows it whose places are off by ``shift`` um.

    A place p of the scan is the place p - ``shift`` of the section. Errors of one ``seed`` have
    the calibration in common, whatever the state.
    """
    rng = np.random.default_rng([seed, state])
    x, y = scan.x - shift[0], scan.y - shift[1]
    grain = section.grain_at(x, y, np.zeros(len(x)))
    own = np.maximum(grain, 0)
    errors = np.stack([_noise(rng, scan, noise) for _ in range(10)], axis=1)
    turn = section.rotation_vector(own, x, y, state) + noise.turn * errors[:, :3]
    strain = section.strain_at(own, x, y, state) + noise.strain * _traceless(errors[:, 3:9])
    strain = SECTION_AXES @ strain @ SECTION_AXES.T
    depth, modes = _common(section, own, noise, seed)
    strain = strain + noise.depth * rng.standard_normal() * depth
    strain = strain + modes.sigma * _drawn(seed) * modes.derivatives["strain"]
    lattice = matrices_from_vectors(turn) @ section.orientation[own]
    orientation = quaternions_from_matrices(SECTION_AXES @ lattice)
    orientation = orientation * np.where(orientation[:, :1] < 0.0, -1.0, 1.0)
    inside = grain >= 0
    angle, references = _from_mean(turn, own, inside, section)
    variance = 2.0 / 3.0 * 5.0 * noise.strain**2
    square = 2.0 / 3.0 * np.einsum("nij,nij->n", strain, strain) - variance
    size = np.sqrt(np.maximum(square, 0.0))
    width = 1.0 + 200.0 * angle + noise.width * errors[:, 9]
    missing = np.where(inside, 1.0, np.nan)
    whole = np.where(inside, 1, -1)
    return LaueMap(
        scan=scan,
        surface=SECTION_AXES[:, 2],
        phases=Phases(("LLZO",), np.array([230]), _LATTICE[None]),
        grains=_grains(section, grain, x, y, references),
        status=_status(scan, grain),
        grain=grain,
        solutions=inside.astype(np.int64),
        phase=np.where(inside, 0, -1),
        orientation=orientation * missing[:, None],
        strain=strain * missing[:, None, None],
        covariance=_covariance(noise) * missing[:, None, None],
        depth_sensitivity=depth * missing[:, None, None],
        strain_equivalent=size * missing,
        strain_equivalent_se=noise.strain * missing,
        misorientation=angle * missing,
        misorientation_se=noise.turn * missing,
        kernel_misorientation=missing * section.plan.bend,
        completeness=missing,
        spots=60 * whole,
        brightness=1e4 * missing,
        peak_width=width * missing,
        peak_width_se=noise.width * missing,
        streak=0.0 * missing,
        streak_tilt=0.0 * missing,
        bend=0.0 * missing,
        bend_se=1e-5 * missing,
        bend_axis=np.full((len(grain), 3), np.nan),
        common_modes=(modes,),
    )


_LATTICE = np.array([12.97, 12.97, 12.97, math.pi / 2, math.pi / 2, math.pi / 2])
CALIBRATION = "laue calibration 1"


def _noise(rng: np.random.Generator, scan: LaueScan, noise: MapNoise) -> FloatArray:
    """Errors (points,) of variance 1 on a raster without gaps."""
    shape = (scan.raster_rows, scan.raster_columns)
    step = abs(float(scan.x[1] - scan.x[0]))
    # a white field smoothed by s is alike as exp(-d^2 / 4 s^2), and of variance 1 / 4 pi s^2
    wide = noise.reach / step / math.sqrt(2.0)
    smooth = gaussian_filter(rng.standard_normal(shape), wide, mode="wrap")
    smooth *= 2.0 * wide * math.sqrt(math.pi)
    white = rng.standard_normal(shape)
    field = math.sqrt(noise.smooth) * smooth + math.sqrt(1.0 - noise.smooth) * white
    return np.asarray(field[scan.row, scan.column])


def _traceless(six: FloatArray) -> FloatArray:
    """Tensors (n, 3, 3) without trace whose variance is alike in all directions."""
    free = six * np.array([1.0, 1.0, 1.0, *([math.sqrt(0.5)] * 3)])
    free[:, :3] -= free[:, :3].mean(axis=1, keepdims=True)
    return full_tensor(free)


def _covariance(noise: MapNoise) -> FloatArray:
    own = np.zeros((9, 9))
    own[:3, :3] = noise.turn**2 * np.eye(3)
    own[3:6, 3:6] = noise.strain**2 * (np.eye(3) - 1.0 / 3.0)
    own[6:, 6:] = 0.5 * noise.strain**2 * np.eye(3)
    return own


def _common(
    section: Section, own: IntArray, noise: MapNoise, seed: int
) -> tuple[FloatArray, CommonMode]:
    """Strain (points, 3, 3) per um of depth, and the mode of the calibration."""
    rng = np.random.default_rng([seed, len(COMPONENTS), 77])
    base = _traceless(rng.standard_normal((2, 6)))
    tilt = _traceless(rng.standard_normal((2 * len(section.site), 6)))
    depth = 3e-6 * (base[0] + 0.2 * tilt[: len(section.site)])
    answer = noise.calibration * (base[1] + 0.2 * tilt[len(section.site) :])
    return depth[own], CommonMode(CALIBRATION, 1.0, "1", {"strain": answer[own]})


def _drawn(seed: int) -> float:
    return float(np.random.default_rng([seed, 78]).standard_normal())


def _from_mean(
    turn: FloatArray, own: IntArray, inside: np.ndarray, section: Section
) -> tuple[FloatArray, FloatArray]:
    """Angle (points,) to the grain's mean, and the means (grains, 4); angles are small."""
    mean = np.zeros((len(section.site), 3))
    for k in range(len(mean)):
        rows = (own == k) & inside
        if np.any(rows):
            mean[k] = turn[rows].mean(axis=0)
    lattice = SECTION_AXES @ matrices_from_vectors(mean) @ section.orientation
    reference = quaternions_from_matrices(lattice)
    reference = reference * np.where(reference[:, :1] < 0.0, -1.0, 1.0)
    return np.linalg.norm(turn - mean[own], axis=1), reference


def _grains(
    section: Section, grain: IntArray, x: FloatArray, y: FloatArray, reference: FloatArray
) -> LaueMapGrains:
    names = np.unique(grain[grain >= 0])
    return LaueMapGrains(
        grain_id=names,
        points=np.array([np.sum(grain == k) for k in names]),
        x=np.array([x[grain == k].mean() for k in names]),
        y=np.array([y[grain == k].mean() for k in names]),
        orientation=reference[names],
        spread=np.full(len(names), section.plan.bend * section.plan.width / 4.0),
    )


def _status(scan: LaueScan, grain: IntArray) -> IntArray:
    laid = np.full((scan.raster_rows + 2, scan.raster_columns + 2), -1)
    laid[scan.row + 1, scan.column + 1] = grain
    beside = np.zeros(len(grain), dtype=bool)
    for i, j in ((0, 1), (2, 1), (1, 0), (1, 2)):
        other = laid[scan.row + i, scan.column + j]
        beside |= (other >= 0) & (grain >= 0) & (other != grain)
    return np.where(grain < 0, NO_PATTERN, np.where(beside, BESIDE_BOUNDARY, 0))
