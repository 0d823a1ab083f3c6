"""The most extreme grains of a state, net of noise and of grains that are none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mesolith.axes import FloatArray, IntArray
from mesolith.records.field import Record, quantity


@dataclass(frozen=True, slots=True)
class ExtremeGrains(Record):
    """Highest and lowest stress of one state, from the distribution of true stress.

    That distribution is estimated from all grains with their noise taken out; a grain's own
    stress is its mean given its measured value. ``highest`` and ``lowest`` are medians of the
    extreme over all real grains; ``high_point`` and ``low_point`` have a ``fraction`` of these
    grains beyond them and do not hang on one. ``noise_highest`` is what the highest measured
    value would be if all grains had the mean stress: an extreme below it is no finding.
    """

    plot: ClassVar[tuple[str, str] | None] = ("estimate", "grain")

    grain: IntArray = quantity("grain", shape=("extreme",), dtype="int64")
    measured: FloatArray = quantity("measured stress", unit="MPa", shape=("extreme",))
    estimate: FloatArray = quantity(
        "stress without the share of noise", unit="MPa", shape=("extreme",), error="estimate_se"
    )
    estimate_se: FloatArray = quantity("standard deviation", unit="MPa", shape=("extreme",))
    real: FloatArray = quantity("probability that the grain is real", shape=("extreme",))
    highest: float = quantity("highest true stress", unit="MPa")
    highest_low: float = quantity("lower end of its interval", unit="MPa")
    highest_high: float = quantity("upper end of its interval", unit="MPa")
    lowest: float = quantity("lowest true stress", unit="MPa")
    lowest_low: float = quantity("lower end of its interval", unit="MPa")
    lowest_high: float = quantity("upper end of its interval", unit="MPa")
    high_point: float = quantity("stress above which a fraction of the grains lies", unit="MPa")
    high_point_low: float = quantity("lower end of its interval", unit="MPa")
    high_point_high: float = quantity("upper end of its interval", unit="MPa")
    low_point: float = quantity("stress below which a fraction of the grains lies", unit="MPa")
    low_point_low: float = quantity("lower end of its interval", unit="MPa")
    low_point_high: float = quantity("upper end of its interval", unit="MPa")
    fraction: float = quantity("that fraction")
    noise_highest: float = quantity("highest that noise alone would make", unit="MPa")
    noise_lowest: float = quantity("lowest that noise alone would make", unit="MPa")
    spread: float = quantity("standard deviation of the true stress of these grains", unit="MPa")
    spread_low: float = quantity("lower end of its interval", unit="MPa")
    spread_high: float = quantity("upper end of its interval", unit="MPa")
    grains: int = quantity("grains", dtype="int64")
    level: float = quantity("probability that an interval holds the truth")


@dataclass(frozen=True, slots=True)
class StressExtremes(Record):
    """Extreme grains of the hydrostatic stress, state by state.

    ``grain`` in ``extremes`` are grain ids of the state's map. ``real_share`` is the mean
    probability of a grain to be no false one.
    """

    plot: ClassVar[tuple[str, str] | None] = None

    state: tuple[str, ...] = quantity("state", shape=("state",), dtype="str")
    real_share: FloatArray = quantity("share of real grains", shape=("state",))
    extremes: tuple[ExtremeGrains, ...] = ()
