"""Step frames.spots: the spots of each layer of a state from its frames."""

from __future__ import annotations

from mesolith.hedm.frames_layers import (
    INSTRUMENT,
    files_by_layer,
    instrument_of,
    layer_heights,
    layer_series,
)
from mesolith.hedm.peaks import find_spots_and_say, spots_of_panels
from mesolith.hedm.search_settings import PeakSearch
from mesolith.io.frame_series import FrameSeries
from mesolith.io.record_file import write_record
from mesolith.pipeline.work import Cost, Remark, Work, write_remarks


def parts(work: Work) -> list[dict[str, int]]:
    """One part a layer."""
    return [{"layer": layer} for layer in range(len(layer_heights(work.settings)))]


def cost(work: Work) -> Cost:
    """A minute for 3,600 frames of 2048 x 2048 and 16 bits, whose size is that of the files."""
    size = sum(source.path.stat().st_size for source in work.inputs["raw"])
    each = size / max(len(layer_heights(work.settings)), 1)
    return Cost(seconds=2.0 + each / 3e8, memory_bytes=1_500_000_000, disk_bytes=200_000_000)


def trial(work: Work) -> None:
    """Open the frames of one layer and read the first of each panel, with dark and mask."""
    for series in _series(work):
        series.read(0)


def compute(work: Work) -> None:
    """Spots of one layer, all its panels in one list."""
    threshold = float(work.settings["frames.threshold"])
    search = PeakSearch(seed_sigmas=threshold, grow_sigmas=min(4.0, threshold))
    series = _series(work)
    found = [find_spots_and_say(one, search) for one in series]
    spots = spots_of_panels([one for one, _ in found])
    write_record(work.folder / "record.h5", spots)
    write_record(work.folder / INSTRUMENT, instrument_of(work))
    remarks = [
        Remark(finding.level, f"{work.label}, {finding.where}", finding.text)
        for _, findings in found
        for finding in findings
    ]
    for one in series:
        gaps = len(one.stretches) - 1
        if gaps:
            remarks.append(
                Remark("gap", f"{work.label}, {one.panel}", f"{gaps} gaps between the frames")
            )
    if not len(spots):
        remarks.append(Remark("warning", work.label, "no spot stands out of the noise"))
    write_remarks(work.folder, remarks)


def _series(work: Work) -> list[FrameSeries]:
    heights = layer_heights(work.settings)
    files = files_by_layer([source.path for source in work.inputs["raw"]], heights, work.label)
    partial = bool(work.settings.get("run.allow_partial", False))
    return layer_series(work, files[int(work.selector["layer"])], partial=partial)
