"""White-beam patterns over a virtual section: what lies along the beam at each point, as peaks.

Along the beam's way in, each grain is cut into pieces of depth. Each piece has the orientation
and the strain of its place, mirrors the beam by itself and lights the panel with what the way in
and out leaves of it; a peak is the mean of its pieces over depths and harmonics, and their
scatter beside the beam's own width is its streak. Which spots a grain has, and how bright each
would be, is found once at the grain's own orientation; where they fall, anew at every point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from mesolith.records.laue import LauePeaks
from mesolith.records.laue_scan import LaueScan
from mesolith.virtual.arrays import FloatArray, IntArray
from mesolith.virtual.laue.crystal import HC_KEV_ANGSTROM, CrystalReflections
from mesolith.virtual.laue.patterns import PatternPlan
from mesolith.virtual.laue.section import Section
from mesolith.virtual.laue.station import LaueStation

# edges of the pieces along the beam, um; what lies deeper is in the last
_EDGES = np.array([0.0, 3.0, 7.0, 12.0, 18.0, 26.0, 40.0, 70.0, 150.0, 400.0])
_OFF_PANEL = 80.0


@dataclass(frozen=True, slots=True)
class GrainSpots:
    """Spots that a grain can put on the panel, those of one lattice direction together.

    ``primitive`` (s, 3) indices; ``first`` (s,) where the members of a spot begin; of each member
    ``intensity`` (m,) from a slab of 1 um without absorption and ``rate`` (m,) 1/um along the beam.
    ``faintest`` is the intensity of the last spot that shows of a grain that reaches from the
    surface down: as many show as would if intensities were those that everyone believes.
    """

    primitive: FloatArray
    first: IntArray
    intensity: FloatArray
    rate: FloatArray
    faintest: float


@dataclass(frozen=True, slots=True)
class VirtualScan:
    """A section before a station, with all that makes a pattern; ``beam`` (um) is its half width.

    ``axes`` (3, 3) holds the section's axes as columns on laboratory axes.
    """

    section: Section
    state: int
    station: LaueStation
    plan: PatternPlan
    lattice_angstrom: float
    axes: FloatArray
    grains: tuple[GrainSpots, ...]
    spot_width_px: float
    beam: float
    seed: int


@dataclass(frozen=True, slots=True)
class PointTruth:
    """What lies under the beam at a point, brightest first.

    ``grain`` (k,), ``share`` (k,) of the light; ``orientation`` (k, 3, 3) crystal to laboratory
    and ``strain`` (k, 3, 3) laboratory, deviatoric, are means weighed with the light;
    ``spread`` (k, 3, 3) the covariance of the rotation vector under the beam, laboratory.
    """

    grain: IntArray
    share: FloatArray
    orientation: FloatArray
    strain: FloatArray
    spread: FloatArray


@dataclass(frozen=True, slots=True)
class StreakedSpots:
    """Spots of a pattern without noise: place (n, 2) px, second moments (n, 2, 2) px^2."""

    grain: IntArray
    primitive: FloatArray
    place: FloatArray
    moments: FloatArray
    intensity: FloatArray


def virtual_scan(
    section: Section,
    reflections: CrystalReflections,
    station: LaueStation,
    plan: PatternPlan,
    *,
    seed: int,
    state: int = 0,
    spot_width_px: float = 1.0,
    beam: float = 0.5,
) -> VirtualScan:
    """Prepare a scan of a section in one state; the patterns then come point by point.

    ``spot_width_px`` is the standard deviation of an unstreaked peak. The true intensity of each
    family is off by ``plan.family_log_sigma``, the same at every point and in every state.
    """
    rng = np.random.default_rng([seed, 0xFA])
    families = int(reflections.family.max()) + 1
    factor = np.exp(plan.family_log_sigma * rng.standard_normal(families))
    c, s = np.cos(station.incidence), np.sin(station.incidence)
    axes = np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])
    grains = tuple(
        _grain_spots(axes @ one, reflections, station, factor, plan.faintest)
        for one in section.orientation
    )
    return VirtualScan(
        section,
        state,
        station,
        plan,
        reflections.lattice_angstrom,
        axes,
        grains,
        spot_width_px,
        beam,
        seed,
    )


def point_spots(scan: VirtualScan, x: float, y: float) -> tuple[StreakedSpots, PointTruth]:
    """Spots of all grains under the beam at a point, and what truly lies there."""
    found, truths = [], []
    pieces = _pieces(scan, x, y)
    for grain in np.unique(pieces[0][pieces[0] >= 0]):
        rows = pieces[0] == grain
        spots, there = _spots_of_pieces(scan, int(grain), *(part[rows] for part in pieces[1:]))
        if len(spots.grain):
            found.append(spots)
            truths.append(there)
    light = np.array([one.intensity.sum() for one in found])
    order = np.argsort(-light, kind="stable")
    truth = PointTruth(
        grain=np.array([truths[k][0] for k in order], dtype=np.int64),
        share=light[order] / max(light.sum(), 1e-300),
        orientation=np.array([truths[k][1] for k in order]).reshape(-1, 3, 3),
        strain=np.array([truths[k][2] for k in order]).reshape(-1, 3, 3),
        spread=np.array([truths[k][3] for k in order]).reshape(-1, 3, 3),
    )
    return _joined([found[k] for k in order]), truth


def point_peaks(scan: VirtualScan, x: float, y: float, pattern: int) -> LauePeaks:
    """The list of peaks that a search would have made of the pattern at a point."""
    return point_pattern(scan, x, y, pattern)[0]


def point_pattern(
    scan: VirtualScan, x: float, y: float, pattern: int
) -> tuple[LauePeaks, PointTruth]:
    """The list of peaks at a point, and what truly lies there.

    Errors of places grow with the width of the peak and are stated. Where there is no phase,
    spurious peaks remain.
    """
    plan = scan.plan
    rng = np.random.default_rng([scan.seed, scan.state, pattern])
    exact, truth = point_spots(scan, x, y)
    spots = _merged(exact, plan)
    count = len(spots.grain)
    seen = spots.intensity * np.exp(plan.intensity_log_sigma * rng.standard_normal(count))
    limit = faintest_peak(scan)
    kept = (seen > limit) & (rng.uniform(size=count) >= plan.missed)
    place, moments, seen = spots.place[kept], spots.moments[kept], seen[kept]
    place, covariance = _measured(place, moments, scan, rng)
    extra = int(rng.poisson(plan.spurious * max(count, 20)))
    nowhere = rng.uniform(size=(extra, 2)) * np.array(scan.station.shape[::-1]) - 0.5
    nothing = np.exp(rng.uniform(np.log(limit), np.log(20.0 * limit), extra))
    round_ = np.broadcast_to(scan.spot_width_px**2 * np.eye(2), (extra, 2, 2))
    noise = np.broadcast_to(plan.sigma_px**2 * np.eye(2), (extra, 2, 2))
    place = np.concatenate([place, nowhere])
    intensity = np.concatenate([seen, nothing])
    value, vector = np.linalg.eigh(np.concatenate([moments, round_]))
    widths = np.sqrt(value[:, ::-1])
    # a peak's widths are measured as well as its place
    widths *= 1.0 + plan.sigma_px / scan.spot_width_px * rng.standard_normal(widths.shape)
    widths = np.maximum(widths, 0.2)
    swap = widths[:, 0] < widths[:, 1]
    long = np.where(swap[:, None], vector[:, :, 0], vector[:, :, 1])
    peaks = LauePeaks(
        pattern=np.full(len(place), pattern),
        fast=place[:, 0],
        slow=place[:, 1],
        covariance=np.concatenate([covariance, noise]),
        height=intensity / (2.0 * np.pi * widths[:, 0] * widths[:, 1]),
        intensity=intensity,
        widths=np.sort(widths, axis=1)[:, ::-1],
        tilt=np.arctan2(long[:, 1], long[:, 0]) % np.pi,
        background=np.zeros(len(place)),
        saturated=np.zeros(len(place), dtype=np.bool_),
    )
    return peaks, truth


def scan_peaks(scan: VirtualScan, raster: LaueScan) -> list[LauePeaks]:
    """Lists of all points of a raster."""
    points = zip(raster.x.tolist(), raster.y.tolist(), raster.pattern.tolist(), strict=True)
    return [point_peaks(scan, x, y, number) for x, y, number in points]


def faintest_peak(scan: VirtualScan) -> float:
    """Intensity below which no peak shows: the exposure is the same at all points."""
    return float(np.mean([one.faintest for one in scan.grains]))


def _grain_spots(
    orientation: FloatArray,
    reflections: CrystalReflections,
    station: LaueStation,
    factor: FloatArray,
    faintest: float,
) -> GrainSpots:
    """Spots of a strain-free grain (orientation on laboratory axes) on and beside the panel."""
    size = reflections.lattice_angstrom
    normal = reflections.hkl @ orientation.T / size
    spacing = 1.0 / np.linalg.norm(normal, axis=1)
    sine = -normal[:, 0] * spacing
    energy = HC_KEV_ANGSTROM / (2.0 * spacing * np.where(sine > 0.05, sine, np.inf))
    lit = (sine > 0.05) & (energy > station.band[0]) & (energy < station.band[1])
    rows = np.flatnonzero(lit)
    ray = _mirrored(normal[rows])
    place = _crossing(station, ray)[0]
    out = ray @ station.surface
    end = np.array(station.shape[::-1]) + _OFF_PANEL
    with np.errstate(invalid="ignore"):
        near = np.all((place > -_OFF_PANEL) & (place < end), axis=1) & (out > 0.02)
    rows, ray, out = rows[near], ray[near], out[near]
    rate = reflections.attenuation_at(energy[rows]) * (1.0 + np.sin(station.incidence) / out)
    light = reflections.square[rows] * station.photons(energy[rows])
    light *= (1.0 - ray[:, 1] ** 2) / (energy[rows] * sine[rows]) ** 2
    order = np.argsort(reflections.spot[rows], kind="stable")
    rows, light, rate = rows[order], light[order], rate[order]
    first = np.flatnonzero(np.diff(reflections.spot[rows], prepend=-1))
    believed = np.add.reduceat(light / rate, first)
    shown = int(np.count_nonzero(believed > faintest * believed.max()))
    light *= factor[reflections.family[rows]]
    total = np.add.reduceat(light / rate, first)
    limit = float(np.sort(total)[::-1][min(shown, len(total) - 1)])
    bright = total > 0.02 * limit
    length = np.diff(first, append=len(rows))
    member = np.repeat(bright, length)
    primitive = reflections.hkl[rows[first[bright]]]
    primitive = primitive // np.gcd.reduce(primitive, axis=1)[:, None]
    return GrainSpots(
        primitive=primitive.astype(np.float64),
        first=np.concatenate([[0], np.cumsum(length[bright])[:-1]]).astype(np.int64),
        intensity=light[member],
        rate=rate[member],
        faintest=limit,
    )


def _pieces(
    scan: VirtualScan, x: float, y: float
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Grain, X, Y, begin and end along the beam (um) of each piece; two halves of the beam."""
    c, s = np.cos(scan.station.incidence), np.sin(scan.station.incidence)
    fine = np.arange(0.5, 80.0, 1.0)
    sides = np.array([-scan.beam, scan.beam]) if scan.beam > 0.0 else np.zeros(1)
    grains, begins, ends, across = [], [], [], []
    for side in sides:
        here = scan.section.grain_at(x + c * fine, np.full(len(fine), y + side), s * fine)
        changes = np.flatnonzero(np.diff(here)) + 1
        edges = np.union1d(_EDGES, changes.astype(np.float64))
        middle = np.minimum(0.5 * (edges[:-1] + edges[1:]), fine[-1])
        grains.append(here[np.rint(middle - 0.5).astype(np.int64)])
        begins.append(edges[:-1])
        ends.append(edges[1:])
        across.append(np.full(len(edges) - 1, y + side))
    begin, end = np.concatenate(begins), np.concatenate(ends)
    # most light comes from the upper part of a piece
    at = begin + np.minimum(0.45 * (end - begin), 15.0)
    return np.concatenate(grains), x + c * at, np.concatenate(across), begin, end


