"""Scanned points of virtual crystals, indexed by truth: peaks, grains and assignment as records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from mesolith.axes import FloatArray
from mesolith.laue.energy import IndexedPoint
from mesolith.laue.geometry import LaueGeometry, laue_geometry
from mesolith.laue.reflections import LaueReflections, laue_reflections
from mesolith.laue.solve import IndexedPattern
from mesolith.numerics.rotations import quaternion_from_matrix
from mesolith.records.grains import Phases
from mesolith.records.laue import LaueAssignment, LaueGrains, laue_peaks
from mesolith.records.laue_energy import EnergyScan
from mesolith.virtual.laue.energy import EnergyPlan, ScannedSpot, scan_spots
from mesolith.virtual.laue.patterns import LaueCrystals, exact_spots, random_crystals
from mesolith.virtual.laue.station import LaueStation
from tests.laue.patterns import CIF, CUBIC, LATTICE, instrument_of, virtual_reflections

QUIET = EnergyPlan(random_ev=0.0, place_px=0.0, counts=4000.0)


@dataclass(frozen=True)
class ScannedPoint:
    crystals: LaueCrystals
    geometry: LaueGeometry
    point: IndexedPoint
    scan: EnergyScan
    spots: list[ScannedSpot]


@cache
def phase() -> LaueReflections:
    """LLZO as the analysis knows it, for panels around 90 deg."""
    return laue_reflections(
        CIF,
        name="LLZO",
        space_group=230,
        lattice=CUBIC,
        two_theta=(np.radians(58), np.radians(122)),
    )


def crystal(seed: int, *, dilatation: float = 0.0, strain: float = 5e-4) -> LaueCrystals:
    made = random_crystals(np.random.default_rng(seed), (1.0,), strain=strain)
    return replace(made, strain=made.strain + dilatation * np.eye(3))


def scanned_point(
    crystals: LaueCrystals,
    station: LaueStation,
    plan: EnergyPlan = QUIET,
    *,
    seed: int = 0,
    sigma_px: float = 0.0,
    along: float = 0.0,
    believed: LaueStation | None = None,
    reflections: int = 6,
    spots: int = 150,
) -> ScannedPoint:
    """A point whose white spots are its strongest, and whose scan takes some of 8 to 20 keV."""
    rng = np.random.default_rng([seed, 4])
    place = station.middle
    moved = replace(station, middle=(place[0] - along, place[1], place[2]))
    every = exact_spots(crystals, virtual_reflections(), moved)
    order = np.argsort(-every.intensity, kind="stable")[:spots]
    every = every.take(order)
    hkl = virtual_reflections().hkl[every.member]
    noise = sigma_px * rng.standard_normal((len(every), 2))
    point = _indexed(crystals, hkl, every.place + noise, every.energy, every.depth, sigma_px)
    inside = np.flatnonzero((every.energy > 8.0) & (every.energy < 20.0))
    # spread over the panel's angles: of the strongest forty, evenly by energy
    inside = inside[:40][np.argsort(every.energy[inside[:40]])]
    chosen = inside[np.linspace(0, len(inside) - 1, reflections).astype(int)]
    found = scan_spots(
        crystals, 0, hkl[chosen], every.energy[chosen], virtual_reflections(), station, plan, rng,
        along=along,
    )  # fmt: skip
    station_seen = believed or station
    return ScannedPoint(
        crystals,
        laue_geometry(instrument_of(station_seen), surface=station_seen.surface),
        point,
        scan_of(found),
        found,
    )


def scan_of(spots: list[ScannedSpot]) -> EnergyScan:
    place = np.array([spot.place for spot in spots])
    return EnergyScan(
        counts=np.concatenate([spot.counts for spot in spots]),
        energy=np.concatenate([spot.energy for spot in spots]),
        reflection=np.repeat(np.arange(len(spots)), [len(spot.energy) for spot in spots]),
        point=np.zeros(len(spots), dtype=np.int64),
        hkl=np.array([spot.hkl for spot in spots]),
        fast=place[:, 0],
        slow=place[:, 1],
        covariance=np.full((len(spots), 2, 2), np.nan),
    )


def _indexed(
    crystals: LaueCrystals,
    hkl: np.ndarray,
    place: FloatArray,
    energy: FloatArray,
    depth: FloatArray,
    sigma_px: float,
) -> IndexedPoint:
    vectors = crystals.lattice_vectors(LATTICE)
    vectors = vectors * LATTICE / np.cbrt(np.linalg.det(vectors))[:, None, None]
    strain = crystals.strain - np.trace(crystals.strain[0]) / 3.0 * np.eye(3)
    count = len(hkl)
    one, number = np.ones(1), np.array([count])
    grains = LaueGrains(
        pattern=np.zeros(1, dtype=np.int64),
        lattice_vectors=vectors,
        orientation=quaternion_from_matrix(crystals.orientation),
        strain=strain,
        covariance=np.zeros((1, 9, 9)),
        phase=np.zeros(1, dtype=np.int64),
        phases=Phases(name=("LLZO",), space_group=np.array([230]), lattice=CUBIC[None]),
        completeness=one,
        spots=number,
        own_spots=number,
        rms=one * sigma_px,
        scatter=one,
        false_probability=one * 1e-9,
        depth_sensitivity=np.zeros((1, 3, 3)),
    )
    assignment = LaueAssignment(
        peak=np.arange(count),
        grain=np.zeros(count, dtype=np.int64),
        hkl=hkl,
        energy=energy,
        depth=depth,
        residual=np.zeros((count, 2)),
        weight=np.ones(count),
        shared=np.zeros(count, dtype=np.bool_),
    )
    peaks = laue_peaks(
        place[:, 0], place[:, 1], np.linspace(2.0, 1.0, count), sigma_px=max(sigma_px, 1e-3)
    )
    return IndexedPoint(peaks, IndexedPattern(grains, assignment, np.array([1e-9])))
