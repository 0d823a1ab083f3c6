"""Step frames.drift: whether the detector of a state stands where it was calibrated."""

from __future__ import annotations

from mesolith.hedm.calibrate_spots import corrected
from mesolith.hedm.frames_index import ASSIGNMENT
from mesolith.hedm.indexed import IndexedLayer
from mesolith.hedm.station_drift import drift_sentences, station_drift
from mesolith.instrument.station import StationCalibration
from mesolith.io.record_file import read_record
from mesolith.pipeline.work import Cost, Remark, Work, write_remarks
from mesolith.records.indexed import IndexedGrains, SpotAssignment
from mesolith.records.spots import Spots


def cost(work: Work) -> Cost:
    """Some seconds for three hundred grains."""
    return Cost(seconds=3.0, memory_bytes=1_000_000_000, disk_bytes=10_000)


def compute(work: Work) -> None:
    """Remarks on what the grains of the middle layer say of the station; it is not changed."""
    middle = len(work.inputs["frames.spots"]) // 2
    station = read_record(work.source("frames.calibrate").record_file, StationCalibration)
    remarks: list[Remark] = []
    # the state itself agrees with its own calibration
    if station.source == "grains" and not station.state.startswith(f"{work.label}, layer "):
        indexed = work.inputs["frames.index"][middle]
        layer = IndexedLayer(
            read_record(indexed.record_file, IndexedGrains),
            read_record(indexed.path / ASSIGNMENT, SpotAssignment),
        )
        spots = read_record(work.inputs["frames.spots"][middle].record_file, Spots)
        drift = station_drift(station, corrected(spots, station), layer)
        if drift is not None:
            remarks += [
                Remark("warning", work.label, text) for text in drift_sentences(drift, station)
            ]
    write_remarks(work.folder, remarks)
