"""Spot lists of a virtual layer: rays degraded as a peak search would hand them out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mesolith.errors import InvalidValueError
from mesolith.records.spots import Spots
from mesolith.virtual.arrays import BoolArray, FloatArray, IntArray
from mesolith.virtual.hedm._kernels_bright import paths_through
from mesolith.virtual.hedm._kernels_merge import join_close
from mesolith.virtual.hedm.grains import CrystalGrains
from mesolith.virtual.hedm.rays import Rays, rays_of
from mesolith.virtual.hedm.reflections import Reflections
from mesolith.virtual.hedm.station import Station

_BOX_PX = 16.0
_TURN = 2.0 * math.pi


@dataclass(frozen=True, slots=True)
class SpotPlan:
    """What happens to the rays on their way into a list.

    ``sigma_px`` and ``sigma_omega`` (rad) are standard deviations of each coordinate;
    ``stated_share`` times them is what the list states. With ``tail_freedom`` above 2 errors
    follow Student's t of that freedom, scaled to the same deviation; 0 means normal. Rays closer
    to the pole than ``pole`` (angle eta, rad) are left out. Rays whose distance is below 1 in units
    of ``merge_px`` and ``merge_omega`` become one spot at their centroid by intensity; a group
    may be longer than that.
    ``dropped`` is the share of spots lost at random, ``dropped_weakest`` the share lost below
    one threshold of intensity, which takes mates together; ``least_intensity`` is such a
    threshold in counts. ``false`` is the share of spots
    added that belong to no grain, on the rings at random. ``flicker`` is the log-normal scatter
    of one spot's intensity, ``counting_noise`` (counts) what a spot without counts would scatter
    by; above 0 the listed intensity scatters, with the counts' own noise, by
    sqrt(counting_noise^2 + counts). Errors of place grow with sqrt(1 + weak_counts / counts).
    With ``absorption`` (1/um) intensities are those behind a cylinder of ``sample_um`` about the
    rotation axis, relative to a straight path through its middle.
    """

    sigma_px: float = 0.1
    sigma_omega: float = math.radians(0.05)
    stated_share: float = 1.0
    tail_freedom: float = 0.0
    pole: float = math.radians(6.0)
    merge_px: float = 2.0
    merge_omega: float = math.radians(0.15)
    dropped: float = 0.0
    dropped_weakest: float = 0.0
    least_intensity: float = 0.0
    false: float = 0.0
    flicker: float = 0.05
    counting_noise: float = 0.0
    weak_counts: float = 0.0
    absorption: float = 0.0
    sample_um: float = 1600.0

    def __post_init__(self) -> None:
        for name in ("dropped", "dropped_weakest", "false"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise InvalidValueError(f"{name} of a spot list must lie within 0 and 1")
        if not (self.sigma_px > 0.0 and self.sigma_omega > 0.0 and self.stated_share > 0.0):
            raise InvalidValueError("errors of a spot list must be positive")
        if not (0.0 <= self.merge_px <= _BOX_PX and 0.0 <= self.merge_omega <= 0.1):
            raise InvalidValueError(
                f"merging reaches {_BOX_PX:g} px and 0.1 rad at most",
                remedy="Spots that far apart are no longer one spot.",
            )


@dataclass(frozen=True, slots=True)
class SpotTruth:
    """Which ray went where: one row a ray that reaches the panel away from the pole.

    ``spot`` is the row of the list that holds it, -1 where it was lost; ``intensity`` its own
    share of that spot. ``rays`` are exact.
    """

    rays: Rays
    ring: IntArray
    intensity: FloatArray
    spot: IntArray

    def detectable(self, grains: int) -> IntArray:
        """Number of different listed spots (grains,) that hold a ray of each grain."""
        seen = self.spot >= 0
        pairs = np.unique(np.column_stack([self.rays.grain[seen], self.spot[seen]]), axis=0)
        return np.asarray(np.bincount(pairs[:, 0], minlength=grains), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class VirtualLayer:
    """A spot list and all that is true of it; ``owner`` is the strongest grain in each spot.

    ``owner`` (spots,) is -1 for a false spot, ``members`` (spots,) counts the rays in it.
    """

    station: Station
    grains: CrystalGrains
    reflections: Reflections
    spots: Spots
    truth: SpotTruth
    owner: IntArray
    members: IntArray


def measure_spots(
    grains: CrystalGrains,
    reflections: Reflections,
    station: Station,
    plan: SpotPlan,
    rng: np.random.Generator,
) -> VirtualLayer:
    """Spot list of a layer of grains, in random order."""
    rays = rays_of(grains, reflections.hkl, station)
    strength = _strengths(rays, grains, reflections)
    seen = (rays.sin_eta > math.sin(plan.pole)) & (strength > 0.0)
    rays, strength = rays.take(seen), strength[seen]
    intensity = (
        grains.strength[rays.grain]
        * strength
        * _transmission(rays, plan)
        / rays.sin_eta
        * np.exp(plan.flicker * rng.standard_normal(len(rays)))
    )
    group = merged(rays.fast, rays.slow, rays.omega, station, plan.merge_px, plan.merge_omega)
    count = int(group.max()) + 1 if len(group) else 0
    total = np.bincount(group, weights=intensity, minlength=count).astype(np.float64)
    share = intensity / total[group]
    first = np.zeros(count, dtype=np.int64)
    first[group[::-1]] = np.arange(len(group))[::-1]
    step = rays.omega - rays.omega[first[group]]
    step -= _TURN * np.round(step / _TURN)  # a spot may lie across the end of the turn
    place = np.column_stack(
        [
            np.bincount(group, weights=share * rays.fast, minlength=count),
            np.bincount(group, weights=share * rays.slow, minlength=count),
            rays.omega[first] + np.bincount(group, weights=share * step, minlength=count),
        ]
    )
    if plan.counting_noise > 0.0:
        total = total + np.sqrt(plan.counting_noise**2 + total) * rng.standard_normal(count)
    members = np.bincount(group, minlength=count)
    owner = _strongest(group, rays.grain, intensity, count)

    kept = np.flatnonzero(_kept(total, plan, rng))
    place, total, members, owner = place[kept], total[kept], members[kept], owner[kept]
    number = np.full(count, -1, dtype=np.int64)
    number[kept] = np.arange(len(kept))
    spot = number[group]

    added = round(plan.false * len(kept))
    place = np.concatenate([place, _false_places(rays, added, station, rng)])
    total = np.concatenate([total, rng.choice(intensity, added)])
    members = np.concatenate([members, np.zeros(added, dtype=np.int64)])
    owner = np.concatenate([owner, np.full(added, -1)])

    sigma = np.array([plan.sigma_px, plan.sigma_px, plan.sigma_omega])
    sigma = sigma * np.sqrt(1.0 + plan.weak_counts / np.maximum(total, 1.0))[:, None]
    place = place + sigma * _errors(rng, place.shape, plan.tail_freedom)
    place[:, 2] = _within_turn(place[:, 2], station)
    order = rng.permutation(len(place))
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    spot[spot >= 0] = back[spot[spot >= 0]]
    return VirtualLayer(
        station=station,
        grains=grains,
        reflections=reflections,
        spots=_record(place[order], total[order], members[order], sigma[order], station, plan),
        truth=SpotTruth(rays, reflections.ring[rays.member], intensity, spot),
        owner=owner[order],
        members=members[order],
    )


def _strengths(rays: Rays, grains: CrystalGrains, reflections: Reflections) -> FloatArray:
    """Strength of each ray's reflection in the phase of its grain; what vanishes is 0."""
    phase = np.zeros(len(grains.position), dtype=np.int64)
    phase = phase if grains.phase is None else grains.phase
    strength = np.where(reflections.strength > 1e-12, reflections.strength, 0.0)
    return np.asarray(strength[phase[rays.grain], rays.member])


