"""``mesolith laue peaks``: the peaks of white-beam patterns."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mesolith.laue.command_inputs import add_search_options, peaks_of_files, refuse_beside_raw


def add_peaks(actions: Any) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "peaks",
        help="find the peaks of patterns",
        description="Find the peaks of white-beam patterns: TIFF, MCCD, EDF, CBF, JPEG 2000, or "
        "an HDF5 stack. All are written as one HDF5 file, with --lists as one .dat of LaueTools "
        "a pattern, too.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="patterns, in order")
    parser.add_argument(
        "--output", type=Path, default=Path("peaks.h5"), metavar="FILE", help="default: peaks.h5"
    )
    parser.add_argument("--lists", type=Path, metavar="DIR", help="folder for .dat lists")
    add_search_options(parser)
    parser.set_defaults(run=run_peaks)


def run_peaks(arguments: argparse.Namespace) -> int:
    """Search, say what each pattern shows, and write the peaks."""
    from mesolith.io.lauetools_list import lauetools_peaks, write_lauetools_list
    from mesolith.io.record_file import write_record
    from mesolith.pipeline.faults import storage
    from mesolith.records.laue import joined_peaks

    output: Path = arguments.output
    folder: Path | None = arguments.lists
    for place in (output, folder):
        if place is not None:
            refuse_beside_raw(place, arguments.files)
    found = []
    for name, peaks in peaks_of_files(arguments):
        found.append(peaks)
        print(f"{name}: {len(peaks)} peaks, {int(peaks.saturated.sum())} of them saturated")
        if folder is not None:
            with storage(folder):
                folder.mkdir(parents=True, exist_ok=True)
                write_lauetools_list(folder / f"{Path(name).stem}.dat", lauetools_peaks(peaks))
    with storage(output.parent):
        output.parent.mkdir(parents=True, exist_ok=True)
        write_record(output, joined_peaks(found))
    print(f"written: {output}")
    return 0
