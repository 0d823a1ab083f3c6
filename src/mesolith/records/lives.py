"""Grains through the states: one number a grain, and the sample's way from mount to mount."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.records.cell import Cell
from mesolith.records.grains import GrainMap
from mesolith.records.tracking import Tracking


def life_numbers(cell: Cell) -> dict[int, IntArray]:
    """Number of each grain that it keeps through all states in which it is tracked.

    By index of the state, one number a row; grains that appear later get new numbers.
    """
    lives: dict[int, IntArray] = {}
    fresh = 0
    previous: int | None = None
    for state, grains in cell.having(GrainMap):
        own = np.full(len(grains), -1, dtype=np.int64)
        tracking = None if previous is None else cell.pair(previous, Tracking)
        if tracking is not None and previous is not None:
            own[tracking.after] = lives[previous][tracking.before]
        new = np.flatnonzero(own < 0)
        own[new] = fresh + np.arange(len(new))
        fresh += len(new)
        lives[state.index] = own
        previous = state.index
    return lives


def positions_in_first(cell: Cell) -> dict[int, FloatArray]:
    """Positions (um) of each state's grains as if the sample still lay as in the first state.

    The common motions of the trackings are undone one after the other; where a tracking is
    missing the axes are taken to stay as they are.
    """
    found: dict[int, FloatArray] = {}
    rotation, translation = np.eye(3), np.zeros(3)
    previous: int | None = None
    for state, grains in cell.having(GrainMap):
        tracking = None if previous is None else cell.pair(previous, Tracking)
        if tracking is not None:
            rotation = tracking.rotation @ rotation
            translation = tracking.rotation @ translation + tracking.translation
        found[state.index] = (grains.position - translation) @ rotation
        previous = state.index
    return found