def _transmission(rays: Rays, plan: SpotPlan) -> FloatArray:
    """Light that is left behind the sample, over what a straight path through its middle leaves."""
    if plan.absorption == 0.0:
        return np.ones(len(rays))
    path = np.empty(len(rays))
    paths_through(rays.start, rays.direction, 0.5 * plan.sample_um, path)
    return np.exp(-plan.absorption * (path - plan.sample_um))


def merged(
    fast: FloatArray,
    slow: FloatArray,
    omega: FloatArray,
    station: Station,
    reach_px: float,
    reach_omega: float,
) -> IntArray:
    """Group label (n,) of each spot: each is within the reaches of another of its group."""
    if reach_px == 0.0 or reach_omega == 0.0:
        return np.arange(len(fast))
    slow_count, fast_count = station.shape
    share = reach_omega / _TURN
    turn = np.mod((omega - station.omega_start) / _TURN, 1.0)
    across = [math.ceil(fast_count / _BOX_PX), math.ceil(slow_count / _BOX_PX)]
    # a few times as many boxes as spots, most of them off the rings and empty
    slices = min(4 * len(fast) // (across[0] * across[1]), math.floor(1.0 / share))
    counts = np.array([*across, max(3, slices)])
    # the first pixel begins at -0.5
    places = np.stack([fast, slow]) + 0.5
    box = np.minimum((places / _BOX_PX).astype(np.int64), counts[:2, None] - 1)
    slice_ = np.minimum((turn * counts[2]).astype(np.int64), counts[2] - 1)
    key = (slice_ * counts[0] + box[0]) * counts[1] + box[1]
    start = np.zeros(int(np.prod(counts)) + 1, dtype=np.int64)
    start[1:] = np.cumsum(np.bincount(key, minlength=len(start) - 1))
    order = np.argsort(key, kind="stable")
    return np.asarray(
        join_close(places[0], places[1], turn, order, start, counts, _BOX_PX, reach_px, share)
    )


def _strongest(group: IntArray, grain: IntArray, intensity: FloatArray, count: int) -> IntArray:
    """Grain of the strongest ray of each group."""
    owner = np.full(count, -1, dtype=np.int64)
    order = np.argsort(intensity, kind="stable")
    owner[group[order]] = grain[order]
    return owner


def _kept(intensity: FloatArray, plan: SpotPlan, rng: np.random.Generator) -> BoolArray:
    keep = intensity >= plan.least_intensity
    if plan.dropped_weakest > 0.0:
        keep &= intensity > np.quantile(intensity, plan.dropped_weakest)
    if plan.dropped > 0.0:
        keep &= rng.random(len(intensity)) >= plan.dropped
    return keep


def _false_places(rays: Rays, count: int, station: Station, rng: np.random.Generator) -> FloatArray:
    """Spots on the rings that are nobody's: the place of one ray at the omega of another."""
    row = rng.integers(0, max(len(rays), 1), (2, count))
    jitter = 1.5 * rng.standard_normal((2, count))
    slow_count, fast_count = station.shape
    fast = np.clip(rays.fast[row[0]] + jitter[0], 0.0, fast_count - 1.0)
    slow = np.clip(rays.slow[row[0]] + jitter[1], 0.0, slow_count - 1.0)
    return np.column_stack([fast, slow, rays.omega[row[1]]])


def _errors(rng: np.random.Generator, shape: tuple[int, ...], tail_freedom: float) -> FloatArray:
    """Numbers of standard deviation 1: normal, or Student's t of that freedom."""
    if tail_freedom <= 2.0:
        return rng.standard_normal(shape)
    return rng.standard_t(tail_freedom, shape) * math.sqrt(1.0 - 2.0 / tail_freedom)


def _within_turn(omega: FloatArray, station: Station) -> FloatArray:
    """Angles brought back into what was measured: around a full turn, at a rim onto it."""
    start, end = station.omega_start, station.omega_end
    if end - start > _TURN - 1e-9:
        return np.asarray(start + np.mod(omega - start, _TURN))
    return np.clip(omega, start, end)


def _record(
    place: FloatArray,
    intensity: FloatArray,
    members: IntArray,
    sigma: FloatArray,
    station: Station,
    plan: SpotPlan,
) -> Spots:
    count = len(place)
    stated = np.zeros((count, 3, 3))
    stated[:, [0, 1, 2], [0, 1, 2]] = (plan.stated_share * sigma) ** 2
    width = np.array([0.8, 0.8, math.radians(0.08)])
    frames = width[2] / station.omega_step
    return Spots(
        panel=np.zeros(count, dtype=np.int64),
        fast=place[:, 0],
        slow=place[:, 1],
        omega=place[:, 2],
        covariance=stated,
        intensity=intensity,
        intensity_se=np.hypot(
            plan.flicker * intensity,
            np.sqrt(plan.counting_noise**2 + np.maximum(intensity, 1.0)),
        ),
        maximum=intensity / ((2.0 * math.pi) ** 1.5 * width[0] * width[1] * frames),
        widths=np.tile(width, (count, 1)),
        pixels=np.full(count, round(30.0 * frames), dtype=np.int64),
        saturated=np.zeros(count, dtype=bool),
        partial=np.zeros(count, dtype=bool),
        overlapping=members > 1,
        panel_name=("panel",),
        omega_range=np.array([[station.omega_start, station.omega_end]]),
        omega_step=station.omega_step,
    )
