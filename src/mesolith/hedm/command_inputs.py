"""What the commands of far-field diffraction share: options, and the files behind them."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesolith.errors import (
    ContradictionError,
    InputError,
    OutputPlaceError,
    SettingsError,
    UnknownFormatError,
)

if TYPE_CHECKING:
    from mesolith.hedm.index_settings import IndexSettings
    from mesolith.hedm.phase_rings import PhaseRings
    from mesolith.hedm.search_settings import PeakSearch
    from mesolith.instrument.instrument import Instrument
    from mesolith.io.finding import Finding
    from mesolith.io.frame_series import FrameSeries
    from mesolith.io.instrument_file import InstrumentFile
    from mesolith.records.spots import Spots


def add_frame_options(parser: Any) -> None:
    """Options of frames: angles, dark, mask and what else their files may not say."""
    for name, text in (
        ("start", "start of the first frame, where the files do not state it"),
        ("step", "turn of each frame; negative for a rotation that runs backwards"),
    ):
        parser.add_argument(f"--omega-{name}-deg", type=float, metavar="DEG", help=text)
    parser.add_argument("--dark", type=Path, metavar="FILE", help="dark frames, averaged")
    parser.add_argument(
        "--mask", type=Path, metavar="FILE", help="picture that is not zero at bad pixels"
    )
    parser.add_argument("--saturation", type=float, metavar="COUNTS", help="limit of a pixel")
    parser.add_argument("--dataset", metavar="PATH", help="stack in an HDF5 file that has several")
    parser.add_argument(
        "--allow-partial", action="store_true", help="go on with frames missing; they are told"
    )


def add_detector_options(parser: Any) -> None:
    """The detector file, and the pixels that some programs do not state."""
    parser.add_argument(
        "--detector",
        type=Path,
        required=True,
        metavar="FILE",
        help="detector file of HEXRD, ImageD11, MIDAS or pyFAI",
    )
    parser.add_argument(
        "--pixels",
        type=int,
        nargs=2,
        metavar=("SLOW", "FAST"),
        help="pixels of the detector, where neither its file nor frames say",
    )


def add_sample_options(parser: Any, *, material: bool) -> None:
    """The material and the bounds within which grains are looked for."""
    parser.add_argument(
        "--material",
        required=material,
        metavar="NAME",
        help="material of the grains: a name of the library, or a CIF file",
    )
    parser.add_argument("--second-phase", metavar="NAME", help="a further phase on the same rings")
    parser.add_argument(
        "--first-ring", type=int, default=1, metavar="N", help="first ring used (default: 1)"
    )
    parser.add_argument(
        "--rings",
        type=int,
        metavar="N",
        help="rings looked at from there on (default: those on the detector, 24 at most)",
    )
    parser.add_argument(
        "--strongest",
        type=int,
        default=12,
        metavar="N",
        help="so many of these are indexed, by structure factor (default: 12)",
    )
    for name, default, text in (
        ("sample-radius-um", 900.0, "no grain is farther from the rotation axis"),
        ("beam-height-um", 100.0, "height of the beam at the sample"),
        ("strain", 2.5e-3, "largest relative difference of a spacing from the material's"),
        ("pole-deg", 6.0, "spots nearer to the rotation axis in azimuth are not used"),
        ("intensity-spread", 0.1, "relative scatter of mates' intensities beyond their errors"),
    ):
        parser.add_argument(
            f"--{name}", type=float, default=default, metavar="X",
            help=f"{text} (default: {default:g})",
        )  # fmt: skip


def add_calibration_options(parser: Any) -> None:
    """What is known beforehand, and the errors of the spots."""
    parser.add_argument(
        "--distance-error-um",
        type=float,
        metavar="UM",
        help="standard error of the given distance; without it the distance is where the mean "
        "lattice is the material's",
    )
    parser.add_argument(
        "--hold", nargs="+", default=[], metavar="NAME", help="parameters that are not fitted"
    )
    for unit, text in (("px", "of places"), ("deg", "of omega")):
        parser.add_argument(
            f"--error-floor-{unit}",
            type=float,
            metavar="X",
            help=f"error {text} beside what spots state (default: from residuals)",
        )


def refuse_beside(output: Path, inputs: Sequence[Path], what: str) -> None:
    """Raise ``OutputPlaceError`` where ``output`` lies in a folder of the input."""
    folders = {path.resolve().parent for path in inputs}
    if output.resolve() in folders or output.resolve().parent in folders:
        raise OutputPlaceError(
            f"{what} would be written beside the raw data",
            where=str(output),
            remedy="Give an --output outside the folder of the raw data.",
        )


def is_frames(path: Path) -> bool:
    """Whether a reader of frames knows the content; a record of ours is none."""
    import h5py

    from mesolith.io.frames import format_of

    if not path.is_file():
        raise InputError("no such file", where=str(path), remedy="Correct the path.")
    try:
        if h5py.is_hdf5(path):
            with h5py.File(path, "r") as file:
                if "record" in file.attrs:
                    return False
        format_of(path)
    except UnknownFormatError:
        return False
    return True


def detector_of_options(
    arguments: argparse.Namespace, shape: tuple[int, int] | None = None
) -> InstrumentFile:
    """The detector file; ``shape`` (slow, fast) is that of frames, where there are any."""
    from mesolith.errors import InvalidValueError
    from mesolith.io.instrument_formats import read_instrument

    if not arguments.detector.is_file():
        raise InputError("no such detector file", where=str(arguments.detector))
    pixels = tuple(arguments.pixels) if arguments.pixels else shape
    try:
        return read_instrument(arguments.detector)
    except InvalidValueError as error:
        if pixels is None:
            remedy = "Give --pixels SLOW FAST."
            raise InvalidValueError(error.what, where=error.where, remedy=remedy) from error
        return read_instrument(arguments.detector, shape=pixels)


def omega_of_options(arguments: argparse.Namespace) -> tuple[float | None, float | None]:
    """Start and step of omega, rad, both or neither."""
    start, step = arguments.omega_start_deg, arguments.omega_step_deg
    if (start is None) is not (step is None):
        raise SettingsError(
            "one of --omega-start-deg and --omega-step-deg is given without the other",
            remedy="Give both, or neither where the files state the angles.",
        )
    return (
        None if start is None else math.radians(start),
        None if step is None else math.radians(step),
    )


def series_of_options(
    arguments: argparse.Namespace, files: Sequence[Path], detector: InstrumentFile
) -> list[FrameSeries]:
    """Frames of each panel, angles in the house's sense."""
    from mesolith.hedm.frames_layers import panel_series, panels_of

    start, step = omega_of_options(arguments)
    return [
        panel_series(
            own,
            detector,
            name,
            omega_start=start,
            omega_step=step,
            dark=arguments.dark,
            mask=arguments.mask,
            saturation=arguments.saturation,
            dataset=arguments.dataset,
            partial=arguments.allow_partial,
        )
        for name, own in panels_of(files, detector.instrument).items()
    ]


