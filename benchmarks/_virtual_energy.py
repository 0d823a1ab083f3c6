"""Energy scans with known truth, as laue_energy.py draws them, and how answers are scored."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from _harness import HERE, ROOT
from _virtual_laue import (
    CUBIC,
    MATERIAL,
    SPACE_GROUP,
    geometry_of,
    reflections,
)
from _virtual_layer import drawn_value
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray, six_from_tensor
from mesolith.laue.energy import (
    EnergyCalibration,
    IndexedPoint,
    calibrate_energy,
    sized_lattices,
)
from mesolith.laue.energy_choice import reflections_to_scan
from mesolith.laue.energy_peaks import energy_peaks
from mesolith.laue.energy_settings import EnergySettings
from mesolith.laue.geometry import LaueGeometry
from mesolith.laue.index import LaueIndexer, laue_indexer
from mesolith.laue.reflections import LaueReflections, laue_reflections
from mesolith.laue.solve import index_pattern
from mesolith.materials.loader import library_files
from mesolith.records.laue import laue_peaks
from mesolith.records.laue_energy import EnergyScan, LatticeSplits, SizedLattices
from mesolith.virtual.laue.crystal import CrystalReflections, crystal_reflections
from mesolith.virtual.laue.energy import EnergyPlan, ScannedSpot, scan_spots
from mesolith.virtual.laue.patterns import (
    LaueCrystals,
    PatternPlan,
    measure_pattern,
    random_crystals,
)
from mesolith.virtual.laue.station import LaueStation

GERMANIUM = ROOT / "tests" / "laue" / "germanium.cif"
GERMANIUM_LATTICE, GERMANIUM_GROUP = 5.6575, 227
_OWN = ("tilt_deg", "centre_px")
# energies of LLZO's reflections, keV, and of how many good ones any six are taken
_RANGE, _ANY = (8.0, 20.0), 15
# germanium is turned until so many of its spots have such energies, keV
_REFERENCE_SPOTS, _BAND, _CRYSTALS = 8, (6.0, 23.0), 60
# what a halved noise halves
NOISES = ("random_ev", "common_ev", "centre_px", "height_um", "place_px", "sigma_px")


@dataclass(frozen=True, slots=True)
class Phase:
    """A crystal for the virtual station and for the analysis."""

    made: CrystalReflections
    cif: Path
    space_group: int
    lattice: FloatArray

    @property
    def edge(self) -> float:
        """a, angstrom."""
        return float(self.lattice[0])


@dataclass(frozen=True, slots=True)
class Answer:
    """One trial: truth, and what the analysis said.

    ``error`` (n,) of the relative lattice parameter of each lattice, ``random`` and ``total``
    (n,) its stated errors; ``strain_error`` and ``strain_total`` (6,) of the first lattice.
    """

    lattices: SizedLattices
    split: LatticeSplits
    error: FloatArray
    random: FloatArray
    total: FloatArray
    strain_error: FloatArray
    strain_total: FloatArray
    along_error: float
    spots: int
    counts: float


@dataclass(frozen=True, slots=True)
class Station:
    """What a draw fixes of the station: as it is and as the analysis believes it."""

    true: LaueStation
    believed: LaueStation
    height: float

    @property
    def along(self) -> float:
        """Shift of the source along the beam, um, by a surface that stands too high."""
        return -self.height / math.tan(self.true.incidence)


@cache
def llzo() -> Phase:
    """The phase that is measured."""
    return Phase(reflections(), library_files(MATERIAL)[1], SPACE_GROUP, CUBIC)


@cache
def germanium() -> Phase:
    """The reference crystal."""
    made = crystal_reflections(
        GERMANIUM, space_group=GERMANIUM_GROUP, lattice_angstrom=GERMANIUM_LATTICE
    )
    lattice = np.array([GERMANIUM_LATTICE] * 3 + [np.pi / 2.0] * 3)
    return Phase(made, GERMANIUM, GERMANIUM_GROUP, lattice)


@cache
def _priors() -> dict[str, dict[str, Any]]:
    text = (HERE / "priors.toml").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = tomllib.loads(text)["laue_energy"]
    return found


def drawn_values(draw: str, rng: np.random.Generator, **overrides: float) -> dict[str, Any]:
    """Numbers of one draw of priors.toml; ``overrides`` replace or, for noises, scale."""
    priors = _priors()[draw]
    drawn = {
        name: drawn_value(rng, prior) for name, prior in sorted(priors.items()) if name not in _OWN
    }
    drawn["tilt"] = np.radians([drawn_value(rng, priors["tilt_deg"]) for _ in range(3)])
    drawn["centre_px"] = np.array([drawn_value(rng, priors["centre_px"]) for _ in range(2)])
    scale = overrides.pop("noise", 1.0)
    for name in NOISES:
        drawn[name] = drawn[name] * scale
    return drawn | overrides


def drawn_station(drawn: dict[str, Any]) -> Station:
    """The station of a draw; the panel stands where the analysis does not believe it."""
    tilt = drawn["tilt"]
    true = LaueStation(
        middle=(500.0, 60.0, drawn["distance"]),
        tilt=(float(tilt[0]), float(tilt[1]), float(tilt[2])),
        incidence=math.radians(drawn["incidence_deg"]),
    )
    off = true.edges @ drawn["centre_px"]
    off[2] += drawn["distance_error"]
    believed = tuple(float(value) for value in np.array(true.middle) - off)
    return Station(true, replace(true, middle=believed), float(drawn["height_um"]))


def indexed_point(
    crystals: LaueCrystals,
    phase: Phase,
    station: Station,
    sigma_px: float,
    rng: np.random.Generator,
) -> tuple[IndexedPoint, LaueGeometry] | None:
    """White pattern of a grain, indexed; None where it was not found."""
    place = station.true.middle
    # the sample stands as much further along the beam as the panel stands before its place
    moved = replace(station.true, middle=(place[0] - station.along, place[1], place[2]))
    made = measure_pattern(crystals, phase.made, moved, PatternPlan(sigma_px=sigma_px), rng)
    peaks = laue_peaks(made.place[:, 0], made.place[:, 1], made.intensity)
    geometry = geometry_of(station.believed)
    found = index_pattern(_indexer(phase, geometry), peaks)
    return (IndexedPoint(peaks, found), geometry) if len(found.grains) else None


def scanned(
    crystals: LaueCrystals,
    phase: Phase,
    station: Station,
    point: IndexedPoint,
    rows: IntArray,
    plan: EnergyPlan,
    rng: np.random.Generator,
) -> EnergyScan:
    """Scan of rows of the point's assignment; the virtual crystal has indices of its own."""
    assignment = point.found.assignment
    hkl = assignment.hkl[rows]
    reciprocal = np.linalg.inv(point.found.grains.lattice_vectors[point.grain])
    own = np.rint(hkl @ reciprocal @ crystals.lattice_vectors(phase.edge)[0]).astype(np.int64)
    spots = scan_spots(
        crystals, 0, own, assignment.energy[rows], phase.made, station.true, plan, rng,
        along=station.along,
    )  # fmt: skip
    return scan_of_spots(spots, hkl)


