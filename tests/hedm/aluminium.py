"""The measured aluminium peaks, the station behind them, and ImageD11's map of the grains."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.crystal.symmetry import rotation_operators
from mesolith.hedm.calibrate_spots import CalibrationPlan, calibrate_spots, corrected
from mesolith.hedm.index_settings import IndexSettings
from mesolith.hedm.indexed import IndexedLayer
from mesolith.hedm.phase_rings import phase_rings
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.scattering import laboratory_from_spots, scattering_vectors
from mesolith.instrument.station import StationCalibration
from mesolith.io.imaged11 import UbiGrain, read_ubi
from mesolith.io.imaged11_instrument import read_imaged11_instrument
from mesolith.numerics.rotations import matrix_from_quaternion
from mesolith.records.spots import Spots

FOLDER = "hedm/imaged11_makemap"
SPACE_GROUP = 225
LATTICE = np.array([4.049, 4.049, 4.049, *[math.pi / 2.0] * 3])
FAMILIES = [(1, 1, 1), (2, 0, 0), (2, 2, 0), (3, 1, 1), (2, 2, 2), (4, 0, 0), (3, 3, 1), (4, 2, 0)]
RANGE_DEG, STEP_DEG = 89.0, 1.0
# what peaks are sure to be uncertain by; the rest is found from the residuals
PLACE_PX, OMEGA_DEG = 0.03, 0.03
HKL_TOLERANCE = 0.05
NEAR_DEG, NEAR_UM = 1.0, 100.0
PHASE = phase_rings("aluminium", SPACE_GROUP, LATTICE, families=FAMILIES)
SETTINGS: dict[str, Any] = {
    "sample_radius": 700.0,
    "height": 150.0,
    "strain": 5e-3,
    "intensity_spread": 1.0,  # of whole peaks: partial ones, and no correction of any kind
}


def peaks_of(path: Path) -> Spots:
    """Peaks of ImageD11's peak search, intensities as pixels times their mean."""
    table = np.loadtxt(path)
    count = len(table)
    none = np.zeros(count, dtype=bool)
    covariance = np.diag([PLACE_PX, PLACE_PX, math.radians(OMEGA_DEG)]) ** 2
    counts = table[:, 3] * table[:, 4]
    return Spots(
        panel=np.zeros(count, dtype=np.int64),
        fast=table[:, 1],
        slow=table[:, 0],
        omega=np.deg2rad(table[:, 2]),
        covariance=np.broadcast_to(covariance, (count, 3, 3)),
        intensity=counts,
        intensity_se=0.3 * counts,
        maximum=table[:, 4],
        widths=np.column_stack(
            [np.maximum(table[:, [8, 7]], 0.3), np.full(count, math.radians(STEP_DEG))]
        ),
        pixels=table[:, 3].astype(np.int64),
        saturated=none,
        partial=none,
        overlapping=none,
        panel_name=("detector",),
        omega_range=np.deg2rad([[-RANGE_DEG, RANGE_DEG]]),
        omega_step=math.radians(STEP_DEG),
    )


def map_of_imaged11(measured: Callable[[str], Path]) -> list[UbiGrain]:
    """The 36 grains that ImageD11 found."""
    return read_ubi(measured(f"{FOLDER}/map.ubi"))


def calibrated(measured: Callable[[str], Path]) -> tuple[StationCalibration, Spots]:
    """Station and errors of the peaks, from the grains that the house finds in the peaks."""
    file = read_imaged11_instrument(measured(f"{FOLDER}/test.prm"), shape=(2048, 2048))
    peaks = peaks_of(measured(f"{FOLDER}/test.flt"))
    plan = CalibrationPlan(
        names=("tilt_x", "wedge", "shift_y", "tilt_y", "tilt_z"), omega_step=False, rounds=3
    )
    settings = IndexSettings(**SETTINGS)
    station = calibrate_spots(file.instrument, peaks, (PHASE,), settings, plan).record
    return station, corrected(peaks, station)


def rotations(lattice_vectors: FloatArray) -> FloatArray:
    """Rotations (n, 3, 3) nearest to the deformation from the unstrained crystal."""
    left, _, right = np.linalg.svd(lattice_vectors @ np.linalg.inv(basis_from_lattice(LATTICE)))
    return left @ right


def angles_between(ours: FloatArray, theirs: FloatArray) -> FloatArray:
    """Smallest angle (n, m), deg, from each lattice to each other."""
    equal = matrix_from_quaternion(rotation_operators(SPACE_GROUP))
    turns = np.einsum("nab,sbc,mdc->nsmad", rotations(ours), equal, rotations(theirs))
    cosine = (np.trace(turns, axis1=3, axis2=4).max(axis=1) - 1.0) / 2.0
    return np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))


def known(layer: IndexedLayer, map_: list[UbiGrain]) -> dict[int, int]:
    """Our row for each grain of ImageD11's map that we have, one to one, the nearest first."""
    grains = layer.grains
    angle = angles_between(grains.lattice_vectors, np.array([grain.ubi.T for grain in map_]))
    theirs = np.array([grain.translation for grain in map_])
    far = np.linalg.norm(grains.position[:, None] - theirs, axis=2) > NEAR_UM
    cost = np.where(far | (angle > NEAR_DEG), np.inf, angle)
    pairs: dict[int, int] = {}
    while np.isfinite(cost).any():
        row, column = np.unravel_index(int(np.argmin(cost)), cost.shape)
        pairs[int(column)] = int(row)
        cost[row], cost[:, column] = np.inf, np.inf
    return pairs


def indexed_share(layer: IndexedLayer, spots: Spots, instrument: Instrument) -> float:
    """Share of the peaks that lie within the hkl tolerance of some grain, as ImageD11 counts."""
    points = laboratory_from_spots(instrument, spots.panel, spots.fast, spots.slow)
    nearest = np.full(len(spots), np.inf)
    for lattice, place in zip(layer.grains.lattice_vectors, layer.grains.position, strict=True):
        hkl = scattering_vectors(instrument, points, spots.omega, place) @ lattice
        nearest = np.minimum(nearest, np.linalg.norm(hkl - np.rint(hkl), axis=1))
    return float(np.mean(nearest < HKL_TOLERANCE))
