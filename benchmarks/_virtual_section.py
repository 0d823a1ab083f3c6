"""Scans of virtual sections with known truth, as laue_map.py draws them, and scores of points."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any

import numpy as np
from _harness import HERE
from _virtual_laue import FALSE_DEG, FOUND_DEG, SPACE_GROUP, drawn_pattern, reflections
from _virtual_layer import drawn_value

from mesolith.axes import FloatArray
from mesolith.crystal.orientation import misorientation_angle
from mesolith.crystal.symmetry import rotation_operators
from mesolith.numerics.rotations import quaternion_from_matrix
from mesolith.records.laue_found import LaueFound
from mesolith.records.laue_scan import LaueScan, raster_scan
from mesolith.virtual.laue.scan import PointTruth, VirtualScan, virtual_scan
from mesolith.virtual.laue.section import SectionPlan, cycled, draw_section
from mesolith.virtual.laue.station import LaueStation

STEP_UM = 2.0
_SIX = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True, slots=True)
class DrawnScan:
    """A scan, its raster, and the station that the analysis believes in."""

    scan: VirtualScan
    raster: LaueScan
    believed: LaueStation


def drawn_scan(
    draw: str, seed: int, *, points: int, state: int = 0, changes: bool = True, **overrides: Any
) -> DrawnScan:
    """Square scan of one draw of priors.toml in one state, with planted changes or none."""
    priors = tomllib.loads((HERE / "priors.toml").read_text(encoding="utf-8"))
    prior = priors["laue_section"][draw]
    rng = np.random.default_rng([seed, 0x5EC])
    drawn = {name: drawn_value(rng, value) for name, value in sorted(prior.items())} | overrides
    pattern = drawn_pattern(draw, seed, 1)
    width, beam = drawn.pop("spot_width_px"), drawn.pop("beam")
    drawn["grains"] = int(drawn["grains"])
    size = STEP_UM * points
    plan = SectionPlan(width=size, height=size, **drawn)
    section = draw_section(rng, cycled(plan) if changes else plan)
    scan = virtual_scan(
        section, reflections(), pattern.station, pattern.plan, seed=seed, state=state,
        spot_width_px=width, beam=beam,
    )  # fmt: skip
    raster = raster_scan(rows=points, columns=points, step_um=STEP_UM, name=f"scan {state}")
    return DrawnScan(scan, raster, pattern.believed)


def scored_points(drawn: DrawnScan, found: LaueFound, truths: dict[int, PointTruth]) -> FloatArray:
    """One row a point of the raster that ``found`` holds, in its order, (point, 20).

    ``truths`` are those of the patterns by number.

    Columns: grains found; grains that are none under the beam; whether the brightest true grain
    was found; whether what is brightest to the analysis is; distance to the nearest boundary and
    to the interface, um; share of the brightest true grain in the light; its angle in deg; the
    strain's error (6) and its stated one (6).
    """
    operators = rotation_operators(SPACE_GROUP)
    begin = np.concatenate([[0], np.cumsum(found.grains_at)])
    rows = np.searchsorted(drawn.raster.pattern, found.pattern)
    x, y = drawn.raster.x[rows], drawn.raster.y[rows]
    section = drawn.scan.section
    boundary, interface = section.boundary_distance(x, y), section.interface_at(x) - y
    scores = np.full((len(found), 20), np.nan)
    for k in range(len(found)):
        truth = truths[int(found.pattern[k])]
        mine = slice(begin[k], begin[k + 1])
        scores[k, :6] = found.grains_at[k], found.grains_at[k], 0.0, 0.0, boundary[k], interface[k]
        if not len(truth.grain):
            continue
        scores[k, 6] = truth.share[0]
        if not found.grains_at[k]:
            continue
        true = quaternion_from_matrix(truth.orientation, tolerance=1e-2)
        angle = np.degrees(
            misorientation_angle(
                true[:, None, :], found.grains.orientation[mine][None, :, :], operators
            )
        )
        best = int(np.argmin(angle[0]))
        scores[k, 1] = np.count_nonzero(angle.min(axis=0) > FALSE_DEG)
        scores[k, 2] = angle[0, best] < FOUND_DEG
        scores[k, 3] = angle[0, int(np.argmax(found.brightness[mine]))] < FOUND_DEG
        scores[k, 7] = angle[0, best]
        off = found.grains.strain[mine][best] - truth.strain[0]
        scores[k, 8:14] = [off[i, j] for i, j in _SIX]
        scores[k, 14:] = np.sqrt(np.diag(found.grains.covariance[mine][best])[3:])
    return scores
