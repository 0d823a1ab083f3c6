"""Maps of a scanned surface: grain, orientation, strain, peak width and streaks of each point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.records.field import CommonMode, Record, nested, quantity
from mesolith.records.grains import Phases
from mesolith.records.laue_scan import LaueScan

# bits of ``status``; 0 is a point well within a grain, with one grain under the beam
NO_PATTERN, NOT_INDEXED, SEVERAL, BESIDE_BOUNDARY, SMALL_GRAIN = 1, 2, 4, 8, 16
STATUS_NAMES = {
    NO_PATTERN: "no pattern: not the mapped phase",
    NOT_INDEXED: "a pattern that no grain explains",
    SEVERAL: "several grains under the beam",
    BESIDE_BOUNDARY: "beside a grain boundary",
    SMALL_GRAIN: "in a group of too few points to be a grain",
}
UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class LaueMapGrains(Record):
    """The grains of a map, largest first.

    ``orientation`` is the grain's reference, the mean of its points; ``spread`` the root mean
    square misorientation of its points against it, rad. ``x``, ``y`` are the mean place, um.
    """

    plot: ClassVar[tuple[str, str] | None] = ("points", "grain_id")

    grain_id: IntArray = quantity("grain", shape=("grain",), dtype="int64")
    points: IntArray = quantity("points", shape=("grain",), dtype="int64")
    x: FloatArray = quantity("mean place along the surface's X", unit="um", shape=("grain",))
    y: FloatArray = quantity("mean place along the surface's Y", unit="um", shape=("grain",))
    orientation: FloatArray = quantity(
        "reference orientation, crystal to laboratory, unit quaternion",
        shape=("grain", 4),
        axes="laboratory",
        components=("w", "x", "y", "z"),
    )
    spread: FloatArray = quantity("spread of its orientations", unit="rad", shape=("grain",))

    def __len__(self) -> int:
        return len(self.grain_id)


@dataclass(frozen=True, slots=True)
class LaueMap(Record):
    """Map of one scan, one row a point of it; of each point its brightest grain.

    Laboratory axes: x along the beam, z up. What a point does not have is NaN; ``grain`` is then
    -1. ``strain`` is deviatoric, tension positive; ``covariance`` that of a small rotation vector
    (rad) and the strain 11 22 33 23 13 12, random part; what shifts all points together stands in
    ``common_modes``. ``depth_sensitivity`` is the strain that 1 um along the beam, unknown to the
    analysis, puts into ``strain``. ``strain_equivalent`` is sqrt(2/3 e:e) less what noise adds
    to it. ``misorientation`` is the angle to the grain's reference (GROD) and
    ``kernel_misorientation`` the mean angle to neighbours in the same grain (KAM).
    ``peak_width`` is the middle width of the grain's peaks (standard deviation along the long
    axis), ``streak`` the length that rotations of the lattice under the beam give a peak beyond
    the width of the sharpest ones, and ``streak_tilt`` where it points on the panel, from fast
    towards slow. ``bend`` (rad) is the standard deviation of the lattice's rotations about
    ``bend_axis`` under the beam; the axis is NaN where the peaks do not tell it. ``status`` holds
    bits, see ``STATUS_NAMES``. ``surface`` is the normal out of the sample's surface, NaN where
    nobody said how it lies.
    """

    plot: ClassVar[tuple[str, str] | None] = ("strain_equivalent", "grain")

    scan: LaueScan = nested()
    phases: Phases = nested()
    grains: LaueMapGrains = nested()
    surface: FloatArray = quantity(
        "normal out of the surface, unit vector", shape=(3,), axes="laboratory"
    )
    status: IntArray = quantity("status bits", shape=("point",), dtype="int64")
    grain: IntArray = quantity("grain, -1 none", shape=("point",), dtype="int64")
    solutions: IntArray = quantity("grains under the beam", shape=("point",), dtype="int64")
    phase: IntArray = quantity("phase index, -1 none", shape=("point",), dtype="int64")
    orientation: FloatArray = quantity(
        "orientation, crystal to laboratory, unit quaternion",
        shape=("point", 4),
        axes="laboratory",
        components=("w", "x", "y", "z"),
    )
    strain: FloatArray = quantity(
        "deviatoric strain",
        shape=("point", 3, 3),
        axes="laboratory",
        error="covariance",
        components=("11", "12", "13", "21", "22", "23", "31", "32", "33"),
    )
    covariance: FloatArray = quantity(
        "covariance of rotation vector, strain", shape=("point", 9, 9), axes="laboratory"
    )
    depth_sensitivity: FloatArray = quantity(
        "strain per um of unknown depth along the beam", shape=("point", 3, 3), axes="laboratory"
    )
    strain_equivalent: FloatArray = quantity(
        "von Mises equivalent strain, sqrt(2/3 e:e)",
        shape=("point",),
        error="strain_equivalent_se",
    )
    strain_equivalent_se: FloatArray = quantity(
        "standard error of the equivalent strain, random part", shape=("point",)
    )
    misorientation: FloatArray = quantity(
        "angle to the grain's reference (GROD)",
        unit="rad",
        shape=("point",),
        error="misorientation_se",
    )
    misorientation_se: FloatArray = quantity(
        "standard error of the angle to the reference", unit="rad", shape=("point",)
    )
    kernel_misorientation: FloatArray = quantity(
        "mean angle to neighbours in the grain (KAM)", unit="rad", shape=("point",)
    )
    completeness: FloatArray = quantity("found share of the strong spots", shape=("point",))
    spots: IntArray = quantity("spots of the grain", shape=("point",), dtype="int64")
    brightness: FloatArray = quantity("sum of the grain's peaks", shape=("point",))
    peak_width: FloatArray = quantity(
        "width of the peaks along their long axis",
        unit="px",
        shape=("point",),
        error="peak_width_se",
    )
    peak_width_se: FloatArray = quantity("standard error of the width", unit="px", shape=("point",))
    streak: FloatArray = quantity("length of the streaks", unit="px", shape=("point",))
    streak_tilt: FloatArray = quantity("direction of the streaks", unit="rad", shape=("point",))
    bend: FloatArray = quantity(
        "spread of rotations about the bending axis",
        unit="rad",
        shape=("point",),
        error="bend_se",
    )
    bend_se: FloatArray = quantity("standard error of that spread", unit="rad", shape=("point",))
    bend_axis: FloatArray = quantity(
        "bending axis, unit vector of either sign",
        shape=("point", 3),
        axes="laboratory",
        components=("x", "y", "z"),
    )
    common_modes: tuple[CommonMode, ...] = ()

    def _check(self) -> None:
        if len(self.scan) != len(self.grain):
            raise InvalidValueError(
                f"a map of {len(self.grain)} points of a scan of {len(self.scan)}"
            )
        known = self.grain != UNKNOWN
        if not np.all(np.isin(self.grain[known], self.grains.grain_id)):
            raise InvalidValueError("LaueMap.grain names a grain that is not listed")
        if not np.all(np.isfinite(self.orientation[known])):
            raise InvalidValueError("a point of LaueMap has a grain and no orientation")

    @property
    def surface_axes(self) -> FloatArray:
        """X, Y, Z of the surface as rows (3, 3) on laboratory axes: X in it along the beam's
        projection, Z out of it; NaN where the surface is not known."""
        z = self.surface
        x = np.array([1.0, 0.0, 0.0]) - z[0] * z
        x = x / np.linalg.norm(x)
        return np.stack([x, np.cross(z, x), z])

    @property
    def interior(self) -> NDArray[np.bool_]:
        """Points with a grain, one under the beam, and no boundary beside them, (point,)."""
        return (self.grain != UNKNOWN) & (self.status == 0)

    def standard_error(self, name: str) -> FloatArray | None:
        """Random standard error; of the strain (point, 3, 3) from the covariance."""
        if name == "strain":
            six = np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2)[:, 3:])
            return six[:, [[0, 5, 4], [5, 1, 3], [4, 3, 2]]]
        return Record.standard_error(self, name)

    def __len__(self) -> int:
        return len(self.grain)


@dataclass(frozen=True, slots=True)
class LaueInterface(Record):
    """Where the mapped phase ends, from the loss of its pattern, one row a line of the raster.

    Along each line (a column or a row of the raster, ``along`` says which coordinate is
    measured) ``place`` is where the phase ends, um, NaN where the line does not cross it;
    ``place_se`` the standard error. ``point`` (2,) and ``normal`` (2,) are those of the straight
    line through them, surface axes, the normal pointing out of the phase; ``offset_se`` is the
    standard error of its place, ``angle_se`` of its direction, rad, and ``roughness`` what the
    places scatter about it beyond their errors, um.
    """

    plot: ClassVar[tuple[str, str] | None] = ("place", "line")

    along: str = quantity("coordinate that is measured", dtype="str")
    line: FloatArray = quantity("place of the line on the other axis", unit="um", shape=("line",))
    place: FloatArray = quantity(
        "where the phase ends", unit="um", shape=("line",), error="place_se"
    )
    place_se: FloatArray = quantity("standard error of that place", unit="um", shape=("line",))
    point: FloatArray = quantity("a point of the fitted line", unit="um", shape=(2,))
    normal: FloatArray = quantity("normal of the fitted line, out of the phase", shape=(2,))
    offset_se: float = quantity("standard error of the fitted line's place", unit="um")
    angle_se: float = quantity("standard error of its direction", unit="rad")
    roughness: float = quantity("roughness of the interface", unit="um")

    def distance(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Distance (n,) of places to the interface, um, positive within the phase.

        It follows the places of the lines near by, and the fitted line's direction.
        """
        along, across = (y, x) if self.along == "y" else (x, y)
        known = np.isfinite(self.place)
        here = np.interp(across, self.line[known], self.place[known])
        component = self.normal[1 if self.along == "y" else 0]
        return np.asarray((here - along) * component)

    def __len__(self) -> int:
        return len(self.line)
