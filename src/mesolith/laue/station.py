"""From a detector file and a material to what indexing needs of a station."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from mesolith.axes import FloatArray
from mesolith.instrument.laue_calibration import LaueCalibration
from mesolith.io.instrument_formats import read_instrument
from mesolith.io.record_file import read_record
from mesolith.laue.geometry import LaueGeometry, laue_geometry
from mesolith.laue.index import LaueIndexer, laue_indexer
from mesolith.laue.index_settings import IndexSettings
from mesolith.laue.modes import calibrated_geometry, calibration_modes, height_mode
from mesolith.laue.reflections import laue_reflections
from mesolith.laue.spectrum import Spectrum
from mesolith.materials.loader import Material


@dataclass(frozen=True, slots=True)
class StationErrors:
    """Standard errors of a panel whose file states none, and of the height of the surface."""

    distance_um: float = 10.0
    centre_px: float = 0.1
    tilt_deg: float = 0.005
    height_um: float = 5.0


def read_station(
    path: Path,
    *,
    incidence_deg: float,
    errors: StationErrors,
    shape: tuple[int, int] | None = None,
) -> tuple[LaueGeometry, bool]:
    """Geometry of a detector file, and whether the file stated its errors itself.

    A record of `LaueCalibration` has its own covariance; to other files ``errors`` are given.
    ``shape`` (slow, fast) is for programs that do not state it.

    Raises what the file's reader raises.
    """
    surface = surface_normal(incidence_deg)
    if _is_calibration(path):
        calibration = read_record(path, LaueCalibration)
        known = calibrated_geometry(calibration, surface=surface, height_sigma_um=errors.height_um)
        return known, True
    instrument = read_instrument(path, shape=shape).instrument
    plain = laue_geometry(instrument, surface=surface)
    tilt = math.radians(errors.tilt_deg)
    five = np.array([errors.distance_um, errors.centre_px, errors.centre_px, tilt, tilt])
    modes = calibration_modes(instrument, np.diag(five**2))
    if errors.height_um > 0.0:
        modes = (*modes, height_mode(plain, errors.height_um))
    return laue_geometry(instrument, surface=surface, modes=modes), False


def surface_normal(incidence_deg: float) -> FloatArray:
    """Normal (3,) out of a surface that the beam meets at that angle and a panel above sees."""
    angle = math.radians(incidence_deg)
    return np.array([-math.sin(angle), 0.0, math.cos(angle)])


def phase_indexer(
    material: Material, geometry: LaueGeometry, spectrum: Spectrum, settings: IndexSettings
) -> LaueIndexer:
    """Indexer of one material at a station; raises as `laue_reflections` does."""
    reflections = laue_reflections(
        material.cif,
        name=material.name,
        space_group=material.space_group,
        lattice=material.lattice,
        two_theta=geometry.two_theta,
        spectrum=spectrum,
    )
    return laue_indexer(reflections, geometry, settings)


def _is_calibration(path: Path) -> bool:
    if not path.is_file() or not h5py.is_hdf5(path):
        return False
    with h5py.File(path, "r") as file:
        return "record" in file.attrs
