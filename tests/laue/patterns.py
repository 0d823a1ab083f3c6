"""Virtual white-beam patterns for the tests, and the analysis of their station."""

from __future__ import annotations

from functools import cache

import numpy as np

from mesolith.axes import FloatArray
from mesolith.instrument.beam import beam_from_energy
from mesolith.instrument.goniometer import UPRIGHT
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import Panel
from mesolith.laue.geometry import LaueGeometry, laue_geometry
from mesolith.laue.index import LaueIndexer, laue_indexer
from mesolith.laue.reflections import laue_reflections
from mesolith.materials.loader import library_files
from mesolith.records.laue import LauePeaks, laue_peaks
from mesolith.virtual.laue.crystal import CrystalReflections, crystal_reflections
from mesolith.virtual.laue.patterns import (
    LaueCrystals,
    LauePattern,
    PatternPlan,
    measure_pattern,
    random_crystals,
)
from mesolith.virtual.laue.station import LaueStation

LATTICE = 12.95
CUBIC = np.array([LATTICE, LATTICE, LATTICE, *[np.pi / 2.0] * 3])
CIF = library_files("LLZTO-Ia-3d")[1]
STATION = LaueStation()


def instrument_of(station: LaueStation) -> Instrument:
    """The station as the analysis describes it."""
    fast, slow = (station.edges / station.pitch).T
    panel = Panel(
        name="above",
        shape=np.array(station.shape),
        pitch=np.array([station.pitch, station.pitch]),
        origin=np.array(station.middle),
        rotation=np.stack([fast, slow, np.cross(fast, slow)], axis=1),
    )
    return Instrument(beam_from_energy(12.0), UPRIGHT, (panel,))


@cache
def geometry() -> LaueGeometry:
    return laue_geometry(instrument_of(STATION), surface=STATION.surface)


@cache
def indexer() -> LaueIndexer:
    """Of LLZO at the station."""
    reflections = laue_reflections(
        CIF, name="LLZO", space_group=230, lattice=CUBIC, two_theta=geometry().two_theta
    )
    return laue_indexer(reflections, geometry())


@cache
def virtual_reflections() -> CrystalReflections:
    return crystal_reflections(CIF, space_group=230, lattice_angstrom=LATTICE)


def crystals(seed: int, weights: tuple[float, ...] = (1.0,)) -> LaueCrystals:
    return random_crystals(np.random.default_rng(seed), weights)


def pattern(seed: int, grains: LaueCrystals, **plan: float) -> LauePattern:
    rng = np.random.default_rng([seed, 1])
    return measure_pattern(grains, virtual_reflections(), STATION, PatternPlan(**plan), rng)


def peaks_of(made: LauePattern) -> LauePeaks:
    return laue_peaks(made.place[:, 0], made.place[:, 1], made.intensity)


def true_reciprocal(grains: LaueCrystals) -> FloatArray:
    """a*, b*, c* as columns, (n, 3, 3)."""
    vectors = grains.lattice_vectors(LATTICE)
    return np.ascontiguousarray(np.swapaxes(np.linalg.inv(vectors), 1, 2))
