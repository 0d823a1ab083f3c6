"""What the comparison of Laue scans may be told."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mesolith.errors import InvalidValueError
from mesolith.records.laue_scan import LaueScan

LOWER_RIGHT = "lower right corner"
_CORNER = 0.3  # of the width and of the height


@dataclass(frozen=True, slots=True)
class Region:
    """A named rectangle of the first scan's surface, um, edges included."""

    name: str
    x_low: float
    x_high: float
    y_low: float
    y_high: float

    def __post_init__(self) -> None:
        if not (self.x_low < self.x_high and self.y_low < self.y_high):
            raise InvalidValueError(
                f"region {self.name!r} has no area",
                remedy="Give its lower edge before its upper one, in um.",
            )


def lower_right_corner(scan: LaueScan) -> Region:
    """The last 30 % of the scan along X and the first 30 % along Y."""
    width, height = np.ptp(scan.x), np.ptp(scan.y)
    return Region(
        LOWER_RIGHT,
        float(scan.x.max() - _CORNER * width),
        float(scan.x.max()),
        float(scan.y.min()),
        float(scan.y.min() + _CORNER * height),
    )


@dataclass(frozen=True, slots=True)
class StatementSettings:
    """Settings of `laue_statements`.

    ``near_um``, ``boundary_um``
        Distances over which growth near the interface and at boundaries falls to 1/e.
    ``visible_strain``
        A change of a strain component by less cannot be seen in a map: a twentieth of a colour
        bar from -1e-3 to 1e-3.
    ``zz``
        The direction of eps_zz, laboratory axes; the normal of a surface at 45 deg to the beam.
    ``regions``
        Rectangles besides the lower right corner.
    """

    near_um: float = 25.0
    boundary_um: float = 15.0
    visible_strain: float = 1e-4
    zz: tuple[float, float, float] = (-math.sqrt(0.5), 0.0, math.sqrt(0.5))
    regions: tuple[Region, ...] = ()

    def __post_init__(self) -> None:
        if not min(self.near_um, self.boundary_um, self.visible_strain) > 0.0:
            raise InvalidValueError(
                f"statements cannot be tested with {self}",
                remedy="Distances and the visible strain are above zero.",
            )
        if not math.hypot(*self.zz) > 0.0:
            raise InvalidValueError("zz has no length", remedy="Give a direction.")