def spots_of_series(
    series: Sequence[FrameSeries], search: PeakSearch
) -> tuple[Spots, list[Finding]]:
    """Spots of all panels, block by block with a word of how far it is."""
    from mesolith.hedm.peaks import blocks_of, join_blocks, search_block, spots_of_panels

    found, findings = [], []
    for one in series:
        blocks = []
        for first, last in blocks_of(one):
            progress(f"frames {first} to {last} of {len(one)}, {one.panel}")
            blocks.append(search_block(one, first, last, search))
        findings += [finding for block in blocks for finding in block.findings]
        found.append(join_blocks(one, blocks, search))
    progress("")
    return spots_of_panels(found), list(dict.fromkeys(findings))


def read_spots(path: Path, detector: InstrumentFile) -> tuple[Spots, list[Finding]]:
    """Spots of a file of ours or of ImageD11's peaks, on the panels of a detector file.

    Raises ``ContradictionError`` where the panels are not the detector's, ``InputError`` or
    ``UnknownFormatError`` where there is no file of spots.
    """
    from mesolith.hedm.agreement import reversed_rotation
    from mesolith.io.imaged11_peaks import read_flt, recognise_flt
    from mesolith.io.recognise import HEAD_BYTES
    from mesolith.io.record_file import read_record
    from mesolith.records.spots import Spots

    if not path.is_file():
        raise InputError("no such file of spots", where=str(path))
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    findings: list[Finding] = []
    instrument = detector.instrument
    if head.startswith(b"\x89HDF"):
        spots = read_record(path, Spots)
        if detector.omega_sign < 0.0:
            spots = reversed_rotation(spots)
    elif recognise_flt(path, head) > 0.0:
        read = read_flt(path, omega_sign=detector.omega_sign, panel=instrument.panels[0].name)
        spots, findings = read.spots, list(read.findings)
    else:
        raise UnknownFormatError(
            "this is no file of spots",
            where=str(path),
            remedy="Give the file that `mesolith hedm peaks` wrote, or ImageD11's peaks (.flt).",
        )
    return on_panels(spots, instrument, str(path)), findings


