"""``mesolith laue calibrate``: a panel calibrated on a strain-free crystal."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesolith.errors import InvalidValueError
from mesolith.laue.command_inputs import (
    add_search_options,
    add_station_options,
    material_of_options,
    peaks_of_files,
    refuse_beside_raw,
    station_of_options,
)

if TYPE_CHECKING:
    from mesolith.instrument.instrument import Instrument
    from mesolith.instrument.laue_calibration import LaueCalibration

_UNITS = {"distance": ("um", 1.0), "centre_fast": ("px", 1.0), "centre_slow": ("px", 1.0)}
_DEGREES = 57.29577951308232


def add_calibrate(actions: Any) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "calibrate",
        help="calibrate a panel on a strain-free crystal",
        description="Refine distance, centre and tilts of a panel on one pattern of a strain-free "
        "crystal, such as germanium, whose orientation is not known. The record that is written "
        "holds the covariance, which then goes with every strain.",
    )
    parser.add_argument("files", nargs=1, type=Path, metavar="FILE", help="image, list or peaks")
    add_station_options(parser)
    parser.add_argument(
        "--output", type=Path, default=Path("calibrated"), metavar="DIR",
        help="folder for the detector file and the record (default: calibrated)",
    )  # fmt: skip
    add_search_options(parser)
    parser.set_defaults(run=run_calibrate)


def run_calibrate(arguments: argparse.Namespace) -> int:
    """Calibrate, print what moved by how much, write detector file and record."""
    from mesolith.instrument.laue_calibration import aspect_remark
    from mesolith.io.record_file import write_record
    from mesolith.laue.calibrate import CalibrationSettings, calibrate_laue
    from mesolith.laue.reflections import laue_reflections
    from mesolith.pipeline.faults import storage

    folder: Path = arguments.output
    refuse_beside_raw(folder, arguments.files)
    geometry, spectrum = station_of_options(arguments)
    material = material_of_options(arguments)
    found = list(peaks_of_files(arguments, geometry))
    if len(found) != 1:
        raise InvalidValueError(
            f"the file holds {len(found)} patterns with peaks",
            where=str(arguments.files[0]),
            remedy="Calibrate on one pattern.",
        )
    calibration = calibrate_laue(
        found[0][1],
        laue_reflections(
            material.cif,
            name=material.name,
            space_group=material.space_group,
            lattice=material.lattice,
            two_theta=geometry.two_theta,
            spectrum=spectrum,
        ),
        geometry.instrument,
        surface=geometry.row[19:22],
        settings=CalibrationSettings(position_error_px=arguments.position_error_px),
    )
    _say(calibration)
    remark = aspect_remark(calibration)
    if remark is not None:
        print(f"warning: {remark}")
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        written = [folder / "station.h5"]
        write_record(written[0], calibration)
        written.append(_detector_file(folder, calibration.instrument))
    for path in written:
        print(f"written: {path}")
    return 0


def _say(calibration: LaueCalibration) -> None:
    print(
        f"reflections: {len(calibration.peak)} of {calibration.peaks} peaks, "
        f"{calibration.mean_distance:.3f} px off on average"
    )
    errors = calibration.standard_error("change")
    assert errors is not None
    for name, change, error in zip(calibration.name, calibration.change, errors, strict=True):
        unit, scale = _UNITS.get(name, ("deg", _DEGREES))
        print(f"{name:12s} moved by {scale * change:+.4f} +- {scale * error:.4f} {unit}")


def _detector_file(folder: Path, instrument: Instrument) -> Path:
    """LaueTools' file where it can describe the panel, else pyFAI's."""
    from mesolith.io.lauetools_detector import write_lauetools
    from mesolith.io.pyfai_poni import write_poni

    path = folder / "panel.det"
    try:
        write_lauetools(path, instrument)
    except InvalidValueError:
        # its normal leans across the beam, which a .det has no number for
        path = folder / "panel.poni"
        write_poni(path, instrument)
    return path
