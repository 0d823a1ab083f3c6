"""Made-up maps of four scans of one surface, for the tests of their comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mesolith.link.laue_changes import changes_of_scans
from mesolith.records.laue_changes import LaueChange
from mesolith.records.laue_map import NO_PATTERN, LaueInterface, LaueMap
from mesolith.records.laue_scan import raster_scan
from mesolith.virtual.laue.maps import MapNoise, map_from_truth
from mesolith.virtual.laue.section import Section, SectionPlan, draw_section

POINTS, STEP_UM = 44, 6.0
DEPTH_CHANGE_UM = 4.3  # of two depths that err by 3 um each


@dataclass(frozen=True, slots=True)
class Surface:
    section: Section
    maps: list[LaueMap]
    shifts: list[tuple[float, float]]
    changes: tuple[LaueChange, ...]


def surface(
    seed: int,
    plan: SectionPlan | None = None,
    *,
    states: Sequence[int] = (0, 3),
    noise: MapNoise | None = None,
) -> Surface:
    """Scans of some states, each after the first moved by up to 5 um."""
    section = draw_section(np.random.default_rng(seed), plan or SectionPlan())
    rng = np.random.default_rng([seed, 5])
    scan = raster_scan(rows=POINTS, columns=POINTS, step_um=STEP_UM)
    shifts = [(0.0, 0.0)]
    for _ in states[1:]:
        x, y = rng.uniform(-5.0, 5.0, 2)
        shifts.append((float(x), float(y)))
    maps = [
        map_from_truth(section, scan, state=state, noise=noise or MapNoise(), seed=seed, shift=off)
        for state, off in zip(states, shifts, strict=True)
    ]
    changes = changes_of_scans(
        maps, interface=interface_of(section, maps[0]), depth_change_um=DEPTH_CHANGE_UM
    )
    return Surface(section, maps, shifts, changes)


def interface_of(section: Section, first: LaueMap) -> LaueInterface:
    """The interface as the points of a map without a pattern show it, to half a step."""
    scan = first.scan
    empty = scan.on_raster((first.status & NO_PATTERN) != 0)
    line = scan.x[: scan.raster_columns]
    place = scan.y.min() + STEP_UM * (np.sum(empty == 0.0, axis=0) - 0.5)
    slope = section.plan.slope
    return LaueInterface(
        along="y",
        line=line,
        place=place,
        place_se=np.full(len(line), STEP_UM / np.sqrt(12.0)),
        point=np.array([line.mean(), place.mean()]),
        normal=np.array([-slope, 1.0]) / np.hypot(slope, 1.0),
        offset_se=0.3,
        angle_se=0.01,
        roughness=1.0,
    )
