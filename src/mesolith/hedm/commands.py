"""``mesolith hedm``: single steps of far-field diffraction, without a cell.toml."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from mesolith.errors import OutputPlaceError, SettingsError


def add(commands: Any) -> None:
    """Add the command with its actions."""
    parser = commands.add_parser(
        "hedm",
        help="single steps of far-field diffraction",
        description="Single steps from detector frames to grains, without a cell.toml.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_peaks(actions)


def _add_peaks(actions: Any) -> None:
    parser = actions.add_parser(
        "peaks",
        help="find the spots of a rotation",
        description="Find the spots of one panel in one rotation and write them as one HDF5 file. "
        "Frames may be GE, HDF5 or NeXus stacks, TIFF, CBF, EDF, or HEXRD frame caches; what "
        "they are is seen from their content.",
    )
    parser.add_argument("frames", nargs="+", type=Path, metavar="FILE", help="frames, in order")
    parser.add_argument(
        "--output", type=Path, default=Path("spots.h5"), metavar="FILE", help="default: spots.h5"
    )
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
    parser.add_argument("--panel", metavar="NAME", help="name of the panel in the instrument")
    parser.add_argument("--dataset", metavar="PATH", help="stack in an HDF5 file that has several")
    parser.add_argument(
        "--gain", type=float, metavar="COUNTS", help="counts of one photon (default: measured)"
    )
    parser.add_argument(
        "--moments", action="store_true", help="centres of mass instead of fitted profiles"
    )
    parser.add_argument(
        "--allow-partial", action="store_true", help="go on with frames missing; they are told"
    )
    parser.set_defaults(run=run_peaks)


def run_peaks(arguments: argparse.Namespace) -> int:
    """Search, write the spots, and say what was found and what to beware of."""
    import numpy as np

    from mesolith.hedm.peaks import blocks_of, join_blocks, search_block
    from mesolith.hedm.search_settings import PeakSearch
    from mesolith.io.frames import open_frames
    from mesolith.io.record_file import write_record
    from mesolith.pipeline.faults import storage

    start, step = arguments.omega_start_deg, arguments.omega_step_deg
    if (start is None) is not (step is None):
        raise SettingsError(
            "one of --omega-start-deg and --omega-step-deg is given without the other",
            remedy="Give both, or neither where the files state the angles.",
        )
    if not 0.0 < (1.0 if arguments.gain is None else arguments.gain) < 1e6:
        raise SettingsError(
            f"--gain {arguments.gain:g} is no number of counts", remedy="It is positive."
        )
    output: Path = arguments.output
    folders = {path.resolve().parent for path in arguments.frames}
    if output.resolve().parent in folders:
        raise OutputPlaceError(
            "the spots would be written beside the frames",
            where=str(output),
            remedy="Give an --output outside the folder of the raw data.",
        )
    series = open_frames(
        arguments.frames,
        omega_start=None if start is None else math.radians(start),
        omega_step=None if step is None else math.radians(step),
        dark=arguments.dark,
        mask=arguments.mask,
        saturation=arguments.saturation,
        panel=arguments.panel,
        dataset=arguments.dataset,
        allow_partial=arguments.allow_partial,
    )
    # the variance that one more count brings is the counts of a photon
    search = PeakSearch(profile=not arguments.moments, gain=arguments.gain)
    blocks = [search_block(series, first, last, search) for first, last in blocks_of(series)]
    spots = join_blocks(series, blocks, search)
    with storage(output.parent):
        output.parent.mkdir(parents=True, exist_ok=True)
        write_record(output, spots)
    measured = ", ".join(f"{a:.6g} to {b:.6g}" for a, b in np.rad2deg(series.stretches))
    print(f"frames: {len(series):,} of {series.shape[0]} x {series.shape[1]}, {measured} deg")
    print(
        f"spots: {len(spots):,}, {int(spots.overlapping.sum()):,} of them overlapping, "
        f"{int(spots.partial.sum()):,} partial, {int(spots.saturated.sum()):,} saturated"
    )
    for finding in dict.fromkeys(finding for block in blocks for finding in block.findings):
        print(f"{finding.level}: {finding.where}: {finding.text}")
    print(f"written: {output}")
    return 0
