"""A small virtual scan for the tests, made once, and what was found in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from mesolith.laue.scan import find_seeds, index_rows, seed_points
from mesolith.laue.scan_settings import ScanSettings
from mesolith.records.laue import LauePeaks
from mesolith.records.laue_found import LaueFound, LaueSeeds
from mesolith.records.laue_scan import LaueScan, raster_scan
from mesolith.virtual.laue.patterns import PatternPlan
from mesolith.virtual.laue.scan import VirtualScan, scan_peaks, virtual_scan
from mesolith.virtual.laue.section import SectionPlan, draw_section
from tests.laue.patterns import STATION, indexer, virtual_reflections

POINTS = 10
STEP_UM = 6.0
SETTINGS = ScanSettings(seed_step=5)


@dataclass(frozen=True, slots=True)
class SmallScan:
    virtual: VirtualScan
    raster: LaueScan
    lists: list[LauePeaks]
    seeds: LaueSeeds
    found: LaueFound


@cache
def small_scan() -> SmallScan:
    """Two grains and lithium at the upper side; 10 x 10 points."""
    size = POINTS * STEP_UM
    plan = SectionPlan(
        width=size, height=size, grains=2, interface=0.75, wave=1.0, strain_slope=0.2
    )
    section = draw_section(np.random.default_rng(7), plan)
    virtual = virtual_scan(section, virtual_reflections(), STATION, PatternPlan(), seed=7)
    raster = raster_scan(rows=POINTS, columns=POINTS, step_um=STEP_UM, current=1)
    lists = scan_peaks(virtual, raster)
    seeds = find_seeds(indexer(), raster, [lists[k] for k in seed_points(raster, SETTINGS)])
    found = index_rows(indexer(), raster, lists, seeds, settings=SETTINGS)
    return SmallScan(virtual, raster, lists, seeds, found)
