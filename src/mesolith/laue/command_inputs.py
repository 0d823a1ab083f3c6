"""What the commands of white-beam diffraction share: options, and the peaks behind files."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesolith.errors import ContradictionError, InputError

if TYPE_CHECKING:
    from mesolith.laue.geometry import LaueGeometry
    from mesolith.laue.spectrum import Spectrum
    from mesolith.materials.loader import Material
    from mesolith.records.laue import LauePeaks


def add_search_options(parser: Any) -> None:
    """Options of the search for peaks in images."""
    parser.add_argument(
        "--threshold", type=float, default=6.0, metavar="SIGMAS",
        help="height of a peak over the noise (default: 6)",
    )  # fmt: skip
    parser.add_argument("--saturation", type=float, metavar="COUNTS", help="limit of a pixel")
    parser.add_argument(
        "--mask", type=Path, metavar="FILE", help="picture that is not zero at bad pixels"
    )
    parser.add_argument("--dataset", metavar="PATH", help="stack in an HDF5 file that has several")
    parser.add_argument(
        "--allow-partial", action="store_true", help="go on with files missing; they are told"
    )


def add_station_options(parser: Any) -> None:
    """Options of the station, its errors and its beam."""
    parser.add_argument(
        "--detector", type=Path, required=True, metavar="FILE",
        help="detector file of LaueTools (det) or pyFAI (poni), or station.h5 of `calibrate`",
    )  # fmt: skip
    parser.add_argument(
        "--material", required=True, metavar="NAME",
        help="material: a name of the library, or a CIF file",
    )  # fmt: skip
    for name, default, text in (
        ("incidence-deg", 45.0, "angle between beam and surface"),
        ("lowest-kev", 5.0, "lowest photon energy"),
        ("highest-kev", 24.0, "highest photon energy"),
        ("position-error-px", 0.15, "error of a peak's coordinate where its list states none"),
    ):
        parser.add_argument(
            f"--{name}", type=float, default=default, metavar="X",
            help=f"{text} (default: {default:g})",
        )  # fmt: skip


def station_of_options(
    arguments: argparse.Namespace, *, height_um: float = 0.0
) -> tuple[LaueGeometry, Spectrum]:
    """The station and its beam; raises as the reader of the detector file does."""
    from mesolith.laue.spectrum import Spectrum
    from mesolith.laue.station import StationErrors, read_station

    if not arguments.detector.is_file():
        raise InputError("no such file", where=str(arguments.detector), remedy="Correct the path.")
    geometry, _ = read_station(
        arguments.detector,
        incidence_deg=arguments.incidence_deg,
        errors=StationErrors(height_um=height_um),
    )
    return geometry, Spectrum(lowest_kev=arguments.lowest_kev, highest_kev=arguments.highest_kev)


def material_of_options(arguments: argparse.Namespace) -> Material:
    """The material, from the library or a CIF file."""
    from mesolith.materials.loader import load_material

    return load_material(arguments.material)


def peaks_of_files(
    arguments: argparse.Namespace, geometry: LaueGeometry | None = None
) -> Iterator[tuple[str, LauePeaks]]:
    """Name and peaks of each pattern of ``arguments.files``: images, lists, or a record of ours.

    Raises ``InputError`` where a file does not exist, and what readers and search raise.
    """
    from mesolith.io.frames import read_mask
    from mesolith.io.lauetools_list import peaks_from_lauetools, read_lauetools_list
    from mesolith.io.pattern_series import open_patterns
    from mesolith.io.record_file import read_record
    from mesolith.laue.peak_settings import LauePeakSearch
    from mesolith.laue.peaks import find_laue_peaks
    from mesolith.records.laue import LauePeaks, peaks_of_patterns

    files: Sequence[Path] = arguments.files
    absent = [path for path in files if not path.is_file()]
    if absent:
        raise InputError("no such file", where=str(absent[0]), remedy="Correct the path.")
    if is_record(files[0]):
        for path in files:
            for peaks in peaks_of_patterns(read_record(path, LauePeaks)):
                yield f"{path.name}, pattern {peaks.pattern[0]}", peaks
        return
    lists = [is_list(path) for path in files]
    if any(lists) and not all(lists):
        raise ContradictionError(
            "the files are both images and lists of peaks",
            where=str(files[lists.index(True)]),
            remedy="Give one kind at a time.",
        )
    if lists[0]:
        for number, path in enumerate(files):
            yield path.name, peaks_from_lauetools(read_lauetools_list(path), pattern=number)
        return
    shape = None
    if geometry is not None:
        slow, fast = (int(size) for size in geometry.instrument.panels[0].shape)
        shape = slow, fast
    series = open_patterns(
        files, shape=shape, dataset=arguments.dataset, allow_partial=arguments.allow_partial
    )
    search = LauePeakSearch(sigmas=arguments.threshold, saturation=arguments.saturation)
    mask = None if arguments.mask is None else read_mask(arguments.mask)
    for number, point in enumerate(series.point.tolist()):
        place = series.place(number)
        image = series.read(number)
        found = find_laue_peaks(image, search, mask=mask, pattern=point, place=place)
        yield Path(place).name, found


def is_list(path: Path) -> bool:
    """Whether the content is a list of LaueTools."""
    from mesolith.io.lauetools_list import recognise_lauetools_list

    with path.open("rb") as file:
        return recognise_lauetools_list(path, file.read(512)) > 0.0


def is_record(path: Path) -> bool:
    """Whether the content is a record of ours."""
    import h5py

    if not path.is_file() or not h5py.is_hdf5(path):
        return False
    with h5py.File(path, "r") as file:
        return "record" in file.attrs


def refuse_beside_raw(output: Path, files: Sequence[Path]) -> None:
    """Raise ``OutputPlaceError`` where ``output`` would lie beside raw files."""
    from mesolith.pipeline.place import refuse_inside

    refuse_inside(output, [path for path in files if not is_record(path)])
