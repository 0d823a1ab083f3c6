"""A virtual cell whose section was scanned with a white beam, as a folder with its cell.toml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesolith.io.lauetools_list import lauetools_peaks, write_lauetools_list
from mesolith.io.pyfai_poni import write_poni
from mesolith.records.laue_scan import LaueScan, raster_scan
from mesolith.virtual.laue.patterns import PatternPlan
from mesolith.virtual.laue.scan import VirtualScan, point_peaks, virtual_scan
from mesolith.virtual.laue.section import SectionPlan, draw_section
from tests.laue.patterns import STATION, instrument_of, virtual_reflections

POINTS, STEP_UM = 8, 7.0
CELL = """
[cell]
name = "scanned section"
stack = "Li|LLZO"

[electrolyte]
material = "LLZTO-Ia-3d"

[clock]
cycler = { zone = "UTC", offset_s = 0.0 }

[laue]
detector = "raw/panel.poni"
seed_step = 4
fewest_points = 4

[[state]]
name = "scan 0"
laue = { files = ["raw/scan0/*.dat"], rows = 8, columns = 8, step_um = 7.0, current = "off" }
"""


@dataclass(frozen=True)
class ScanCell:
    folder: Path
    virtual: VirtualScan
    raster: LaueScan


def write_scan_cell(folder: Path, *, states: int = 1) -> ScanCell:
    """Write cell.toml, a detector file and a list of peaks a point: two grains, lithium above."""
    size = POINTS * STEP_UM
    plan = SectionPlan(
        width=size, height=size, grains=2, interface=0.75, wave=1.0, strain_slope=0.2
    )
    section = draw_section(np.random.default_rng(7), plan)
    raster = raster_scan(rows=POINTS, columns=POINTS, step_um=STEP_UM, name="scan 0")
    text = CELL
    (folder / "raw").mkdir(parents=True)
    write_poni(folder / "raw" / "panel.poni", instrument_of(STATION))
    for state in range(states):
        virtual = virtual_scan(
            section, virtual_reflections(), STATION, PatternPlan(), seed=7, state=state
        )
        write_lists(folder / "raw" / f"scan{state}", virtual, raster)
        if state:
            text += (
                CELL[CELL.index("\n[[state]]") :]
                .replace("scan 0", f"scan {state}")
                .replace("scan0", f"scan{state}")
            )
    (folder / "cell.toml").write_text(text, encoding="utf-8")
    return ScanCell(folder, virtual, raster)


def write_lists(folder: Path, virtual: VirtualScan, raster: LaueScan) -> None:
    """One .dat a point, numbered from 0."""
    folder.mkdir()
    for k, number in enumerate(raster.pattern.tolist()):
        peaks = point_peaks(virtual, float(raster.x[k]), float(raster.y[k]), number)
        write_lauetools_list(folder / f"img_{number:04d}.dat", lauetools_peaks(peaks))
