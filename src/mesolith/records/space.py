"""Where in the pellet stress lies: clusters, likeness of neighbours, and trends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mesolith.axes import FloatArray, IntArray
from mesolith.records.field import Record, quantity


@dataclass(frozen=True, slots=True)
class StressClusters(Record):
    """k-means clusters of grains by place and hydrostatic stress in some states.

    ``share_stress`` and ``share_place`` are the parts of the variance of stress and of place
    that lie between the clusters: k-means always finds clusters, these say of what.
    """

    plot: ClassVar[tuple[str, str] | None] = ("share_stress", "state")

    state: tuple[str, ...] = quantity("state", shape=("state",), dtype="str")
    label: IntArray = quantity("cluster", shape=("grain", "state"), dtype="int64")
    centre: FloatArray = quantity(
        "centre of the cluster: x y z (um), stress (MPa)", shape=("state", "cluster", 4)
    )
    grains: IntArray = quantity("grains", shape=("state", "cluster"), dtype="int64")
    share_stress: FloatArray = quantity(
        "share of the variance of stress between clusters", shape=("state",)
    )
    share_place: FloatArray = quantity(
        "share of the variance of place between clusters", shape=("state",)
    )
    scaling: str = quantity(
        '"standard" (each column by its standard deviation) or "none" (um and MPa)', dtype="str"
    )


@dataclass(frozen=True, slots=True)
class SpatialPattern(Record):
    """Trend and autocorrelation of fields of stress: states, and changes between states.

    The trend is the slope of a plane through the stress of all grains. ``detectable`` is the
    slope along the least known direction that would have been seen with a power of 80 % at 5 %;
    it and the errors of the slope are NaN with fewer than five independent parts of the pellet.
    p-values are two-sided; ``*_p_family`` hold for all fields of the record together.
    """

    plot: ClassVar[tuple[str, str] | None] = ("moran", "field")

    field: tuple[str, ...] = quantity("state or change", shape=("field",), dtype="str")
    trend: FloatArray = quantity(
        "slope of the stress along x y z (MPa/um)",
        shape=("field", 3),
        axes="sample",
        error="trend_se",
        components=("x", "y", "z"),
    )
    trend_se: FloatArray = quantity(
        "standard error of the slope (MPa/um)", shape=("field", 3), components=("x", "y", "z")
    )
    trend_p: FloatArray = quantity("p-value of the trend", shape=("field",))
    trend_p_family: FloatArray = quantity(
        "p-value of the trend, corrected for all fields", shape=("field",)
    )
    trend_detectable: FloatArray = quantity(
        "slope seen with a power of 80 % (MPa/um)", shape=("field",)
    )
    moran: FloatArray = quantity("Moran's index", shape=("field",), error="moran_se")
    moran_se: FloatArray = quantity("standard error of Moran's index", shape=("field",))
    moran_p: FloatArray = quantity("p-value of Moran's index", shape=("field",))
    moran_p_family: FloatArray = quantity(
        "p-value of Moran's index, corrected for all fields", shape=("field",)
    )
    moran_detectable: FloatArray = quantity(
        "Moran's index seen with a power of 80 %", shape=("field",)
    )
    grains: int = quantity("grains", dtype="int64")
    independent: IntArray = quantity(
        "parts of the pellet that count as independent", shape=("field",), dtype="int64"
    )
    judged_by: str = quantity(
        '"blocks" of grains, or "likeness" where stress is alike over more than a block',
        dtype="str",
    )
    reach: float = quantity("distance up to which grains are neighbours", unit="um")
    permutations: int = quantity("permutations", dtype="int64")
    quantity: str = quantity("stress that was tested", dtype="str")


@dataclass(frozen=True, slots=True)
class SpatialStatistics(Record):
    """Clusters as the paper draws them, and tests of pattern for each kind of stress.

    Both are empty where too few grains are followed through all states.
    """

    clusters: tuple[StressClusters, ...] = ()
    patterns: tuple[SpatialPattern, ...] = ()

    def pattern(self, quantity: str) -> SpatialPattern | None:
        """Pattern of that stress ("hydrostatic", "von_mises"), or None."""
        return next((p for p in self.patterns if p.quantity == quantity), None)