def scan_of_spots(spots: list[ScannedSpot], hkl: IntArray) -> EnergyScan:
    """Scanned spots of one point as the analysis gets them, without stated errors."""
    place = np.array([spot.place for spot in spots])
    return EnergyScan(
        counts=np.concatenate([spot.counts for spot in spots]),
        energy=np.concatenate([spot.energy for spot in spots]),
        reflection=np.repeat(np.arange(len(spots)), [len(spot.energy) for spot in spots]),
        point=np.zeros(len(spots), dtype=np.int64),
        hkl=hkl,
        fast=place[:, 0],
        slow=place[:, 1],
        covariance=np.full((len(spots), 2, 2), np.nan),
    )


def trial(
    draw: str,
    seed: int,
    *,
    split: float = 0.0,
    second: float = 0.0,
    any_six: bool = False,
    reference: bool = False,
    noise: float = 1.0,
) -> Answer | None:
    """One grain, six reflections; None where its white pattern was not indexed or has too few."""
    rng = np.random.default_rng([seed, 0xE9E2])
    drawn = drawn_values(draw, rng, noise=noise)
    station = drawn_station(drawn)
    settings = EnergySettings()
    settings = replace(
        settings,
        **{
            name: noise * getattr(settings, name)
            for name in ("random_ev", "common_ev", "height_um", "centre_px", "spot_error_px")
        },
    )
    names = EnergyPlan.__dataclass_fields__
    plan = EnergyPlan(
        **{name: value for name, value in drawn.items() if name in names},
        offset_ev=drawn["common_ev"], split=split, second=second,
    )  # fmt: skip
    phase = llzo()
    plain = random_crystals(rng, (1.0,), strain=drawn["strain"])
    crystals = replace(plain, strain=plain.strain + drawn["dilatation"] * np.eye(3))
    found = indexed_point(crystals, phase, station, drawn["sigma_px"], rng)
    if found is None:
        return None
    point, geometry = found
    if np.sum(_scannable(point, _RANGE)) < (_ANY if any_six else 6):
        return None
    rows = reflections_to_scan(geometry, point, _ANY if any_six else 6, settings)
    rows = np.sort(rng.permutation(rows)[:6]) if any_six else rows
    scan = scanned(crystals, phase, station, point, rows, plan, rng)
    peaks, splits = energy_peaks(scan, settings)
    calibration = _calibrated(station, settings, drawn, plan, rng) if reference else None
    lattices = sized_lattices(
        geometry, _indexer(phase, geometry).reflections, [point], scan, peaks, settings,
        calibration=calibration,
    )  # fmt: skip
    true = drawn["dilatation"] + (split * np.arange(2) if split > 0.0 else np.zeros(1))
    if len(lattices) != len(true):
        # one lattice where two are planted, or two where one is: against the mean
        true = np.full(len(lattices), drawn["dilatation"] + split * second)
    strain = plain.strain[0] + true[0] * np.eye(3)
    return Answer(
        lattices=lattices,
        split=splits,
        error=lattices.hydrostatic - true,
        random=lattices.hydrostatic_se,
        total=lattices.total_error("hydrostatic"),
        strain_error=six_from_tensor(lattices.strain[0] - strain),
        strain_total=six_from_tensor(lattices.total_error("strain")[0]),
        along_error=float(lattices.along[0] - station.along),
        spots=int(point.found.grains.spots[0]),
        counts=float(drawn["counts"]),
    )


