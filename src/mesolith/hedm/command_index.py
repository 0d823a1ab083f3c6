"""``mesolith hedm index``: grains from spots or frames, without a cell.toml."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesolith.errors import ContradictionError, EmptyFileError, SettingsError
from mesolith.hedm.command_calibrate import plan_of_options, print_table
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
    from mesolith.hedm.indexed import IndexedLayer
    from mesolith.hedm.phase_rings import PhaseRings
    from mesolith.instrument.instrument import Instrument
    from mesolith.instrument.station import StationCalibration
    from mesolith.io.finding import Finding
    from mesolith.records.spots import Spots

_PROGRAMS = ("midas", "imaged11", "hexrd")


def add_index(actions: Any) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "index",
        help="find the grains behind the spots of a rotation",
        description="Find the grains of one layer from its spots (as `mesolith hedm peaks` or "
        "ImageD11 wrote them) or from its frames, and write them with errors and evidence, as "
        "tables, and in the formats of other programs.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="spots, or frames")
    add_detector_options(parser)
    add_sample_options(parser, material=True)
    parser.add_argument(
        "--evidence", type=float, default=30.0, metavar="X",
        help="log likelihood ratio against chance that a grain needs (default: 30)",
    )  # fmt: skip
    parser.add_argument(
        "--completeness", type=float, default=0.0, metavar="X",
        help="share of the expected reflections that a grain needs (default: 0)",
    )  # fmt: skip
    parser.add_argument(
        "--calibrate", action="store_true", help="refine the detector file on the grains first"
    )
    add_calibration_options(parser)
    add_frame_options(parser)
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("grains"),
        metavar="DIR",
        help="folder for records, tables and other programs' files (default: grains)",
    )
    parser.add_argument(
        "--export",
        nargs="+",
        default=[],
        choices=_PROGRAMS,
        metavar="PROGRAM",
        help=f"also write files for {', '.join(_PROGRAMS)}",
    )
    parser.set_defaults(run=run_index)


def run_index(arguments: argparse.Namespace) -> int:
    """Index, write records, tables and exports, and say what was found."""
    from dataclasses import replace

    import numpy as np

    from mesolith.hedm.calibrate_spots import corrected
    from mesolith.hedm.indexed import index_spots
    from mesolith.hedm.search_settings import PeakSearch
    from mesolith.io.frames import open_source

    for key in ("evidence", "completeness"):
        if not 0.0 <= getattr(arguments, key) < 1e4:
            raise SettingsError(
                f"--{key} {getattr(arguments, key):g} cannot be", remedy="It is a number above 0."
            )
    refuse_beside(arguments.output / "grains", arguments.files, "the grains")
    files: list[Path] = arguments.files
    settings = replace(
        settings_of_options(arguments),
        evidence=arguments.evidence,
        least_completeness=arguments.completeness,
    )
    of_frames = is_frames(files[0])
    if of_frames:
        detector = detector_of_options(arguments, open_source(files[0]).shape)
        series = series_of_options(arguments, files, detector)
        spots, findings = spots_of_series(series, PeakSearch())
    else:
        if len(files) > 1:
            raise SettingsError(
                f"{len(files)} files of spots", remedy="Index one rotation at a time."
            )
        detector = detector_of_options(arguments)
        spots, findings = read_spots(files[0], detector)
    where = str(files[0])
    if not len(spots):
        raise EmptyFileError(
            "no spot stands out of the noise",
            where=where,
            remedy="Was the shutter open, and the beam on the sample?",
        )
    try:
        phases = phases_of_options(arguments, detector.instrument, spots)
        findings += check_rings(detector.instrument, phases)
        station, more = _station(arguments, detector.instrument, spots, phases)
        progress(f"grains of {len(spots):,} spots")
        layer = index_spots(corrected(spots, station), station.instrument, phases, settings)
    except ContradictionError as error:
        raise ContradictionError(
            error.what, where=error.where or where, remedy=error.remedy
        ) from error
    progress("")
    grains = layer.grains
    if not len(grains):
        raise EmptyFileError(
            f"none of {len(spots):,} spots belongs to a grain that its spots make likelier than "
            "chance",
            where=where,
            remedy="Are detector file, --material and --first-ring those of this measurement?",
        )
    if arguments.calibrate:
        print_table(station)
    share = len(np.unique(layer.assignment.spot)) / len(spots)
    position, strain = (
        np.sqrt(np.median(np.diagonal(grains.covariance, axis1=1, axis2=2)[:, k]))
        for k in (slice(0, 3), slice(6, 12))
    )
    print(f"grains: {len(grains):,}, on {share:.1%} of {len(spots):,} spots")
    print(
        f"completeness: median {np.median(grains.completeness):.3f}, "
        f"{int((grains.completeness < 0.7).sum())} grains below 0.70"
    )
    print(f"typical errors: {position:.1f} um, strain {strain:.1e}")
    say([*findings, *more])
    for path in _written(arguments, layer, spots if of_frames else None, spots, station):
        print(f"written: {path}")
    return 0


def check_rings(instrument: Instrument, phases: tuple[PhaseRings, ...]) -> list[Finding]:
    """A warning for rings that the detector does not see; an error where it sees none."""
    import numpy as np

    from mesolith.instrument.ring_coverage import ring_coverage
    from mesolith.io.finding import Finding

    covered = ring_coverage(instrument, phases[0].spacing)
    outside = phases[0].spacing[covered == 0.0]
    if not len(outside):
        return []
    words = ", ".join(f"{d:.3f}" for d in outside)
    if len(outside) == len(covered):
        raise ContradictionError(
            f"no ring of {phases[0].name} falls onto the detector (d = {words} angstrom)",
            remedy="Correct --first-ring, or distance, energy and centre in the detector file.",
        )
    text = (
        f"rings of d = {words} angstrom lie outside the detector: ask for "
        f"{int(np.count_nonzero(covered))} rings"
    )
    return [Finding("warning", "", text)]


def _station(
    arguments: argparse.Namespace,
    instrument: Instrument,
    spots: Spots,
    phases: tuple[PhaseRings, ...],
) -> tuple[StationCalibration, list[Finding]]:
    from mesolith.hedm.calibrate_spots import calibrate_spots, uncalibrated

    if not arguments.calibrate:
        floor = arguments.error_floor_deg
        omega = None if floor is None else math.radians(floor)
        return uncalibrated(instrument, place=arguments.error_floor_px, omega=omega), []
    progress(f"calibration on {len(spots):,} spots")
    found = calibrate_spots(
        instrument, spots, phases, settings_of_options(arguments), plan_of_options(arguments)
    )
    return found.record, list(found.findings)


def _written(
    arguments: argparse.Namespace,
    layer: IndexedLayer,
    found: Spots | None,
    spots: Spots,
    station: StationCalibration,
) -> list[Path]:
    from mesolith.hedm.indexed import grain_map_from_indexed
    from mesolith.hedm.program_files import write_program_files
    from mesolith.io.record_file import write_record
    from mesolith.io.tables import write_record_tables
    from mesolith.pipeline.faults import storage

    folder: Path = arguments.output
    lit = math.pi * arguments.sample_radius_um**2 * arguments.beam_height_um
    grain_map = grain_map_from_indexed(layer.grains, volume=lit)
    records = {"grains": layer.grains, "assignment": layer.assignment, "station": station}
    if found is not None:
        records["spots"] = found
    written = []
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, record in records.items():
            written.append(folder / f"{name}.h5")
            write_record(written[-1], record)
        written += write_record_tables(folder, layer.grains, "grains")
        for program in arguments.export:
            place = folder / program
            place.mkdir(exist_ok=True)
            paths, left_out = write_program_files(
                place,
                "",
                program,
                grain_map=grain_map,
                station=station,
                spots=spots,
                assignment=layer.assignment,
                beam_height=arguments.beam_height_um,
            )
            written += paths
            for text in left_out:
                print(f"warning: {text}")
    return written