def _spots_of_pieces(
    scan: VirtualScan, grain: int, x: FloatArray, y: FloatArray, begin: FloatArray, end: FloatArray
) -> tuple[StreakedSpots, tuple[int, FloatArray, FloatArray, FloatArray]]:
    spots, station, axes = scan.grains[grain], scan.station, scan.axes
    which = np.full(len(x), grain)
    turned = axes @ scan.section.orientation_at(which, x, y, scan.state)
    strain = axes @ scan.section.strain_at(which, x, y, scan.state) @ axes.T
    vectors = (np.eye(3) + strain) @ turned
    # light (pieces, members), and the mean depth of each
    upper, lower = (np.exp(-np.outer(edge, spots.rate)) for edge in (begin, end))
    light = spots.intensity / spots.rate * (upper - lower)
    deep = begin[:, None] * upper - end[:, None] * lower
    deep = spots.intensity / spots.rate * deep + light / spots.rate
    total = np.add.reduceat(light, spots.first, axis=1)
    depth = np.add.reduceat(deep, spots.first, axis=1) / np.maximum(total, 1e-300)
    normal = spots.primitive @ np.linalg.inv(vectors)
    ray = _mirrored(normal.reshape(-1, 3))
    place, by_depth = (part.reshape(*total.shape, 2) for part in _crossing(station, ray))
    place = place + depth[..., None] * by_depth
    share = total / total.sum(axis=0)
    middle = np.einsum("ps,psi->si", share, place)
    off = place - middle
    moments = np.einsum("ps,psi,psj->sij", share, off, off)
    moments += scan.spot_width_px**2 * np.eye(2)
    with np.errstate(invalid="ignore"):
        inside = np.all((middle > -0.5) & (middle < np.array(station.shape[::-1]) - 0.5), axis=1)
    weight = total.sum(axis=1) / total.sum()
    turn = scan.section.rotation_vector(which, x, y, scan.state) @ axes.T
    mean = weight @ turn
    spread = np.einsum("p,pi,pj->ij", weight, turn - mean, turn - mean)
    beam_halves = 2.0 if scan.beam > 0.0 else 1.0
    kept = np.flatnonzero(inside)
    nearest = int(np.argmin(np.sum((turn - mean) ** 2, axis=1)))
    return (
        StreakedSpots(
            np.full(len(kept), grain),
            spots.primitive[kept],
            middle[kept],
            moments[kept],
            total.sum(axis=0)[kept] / beam_halves,
        ),
        (
            grain,
            _small_turn(mean - turn[nearest]) @ turned[nearest],
            np.einsum("p,pij->ij", weight, strain),
            spread,
        ),
    )


