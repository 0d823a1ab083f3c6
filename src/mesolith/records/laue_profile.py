"""Profiles of a map against a distance, and histograms of a map's values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mesolith.axes import FloatArray, IntArray
from mesolith.records.field import Record, quantity


@dataclass(frozen=True, slots=True)
class LaueProfile(Record):
    """Mean of a map's value in bins of a distance, one row a bin.

    ``mean`` is NaN where a bin has no point; its standard error ``mean_se`` comes from how much
    blocks of the map differ, since points side by side are not independent: NaN with fewer than
    three blocks. ``spread`` is the standard deviation of single points.
    """

    plot: ClassVar[tuple[str, str] | None] = ("mean", "distance")

    what: str = quantity("value", dtype="str")
    against: str = quantity("distance from", dtype="str")
    distance: FloatArray = quantity("middle of the bin", unit="um", shape=("bin",))
    mean: FloatArray = quantity("mean of the value", shape=("bin",), error="mean_se")
    mean_se: FloatArray = quantity("standard error of the mean", shape=("bin",))
    spread: FloatArray = quantity("standard deviation of points", shape=("bin",))
    points: IntArray = quantity("points", shape=("bin",), dtype="int64")

    def __len__(self) -> int:
        return len(self.distance)


@dataclass(frozen=True, slots=True)
class LaueHistogram(Record):
    """How often a map's value lies in each bin: share of the points per bin, with its error.

    ``edges`` (bin + 1,) bound the bins; ``share_se`` comes from how much blocks of the map differ.
    """

    plot: ClassVar[tuple[str, str] | None] = ("share", "middle")

    what: str = quantity("value", dtype="str")
    edges: FloatArray = quantity("edges of the bins", shape=("edge",))
    middle: FloatArray = quantity("middle of the bin", shape=("bin",))
    share: FloatArray = quantity("share of the points", shape=("bin",), error="share_se")
    share_se: FloatArray = quantity("standard error of the share", shape=("bin",))
    median: float = quantity("median of the points")
    points: int = quantity("points", dtype="int64")

    def __len__(self) -> int:
        return len(self.middle)


@dataclass(frozen=True, slots=True)
class LaueShift(Record):
    """By how much a value moved from one scan to another, over the points that both have.

    ``median`` is the shift of the medians, ``mean`` that of the means, each with the error that
    blocks of the map give; ``probability`` the share of pairs of points, one of each scan, in
    which the later is the larger (1/2: no shift), an effect size without a unit.
    """

    plot: ClassVar[tuple[str, str] | None] = None

    what: str = quantity("value", dtype="str")
    median: float = quantity("shift of the median")
    median_se: float = quantity("standard error of that")
    mean: float = quantity("shift of the mean")
    mean_se: float = quantity("standard error of that")
    probability: float = quantity("probability that the later is larger")
    points: int = quantity("points", dtype="int64")
