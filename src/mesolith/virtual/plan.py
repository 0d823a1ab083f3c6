"""What a virtual cell is asked to be: sizes, amplitudes and the protocol, before any dice fall."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from mesolith.errors import InvalidValueError
from mesolith.virtual.planted import Planted


@dataclass(frozen=True, slots=True)
class StatePlan:
    """A state of the cell: half cycles of lithium on the working side, net and in all."""

    name: str
    net: int
    passed: int


def alternating_states(half_cycles: int) -> tuple[StatePlan, ...]:
    """Pristine, then plated and stripped in turn, that many half cycles in all."""
    pairs = range(1, half_cycles + 1)
    names = [f"{'plating' if k % 2 else 'stripping'} {(k + 1) // 2}" for k in pairs]
    later = (StatePlan(name, k % 2, k) for k, name in zip(pairs, names, strict=True))
    return (StatePlan("pristine", 0, 0), *later)


FIVE_STATES = alternating_states(4)


@dataclass(frozen=True, slots=True)
class CellPlan:
    """Parameters of a virtual Li|LLZO|Li cell.

    Lengths in um, stress and stiffness in MPa. Diameters of grains are
    log-normal with arithmetic mean ``grain_um`` and ``log_sigma`` in the natural logarithm; the
    number of grains follows from the volume. The amplitudes are dilatational eigenstrains:
    ``residual`` of every grain, ``minority`` of the grains of the second polymorph,
    ``cycling`` what one half cycle of plating adds there, ``damage`` what the whole protocol
    leaves at the hot spots. ``flicker`` scales what every grain changes by at random,
    ``pore_growth`` how pores grow. With ``hard_short`` a filament bridges the cell in the last
    half cycle. ``stack_pressure_mpa`` is one value for each state.
    ``planted`` are effects of chosen strength beside all of this.
    """

    diameter_um: float
    thickness_um: float
    grain_um: float = 57.0
    log_sigma: float = 0.20
    minority_share: float = 0.03
    porosity: float = 0.02
    pore_um: float = 16.0
    hot_spots: int = 6
    hot_spot_um: float = 70.0
    lithium_um: float = 60.0
    stack_pressure_mpa: tuple[float, ...] = (5.0, 5.0, 5.0, 5.0, 5.0)
    residual: float = 1.5e-4
    minority: float = 2.4e-3
    cycling: float = 7.0e-4
    damage: float = 9.0e-4
    flicker: float = 1.0
    pore_growth: float = 1.0
    stiffness_mpa: tuple[float, float, float] = (169_800.0, 63_900.0, 69_800.0)
    current_ma_cm2: float = 0.1
    half_cycle_h: float = 3.75
    hard_short: bool = True
    voxels_across: float = 6.0
    states: tuple[StatePlan, ...] = FIVE_STATES
    planted: Planted = Planted()

    def __post_init__(self) -> None:
        for name in ("diameter_um", "thickness_um", "grain_um", "voxels_across"):
            if not getattr(self, name) > 0.0:
                raise InvalidValueError(f"{name} of a virtual cell must be positive")
        if not (0.0 <= self.porosity < 0.5 and 0.0 <= self.minority_share <= 1.0):
            raise InvalidValueError("porosity must lie in 0 to 0.5, minority_share in 0 to 1")
        if len(self.stack_pressure_mpa) != len(self.states):
            raise InvalidValueError(
                f"{len(self.stack_pressure_mpa)} stack pressures for {len(self.states)} states"
            )
        if self.planted.soft_short >= len(self.states):
            raise InvalidValueError(
                f"soft_short names half cycle {self.planted.soft_short} of {len(self.states) - 1}"
            )

    @property
    def volume_um3(self) -> float:
        """Volume of the electrolyte, pores included."""
        return math.pi / 4.0 * self.diameter_um**2 * self.thickness_um

    @property
    def grains(self) -> int:
        """Number of grains that fill the volume."""
        mean_volume = math.pi / 6.0 * self.grain_um**3 * math.exp(3.0 * self.log_sigma**2)
        return max(1, round(self.volume_um3 / mean_volume))

    @property
    def area_mm2(self) -> float:
        """Active area: the whole face."""
        return math.pi / 4.0 * self.diameter_um**2 * 1e-6


PRESETS: dict[str, CellPlan] = {
    "tiny": CellPlan(diameter_um=380.0, thickness_um=290.0, hot_spots=2),
    "demo": CellPlan(diameter_um=840.0, thickness_um=470.0),
    "pellet": CellPlan(diameter_um=1600.0, thickness_um=900.0, grain_um=57.5, log_sigma=0.25),
    "pellet-30000": CellPlan(diameter_um=1600.0, thickness_um=900.0, grain_um=47.6, log_sigma=0.12),
}


def plan_from_preset(preset: str, **overrides: Any) -> CellPlan:
    """Plan of that name with some values replaced; ``InvalidValueError`` for an unknown name."""
    if preset not in PRESETS:
        raise InvalidValueError(
            f"no virtual cell is called {preset!r}", remedy=f"Presets: {', '.join(PRESETS)}."
        )
    return replace(PRESETS[preset], **overrides)
