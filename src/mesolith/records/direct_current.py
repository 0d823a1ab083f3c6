"""Which rows of a cycler's record are a voltage under direct current."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mesolith.records.cycling import Cycling

_FLOWS = 0.05


def under_direct_current(cycling: Cycling) -> NDArray[np.bool_]:
    """True where a direct current drives the voltage, shape (row,).

    False at rest, where the current is below a twentieth of the largest half cycle's, and in runs
    of one cycler step that hold an impedance sweep and no half cycle: what a cycler writes there
    as current and voltage is the answer to an alternating signal. All true without half cycles.
    """
    half = cycling.half_cycles
    shown = np.ones(len(cycling.time), dtype=np.bool_)
    if half is None or not len(half.step):
        return shown
    shown &= np.abs(np.nan_to_num(cycling.current)) > _FLOWS * float(np.max(np.abs(half.current)))
    if cycling.impedance is None:
        return shown
    edges = np.flatnonzero(np.diff(cycling.step)) + 1
    for first, end in zip([0, *edges], [*edges, len(shown)], strict=True):
        held = (half.first_row >= first) & (half.first_row < end)
        sweeps = cycling.impedance.time
        inside = (sweeps >= cycling.time[first]) & (sweeps <= cycling.time[end - 1])
        if np.any(inside) and not np.any(held):
            shown[first:end] = False
    return shown
