"""What changed at the points of a surface between two of its Laue scans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mesolith.axes import FloatArray, IntArray
from mesolith.records.field import CommonMode, Record, nested, quantity


@dataclass(frozen=True, slots=True)
class LaueRegistration(Record):
    """Where the points of a first scan lie in a later one, and which grains are the same.

    A place p of the first scan, um, lies at ``centre`` + R (p - ``centre``) + ``shift`` of the
    later one, R being the turn by ``rotation`` from X towards Y. ``covariance`` is that of the
    shift and the rotation (um, um, rad); ``rotated`` says whether the boundaries tell a rotation,
    else it is 0 without error. ``grain`` and ``grain_later`` are the same grain's numbers.
    """

    plot: ClassVar[tuple[str, str] | None] = ("shift", "grain")

    first: str = quantity("first scan", dtype="str")
    later: str = quantity("later scan", dtype="str")
    shift: FloatArray = quantity("shift of the surface", unit="um", shape=(2,))
    rotation: float = quantity("rotation of the surface", unit="rad")
    rotated: bool = quantity("whether a rotation is told", dtype="bool")
    covariance: FloatArray = quantity("covariance of shift and rotation", shape=(3, 3))
    centre: FloatArray = quantity("centre of the rotation", unit="um", shape=(2,))
    grain: IntArray = quantity("grain of the first scan", shape=("grain",), dtype="int64")
    grain_later: IntArray = quantity("grain of the later scan", shape=("grain",), dtype="int64")

    def __len__(self) -> int:
        return len(self.grain)


@dataclass(frozen=True, slots=True)
class LaueChange(Record):
    """Later minus first at points of the first scan, one row a point that both have.

    Laboratory axes. ``point`` is the row of the first scan's map, ``x``, ``y`` its place, um.
    ``strain`` is deviatoric, ``strain_covariance`` that of 11 22 33 23 13 12, the random part of
    both scans. ``turn`` is the lattice's rotation, rad, less the mean turn of all points
    (``common_turn``), which a sample put back askew makes. Angles to the grain's reference and
    peak widths are differences of the maps' own values. Distances are um in the first scan.
    ``common_modes`` hold what shifts all points together and does not cancel.
    """

    plot: ClassVar[tuple[str, str] | None] = ("strain_equivalent", "point")

    registration: LaueRegistration = nested()
    point: IntArray = quantity("point of the first scan", shape=("point",), dtype="int64")
    grain: IntArray = quantity("grain of the first scan", shape=("point",), dtype="int64")
    x: FloatArray = quantity("place along the surface's X", unit="um", shape=("point",))
    y: FloatArray = quantity("place along the surface's Y", unit="um", shape=("point",))
    interface_distance: FloatArray = quantity(
        "distance from the interface, NaN where none is known", unit="um", shape=("point",)
    )
    boundary_distance: FloatArray = quantity(
        "distance from the nearest grain boundary", unit="um", shape=("point",)
    )
    strain: FloatArray = quantity(
        "change of the deviatoric strain",
        shape=("point", 3, 3),
        axes="laboratory",
        error="strain_covariance",
        components=("11", "12", "13", "21", "22", "23", "31", "32", "33"),
    )
    strain_covariance: FloatArray = quantity("covariance of that change", shape=("point", 6, 6))
    turn: FloatArray = quantity(
        "turn of the lattice",
        unit="rad",
        shape=("point", 3),
        axes="laboratory",
        components=("x", "y", "z"),
    )
    common_turn: FloatArray = quantity(
        "mean turn of all points", unit="rad", shape=(3,), axes="laboratory"
    )
    strain_equivalent: FloatArray = quantity(
        "change of the equivalent strain", shape=("point",), error="strain_equivalent_se"
    )
    strain_equivalent_se: FloatArray = quantity("standard error of that", shape=("point",))
    misorientation: FloatArray = quantity(
        "change of the angle to the grain's reference",
        unit="rad",
        shape=("point",),
        error="misorientation_se",
    )
    misorientation_se: FloatArray = quantity("standard error of that", unit="rad", shape=("point",))
    peak_width: FloatArray = quantity(
        "change of the peak width", unit="px", shape=("point",), error="peak_width_se"
    )
    peak_width_se: FloatArray = quantity("standard error of that", unit="px", shape=("point",))
    common_modes: tuple[CommonMode, ...] = ()

    def __len__(self) -> int:
        return len(self.point)


@dataclass(frozen=True, slots=True)
class LaueStatements(Record):
    """Questions put to the scans of one surface, one row each.

    ``statement`` is what is claimed, ``question`` the number that speaks of it. ``estimate`` with
    ``se`` and the 95 % interval ``low``, ``high`` is in ``unit``; ``effect`` is the estimate over
    the standard deviation of the first scan's points. ``p`` is that of the hypothesis that the
    statement is wrong, ``p_family`` corrected for all statements (Holm); NaN in rows that only
    inform. ``p_against`` is that of the hypothesis that it is not wrong, corrected alike.
    ``independent`` is how many independent values would know the estimate as well. ``verdict``
    is "confirmed" or "refuted" at 5 %, "not found", "cannot be told" where fewer than five
    values are independent, or "" in rows that only inform.
    """

    plot: ClassVar[tuple[str, str] | None] = None

    statement: tuple[str, ...] = quantity("statement", shape=("question",), dtype="str")
    question: tuple[str, ...] = quantity("question", shape=("question",), dtype="str")
    estimate: FloatArray = quantity("estimate", shape=("question",), error="se")
    se: FloatArray = quantity("standard error", shape=("question",))
    low: FloatArray = quantity("lower end of the 95 % interval", shape=("question",))
    high: FloatArray = quantity("upper end of the 95 % interval", shape=("question",))
    unit: tuple[str, ...] = quantity("unit of the estimate", shape=("question",), dtype="str")
    effect: FloatArray = quantity("estimate over the points' spread", shape=("question",))
    independent: FloatArray = quantity("independent values", shape=("question",))
    p: FloatArray = quantity("p-value", shape=("question",))
    p_family: FloatArray = quantity("p-value, corrected for all", shape=("question",))
    p_against: FloatArray = quantity("p-value of the contrary, corrected", shape=("question",))
    verdict: tuple[str, ...] = quantity("verdict", shape=("question",), dtype="str")

    def rows(self, statement: str) -> list[int]:
        """Rows of one statement."""
        return [k for k, own in enumerate(self.statement) if own == statement]

    def __len__(self) -> int:
        return len(self.statement)
