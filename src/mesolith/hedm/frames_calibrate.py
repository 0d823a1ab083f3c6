"""Steps frames.calibrate and frames.instrument: the station of a cell, refined once for all."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import (
    ContradictionError,
    EmptyFileError,
    InvalidValueError,
    MesolithError,
    SettingsError,
)
from mesolith.hedm.calibrate_spots import (
    CalibratedStation,
    CalibrationPlan,
    calibrate_spots,
    uncalibrated,
)
from mesolith.hedm.frames_index import (
    main_spacings,
    phases_of,
    rings_asked_for,
    settings_of_index,
)
from mesolith.hedm.frames_layers import INSTRUMENT, detector_of
from mesolith.hedm.place_rings import placed_on_rings
from mesolith.instrument.calibrants import calibrant
from mesolith.instrument.calibrate_powder import PowderCalibration, calibrate_powder
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.ring_coverage import ring_coverage
from mesolith.instrument.station import (
    StationCalibration,
    station_calibration,
)
from mesolith.io.finding import Finding
from mesolith.io.frames import read_dark, read_mask
from mesolith.io.record_file import read_record, write_record
from mesolith.pipeline.work import Cost, Remark, Work, write_remarks
from mesolith.records.spots import Spots

_LEAST_COVERED = 0.02  # of a ring's azimuths
_SHOWN = ("distance", "shift_y", "shift_z", "tilt_x", "tilt_y", "tilt_z", "wedge")


def cost(work: Work) -> Cost:
    """Twice that of indexing a full layer."""
    return Cost(seconds=15.0, memory_bytes=1_500_000_000, disk_bytes=1_000_000)


def trial(work: Work) -> None:
    """Whether the rings that were asked for fall onto the detector, and a calibrant is there."""
    _check_settings(work)
    try:
        instrument = detector_of(work).instrument
    except InvalidValueError:
        return  # the detector file does not state how many pixels there are: the frames will
    write_remarks(work.folder, [Remark(*found) for found in _ring_findings(work, instrument)])
    if "frames.calibrant" in work.inputs:
        _calibrant_frame(work, instrument)


def compute(work: Work) -> None:
    """The station from the middle layer of one state, and from a calibrant where one is given."""
    _check_settings(work)
    sources = work.inputs["frames.spots"]
    source = sources[len(sources) // 2]
    where = f"{work.label}, layer {len(sources) // 2 + 1}"
    instrument = read_record(source.path / INSTRUMENT, Instrument)
    findings = _ring_findings(work, instrument)
    powder: PowderCalibration | None = None
    if "frames.calibrant" in work.inputs:
        powder = _from_calibrant(work, instrument)
        findings += [Finding(level, "frames.calibrant", text) for level, text in powder.notes]
    try:
        if work.settings["frames.calibrate"] == "grains":
            spots = read_record(source.record_file, Spots)
            record, more = _on_grains(work, instrument, powder, spots, where)
        else:
            record, more = _without_grains(work, instrument, powder), []
    except ContradictionError as error:
        raise ContradictionError(
            error.what, where=error.where or where, remedy=error.remedy
        ) from error
    findings += more
    findings.append(Finding("note", where, _in_words(record)))
    write_record(work.folder / "record.h5", record)
    write_remarks(work.folder, [Remark(*finding) for finding in dict.fromkeys(findings)])


def compute_instrument(work: Work) -> None:
    """The calibrated instrument as a record of each state, for its figures and results."""
    station = read_record(work.source("frames.calibrate").record_file, StationCalibration)
    write_record(work.folder / "record.h5", station.instrument)


def _on_grains(
    work: Work,
    instrument: Instrument,
    powder: PowderCalibration | None,
    spots: Spots,
    where: str,
) -> tuple[StationCalibration, list[Finding]]:
    if not len(spots):
        raise EmptyFileError(
            "no spot stands out of the noise, so there is nothing to calibrate on or to index",
            where=where,
            remedy="Was the shutter open, and the beam on the sample? A lower frames.threshold "
            "finds fainter spots.",
        )
    start = instrument if powder is None else powder.calibration.instrument
    phases = phases_of(work, start)
    try:
        found: CalibratedStation = calibrate_spots(
            start,
            spots,
            phases,
            settings_of_index(work.settings),
            _plan(work, powder),
            where=where,
            spacings=main_spacings(work, float(phases[0].spacing.min())),
        )
    except InvalidValueError as few:
        # too little to calibrate on is no fault of the user's: the detector file stands
        text = f"the detector file is taken as it is, not calibrated on grains: {few.what}"
        return _without_grains(work, instrument, powder), [Finding("warning", where, text)]
    record = found.record
    if powder is not None:
        # "before" is the detector file, not what the calibrant made of it
        given = station_calibration(instrument, powder.calibration, source="rings")
        record = replace(record, before=given.before)
    return record, list(found.findings)


def _plan(work: Work, powder: PowderCalibration | None) -> CalibrationPlan:
    settings = work.settings
    stated = settings["frames.distance_error_um"]
    sigma = None if stated is None else float(stated)
    energy = float(settings["frames.energy_error"])
    if powder is not None:
        # rings of known d pin distance times wavelength, so the energy cancels
        sigma = math.hypot(powder.calibration.sigma("distance"), sigma or 0.0)
        energy = 0.0
    place, omega = _floors(work)
    return CalibrationPlan(distance_sigma=sigma, wavelength_sigma=energy, place=place, omega=omega)


def _floors(work: Work) -> tuple[float | None, float | None]:
    """Error floors as given: px and rad."""
    place, omega = (work.settings[f"frames.error_floor_{unit}"] for unit in ("px", "deg"))
    return (
        None if place is None else float(place),
        None if omega is None else math.radians(float(omega)),
    )


def _without_grains(
    work: Work, instrument: Instrument, powder: PowderCalibration | None
) -> StationCalibration:
    place, omega = _floors(work)
    if powder is None or work.settings["frames.calibrate"] == "none":
        return uncalibrated(instrument, place=place, omega=omega)
    return station_calibration(
        instrument,
        powder.calibration,
        source="rings",
        floor_place=place or 0.0,
        floor_omega=omega or 0.0,
    )


def _check_settings(work: Work) -> None:
    if work.settings["frames.calibrate"] == "rings" and "frames.calibrant" not in work.inputs:
        raise SettingsError(
            "frames.calibrate asks for rings and no frame of a calibrant is given",
            where="[frames]",
            remedy='Name one: calibrant = "raw/ceria.tif"; or calibrate on "grains".',
        )


def _ring_findings(work: Work, instrument: Instrument) -> list[Finding]:
    """A warning for rings that were asked for and lie outside the detector.

    Raises ``ContradictionError`` where all do.
    """
    phase = rings_asked_for(work, instrument)
    covered = ring_coverage(instrument, phase.spacing)
    outside = np.flatnonzero(covered < _LEAST_COVERED)
    if not len(outside):
        return []
    first = int(work.settings["frames.first_ring"])
    numbers = _listed([str(first + int(row)) for row in outside])
    d = _listed([f"{phase.spacing[row]:.3f}" for row in outside])
    text = f"ring {numbers} of {phase.name} (d = {d} angstrom) lies outside the detector"
    seen = len(covered) - len(outside)
    if not seen:
        raise ContradictionError(
            f"{text}, and so does every ring that is to be indexed",
            where=str(work.source("frames.detector").path)
            if "frames.detector" in work.inputs
            else None,
            remedy="Correct frames.first_ring and frames.rings, or the distance, the energy and "
            "the beam's centre in the detector file.",
        )
    return [Finding("warning", "frames.rings", f"{text}: {seen} rings are seen")]


def _listed(words: list[str]) -> str:
    return ", ".join(words) if len(words) < 4 else f"{words[0]} to {words[-1]}"


def _from_calibrant(work: Work, instrument: Instrument) -> PowderCalibration:
    frame, mask = _calibrant_frame(work, instrument)
    saturation = work.settings["frames.saturation"]
    place = str(work.source("frames.calibrant").path)
    try:
        return calibrate_powder(
            instrument,
            [frame],
            calibrant(str(work.settings["frames.calibrant_material"])),
            place=placed_on_rings,
            masks=None if mask is None else [mask],
            saturation=None if saturation is None else float(saturation),
        )
    except MesolithError as error:
        raise type(error)(error.what, where=place, remedy=error.remedy) from error


def _calibrant_frame(
    work: Work, instrument: Instrument
) -> tuple[FloatArray, np.ndarray[tuple[int, ...], np.dtype[np.bool_]] | None]:
    path = work.source("frames.calibrant").path
    if len(instrument.panels) != 1:
        raise SettingsError(
            f"one frame of a calibrant, and a detector of {len(instrument.panels)} panels",
            where=str(path),
            remedy="Calibrate it with `mesolith hedm calibrate`, which takes a frame a panel, and "
            "name the file that it writes as frames.detector.",
        )
    frame = read_dark(path)
    panel = instrument.panels[0]
    mask = read_mask(work.source("frames.mask").path) if "frames.mask" in work.inputs else None
    for name, image in (("frame of the calibrant", frame), ("mask", mask)):
        if image is not None and image.shape != tuple(panel.shape.tolist()):
            raise ContradictionError(
                f"the {name} has {image.shape[0]} x {image.shape[1]} pixels, panel {panel.name} "
                f"{int(panel.shape[0])} x {int(panel.shape[1])}",
                where=str(path),
                remedy="Give the frame of this detector and binning.",
            )
    return frame, mask


def _in_words(record: StationCalibration) -> str:
    """Parameters before and after, with their errors, in one line."""
    parts = []
    for name, unit, before, after, error in zip(
        record.name, record.unit, record.before, record.after, record.error, strict=True
    ):
        if name not in _SHOWN:
            continue
        scale, word, digits = (1e-3, "mm", 3) if unit == "um" else (180.0 / math.pi, "deg", 4)
        text = f"{name} {before * scale:.{digits}f} to {after * scale:.{digits}f}"
        if np.isfinite(error):
            text += f" +- {error * scale:.{digits + 1}f}"
        parts.append(f"{text} {word}")
    floor = (
        f"error floor {record.floor_place:.3f} px and {math.degrees(record.floor_omega):.4f} deg"
    )
    return f"calibrated on {record.source}: {'; '.join(parts)}; {floor}"
