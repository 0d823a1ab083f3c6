"""Charge that the protocol of a state stands for (`after` in cell.toml)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.units import to_internal


@dataclass(frozen=True, slots=True)
class Passed:
    """Charge since the state before: net (plating positive), both directions, half cycles."""

    net: float
    total: float
    half_cycles: int


def charge_from_protocol(after: Mapping[str, Any], *, state: str) -> Passed:
    """Charge per area (C/m2) of an ``after`` table.

    With ``half_cycles`` one current alternates its sign from half cycle to half cycle, a list
    gives each its own; with ``cycles`` each lasts ``duration_h`` in all, its first half under the
    current given and the second under the opposite one.

    Raises ``InvalidValueError`` where a list has another length than the count.
    """
    cycles = after.get("cycles")
    count = int(cycles if cycles is not None else after["half_cycles"])
    current = _each(after["current_ma_cm2"], count, "current_ma_cm2", state)
    duration = _each(after["duration_h"], count, "duration_h", state)
    charge = to_internal(current, "mA/cm2") * to_internal(duration, "h")
    if cycles is not None:
        return Passed(0.0, float(np.sum(np.abs(charge))), 2 * count)
    if isinstance(after["current_ma_cm2"], int | float):
        charge = charge * np.where(np.arange(count) % 2 == 0, 1.0, -1.0)
    return Passed(float(np.sum(charge)), float(np.sum(np.abs(charge))), count)


def _each(value: Any, count: int, key: str, state: str) -> FloatArray:
    if isinstance(value, int | float):
        return np.full(count, float(value))
    values = np.array([float(number) for number in value])
    if len(values) != count:
        raise InvalidValueError(
            f"after.{key} lists {len(values)} values for {count} half cycles or cycles",
            where=f"state {state!r}",
            remedy="Give one value, or one for each.",
        )
    return values