def _small_turn(vector: FloatArray) -> FloatArray:
    """Rotation by a vector so small that its square hardly counts."""
    x, y, z = vector
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + cross + 0.5 * cross @ cross)


def _mirrored(normal: FloatArray) -> FloatArray:
    """The beam, along x, mirrored by planes of those normals (n, 3)."""
    factor = 2.0 * normal[:, 0] / np.einsum("ni,ni->n", normal, normal)
    ray = -factor[:, None] * normal
    ray[:, 0] += 1.0
    return ray


def _crossing(station: LaueStation, ray: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Pixels (n, 2) where rays from the surface cross the panel, and their change per um of depth.

    NaN for rays that do not reach it.
    """
    edges = station.edges
    normal = np.cross(edges[:, 0], edges[:, 1])
    steps = np.linalg.pinv(edges)
    towards = ray @ normal
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.where(towards != 0.0, station.corner @ normal / towards, np.nan)
        reach = np.where(reach > 0.0, reach, np.nan)
        place = (reach[:, None] * ray - station.corner) @ steps.T
        # a start one um further along the beam
        along = steps[:, 0] - normal[0] / towards[:, None] * (ray @ steps.T)
    return place, along


def _joined(parts: list[StreakedSpots]) -> StreakedSpots:
    if not parts:
        none = np.zeros((0, 2))
        return StreakedSpots(
            np.zeros(0, np.int64), np.zeros((0, 3)), none, np.zeros((0, 2, 2)), none[:, 0]
        )
    return StreakedSpots(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("grain", "primitive", "place", "moments", "intensity")
        )
    )


def _merged(spots: StreakedSpots, plan: PatternPlan) -> StreakedSpots:
    """Spots after those close to a stronger one were added to it."""
    order = np.argsort(-spots.intensity, kind="stable")
    place, moments, intensity = (
        part[order].copy() for part in (spots.place, spots.moments, spots.intensity)
    )
    if len(order) < 2:
        return spots
    pairs = cKDTree(place).query_pairs(plan.merge_px, output_type="ndarray")
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    gone = np.zeros(len(order), dtype=np.bool_)
    for strong, weak in pairs.tolist():
        if gone[strong] or gone[weak]:
            continue
        gone[weak] = True
        whole = intensity[strong] + intensity[weak]
        share = intensity[weak] / whole
        apart = place[weak] - place[strong]
        moments[strong] = (1.0 - share) * moments[strong] + share * moments[weak]
        moments[strong] += share * (1.0 - share) * np.outer(apart, apart)
        place[strong] += share * apart
        intensity[strong] = whole
    left = order[~gone]
    return StreakedSpots(
        spots.grain[left], spots.primitive[left], place[~gone], moments[~gone], intensity[~gone]
    )


def _measured(
    place: FloatArray, moments: FloatArray, scan: VirtualScan, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Places with noise, which grows as the peak is wide, and its covariance (n, 2, 2), px^2."""
    covariance = moments * (scan.plan.sigma_px / scan.spot_width_px) ** 2
    value, vector = np.linalg.eigh(covariance)
    noise = rng.standard_normal(place.shape)
    freedom = scan.plan.tail_freedom
    if freedom > 2.0:
        noise = rng.standard_t(freedom, size=place.shape) / np.sqrt(freedom / (freedom - 2.0))
    moved = np.einsum("nij,nj->ni", vector * np.sqrt(value)[:, None, :], noise)
    return place + moved, covariance