def on_panels(spots: Spots, instrument: Instrument, where: str) -> Spots:
    """The spots with the panels of an instrument, in its order; one panel needs no name."""
    import numpy as np

    names = tuple(panel.name for panel in instrument.panels)
    if spots.panel_name == names:
        return spots
    if len(names) == len(spots.panel_name) == 1:
        return replace(spots, panel_name=names)
    unknown = [name for name in spots.panel_name if name not in names]
    if unknown:
        raise ContradictionError(
            f"its spots lie on panel {unknown[0]!r}, the detector file knows {', '.join(names)}",
            where=where,
            remedy="Give the detector file of these frames, or name the panels alike.",
        )
    row = np.array([names.index(name) for name in spots.panel_name])
    return replace(spots, panel=row[spots.panel], panel_name=names)


def phases_of_options(
    arguments: argparse.Namespace, instrument: Instrument, spots: Spots
) -> tuple[PhaseRings, ...]:
    """The rings of the materials named that are indexed, no farther out than the spots."""
    from mesolith.hedm.ring_choice import rings_of_materials, smallest_spacing
    from mesolith.materials.loader import load_material

    count, strongest = arguments.rings, arguments.strongest
    if not (
        1 <= arguments.first_ring <= 100
        and (count is None or 1 <= count <= 60)
        and 2 <= strongest <= 60
    ):
        asked = "the rings on the detector" if count is None else f"{count} rings"
        raise SettingsError(
            f"the {strongest} strongest of {asked} from ring {arguments.first_ring} on are none, "
            "or too many",
            remedy="The first is 1 to 100, their number 1 to 60, of the strongest 2 to 60.",
        )
    second = arguments.second_phase
    return rings_of_materials(
        load_material(arguments.material),
        None if second is None else load_material(second),
        instrument,
        first_ring=arguments.first_ring,
        count=count,
        strongest=strongest,
        strain=arguments.strain,
        least_d=smallest_spacing(spots, instrument),
    )


def settings_of_options(arguments: argparse.Namespace) -> IndexSettings:
    """Bounds of the search."""
    from mesolith.hedm.index_settings import IndexSettings

    return IndexSettings(
        sample_radius=arguments.sample_radius_um,
        height=arguments.beam_height_um,
        strain=arguments.strain,
        pole=math.radians(arguments.pole_deg),
        intensity_spread=arguments.intensity_spread,
    )


def say(findings: Sequence[Finding]) -> None:
    """Print each finding once."""
    for finding in dict.fromkeys(findings):
        place = f"{finding.where}: " if finding.where else ""
        print(f"{finding.level}: {place}{finding.text}")


def progress(text: str) -> None:
    """One line that replaces the one before, where somebody looks at a terminal."""
    if sys.stderr.isatty():
        print(f"\r{text:<70}", end="" if text else "\r", file=sys.stderr, flush=True)
