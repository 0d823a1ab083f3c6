"""``mesolith hedm``: single steps of far-field diffraction, without a cell.toml."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mesolith.errors import SettingsError
from mesolith.hedm.command_calibrate import add_calibrate
from mesolith.hedm.command_index import add_index
from mesolith.hedm.command_inputs import (
    add_frame_options,
    omega_of_options,
    refuse_beside,
    say,
    spots_of_series,
)


def add(commands: Any) -> None:
    """Add the command with its actions."""
    parser = commands.add_parser(
        "hedm",
        help="single steps of far-field diffraction",
        description="Single steps from detector frames to grains, without a cell.toml.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_peaks(actions)
    add_calibrate(actions)
    add_index(actions)


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
    add_frame_options(parser)
    parser.add_argument("--panel", metavar="NAME", help="name of the panel in the instrument")
    parser.add_argument(
        "--gain", type=float, metavar="COUNTS", help="counts of one photon (default: measured)"
    )
    parser.add_argument(
        "--moments", action="store_true", help="centres of mass instead of fitted profiles"
    )
    parser.set_defaults(run=run_peaks)


def run_peaks(arguments: argparse.Namespace) -> int:
    """Search, write the spots, and say what was found and what to beware of."""
    import numpy as np

    from mesolith.hedm.search_settings import PeakSearch
    from mesolith.io.frames import open_frames
    from mesolith.io.record_file import write_record
    from mesolith.pipeline.faults import storage

    start, step = omega_of_options(arguments)
    if not 0.0 < (1.0 if arguments.gain is None else arguments.gain) < 1e6:
        raise SettingsError(
            f"--gain {arguments.gain:g} is no number of counts", remedy="It is positive."
        )
    output: Path = arguments.output
    refuse_beside(output, arguments.frames, "the spots")
    series = open_frames(
        arguments.frames,
        omega_start=start,
        omega_step=step,
        dark=arguments.dark,
        mask=arguments.mask,
        saturation=arguments.saturation,
        panel=arguments.panel,
        dataset=arguments.dataset,
        allow_partial=arguments.allow_partial,
    )
    # the variance that one more count brings is the counts of a photon
    search = PeakSearch(profile=not arguments.moments, gain=arguments.gain)
    spots, findings = spots_of_series([series], search)
    with storage(output.parent):
        output.parent.mkdir(parents=True, exist_ok=True)
        write_record(output, spots)
    measured = ", ".join(f"{a:.6g} to {b:.6g}" for a, b in np.rad2deg(series.stretches))
    print(f"frames: {len(series):,} of {series.shape[0]} x {series.shape[1]}, {measured} deg")
    print(
        f"spots: {len(spots):,}, {int(spots.overlapping.sum()):,} of them overlapping, "
        f"{int(spots.partial.sum()):,} partial, {int(spots.saturated.sum()):,} saturated"
    )
    say(findings)
    print(f"written: {output}")
    return 0
