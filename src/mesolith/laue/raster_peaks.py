"""Step laue.peaks: the peaks of each pattern of a scan, from images or from lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesolith.axes import IntArray
from mesolith.errors import ContradictionError, EmptyFileError, SettingsError
from mesolith.io.frames import places_by_number, read_mask
from mesolith.io.lauetools_list import (
    peaks_from_lauetools,
    read_lauetools_list,
    recognise_lauetools_list,
)
from mesolith.io.pattern_series import PatternSeries, open_patterns
from mesolith.io.record_file import write_record
from mesolith.laue.geometry import LaueGeometry, check_peaks_on_panel
from mesolith.laue.peak_settings import LauePeakSearch
from mesolith.laue.peaks import find_laue_peaks
from mesolith.laue.raster import raster_of, rows_of_scan, scan_of
from mesolith.laue.station import StationErrors, read_station
from mesolith.pipeline.work import Cost, Remark, Work, write_remarks
from mesolith.records.laue import LauePeaks, joined_peaks, laue_peaks
from mesolith.records.laue_scan import LaueScan

SCAN = "scan.h5"  # beside the peaks: the whole raster
_IMAGE_SECONDS, _LIST_SECONDS = 0.08, 0.003


@dataclass(frozen=True, slots=True)
class Patterns:
    """Files of a state as patterns: ``point`` (n,) is the place of each in the raster.

    ``series`` reads images; where it is None each of ``files`` is a list of peaks.
    """

    files: tuple[Path, ...]
    point: IntArray
    series: PatternSeries | None

    def peaks(self, at: int, search: LauePeakSearch, mask: np.ndarray | None) -> LauePeaks:
        """Peaks of the pattern in place ``at`` of the files; raises as readers and search do."""
        number = int(self.point[at])
        if self.series is not None:
            return find_laue_peaks(
                self.series.read(at),
                search,
                mask=mask,
                pattern=number,
                place=self.series.place(at),
            )
        return peaks_from_lauetools(read_lauetools_list(self.files[at], empty=True), pattern=number)

    def place(self, at: int) -> str:
        """Where a pattern comes from, as errors name it."""
        return str(self.files[at]) if self.series is None else self.series.place(at)


def parts(work: Work) -> list[dict[str, int]]:
    """One part a block of whole rows of the raster."""
    blocks = raster_of(work.settings).blocks
    return [{"first": first, "end": end} for first, end in blocks]


def cost(work: Work) -> Cost:
    """0.1 s a pattern of 4 megapixels, by the size of the files."""
    raster = raster_of(work.settings)
    each = raster.points / len(raster.blocks)
    size = sum(source.path.stat().st_size for source in work.inputs["raw"]) / raster.points
    seconds = _LIST_SECONDS if size < 3e5 else _IMAGE_SECONDS * size / 8e6
    return Cost(seconds=1.0 + each * seconds, disk_bytes=int(each * 40_000))


def trial(work: Work) -> None:
    """Open detector, mask, files and raster, and search or read the first pattern."""
    geometry, _ = geometry_of(work)
    patterns, _ = patterns_of(work, geometry)
    _checked(patterns, 0, LauePeakSearch(), None, geometry)
    _mask_of(work, patterns)


def compute(work: Work) -> None:
    """Peaks of the patterns of some rows, and beside them the scan."""
    geometry, stated = geometry_of(work)
    patterns, scan = patterns_of(work, geometry)
    search = LauePeakSearch(
        sigmas=float(work.settings["laue.threshold"]), saturation=work.settings["laue.saturation"]
    )
    mask = _mask_of(work, patterns)
    wanted = set(rows_of_scan(scan, int(work.selector["first"]), int(work.selector["end"])))
    own = [at for at, number in enumerate(patterns.point.tolist()) if number in wanted]
    found, dark = [laue_peaks(*np.zeros((3, 0)))], []
    for at in own:
        try:
            found.append(_checked(patterns, at, search, mask, geometry))
        except EmptyFileError as error:
            if patterns.series is None:
                raise
            dark.append(f"{error.where}: {error.what}")
    write_record(work.folder / "record.h5", joined_peaks(found))
    write_record(work.folder / SCAN, scan)
    write_remarks(work.folder, list(_remarks(work, scan, dark, stated=stated)))


def geometry_of(work: Work) -> tuple[LaueGeometry, bool]:
    """The station of [laue], and whether its file stated its errors.

    Raises ``SettingsError`` where no detector file is named.
    """
    if "laue.detector" not in work.inputs:
        raise SettingsError(
            "patterns do not say where the panel stood",
            where=work.label,
            remedy='Name a detector file in cell.toml: [laue] detector = "...".',
        )
    told = work.settings
    return read_station(
        work.source("laue.detector").path,
        incidence_deg=float(told["laue.incidence_deg"]),
        errors=StationErrors(
            float(told["laue.distance_error_um"]),
            float(told["laue.centre_error_px"]),
            float(told["laue.tilt_error_deg"]),
            float(told["laue.height_error_um"]),
        ),
    )


def patterns_of(work: Work, geometry: LaueGeometry) -> tuple[Patterns, LaueScan]:
    """Files of a state as patterns, and the scan that they make; raises as their readers do."""
    files = tuple(source.path for source in work.inputs["raw"])
    raster = raster_of(work.settings)
    partial = bool(work.settings.get("run.allow_partial", False))
    lists = [_is_list(path) for path in files]
    if any(lists) and not all(lists):
        raise ContradictionError(
            "the state lists both images and lists of peaks",
            where=work.label,
            remedy="Take one of the two out of the state.",
        )
    if lists[0]:
        patterns = Patterns(files, places_by_number(files, partial), None)
    else:
        slow, fast = (int(size) for size in geometry.instrument.panels[0].shape)
        series = open_patterns(
            files, shape=(slow, fast), dataset=raster.dataset, allow_partial=partial
        )
        patterns = Patterns(series.files, series.point, series)
    return patterns, scan_of(raster, patterns.point, name=work.label, allow_partial=partial)


def _is_list(path: Path) -> bool:
    with path.open("rb") as file:
        return recognise_lauetools_list(path, file.read(512)) > 0.0


def _checked(
    patterns: Patterns,
    at: int,
    search: LauePeakSearch,
    mask: np.ndarray | None,
    geometry: LaueGeometry,
) -> LauePeaks:
    """Peaks of one pattern, all on the panel."""
    peaks = patterns.peaks(at, search, mask)
    try:
        check_peaks_on_panel(geometry, peaks.fast, peaks.slow)
    except ContradictionError as error:
        raise ContradictionError(
            error.what, where=patterns.place(at), remedy=error.remedy
        ) from error
    return peaks


def _mask_of(work: Work, patterns: Patterns) -> np.ndarray | None:
    """True where [laue] says that pixels cannot be used."""
    if "laue.mask" not in work.inputs or patterns.series is None:
        return None
    path = work.source("laue.mask").path
    mask = np.asarray(read_mask(path), dtype=np.bool_)
    if mask.shape != patterns.series.shape:
        raise ContradictionError(
            f"the mask has {mask.shape[0]} x {mask.shape[1]} pixels, the images "
            f"{patterns.series.shape[0]} x {patterns.series.shape[1]}",
            where=str(path),
            remedy="Give the mask of this detector, binning and region.",
        )
    return mask


def _remarks(work: Work, scan: LaueScan, dark: list[str], *, stated: bool) -> Iterator[Remark]:
    if dark:
        yield Remark("warning", work.label, f"{len(dark)} patterns show nothing, such as {dark[0]}")
    if work.selector["first"] != 0:
        return
    missing = scan.raster_rows * scan.raster_columns - len(scan)
    if missing:
        yield Remark("gap", work.label, f"{missing} points of the raster have no pattern")
    if not stated:
        told = work.settings
        yield Remark(
            "assumed",
            "[laue]",
            "the detector file states no errors; taken are "
            f"{told['laue.distance_error_um']:g} um of the distance, "
            f"{told['laue.centre_error_px']:g} px of the centre, "
            f"{told['laue.tilt_error_deg']:g} deg of the tilts",
        )
