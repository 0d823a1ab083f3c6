"""``mesolith laue index``: the grains of white-beam patterns, each indexed from nothing."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesolith.errors import EmptyFileError
from mesolith.laue.command_inputs import (
    add_search_options,
    add_station_options,
    material_of_options,
    peaks_of_files,
    refuse_beside_raw,
    station_of_options,
)

if TYPE_CHECKING:
    from mesolith.records.laue import LaueGrains


def add_index(actions: Any) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "index",
        help="find the grains of patterns",
        description="Find the grains of white-beam patterns, given as images, lists of peaks of "
        "LaueTools (.dat, .cor) or the peaks that `mesolith laue peaks` wrote. Each pattern is "
        "indexed for itself; a scan goes faster and further with a cell.toml.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="patterns, in order")
    add_station_options(parser)
    parser.add_argument(
        "--height-error-um", type=float, default=5.0, metavar="UM",
        help="standard error of the surface's height (default: 5)",
    )  # fmt: skip
    parser.add_argument(
        "--most-grains", type=int, default=4, metavar="N", help="grains a pattern (default: 4)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("grains.h5"), metavar="FILE", help="default: grains.h5"
    )
    add_search_options(parser)
    parser.set_defaults(run=run_index)


def run_index(arguments: argparse.Namespace) -> int:
    """Index, say what each pattern holds, and write the grains."""
    from mesolith.io.record_file import write_record
    from mesolith.laue.index_settings import IndexSettings
    from mesolith.laue.solve import index_pattern
    from mesolith.laue.station import phase_indexer
    from mesolith.pipeline.faults import storage
    from mesolith.records.laue_found import joined_grains

    output: Path = arguments.output
    refuse_beside_raw(output, arguments.files)
    geometry, spectrum = station_of_options(arguments, height_um=arguments.height_error_um)
    settings = IndexSettings(
        most_grains=arguments.most_grains, position_error_px=arguments.position_error_px
    )
    indexer = phase_indexer(material_of_options(arguments), geometry, spectrum, settings)
    found: list[LaueGrains] = []
    for name, peaks in peaks_of_files(arguments, geometry):
        grains = index_pattern(indexer, peaks).grains
        found.append(grains)
        print(f"{name}: {len(peaks)} peaks, {len(grains)} grains")
        _say(grains)
    if not found:
        raise EmptyFileError(
            "no pattern has a peak",
            where=str(arguments.files[0]),
            remedy="Lower --threshold, or check that there was beam.",
        )
    with storage(output.parent):
        output.parent.mkdir(parents=True, exist_ok=True)
        write_record(output, joined_grains(found))
    print(f"written: {output}")
    return 0


def _say(grains: LaueGrains) -> None:
    sigma = grains.standard_error("strain")
    common = grains.systematic_error()
    assert sigma is not None
    for k in range(len(grains)):
        diagonal = " ".join(f"{1e4 * grains.strain[k, i, i]:+.2f}" for i in range(3))
        print(
            f"  {grains.spots[k]} spots, {grains.completeness[k]:.0%} of the strong ones, "
            f"{grains.rms[k]:.3f} px; strain 11 22 33 {diagonal} e-4, "
            f"+- {1e4 * sigma[k].diagonal().mean():.2f} at random, "
            f"{1e4 * common[k].diagonal().mean():.2f} common; "
            f"false with probability {grains.false_probability[k]:.1e}"
        )
