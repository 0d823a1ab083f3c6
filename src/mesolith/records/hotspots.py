"""Hot and cold spots through the states, and how much they changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mesolith.axes import FloatArray, IntArray
from mesolith.records.field import Record, quantity


@dataclass(frozen=True, slots=True)
class SpotHistory(Record):
    """Neighbourhoods of the hottest or coldest grains in every state.

    ``centre`` are rows of the followed grains. ``mean`` and ``spread`` are the normal fit to the
    grains of all neighbourhoods together, each grain once; ``mean_se`` counts neighbourhoods,
    not grains, and holds no regression to the mean: changes are judged in `SpotChanges`.
    """

    plot: ClassVar[tuple[str, str] | None] = ("mean", "state")

    state: tuple[str, ...] = quantity("state", shape=("state",), dtype="str")
    centre: IntArray = quantity("grain at the centre", shape=("spot", "state"), dtype="int64")
    spot_mean: FloatArray = quantity(
        "mean stress of a neighbourhood", unit="MPa", shape=("spot", "state")
    )
    mean: FloatArray = quantity(
        "mean stress of all neighbourhoods", unit="MPa", shape=("state",), error="mean_se"
    )
    mean_se: FloatArray = quantity("standard error of the mean", unit="MPa", shape=("state",))
    spread: FloatArray = quantity("standard deviation of the grains", unit="MPa", shape=("state",))
    grains: IntArray = quantity("grains in the neighbourhoods", shape=("state",), dtype="int64")
    pellet_mean: FloatArray = quantity("mean of all followed grains", unit="MPa", shape=("state",))
    kind: str = quantity('"hot" or "cold"', dtype="str")
    chosen: str = quantity('"fixed" from one state or "anew" in each', dtype="str")
    neighbourhood: str = quantity("rule of the neighbourhood", dtype="str")
    reach: float = quantity("radius of the neighbourhood", unit="um")
    quantity: str = quantity("stress by which the spots are chosen", dtype="str")


@dataclass(frozen=True, slots=True)
class SpotChanges(Record):
    """Change of hot or cold neighbourhoods between two states, one row a question.

    ``naive`` is what the same grains did as measured, against the pellet's mean;
    ``regression`` the part of it that comes of choosing by a noisy value; ``change`` what is
    left, with its interval. ``absolute`` adds the pellet's mean change and its common error.
    """

    plot: ClassVar[tuple[str, str] | None] = ("change", "question")

    question: tuple[str, ...] = quantity("spots and states", shape=("question",), dtype="str")
    naive: FloatArray = quantity("change as measured", unit="MPa", shape=("question",))
    naive_p: FloatArray = quantity(
        "p-value of the change as measured: wrong, for comparison", shape=("question",)
    )
    regression: FloatArray = quantity("regression to the mean", unit="MPa", shape=("question",))
    change: FloatArray = quantity(
        "change against the pellet's mean, regression removed",
        unit="MPa",
        shape=("question",),
        error="change_se",
    )
    change_se: FloatArray = quantity("standard error", unit="MPa", shape=("question",))
    low: FloatArray = quantity("lower end of the interval", unit="MPa", shape=("question",))
    high: FloatArray = quantity("upper end of the interval", unit="MPa", shape=("question",))
    p: FloatArray = quantity("p-value of the change", shape=("question",))
    p_family: FloatArray = quantity("p-value, Holm over all questions", shape=("question",))
    absolute: FloatArray = quantity(
        "change with the pellet's mean in it",
        unit="MPa",
        shape=("question",),
        error="absolute_se",
    )
    absolute_se: FloatArray = quantity(
        "standard error, common part included", unit="MPa", shape=("question",)
    )
    spots: int = quantity("spots", dtype="int64")
    independent: IntArray = quantity(
        "neighbourhoods that count as independent", shape=("question",), dtype="int64"
    )
    least: FloatArray = quantity(
        "smallest p-value that so few blocks can give", shape=("question",)
    )
    judged_by: str = quantity(
        '"blocks" of grains, or "likeness" where stress is alike over more than a block',
        dtype="str",
    )
    grains: IntArray = quantity("grains in the neighbourhoods", shape=("question",), dtype="int64")
    level: float = quantity("probability that an interval holds the truth")
    chosen: str = quantity('"fixed" from one state or "anew" in each', dtype="str")
    correction: str = quantity('"noise model" or "halves of the reflections"', dtype="str")
    neighbourhood: str = quantity("rule of the neighbourhood", dtype="str")
    reach: float = quantity("radius of the neighbourhood", unit="um")
    quantity: str = quantity("stress by which the spots are chosen", dtype="str")


@dataclass(frozen=True, slots=True)
class HotSpots(Record):
    """All that is asked of hot and cold spots: which they are, and whether they change.

    One history for each kind of spot ("hot", "cold"), way of choosing ("fixed", "anew"),
    neighbourhood and stress; one record of changes for each way of choosing and stress.
    """

    histories: tuple[SpotHistory, ...] = ()
    changes: tuple[SpotChanges, ...] = ()

    def history(
        self, *, kind: str, chosen: str, quantity: str, neighbourhood: str | None = None
    ) -> SpotHistory | None:
        """The first history of that kind, way of choosing, stress and neighbourhood, or None."""
        for found in self.histories:
            same = (found.kind, found.chosen, found.quantity) == (kind, chosen, quantity)
            if same and neighbourhood in (None, found.neighbourhood):
                return found
        return None

    def changes_of(self, *, chosen: str, quantity: str) -> SpotChanges | None:
        """Changes by that way of choosing and stress, or None."""
        for found in self.changes:
            if (found.chosen, found.quantity) == (chosen, quantity):
                return found
        return None
