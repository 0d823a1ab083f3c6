"""``mesolith hedm calibrate``: a detector file from powder rings, or from the grains of a scan."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesolith.errors import ContradictionError, SettingsError
from mesolith.hedm.command_inputs import (
    add_calibration_options,
    add_detector_options,
    add_frame_options,
    add_sample_options,
    detector_of_options,
    is_frames,
    phases_of_options,
    progress,
    read_spots,
    refuse_beside,
    say,
    series_of_options,
    settings_of_options,
    spots_of_series,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mesolith.hedm.calibrate_spots import CalibrationPlan
    from mesolith.instrument.station import StationCalibration
    from mesolith.io.finding import Finding
    from mesolith.io.instrument_file import InstrumentFile

_CALIBRANTS = ("CeO2", "LaB6", "Si", "Al2O3")


def add_calibrate(actions: Any) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "calibrate",
        help="refine a detector file on powder rings or on the grains of a scan",
        description="Refine distance, centre, tilts and rotation axis of a detector file. With "
        "--calibrant the files are frames of a powder, one a panel in the order of the detector "
        "file; with --material they are spots (as `mesolith hedm peaks` or ImageD11 wrote them) "
        "or frames of a rotation, and the grains in them calibrate.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="spots, or frames")
    add_detector_options(parser)
    parser.add_argument(
        "--calibrant",
        metavar="NAME",
        help=f"powder of the frames: {', '.join(_CALIBRANTS)}, or a CIF file",
    )
    add_sample_options(parser, material=False)
    add_calibration_options(parser)
    add_frame_options(parser)
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("calibrated"),
        metavar="DIR",
        help="folder for the detector file and the record (default: calibrated)",
    )
    parser.add_argument(
        "--format",
        choices=("hexrd", "imaged11", "midas", "poni"),
        help="program whose detector file is written (default: that of --detector)",
    )
    parser.set_defaults(run=run_calibrate)


def run_calibrate(arguments: argparse.Namespace) -> int:
    """Calibrate, print parameters before and after, write detector file and record."""
    from mesolith.hedm.program_files import write_detector_files
    from mesolith.io.record_file import write_record
    from mesolith.pipeline.faults import storage

    if (arguments.calibrant is None) is (arguments.material is None):
        raise SettingsError(
            "either --calibrant or --material says what calibrates",
            remedy="--calibrant CeO2 for the frame of a powder, --material LLZTO-I-43d for spots "
            "of grains.",
        )
    refuse_beside(arguments.output / "detector", arguments.files, "the detector file")
    station, findings, kind = (
        _from_grains(arguments) if arguments.calibrant is None else _from_powder(arguments)
    )
    print_table(station)
    say(findings)
    folder: Path = arguments.output
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        written = write_detector_files(folder, "", station.instrument, kind)
        written.append(folder / "station.h5")
        write_record(written[-1], station)
    for path in written:
        print(f"written: {path}")
    return 0


def plan_of_options(arguments: argparse.Namespace, *, misfit: float = 0.06) -> CalibrationPlan:
    """What is fitted and what is known."""
    from mesolith.hedm.calibrate_grains import FROM_GRAINS, OMEGA_STEP
    from mesolith.hedm.calibrate_spots import CalibrationPlan

    known = (*FROM_GRAINS, OMEGA_STEP)
    unknown = [name for name in arguments.hold if name not in known]
    if unknown:
        raise SettingsError(
            f"{unknown[0]!r} is nothing that is fitted", remedy=f"Fitted are {', '.join(known)}."
        )
    floor = arguments.error_floor_deg
    return CalibrationPlan(
        names=tuple(name for name in FROM_GRAINS if name not in arguments.hold),
        omega_step=OMEGA_STEP not in arguments.hold,
        distance_sigma=arguments.distance_error_um,
        place=arguments.error_floor_px,
        omega=None if floor is None else math.radians(floor),
        misfit=misfit,
    )


def print_table(station: StationCalibration) -> None:
    """Parameters before and after with their errors; those of no size and no error left out."""
    import numpy as np

    rows = []
    for name, unit, before, after, error in zip(
        station.name, station.unit, station.before, station.after, station.error, strict=True
    ):
        if name == "wavelength":
            continue
        scale, word, digits = (1e-3, "mm", 4) if unit == "um" else (180.0 / math.pi, "deg", 5)
        told = f"{error * scale:.{digits}f}" if np.isfinite(error) else "-"
        rows.append(
            (name, f"{before * scale:.{digits}f}", f"{after * scale:.{digits}f}", told, word)
        )
    factor = station.omega_factor
    if factor != 1.0:
        told = f"{station.omega_factor_se:.6f}"
        rows.append(("turn of a frame", "1", f"{factor:.6f}", told, "of the stated"))
    names = ("parameter", "before", "after", "error", "unit")
    widths = [max(len(row[k]) for row in (names, *rows)) for k in range(5)]
    for row in (names, *rows):
        cells = [row[0].ljust(widths[0]), *(row[k].rjust(widths[k]) for k in (1, 2, 3)), row[4]]
        print("  ".join(cells).rstrip())
    if station.source == "grains":
        print(
            f"from {station.used:,} spots of {station.grains} grains; error floor "
            f"{station.floor_place:.3f} px, {math.degrees(station.floor_omega):.4f} deg"
        )
    else:
        print(f"from {station.used:,} points on rings")


def _kind(arguments: argparse.Namespace, detector: InstrumentFile) -> str:
    """Program of the file to be written, which must have words for the detector."""
    from tempfile import TemporaryDirectory

    from mesolith.hedm.program_files import DETECTORS, write_detector_files
    from mesolith.io.instrument_formats import INSTRUMENT_FORMATS
    from mesolith.io.recognise import recognise

    kind: str | None = arguments.format
    if kind is None:
        kind = recognise(arguments.detector, INSTRUMENT_FORMATS)[0][0].name
        kind = kind if kind in DETECTORS else "imaged11"
    with TemporaryDirectory(prefix="mesolith-") as folder:
        write_detector_files(Path(folder), "", detector.instrument, kind)
    return kind


def _from_grains(arguments: argparse.Namespace) -> tuple[StationCalibration, list[Finding], str]:
    from mesolith.hedm.calibrate_spots import calibrate_spots
    from mesolith.hedm.search_settings import PeakSearch
    from mesolith.io.frames import open_source

    files: Sequence[Path] = arguments.files
    settings = settings_of_options(arguments)
    if is_frames(files[0]):
        detector = detector_of_options(arguments, open_source(files[0]).shape)
        kind = _kind(arguments, detector)
        series = series_of_options(arguments, files, detector)
        spots, findings = spots_of_series(series, PeakSearch())
    else:
        detector = detector_of_options(arguments)
        kind = _kind(arguments, detector)
        spots, findings = _one_list(files, detector)
    progress(f"grains of {len(spots):,} spots")
    phases = phases_of_options(arguments, detector.instrument, spots)
    where = str(files[0])
    try:
        found = calibrate_spots(
            detector.instrument, spots, phases, settings, plan_of_options(arguments), where=where
        )
    except ContradictionError as error:
        raise ContradictionError(error.what, where=where, remedy=error.remedy) from error
    progress("")
    return found.record, [*findings, *found.findings], kind


def _one_list(files: Sequence[Path], detector: InstrumentFile) -> Any:
    if len(files) > 1:
        raise SettingsError(
            f"{len(files)} files of spots", remedy="One rotation calibrates: give its file alone."
        )
    return read_spots(files[0], detector)


def _from_powder(arguments: argparse.Namespace) -> tuple[StationCalibration, list[Finding], str]:
    from mesolith.errors import MesolithError
    from mesolith.hedm.place_rings import placed_on_rings
    from mesolith.instrument.calibrants import calibrant
    from mesolith.instrument.calibrate_powder import calibrate_powder
    from mesolith.instrument.calibrate_rings import FROM_RINGS
    from mesolith.instrument.station import scale_words, station_calibration
    from mesolith.io.finding import Finding
    from mesolith.io.frames import open_source, read_dark, read_mask

    files: Sequence[Path] = arguments.files
    detector = detector_of_options(arguments, open_source(files[0]).shape)
    kind = _kind(arguments, detector)
    panels = detector.instrument.panels
    if len(files) != len(panels):
        raise ContradictionError(
            f"{len(files)} frames of a powder for the {len(panels)} panels of the detector file",
            where=str(arguments.detector),
            remedy="Give one file a panel, in the order of the detector file.",
        )
    frames = [read_dark(path) for path in files]
    mask = None if arguments.mask is None else read_mask(arguments.mask)
    if arguments.dark is not None:
        dark = read_dark(arguments.dark)
        _same_size(arguments.dark, "dark", dark.shape, frames[0].shape)
        frames = [frame - dark for frame in frames]
    if mask is not None:
        _same_size(arguments.mask, "mask", mask.shape, frames[0].shape)
    for path, frame, panel in zip(files, frames, panels, strict=True):
        _same_size(path, "frame", frame.shape, tuple(panel.shape.tolist()))
    free = [name for name in FROM_RINGS if name not in arguments.hold]
    progress("rings")
    try:
        found = calibrate_powder(
            detector.instrument,
            frames,
            calibrant(arguments.calibrant),
            place=placed_on_rings,
            masks=None if mask is None else [mask] * len(frames),
            saturation=arguments.saturation,
            names=free,
        )
    except MesolithError as error:
        raise type(error)(
            error.what, where=error.where or str(files[0]), remedy=error.remedy
        ) from error
    progress("")
    station = station_calibration(
        detector.instrument, found.calibration, source="rings", wavelength_sigma=0.0
    )
    findings = [Finding(level, files[0].name, text) for level, text in found.notes]
    findings.append(Finding("note", "", scale_words(station)))
    text = "roll and wedge are not seen by rings: grains calibrate them"
    findings.append(Finding("note", "", text))
    return station, findings, kind


def _same_size(path: Path, what: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if tuple(found) != tuple(wanted):
        raise ContradictionError(
            f"the {what} has {found[0]} x {found[1]} pixels, not {wanted[0]} x {wanted[1]}",
            where=str(path),
            remedy="Give the file of this detector and binning.",
        )
