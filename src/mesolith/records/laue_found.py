"""What was found at the points of a scan before it is a map, and the seeds of the search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.records.field import CommonMode, Record, nested, quantities, quantity
from mesolith.records.laue import LaueGrains

# what is taken for usual where there is no seed to tell
_UNEXPLAINED, _COMPLETENESS = 0.1, 0.8


@dataclass(frozen=True, slots=True)
class LaueSeeds(Record):
    """Grains found from nothing at some points of a scan, to begin with at the points between.

    ``reciprocal`` (seed, 3, 3) holds a* b* c* as columns, 1/angstrom, laboratory axes.
    ``unexplained`` is the share of the peaks of the seed's pattern that is left over.
    """

    plot: ClassVar[tuple[str, str] | None] = ("completeness", "row")

    row: IntArray = quantity("row of the raster", shape=("seed",), dtype="int64")
    column: IntArray = quantity("column of the raster", shape=("seed",), dtype="int64")
    reciprocal: FloatArray = quantity(
        "reciprocal lattice vectors as columns, 1/angstrom",
        shape=("seed", 3, 3),
        axes="laboratory",
    )
    completeness: FloatArray = quantity("found share of the strong spots", shape=("seed",))
    unexplained: FloatArray = quantity("share of peaks that is left over", shape=("seed",))

    @property
    def usual_unexplained(self) -> float:
        """Share of the peaks that a pattern of the scan leaves over."""
        return float(np.median(self.unexplained)) if len(self) else _UNEXPLAINED

    @property
    def usual_completeness(self) -> float:
        """Completeness of the best grain of a pattern."""
        if not len(self):
            return _COMPLETENESS
        where, point = np.unique(
            np.stack([self.row, self.column], axis=1), axis=0, return_inverse=True
        )
        best = np.zeros(len(where))
        np.maximum.at(best, point.ravel(), self.completeness)
        return float(np.median(best))

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True, slots=True)
class LaueFound(Record):
    """Grains found at points of a scan, those of one point together, in the points' order.

    One row a point for ``pattern``, ``peaks`` (in the list), ``unexplained`` (of them) and
    ``grains_at`` (rows of ``grains``); one row a grain for the others, in the order of ``grains``.
    See `LaueMap` for the meaning of widths, streaks and bends. ``strain_by_bending`` is the strain
    that a lattice turning along the beam puts into ``grains.strain``, which does not know of it.
    """

    plot: ClassVar[tuple[str, str] | None] = ("peaks", "pattern")

    pattern: IntArray = quantity("pattern", shape=("point",), dtype="int64")
    peaks: IntArray = quantity("peaks of the pattern", shape=("point",), dtype="int64")
    unexplained: IntArray = quantity("peaks of no grain", shape=("point",), dtype="int64")
    grains_at: IntArray = quantity("grains found", shape=("point",), dtype="int64")
    grains: LaueGrains = nested()
    brightness: FloatArray = quantity("sum of the grain's peaks", shape=("grain",))
    peak_width: FloatArray = quantity(
        "width of the peaks along their long axis",
        unit="px",
        shape=("grain",),
        error="peak_width_se",
    )
    peak_width_se: FloatArray = quantity("standard error of that", unit="px", shape=("grain",))
    streak: FloatArray = quantity("length of the streaks", unit="px", shape=("grain",))
    streak_tilt: FloatArray = quantity("direction of the streaks", unit="rad", shape=("grain",))
    bend: FloatArray = quantity(
        "spread of rotations about the bending axis", unit="rad", shape=("grain",), error="bend_se"
    )
    bend_se: FloatArray = quantity("standard error of that", unit="rad", shape=("grain",))
    bend_axis: FloatArray = quantity(
        "bending axis", shape=("grain", 3), axes="laboratory", components=("x", "y", "z")
    )
    strain_by_bending: FloatArray = quantity(
        "strain by turns of 1 rad per um along the beam about x, y, z",
        shape=("grain", 3, 3, 3),
        axes="laboratory",
    )

    def _check(self) -> None:
        if int(self.grains_at.sum()) != len(self.grains) or len(self.grains) != len(self.bend):
            raise InvalidValueError(
                f"LaueFound counts {int(self.grains_at.sum())} grains at its points and lists "
                f"{len(self.grains)}"
            )

    @property
    def point_of_grain(self) -> IntArray:
        """Point (grain,) of each grain."""
        return np.repeat(np.arange(len(self)), self.grains_at)

    def __len__(self) -> int:
        return len(self.pattern)


def joined_found(parts: Sequence[LaueFound]) -> LaueFound:
    """Parts of a scan as one, in the order of their patterns.

    Raises
    ------
    InvalidValueError
        There are no parts, or two of them hold the same pattern.
    """
    if not parts:
        raise InvalidValueError("a scan without parts has no points")
    ordered = sorted(
        (part for part in parts if len(part)), key=lambda part: int(part.pattern[0])
    ) or [parts[0]]
    whole = LaueFound(
        grains=joined_grains([part.grains for part in ordered]), **_stacked(ordered, LaueFound)
    )
    if np.any(np.diff(whole.pattern) <= 0):
        raise InvalidValueError(
            "parts of a scan hold a pattern twice",
            remedy="Give each row of the raster once.",
        )
    return whole


def joined_seeds(parts: Sequence[LaueSeeds]) -> LaueSeeds:
    """Seeds of parts of a scan as one, by row and column."""
    if not parts:
        raise InvalidValueError("a scan without parts has no seeds")
    whole = _stacked(parts, LaueSeeds)
    order = np.lexsort((np.arange(len(whole["row"])), whole["column"], whole["row"]))
    return LaueSeeds(**{name: values[order] for name, values in whole.items()})


def joined_grains(parts: Sequence[LaueGrains]) -> LaueGrains:
    """Grains of several patterns of one station as one record, in the order given."""
    given = {f.name: getattr(parts[0], f.name) for f in fields(LaueGrains)}
    modes = tuple(
        CommonMode(
            mode.name,
            mode.sigma,
            mode.unit,
            {
                field: np.concatenate([part.common_modes[k].derivatives[field] for part in parts])
                for field in mode.derivatives
            },
        )
        for k, mode in enumerate(parts[0].common_modes)
    )
    return LaueGrains(**(given | _stacked(parts, LaueGrains) | {"common_modes": modes}))


def _stacked(parts: Sequence[Record], kind: type[Record]) -> dict[str, np.ndarray]:
    """Arrays of all parts, one behind the other, by field."""
    return {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name, declared in quantities(kind).items()
        if declared.shape
    }
