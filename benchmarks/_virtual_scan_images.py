"""Images of points of a virtual scan, written as files, and maps' points indexed from them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from _virtual_section import DrawnScan

from mesolith.io.frames_image import open_images
from mesolith.io.tiff_write import write_tiff
from mesolith.laue.index import LaueIndexer
from mesolith.laue.peaks import find_laue_peaks
from mesolith.laue.scan import index_rows
from mesolith.records.laue import LauePeaks
from mesolith.records.laue_found import LaueFound, LaueSeeds
from mesolith.virtual.laue.images import CameraPlan, SpotsOnScreen, image_of_spots
from mesolith.virtual.laue.scan import VirtualScan, faintest_peak, point_spots

# photons of a spot that a list would just show
FAINTEST_PHOTONS = 400.0


@dataclass(slots=True)
class Timed:
    """Peaks of image files one after another, with the CPU seconds of reading and searching."""

    files: list[Path]
    numbers: list[int]
    read: float = 0.0
    search: float = 0.0
    peaks: list[int] = field(default_factory=list)

    def __iter__(self) -> Iterator[LauePeaks]:
        for file, number in zip(self.files, self.numbers, strict=True):
            start = time.process_time()
            image = open_images([file]).read(0)
            middle = time.process_time()
            peaks = find_laue_peaks(image, pattern=number)
            self.read += middle - start
            self.search += time.process_time() - middle
            self.peaks.append(len(peaks))
            yield peaks


def written_images(drawn: DrawnScan, points: list[int], folder: Path) -> list[Path]:
    """TIFF files of points of the raster, 4 megapixels each."""
    camera = CameraPlan(
        spot_sigma=np.sqrt(max(drawn.scan.spot_width_px**2 - CameraPlan().screen_sigma ** 2, 0.1))
    )
    files = []
    for k in points:
        rng = np.random.default_rng([drawn.scan.seed, 0x1A6, k])
        spots = _on_screen(drawn.scan, float(drawn.raster.x[k]), float(drawn.raster.y[k]))
        image = image_of_spots(spots, camera, drawn.scan.station.shape, rng)
        files.append(folder / f"point_{k:05d}.tif")
        write_tiff(files[-1], image)
    return files


def indexed_images(
    indexer: LaueIndexer, drawn: DrawnScan, points: list[int], files: list[Path], seeds: LaueSeeds
) -> tuple[LaueFound, Timed, float]:
    """Grains at points of one row from their files; CPU seconds in all."""
    source = Timed(files, drawn.raster.pattern[points].tolist())
    start = time.process_time()
    found = index_rows(indexer, drawn.raster, source, seeds)
    return found, source, time.process_time() - start


def _on_screen(scan: VirtualScan, x: float, y: float) -> SpotsOnScreen:
    """Spots with photons, and the streaks beyond the width that all peaks have."""
    spots = point_spots(scan, x, y)[0]
    seen = spots.intensity > 0.3 * faintest_peak(scan)
    value, vector = np.linalg.eigh(spots.moments[seen])
    length = np.sqrt(np.maximum(value[:, 1] - scan.spot_width_px**2, 0.0))
    return SpotsOnScreen(
        place=spots.place[seen],
        photons=spots.intensity[seen] * FAINTEST_PHOTONS / faintest_peak(scan),
        streak=length[:, None] * vector[:, :, 1],
    )
