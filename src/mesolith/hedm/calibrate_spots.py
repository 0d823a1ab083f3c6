"""Calibration of a station on the grains that the house's own indexing finds in its spots.

Instrument, turn of a frame and error floor are found in turns with the grains: each needs the
others, and two rounds are enough where the first finds grains at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mesolith.crystal.lattice import cell_volume
from mesolith.errors import InvalidValueError
from mesolith.hedm.calibrate import RoughStation, rough_station
from mesolith.hedm.calibrate_grains import (
    FROM_GRAINS,
    OMEGA_STEP,
    GrainSpots,
    best_matches,
    calibrate_from_grains,
)
from mesolith.hedm.index_settings import IndexSettings
from mesolith.hedm.indexed import IndexedLayer, index_spots
from mesolith.hedm.phase_rings import PhaseRings
from mesolith.hedm.spot_errors import ErrorFloor, floor_from_residuals, with_floor, with_turn
from mesolith.instrument.calibration import Calibration
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.parameters import moved
from mesolith.instrument.station import StationCalibration, scale_words, station_calibration
from mesolith.io.finding import Finding
from mesolith.records.indexed import IndexedGrains
from mesolith.records.spots import Spots

_START_PLACE = 0.3  # px, before residuals are known
_START_OMEGA = 0.3  # of a frame's turn
_STEP_SURE = 5.0  # standard errors
_STEP_FELT = 0.05  # of a frame, over the whole rotation
_ROOM = 0.01  # of the lattice, where the distance is known instead
_MISFIT = 0.01
_LEAST_SPREAD, _USUAL_SPREAD, _ENOUGH = 2e-5, 3e-4, 20
_RINGS_SAID = 2e-3


@dataclass(frozen=True, slots=True)
class CalibrationPlan:
    """What is fitted and what is known.

    ``names`` are parameters of the instrument. ``distance_sigma`` (um) is the standard error of
    the given distance: with it the mean lattice is free, without it the distance is where the
    mean lattice of the grains is the reference's. ``wavelength_sigma`` (relative) is that of the
    energy. ``place`` (px) and ``omega`` (rad) are error floors, None: from the residuals.
    ``misfit`` is the relative difference of all rings beyond which something is taken for wrong.
    """

    names: Sequence[str] = FROM_GRAINS
    omega_step: bool = True
    distance_sigma: float | None = None
    wavelength_sigma: float = 1e-4
    place: float | None = None
    omega: float | None = None
    misfit: float = _MISFIT
    rounds: int = 2
    most_grains: int = 300


@dataclass(frozen=True, slots=True)
class CalibratedStation:
    """The record, and what a reader must know; ``layer`` are the grains of the last round."""

    record: StationCalibration
    findings: tuple[Finding, ...]
    layer: IndexedLayer | None


def calibrate_spots(
    instrument: Instrument,
    spots: Spots,
    phases: tuple[PhaseRings, ...],
    settings: IndexSettings,
    plan: CalibrationPlan | None = None,
    *,
    where: str = "",
    spacings: Sequence[float] | None = None,
) -> CalibratedStation:
    """Refine a station on the grains of its own spots.

    Parameters
    ----------
    instrument
        As the detector file says: rings within one per cent and some millimetres, tilts and
        wedge within a degree.
    spots
        Spots of one rotation with the errors that they state.
    phases, settings
        As in `index_spots`.
    where
        State and layer, for what is said.
    spacings
        d of all rings on the detector, angstrom; default: those of the first phase.

    Returns
    -------
    calibrated
        On 300 grains of 300 spots with 0.1 px and 0.05 deg of noise the roll is good to
        0.0001 deg, the wedge to 0.0004 deg, the centre to 0.5 um, tilts to 0.003 deg.

    Raises
    ------
    ContradictionError
        Spots that turn against omega, rings of another size, spots that no grain explains.
    InvalidValueError
        No grain has 20 spots of its own.
    """
    plan = plan or CalibrationPlan()
    d = np.asarray(phases[0].spacing if spacings is None else spacings, dtype=np.float64)
    rough = rough_station(
        instrument,
        spots,
        d,
        names=[name for name in plan.names if name != "distance" or plan.distance_sigma is None],
        radius=settings.sample_radius,
        misfit=plan.misfit,
    )
    step = spots.omega_step
    floor = ErrorFloor(
        _START_PLACE if plan.place is None else plan.place,
        _START_OMEGA * step if plan.omega is None else plan.omega,
    )
    names = [*plan.names, *([OMEGA_STEP] if plan.omega_step else [])]
    known = plan.distance_sigma is not None and "distance" in plan.names
    prior = {"distance": float(plan.distance_sigma or 0.0), "lattice": _ROOM} if known else None
    start = current = rough.instrument
    factor, factor_se = 1.0, 0.0
    layer: IndexedLayer | None = None
    calibration: Calibration | None = None
    count = 0
    for _ in range(max(plan.rounds, 1)):
        turned = with_turn(spots, factor)
        layer = index_spots(with_floor(turned, floor), current, phases, settings)
        floor = _better_floor(turned, layer, floor, plan)
        matches = best_matches(grain_spots(layer), most=plan.most_grains)
        if "shift_y" in plan.names:  # where the panel stands along y and z is free
            height = mean_height(layer.grains)
            start = moved(start, {"shift_z": -height})
            current = moved(current, {"shift_z": -height})
            matches = replace(matches, position=matches.position - [0.0, 0.0, height])
        count = len(matches.lattice_vectors)
        if not count:
            raise InvalidValueError(
                f"none of {len(layer.grains)} grains has 20 spots that no other grain shares",
                where=where or None,
                remedy="Calibrate on another state, or with powder rings.",
            )
        if not names:
            continue
        # always from one station and the stated angles, so that a prior counts once
        found = calibrate_from_grains(
            start,
            with_floor(spots, floor),
            matches,
            names=names,
            prior=prior,
            dilation=dilation_spread(matches),
        )
        calibration = found.calibration
        current = calibration.instrument
        if plan.omega_step:
            factor, factor_se = _believed_factor(calibration, spots)
    record = station_calibration(
        instrument,
        calibration,
        source="grains",
        state=where,
        grains=count,
        omega_factor=factor,
        omega_factor_se=factor_se,
        floor_place=floor.place,
        floor_omega=floor.omega,
        wavelength_sigma=(
            0.0
            if plan.distance_sigma is None
            else plan.wavelength_sigma * instrument.beam.wavelength
        ),
        tied=plan.distance_sigma is None and "distance" in plan.names,
    )
    return CalibratedStation(record, tuple(_findings(record, rough, spots, where)), layer)


def grain_spots(layer: IndexedLayer) -> GrainSpots:
    """Whose spots are whose, as calibration wants it."""
    grains, assignment = layer.grains, layer.assignment
    volume = np.array([float(cell_volume(lattice)) for lattice in grains.phases.lattice])
    row = np.full(int(grains.grain_id.max(initial=-1)) + 1, -1, dtype=np.int64)
    row[grains.grain_id] = np.arange(len(grains))
    return GrainSpots(
        grains.lattice_vectors,
        grains.position,
        volume[grains.phase],
        assignment.spot,
        row[assignment.grain_id],
        assignment.hkl,
    )


def mean_height(grains: IndexedGrains) -> float:
    """Height of the middle of all grains, um: their mean by volume, 0 where none states one.

    In a sample that fills the beam this is the middle of the beam, however few the grains.
    """
    share = np.where(grains.volume_share > 0.0, grains.volume_share, 0.0)
    total = float(share.sum())
    return float(share @ grains.position[:, 2]) / total if total > 0.0 else 0.0


def dilation_spread(matches: GrainSpots) -> float:
    """Spread of the grains' dilations about their common one, relative in length.

    Some grains say little of it: below twenty it is not taken for less than 3e-4.
    """
    size = np.abs(np.linalg.det(matches.lattice_vectors))
    dilation = np.cbrt(size / matches.reference_volume)
    spread = 1.4826 * float(np.median(np.abs(dilation - np.median(dilation))))
    return max(spread, _LEAST_SPREAD if len(dilation) >= _ENOUGH else _USUAL_SPREAD)


def corrected(spots: Spots, station: StationCalibration) -> Spots:
    """Spots with the turn of a frame and the error floor that a calibration found."""
    turned = with_turn(spots, station.omega_factor)
    return with_floor(turned, ErrorFloor(station.floor_place, station.floor_omega))


def _better_floor(
    spots: Spots, layer: IndexedLayer, floor: ErrorFloor, plan: CalibrationPlan
) -> ErrorFloor:
    found = floor_from_residuals(spots, layer.grains, layer.assignment)
    if found is None:
        return floor
    return ErrorFloor(
        found.place if plan.place is None else plan.place,
        found.omega if plan.omega is None else plan.omega,
    )


def _believed_factor(calibration: Calibration, spots: Spots) -> tuple[float, float]:
    """Turn of a frame over the stated, 1 where it is not surely another, and its error."""
    change = float(calibration.change[calibration.name.index(OMEGA_STEP)])
    sigma = calibration.sigma(OMEGA_STEP)
    span = float(spots.omega_range[-1, 1] - spots.omega_range[0, 0])
    sure = abs(change) > _STEP_SURE * sigma
    felt = abs(change) * span > _STEP_FELT * spots.omega_step
    return (1.0 + change if sure and felt else 1.0), sigma


def _findings(
    station: StationCalibration, rough: RoughStation, spots: Spots, where: str
) -> list[Finding]:
    found = [Finding("note", where, scale_words(station))]
    off = rough.rings.factor - 1.0
    if rough.moved_to_rings and abs(off) > _RINGS_SAID:
        text = (
            f"with the detector file as it is the d of all rings seem {off:+.2%} off: distance, "
            "energy or lattice parameter was wrong by that"
        )
        found.append(Finding("warning", where, text))
    if rough.pairs is None:
        text = f"roll, wedge and tilts start from the detector file: {rough.no_pairs}"
        found.append(Finding("note", where, text))
    if rough.sense.sign == 0:
        text = "whether omega runs as stated cannot be told from second crossings"
        found.append(Finding("note", where, text))
    if station.omega_factor != 1.0:
        stated = math.degrees(spots.omega_step)
        turns = 2.0 * math.pi / (spots.omega_step * station.omega_factor)
        text = (
            f"a frame turns by {stated * station.omega_factor:.6f} deg, the files say "
            f"{stated:g}: {turns:.2f} frames are a turn; angles are corrected"
        )
        found.append(Finding("warning", where, text))
    return found


def uncalibrated(
    instrument: Instrument, *, place: float | None, omega: float | None
) -> StationCalibration:
    """The record of a station that is taken as its detector file says."""
    record = station_calibration(instrument, None, source="detector file")
    return replace(record, floor_place=place or 0.0, floor_omega=omega or 0.0)