def _calibrated(
    station: Station,
    settings: EnergySettings,
    drawn: dict[str, Any],
    plan: EnergyPlan,
    rng: np.random.Generator,
) -> EnergyCalibration | None:
    """Offset of the log from a germanium crystal beside the sample, at a height of its own."""
    beside = Station(
        station.true, station.believed, float(settings.height_um * rng.standard_normal())
    )
    phase = germanium()
    perfect = replace(plan, mosaic_deg=5e-4, strain_spread=0.0, split=0.0, second=0.0)
    for _ in range(_CRYSTALS):
        crystals = random_crystals(rng, (1.0,), strain=0.0)
        found = indexed_point(crystals, phase, beside, drawn["sigma_px"], rng)
        if found is None or np.sum(_scannable(found[0], _BAND)) < _REFERENCE_SPOTS:
            continue
        point, geometry = found
        rows = reflections_to_scan(
            geometry, point, _REFERENCE_SPOTS, settings, lowest_kev=_BAND[0], highest_kev=_BAND[1]
        )
        scan = scanned(crystals, phase, beside, point, rows, perfect, rng)
        peaks, splits = energy_peaks(scan, settings)
        if not splits.resolved[0]:
            return calibrate_energy(
                geometry, _indexer(phase, geometry).reflections, point, scan, peaks, settings
            )
    return None


def _scannable(point: IndexedPoint, band: tuple[float, float]) -> NDArray[np.bool_]:
    assignment = point.found.assignment
    inside = (assignment.energy > band[0]) & (assignment.energy < band[1])
    return inside & ~assignment.shared & (assignment.weight > 0.0) & (assignment.grain == 0)


_INDEXERS: dict[int, LaueIndexer] = {}


def _indexer(phase: Phase, geometry: LaueGeometry) -> LaueIndexer:
    """The indexer of a station; what hangs on the phase alone is made once."""
    if phase.space_group not in _INDEXERS:
        _INDEXERS[phase.space_group] = laue_indexer(_analysed(phase), geometry)
    made = _INDEXERS[phase.space_group]
    return replace(made, geometry=geometry)


def _analysed(phase: Phase) -> LaueReflections:
    return laue_reflections(
        phase.cif,
        name=phase.cif.stem,
        space_group=phase.space_group,
        lattice=phase.lattice,
        two_theta=(np.radians(58.0), np.radians(122.0)),
    )
