"""Effects of chosen strength that a virtual cell holds beside its own dice; all zero by default."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Literal

from mesolith.errors import InvalidValueError

Axis = Literal["x", "y", "z"]

# what else a plan changes between states, switched off: no order in the changes, or no change
NO_ORDER: dict[str, Any] = {"cycling": 0.0, "damage": 0.0}
NO_CHANGE: dict[str, Any] = {**NO_ORDER, "flicker": 0.0, "pore_growth": 0.0}


@dataclass(frozen=True, slots=True)
class Planted:
    """What is planted, and how strong; hydrostatic stress in MPa, lengths in um.

    A strength is a difference between grains of one cell: the load fixes the mean over the cell.
    Hot and cold spots are the ``spots`` grains of highest and lowest true hydrostatic stress in
    the first state; their neighbourhoods hold all grains with centres within ``spot_um``.

    ``trend_mpa``: rise over the whole cell along ``trend_axis`` (height or diameter), growing
    with the charge passed and complete in the last state. ``clustering_mpa``: standard deviation
    over the grains of a smooth random field, alike over about ``clustering_um``, growing
    likewise. ``hot_spot_mpa``, ``cold_spot_mpa``: rise of the neighbourhoods of hot, of cold
    spots from the second state on. ``direction_mpa``: rise of both kinds of neighbourhoods
    whenever lithium stands on the working side, and gone when it is back. ``relaxation_mpa``: fall
    of stress towards the working electrode over ``relaxation_um``, around each of the
    ``relaxation_spots`` hottest grains, in all states; below zero towards the counter electrode.
    ``drift_mpa``: root mean square over the later states of what a uniform dilatation of each
    state pretends; an error of the instrument and no stress.

    In the cycler's record: ``soft_short`` is the number of the half cycle (from 1; 0: none) in
    which a thin filament takes all but the share ``soft_short_left`` of the resistance, and
    stays; ``overpotential_scatter`` the relative standard deviation of each reading of the
    voltage under current, beside what the cell has of its own.
    """

    trend_mpa: float = 0.0
    trend_axis: Axis = "z"
    clustering_mpa: float = 0.0
    clustering_um: float = 70.0
    hot_spot_mpa: float = 0.0
    cold_spot_mpa: float = 0.0
    direction_mpa: float = 0.0
    spots: int = 10
    spot_um: float = 70.0
    relaxation_mpa: float = 0.0
    relaxation_um: float = 120.0
    relaxation_spots: int = 50
    drift_mpa: float = 0.0
    soft_short: int = 0
    soft_short_left: float = 0.6
    overpotential_scatter: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_mpa") and not math.isfinite(value):
                raise InvalidValueError(f"{field.name} of planted effects must be finite")
            if field.name.endswith("_um") and not value > 0.0:
                raise InvalidValueError(f"{field.name} of planted effects must be positive")
        if self.trend_axis not in ("x", "y", "z"):
            raise InvalidValueError(
                f"planted trends run along no axis {self.trend_axis!r}", remedy="Axes: x, y, z."
            )
        if min(self.spots, self.relaxation_spots) < 1:
            raise InvalidValueError("planted effects need at least one spot")
        if self.soft_short < 0 or not 0.0 < self.soft_short_left < 1.0:
            raise InvalidValueError(
                "soft_short must be the number of a half cycle, soft_short_left within 0 and 1"
            )
        if not self.overpotential_scatter >= 0.0:
            raise InvalidValueError("overpotential_scatter must not be negative")

    @property
    def stress(self) -> bool:
        """Whether any true stress is planted; a drift is none."""
        names = (f.name for f in fields(self) if f.name.endswith("_mpa") and f.name != "drift_mpa")
        return any(getattr(self, name) != 0.0 for name in names)
