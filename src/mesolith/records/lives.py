"""Grains through the states: one number a grain, and the sample's way from mount to mount."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.records.cell import Cell
from mesolith.records.grains import GrainMap
from mesolith.records.tracking import Tracking


@dataclass(frozen=True, slots=True)
class Motion:
    """How the sample moved since the first state: x_now = rotation @ x_first + translation."""

    rotation: FloatArray
    translation: FloatArray

    def undone(self, position: FloatArray) -> FloatArray:
        """Positions (n, 3) as if the sample still lay as in the first state."""
        return (position - self.translation) @ self.rotation


def life_numbers(cell: Cell, maps: Mapping[int, GrainMap]) -> dict[int, IntArray]:
    """Number of each grain that it keeps through all states in which it is tracked.

    ``maps`` are the cell's grain maps by index of the state. One number a row; grains that
    appear later get new numbers.
    """
    lives: dict[int, IntArray] = {}
    fresh = 0
    previous: int | None = None
    for index, grains in sorted(maps.items()):
        own = np.full(len(grains), -1, dtype=np.int64)
        tracking = None if previous is None else cell.pair(previous, Tracking)
        if tracking is not None and previous is not None:
            own[tracking.after] = lives[previous][tracking.before]
        new = np.flatnonzero(own < 0)
        own[new] = fresh + np.arange(len(new))
        fresh += len(new)
        lives[index] = own
        previous = index
    return lives


def motions_since_first(cell: Cell) -> dict[int, Motion]:
    """Motion of the sample by index of the state, for all states that hold grains.

    The common motions of the trackings one after the other; where a tracking is missing, or
    found no motion, the sample is taken to lie as before.
    """
    found: dict[int, Motion] = {}
    motion = Motion(np.eye(3), np.zeros(3))
    previous: int | None = None
    for state in cell.states:
        if GrainMap not in state:
            continue
        tracking = None if previous is None else cell.pair(previous, Tracking)
        if tracking is not None and np.all(np.isfinite(tracking.translation)):
            motion = Motion(
                tracking.rotation @ motion.rotation,
                tracking.rotation @ motion.translation + tracking.translation,
            )
        found[state.index] = motion
        previous = state.index
    return found
