"""A virtual station calibrated on a virtual germanium crystal, as its user would do it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from _harness import ROOT
from _virtual_laue import DrawnPattern, geometry_of

from mesolith.axes import FloatArray
from mesolith.errors import InputError
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel_motion import moved_panel
from mesolith.laue.calibrate import calibrate_laue
from mesolith.laue.geometry import LaueGeometry
from mesolith.laue.modes import calibrated_geometry
from mesolith.laue.reflections import LaueReflections, laue_reflections
from mesolith.records.laue import LauePeaks, laue_peaks
from mesolith.virtual.laue.crystal import CrystalReflections, crystal_reflections
from mesolith.virtual.laue.patterns import (
    LauePattern,
    PatternPlan,
    measure_pattern,
    random_crystals,
)
from mesolith.virtual.laue.station import LaueStation

GERMANIUM = ROOT / "tests" / "laue" / "germanium.cif"
GROUP, LATTICE = 227, 5.6575
CUBIC = np.array([LATTICE, LATTICE, LATTICE, *[np.pi / 2.0] * 3])
# a long exposure of one good crystal
EXPOSURE: dict[str, float] = {"faintest": 3e-4, "missed": 0.05, "spurious": 0.03}
# how wrong the station is believed to be before its calibration
GUESS = np.array([700.0, 14.0, 14.0, *[math.radians(0.7)] * 2])
HEIGHT_UM = 10.0
LEAST_PEAKS = 35


@dataclass(frozen=True, slots=True)
class CalibratedStation:
    """What the user believes of a station, with its modes.

    ``height`` is by how much the sample's surface is higher than the calibrant's was, um, which
    the user knows to 10 um.
    """

    believed: LaueGeometry
    height: float


def calibrated_station(drawn: DrawnPattern, rng: np.random.Generator) -> CalibratedStation | None:
    """Calibrate the station of a drawn pattern; None where germanium shows too few spots."""
    height = HEIGHT_UM * float(rng.standard_normal())
    station = raised(drawn.station, -height)
    for _ in range(20):
        peaks = exposed_germanium(station, drawn.plan, rng)
        start = moved(geometry_of(station).instrument, GUESS * rng.standard_normal(5))
        try:
            found = calibrate_laue(peaks, germanium(), start, surface=station.surface)
        except InputError:
            continue
        believed = calibrated_geometry(found, surface=station.surface, height_sigma_um=HEIGHT_UM)
        return CalibratedStation(believed, height)
    return None


def exposed_germanium(
    station: LaueStation, plan: PatternPlan, rng: np.random.Generator
) -> LauePeaks:
    """Peaks of a crystal so mounted that it shows 35 peaks, or the most of twenty mountings."""
    exposure = replace(plan, merge_px=1.5, family_log_sigma=0.5, **EXPOSURE)
    best: LauePattern | None = None
    for _ in range(20):
        crystal = random_crystals(rng, (1.0,), strain=0.0)
        made = measure_pattern(crystal, _virtual_germanium(), station, exposure, rng)
        if best is None or len(made.grain) > len(best.grain):
            best = made
        if len(best.grain) >= LEAST_PEAKS:
            break
    assert best is not None
    return laue_peaks(best.place[:, 0], best.place[:, 1], best.intensity)


def raised(station: LaueStation, height: float) -> LaueStation:
    """The station as seen from where the beam meets a surface that lies ``height`` um higher."""
    x, y, z = station.middle
    return replace(station, middle=(x + height / math.sin(station.incidence), y, z))


@cache
def germanium() -> LaueReflections:
    """The calibrant as the analysis knows it."""
    return laue_reflections(
        GERMANIUM, name="Ge", space_group=GROUP, lattice=CUBIC,
        two_theta=(np.radians(50.0), np.radians(130.0)), weakest=3e-5,
    )  # fmt: skip


@cache
def _virtual_germanium() -> CrystalReflections:
    return crystal_reflections(Path(GERMANIUM), space_group=GROUP, lattice_angstrom=LATTICE)


def moved(instrument: Instrument, changes: FloatArray) -> Instrument:
    """The instrument with the five numbers of its panel changed."""
    panel = moved_panel(instrument.panels[0], instrument.beam.direction, changes)
    return replace(instrument, panels=(panel,))
