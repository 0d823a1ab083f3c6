"""Steps laue.map and laue.interface: the map of a state, and where its phase ends."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mesolith.errors import ContradictionError, InvalidValueError
from mesolith.io.record_file import read_record, write_record
from mesolith.laue.interface import locate_interface
from mesolith.laue.map import map_of_scan
from mesolith.laue.map_settings import MapSettings
from mesolith.laue.raster import raster_of
from mesolith.laue.raster_peaks import SCAN, geometry_of
from mesolith.pipeline.work import Cost, Remark, Work, write_remarks
from mesolith.records.laue_found import LaueFound, joined_found
from mesolith.records.laue_map import NO_PATTERN, NOT_INDEXED, SEVERAL, LaueInterface, LaueMap
from mesolith.records.laue_scan import LaueScan


def cost(work: Work) -> Cost:
    """A millisecond a point."""
    points = raster_of(work.settings).points
    return Cost(seconds=1.0 + 1e-3 * points, memory_bytes=300_000_000 + 20_000 * points)


def compute(work: Work) -> None:
    """Map of the state.

    Raises ``ContradictionError`` where no pattern holds the electrolyte.
    """
    found = joined_found(
        [read_record(source.record_file, LaueFound) for source in work.inputs["laue.index"]]
    )
    scan = read_record(work.inputs["laue.peaks"][0].path / SCAN, LaueScan)
    if not len(found.grains):
        raise ContradictionError(
            f"none of {len(found)} patterns with {int(found.peaks.sum())} peaks holds a grain of "
            f"{work.settings['electrolyte.material']}",
            where=work.label,
            remedy="Are detector, material and the band of the beam those of this measurement?",
        )
    settings = MapSettings(
        grain_threshold_rad=float(np.deg2rad(work.settings["laue.grain_threshold_deg"])),
        fewest_points=int(work.settings["laue.fewest_points"]),
    )
    made = map_of_scan(scan, found, settings, geometry=geometry_of(work)[0])
    write_record(work.folder / "record.h5", made)
    write_remarks(work.folder, [Remark("note", work.label, text) for text in account(made)])


def account(made: LaueMap) -> Iterator[str]:
    """What a reader of a map should know first."""
    status = made.status
    yield (
        f"{len(made.grains)} grains on {int((made.grain >= 0).sum())} of {len(made)} points; "
        f"{int(((status & NO_PATTERN) != 0).sum())} have no pattern, "
        f"{int(((status & NOT_INDEXED) != 0).sum())} one that no grain explains, "
        f"{int(((status & SEVERAL) != 0).sum())} several grains"
    )
    common = np.zeros(made.strain.shape)
    for mode in made.common_modes:
        common = common + (mode.sigma * mode.derivatives["strain"]) ** 2
    alone = made.standard_error("strain")
    assert alone is not None
    yield (
        f"median standard error of a strain component {np.nanmedian(alone):.1e} at random, "
        f"{np.nanmedian(np.sqrt(common)):.1e} common to all points from the errors of calibration "
        "and height"
    )


def compute_interface(work: Work) -> None:
    """Where the phase ends; without a line and with a remark where the map does not show it."""
    made = read_record(work.source("laue.map").record_file, LaueMap)
    try:
        interface = locate_interface(made)
    except InvalidValueError as error:
        write_remarks(work.folder, [Remark("note", work.label, f"no interface: {error.what}")])
        interface = no_interface()
    write_record(work.folder / "record.h5", interface)


def no_interface() -> LaueInterface:
    """An interface without a line: the map does not reach beyond the phase."""
    nothing, unknown = np.zeros(0), np.full(2, np.nan)
    return LaueInterface(
        along="y",
        line=nothing,
        place=nothing,
        place_se=nothing,
        point=unknown,
        normal=unknown,
        offset_se=float("nan"),
        angle_se=float("nan"),
        roughness=float("nan"),
    )
