"""Peak lists of virtual white-beam patterns, with the truth of every peak.

The forward code is its own: a lattice plane mirrors the beam, rays start at depths sampled from
the attenuation along their way in and out, and each is carried to the panel; a peak is the mean
of its rays over depths and harmonics.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.virtual.arrays import COMPONENTS, FloatArray, IntArray, full_tensor
from mesolith.virtual.laue.crystal import HC_KEV_ANGSTROM, CrystalReflections
from mesolith.virtual.laue.station import LaueStation
from mesolith.virtual.rotation import matrices_from_quaternions, random_orientations

_DEPTHS = 12
_ALONG_BEAM = np.array([1.0, 0.0, 0.0])


@dataclass(frozen=True, slots=True)
class LaueCrystals:
    """Grains under the beam, laboratory axes.

    ``orientation`` (n, 3, 3) takes crystal to laboratory, ``strain`` (n, 3, 3) then stretches;
    ``weight`` (n,) scales the intensities. ``top`` and ``bottom`` (n,) are where the beam enters
    and leaves the grain, um behind the surface.
    """

    orientation: FloatArray
    strain: FloatArray
    weight: FloatArray
    top: FloatArray
    bottom: FloatArray

    def lattice_vectors(self, lattice_angstrom: float) -> FloatArray:
        """a, b, c as columns, angstrom, (n, 3, 3)."""
        return np.asarray((np.eye(3) + self.strain) @ self.orientation * lattice_angstrom)

    def __len__(self) -> int:
        return len(self.weight)


@dataclass(frozen=True, slots=True)
class PatternPlan:
    """How spots become a list of peaks.

    ``sigma_px`` is the noise of a position in each direction, ``tail_freedom`` the degrees of
    freedom of Student's t it is drawn from (0: normal), scaled to that standard deviation where
    it has one. Spots closer than ``merge_px`` become one peak. Peaks below ``faintest`` of the
    strongest are not seen; of the others the share ``missed`` is lost, and ``spurious`` times as
    many are added anywhere. ``family_log_sigma``: the intensity of each family of reflections is
    multiplied by a factor of that spread, unknown to the analysis. ``intensity_log_sigma`` is
    the noise of a single peak.
    """

    sigma_px: float = 0.1
    tail_freedom: float = 0.0
    merge_px: float = 3.0
    faintest: float = 1.8e-2
    missed: float = 0.05
    spurious: float = 0.03
    family_log_sigma: float = 1.5
    intensity_log_sigma: float = 0.3


@dataclass(frozen=True, slots=True)
class Spots:
    """Exact spots, one row each: place (px), intensity, strongest member, energy, depth (um)."""

    grain: IntArray
    place: FloatArray
    intensity: FloatArray
    member: IntArray
    energy: FloatArray
    depth: FloatArray

    def __len__(self) -> int:
        return len(self.grain)

    def take(self, rows: IntArray) -> Spots:
        """Some of the rows."""
        return Spots(
            self.grain[rows],
            self.place[rows],
            self.intensity[rows],
            self.member[rows],
            self.energy[rows],
            self.depth[rows],
        )


@dataclass(frozen=True, slots=True)
class LauePattern:
    """A list of peaks, strongest first, and its truth.

    ``place`` (n, 2) fast and slow in px with noise, ``intensity`` (n,); ``grain`` (n,) is the row
    of the grain that the peak comes from, the strongest one where several merged, -1 where it is
    spurious; ``hkl`` (n, 3) is 0 there. ``merged``: several spots made it.
    """

    crystals: LaueCrystals
    place: FloatArray
    intensity: FloatArray
    grain: IntArray
    hkl: IntArray
    energy: FloatArray
    depth: FloatArray
    merged: IntArray


def random_crystals(
    rng: np.random.Generator,
    weights: tuple[float, ...],
    *,
    strain: float = 5e-4,
    layered_um: float = 0.0,
) -> LaueCrystals:
    """Grains of random orientation with deviatoric strains of that von Mises equivalent.

    The equivalent is sqrt(2/3 e:e). With ``layered_um`` each grain begins at a random depth up
    to it; else all reach from the surface down.
    """
    count = len(weights)
    six = rng.standard_normal((count, 6))
    six[:, :3] -= six[:, :3].mean(axis=1, keepdims=True)
    tensor = full_tensor(six)
    size = np.sqrt(2.0 / 3.0 * np.sum(tensor**2, axis=(1, 2)))
    return LaueCrystals(
        orientation=matrices_from_quaternions(random_orientations(rng, count)),
        strain=strain * tensor / size[:, None, None],
        weight=np.array(weights, dtype=np.float64),
        top=layered_um * rng.uniform(size=count),
        bottom=np.full(count, np.inf),
    )


def twin_of(crystals: LaueCrystals, row: int, turn: FloatArray, weight: float) -> LaueCrystals:
    """The grains and one more: the twin of one of them by a rotation (3, 3) on crystal axes."""
    return LaueCrystals(
        orientation=np.concatenate(
            [crystals.orientation, (crystals.orientation[row] @ turn)[None]]
        ),
        strain=np.concatenate([crystals.strain, crystals.strain[row : row + 1]]),
        weight=np.append(crystals.weight, weight),
        top=np.append(crystals.top, crystals.top[row]),
        bottom=np.append(crystals.bottom, crystals.bottom[row]),
    )


def exact_spots(
    crystals: LaueCrystals,
    reflections: CrystalReflections,
    station: LaueStation,
    family_factor: FloatArray | None = None,
) -> Spots:
    """Every spot on the panel, harmonics together, without noise."""
    found = [
        _spots_of_grain(crystals, k, reflections, station, family_factor)
        for k in range(len(crystals))
    ]
    return Spots(
        np.concatenate([one.grain for one in found]),
        np.concatenate([one.place for one in found]),
        np.concatenate([one.intensity for one in found]),
        np.concatenate([one.member for one in found]),
        np.concatenate([one.energy for one in found]),
        np.concatenate([one.depth for one in found]),
    )


def measure_pattern(
    crystals: LaueCrystals,
    reflections: CrystalReflections,
    station: LaueStation,
    plan: PatternPlan,
    rng: np.random.Generator,
) -> LauePattern:
    """The list of peaks that a peak search would have made of the pattern."""
    families = int(reflections.family.max()) + 1
    factor = np.exp(plan.family_log_sigma * rng.standard_normal(families))
    expected = exact_spots(crystals, reflections, station).intensity
    shown = int(np.count_nonzero(expected > plan.faintest * expected.max(initial=0.0)))
    exact = exact_spots(crystals, reflections, station, factor)
    limit = float(np.sort(exact.intensity)[::-1][min(shown, len(exact) - 1)])
    spots, merged = _merged(exact, plan, limit)
    seen = spots.intensity * np.exp(plan.intensity_log_sigma * rng.standard_normal(len(spots)))
    keep = (seen > limit) & (rng.uniform(size=len(spots)) >= plan.missed)
    spots, merged, seen = spots.take(np.flatnonzero(keep)), merged[keep], seen[keep]
    extra = round(plan.spurious * len(spots))
    noise = rng.standard_normal((len(spots), 2))
    if plan.tail_freedom > 0.0:
        freedom = plan.tail_freedom
        spread = np.sqrt(freedom / (freedom - 2.0)) if freedom > 2.0 else 1.0
        noise = rng.standard_t(freedom, size=(len(spots), 2)) / spread
    nowhere = rng.uniform(size=(extra, 2)) * np.array(station.shape[::-1])
    nothing = np.exp(rng.uniform(np.log(limit), np.log(20.0 * limit), extra))
    order = np.argsort(-np.concatenate([seen, nothing]), kind="stable")
    none = np.zeros(extra)
    return LauePattern(
        crystals=crystals,
        place=np.concatenate([spots.place + plan.sigma_px * noise, nowhere])[order],
        intensity=np.concatenate([seen, nothing])[order],
        grain=np.concatenate([spots.grain, np.full(extra, -1)])[order],
        hkl=np.concatenate([reflections.hkl[spots.member], np.zeros((extra, 3), np.int64)])[order],
        energy=np.concatenate([spots.energy, none])[order],
        depth=np.concatenate([spots.depth, none])[order],
        merged=np.concatenate([merged, np.zeros(extra, np.int64)])[order],
    )


def information_limit(
    crystals: LaueCrystals,
    row: int,
    hkl: IntArray,
    depth: FloatArray,
    lattice_angstrom: float,
    station: LaueStation,
    sigma_px: float,
) -> tuple[float, float]:
    """Best possible errors from exact peaks of one grain with normal noise.

    ``hkl`` (n, 3) and ``depth`` (n,) are those of its peaks. Root mean square over the six
    components of the deviatoric strain, and over the three of the rotation (rad), from
    differences of the forward code. NaN with fewer than four peaks.
    """
    if len(hkl) < 4:
        return np.nan, np.nan
    vectors = crystals.lattice_vectors(lattice_angstrom)[row]
    start = depth[:, None] * _ALONG_BEAM
    step = 1e-5
    columns = []
    for change in [*_ROTATIONS, *_STRETCHES]:
        sides = []
        for sign in (1.0, -1.0):
            normal = hkl.astype(np.float64) @ np.linalg.inv(
                (np.eye(3) + sign * step * change) @ vectors
            )
            sides.append(station.pixels(start, _mirrored(normal)))
        columns.append((sides[0] - sides[1]).ravel() / (2.0 * step))
    jacobian = np.stack(columns, axis=1) / sigma_px
    covariance = np.linalg.inv(jacobian.T @ jacobian)
    six = np.array([[tensor[i, j] for tensor in _STRETCHES] for i, j in COMPONENTS])
    strain = six @ covariance[3:, 3:] @ six.T
    return (
        float(np.sqrt(np.trace(strain) / 6.0)),
        float(np.sqrt(np.trace(covariance[:3, :3]) / 3.0)),
    )


_ROTATIONS = tuple(
    np.cross(np.eye(3), axis) * -1.0 for axis in np.eye(3)
)  # matrices of small turns about x, y, z, up to the sign
_STRETCHES = (
    np.diag([1.0, 0.0, -1.0]),
    np.diag([0.0, 1.0, -1.0]),
    *(full_tensor(np.eye(6)[k]) for k in (3, 4, 5)),
)


def _mirrored(normal: FloatArray) -> FloatArray:
    """The beam mirrored by planes of those normals (n, 3), any length."""
    unit = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    return np.asarray(_ALONG_BEAM - 2.0 * unit[:, :1] * unit)


def _spots_of_grain(
    crystals: LaueCrystals,
    row: int,
    reflections: CrystalReflections,
    station: LaueStation,
    family_factor: FloatArray | None,
) -> Spots:
    vectors = crystals.lattice_vectors(reflections.lattice_angstrom)[row]
    normal = reflections.hkl.astype(np.float64) @ np.linalg.inv(vectors)
    spacing = 1.0 / np.linalg.norm(normal, axis=1)
    sine = -normal[:, 0] * spacing
    with np.errstate(divide="ignore", invalid="ignore"):
        energy = HC_KEV_ANGSTROM / (2.0 * spacing * sine)
    lit = np.flatnonzero((sine > 0.05) & (energy > station.band[0]) & (energy < station.band[1]))
    ray = _mirrored(normal[lit])
    place = station.pixels(np.zeros((len(lit), 3)), ray)
    margin = 20.0
    with np.errstate(invalid="ignore"):
        near = np.all((place > -margin) & (place < np.array(station.shape[::-1]) + margin), axis=1)
    out = ray @ station.surface
    near &= out > 0.02
    lit, ray, out = lit[near], ray[near], out[near]
    entering = np.sin(station.incidence)
    rate = reflections.attenuation_at(energy[lit]) * (1.0 + entering / out)
    top, bottom = crystals.top[row], crystals.bottom[row]
    upper, lower = np.exp(-rate * top), np.exp(-rate * bottom)
    # samples stand for equal parts of what is reflected, each at the mean depth of its part
    edge = upper[:, None] - (np.arange(_DEPTHS + 1) / _DEPTHS) * (upper - lower)[:, None]
    edge = np.maximum(edge, 1e-300)
    inside_part = np.diff(edge * np.log(edge) - edge, axis=1) / np.diff(edge, axis=1)
    depth = -inside_part / rate[:, None]
    start = depth[..., None] * _ALONG_BEAM
    repeated = np.repeat(ray, _DEPTHS, axis=0)
    place = station.pixels(start.reshape(-1, 3), repeated).reshape(len(lit), _DEPTHS, 2).mean(1)
    intensity = reflections.square[lit] * station.photons(energy[lit])
    intensity *= (upper - lower) / rate / (energy[lit] * sine[lit]) ** 2
    intensity *= 1.0 - ray[:, 1] ** 2  # polarised along y
    if family_factor is not None:
        intensity *= family_factor[reflections.family[lit]]
    # harmonics fall on one another
    spot, which = np.unique(reflections.spot[lit], return_inverse=True)
    total = np.bincount(which, intensity, len(spot))
    mean = [np.bincount(which, intensity * column, len(spot)) / total for column in place.T]
    deep = np.bincount(which, intensity * depth.mean(axis=1), len(spot)) / total
    order = np.lexsort((-intensity, which))
    first = order[np.searchsorted(which[order], np.arange(len(spot)))]
    middle = np.stack(mean, axis=1)
    inside = np.all((middle > -0.5) & (middle < np.array(station.shape[::-1]) - 0.5), axis=1)
    return Spots(
        grain=np.full(int(inside.sum()), row, dtype=np.int64),
        place=middle[inside],
        intensity=crystals.weight[row] * total[inside],
        member=lit[first][inside],
        energy=energy[lit[first]][inside],
        depth=deep[inside],
    )


def _merged(spots: Spots, plan: PatternPlan, limit: float) -> tuple[Spots, IntArray]:
    """Spots after those close to a stronger one were added to it; and how many made each."""
    visible = np.flatnonzero(spots.intensity > 0.02 * limit)
    spots = spots.take(visible[np.argsort(-spots.intensity[visible], kind="stable")])
    free = np.ones(len(spots), dtype=np.bool_)
    kept, count = [], []
    place, intensity = spots.place.copy(), spots.intensity.copy()
    for k in range(len(spots)):
        if not free[k]:
            continue
        near = free & (np.hypot(*(spots.place - spots.place[k]).T) < plan.merge_px)
        near[:k] = False
        free[near] = False
        share = spots.intensity[near]
        place[k] = share @ spots.place[near] / share.sum()
        intensity[k] = share.sum()
        kept.append(k)
        count.append(int(near.sum()))
    rows = np.array(kept, dtype=np.int64)
    merged = Spots(spots.grain, place, intensity, spots.member, spots.energy, spots.depth).take(
        rows
    )
    return merged, np.array(count, dtype=np.int64)
