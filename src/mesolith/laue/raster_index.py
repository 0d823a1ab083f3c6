"""Steps laue.seeds and laue.index: the grains at the points of a scan."""

from __future__ import annotations

import numpy as np

from mesolith.errors import EmptyFileError, SettingsError
from mesolith.io.record_file import read_record, write_record
from mesolith.laue.index import LaueIndexer
from mesolith.laue.index_settings import IndexSettings
from mesolith.laue.raster import raster_of
from mesolith.laue.raster_peaks import SCAN, geometry_of
from mesolith.laue.scan import find_seeds, index_rows, seed_points
from mesolith.laue.scan_settings import ScanSettings
from mesolith.laue.spectrum import Spectrum
from mesolith.laue.station import phase_indexer
from mesolith.materials.loader import Material, load_material
from mesolith.pipeline.work import Cost, Remark, Source, Work, write_remarks
from mesolith.records.laue import LauePeaks, peaks_of_patterns
from mesolith.records.laue_found import LaueSeeds
from mesolith.records.laue_scan import LaueScan

_SEED_SECONDS, _POINT_SECONDS = 0.05, 0.01


def seeds_cost(work: Work) -> Cost:
    """0.05 s for each pattern that is indexed from nothing."""
    raster, step = raster_of(work.settings), int(work.settings["laue.seed_step"])
    return Cost(seconds=3.0 + _SEED_SECONDS * (raster.points / step**2 + 1))


def compute_seeds(work: Work) -> None:
    """Grains of some points of the raster, each found from nothing.

    Raises ``EmptyFileError`` where no pattern of the state has a peak.
    """
    sources = work.inputs["laue.peaks"]
    scan = _scan(sources[0])
    settings = _scan_settings(work)
    wanted = set(scan.pattern[seed_points(scan, settings)].tolist())
    chosen, total = [], 0
    for source in sources:
        for peaks in peaks_of_patterns(read_record(source.record_file, LauePeaks)):
            total += len(peaks)
            if int(peaks.pattern[0]) in wanted:
                chosen.append(peaks)
    if not total:
        raise EmptyFileError(
            f"none of {len(scan)} patterns has a peak",
            where=work.label,
            remedy="Was there beam? Fainter peaks are found with a lower laue.threshold.",
        )
    write_record(work.folder / "record.h5", find_seeds(indexer_of(work), scan, chosen))


def parts(work: Work) -> list[dict[str, int]]:
    """One part a block of rows, as the peaks have them."""
    return [{"block": block} for block in range(len(raster_of(work.settings).blocks))]


def cost(work: Work) -> Cost:
    """Some milliseconds a point."""
    raster = raster_of(work.settings)
    return Cost(seconds=2.0 + _POINT_SECONDS * raster.points / len(raster.blocks))


def trial(work: Work) -> None:
    """Make the indexer: band, material and detector are such that reflections meet the panel."""
    indexer_of(work)


def compute(work: Work) -> None:
    """What was found at the points of some rows."""
    source = work.inputs["laue.peaks"][int(work.selector["block"])]
    peaks = read_record(source.record_file, LauePeaks)
    seeds = read_record(work.source("laue.seeds").record_file, LaueSeeds)
    found = index_rows(
        indexer_of(work),
        _scan(source),
        peaks_of_patterns(peaks),
        seeds,
        settings=_scan_settings(work),
    )
    write_record(work.folder / "record.h5", found)
    if work.selector["block"] == 0:
        rows = len(np.unique(seeds.row))
        text = f"{len(seeds)} grains found from scratch at the seeds, points of {rows} rows"
        write_remarks(work.folder, [Remark("note", work.label, text)])


def indexer_of(work: Work) -> LaueIndexer:
    """Indexer of the electrolyte at the station of [laue]."""
    told = work.settings
    return phase_indexer(
        _electrolyte(work),
        geometry_of(work)[0],
        _spectrum(float(told["laue.lowest_kev"]), float(told["laue.highest_kev"])),
        IndexSettings(
            most_grains=int(told["laue.most_grains"]),
            strain_limit=float(told["laue.strain"]),
            position_error_px=float(told["laue.position_error_px"]),
            least_completeness=float(told["laue.completeness"]),
        ),
    )


def _electrolyte(work: Work) -> Material:
    key = "electrolyte.material"
    if key in work.inputs:
        return load_material(work.source(key).path)
    if work.settings[key] is None:
        raise SettingsError(
            "the electrolyte has no material, so its reflections are not known",
            where="[electrolyte]",
            remedy='Add material = "LLZTO-Ia-3d", another library name, or a CIF file.',
        )
    return load_material(str(work.settings[key]))


def _spectrum(lowest: float, highest: float) -> Spectrum:
    if not lowest < highest:
        raise SettingsError(
            f"the band of the beam runs from {lowest:g} to {highest:g} keV",
            where="[laue]",
            remedy="laue.lowest_kev lies below laue.highest_kev.",
        )
    return Spectrum(lowest_kev=lowest, highest_kev=highest)


def _scan_settings(work: Work) -> ScanSettings:
    return ScanSettings(seed_step=int(work.settings["laue.seed_step"]))


def _scan(source: Source) -> LaueScan:
    return read_record(source.path / SCAN, LaueScan)
