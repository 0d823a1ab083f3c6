"""Draws of whole virtual cells from priors that the analysis never reads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mesolith.errors import InvalidValueError
from mesolith.virtual.cell import VirtualCell
from mesolith.virtual.grain_lists import (
    GrainInstrument,
    MeasuredGrains,
    Motion,
    draw_motions,
    drifted,
    measure_grains,
)
from mesolith.virtual.plan import PRESETS
from mesolith.virtual.planted import Planted


@dataclass(frozen=True, slots=True)
class DrawnCell:
    """A cell, its instrument, and what the user who analyses it believes.

    ``assumed_stiffness_mpa`` are the constants c11, c12, c44 that the analysis is given; they
    differ from the cell's own in the misspecified draw.
    """

    cell: VirtualCell
    instrument: GrainInstrument
    motions: tuple[Motion, ...]
    assumed_stiffness_mpa: tuple[float, float, float]

    def measure(self, state: int) -> MeasuredGrains:
        """Grain list of a state; the same state always gives the same list."""
        rng = np.random.default_rng([self.cell.seed, 0x11575, state])
        truth = self.cell.grain_truth(state)
        return measure_grains(truth, self.instrument, rng, motion=self.motions[state])


def draw_cell(
    seed: int,
    draw: str,
    priors: Mapping[str, Any],
    *,
    preset: str = "tiny",
    planted: Planted | None = None,
) -> DrawnCell:
    """Cell and instrument of one draw ("nominal", "wide" or "misspecified").

    ``priors`` is the content of benchmarks/priors.toml. A value [low, high] is drawn evenly
    between its bounds, {median, factor} log-evenly between median / factor and median * factor,
    {normal = sigma} from a normal distribution about 0; a plain number stands as it is.
    ``planted`` are effects that the cell holds beside; None: none.
    """
    if draw not in priors:
        raise InvalidValueError(
            f"no draw is called {draw!r}", remedy=f"Draws: {', '.join(priors)}."
        )
    rng = np.random.default_rng([seed, 0xD4A3])
    value: dict[str, Any] = {key: _drawn(rng, prior) for key, prior in sorted(priors[draw].items())}
    pressure = value.pop("stack_pressure_mpa")
    states = PRESETS[preset].states
    own = PRESETS[preset].stiffness_mpa
    wrong = value.pop("stiffness_error")
    motions = draw_motions(
        rng,
        len(states),
        shift_um=value.pop("shift_um"),
        rotation_deg=value.pop("rotation_deg"),
        drift=value.pop("drift"),
    )
    instrument = GrainInstrument(
        sigma_position_um=value.pop("sigma_position_um"),
        sigma_orientation_rad=math.radians(value.pop("sigma_orientation_deg")),
        sigma_strain=value.pop("sigma_strain"),
        tail_freedom=value.pop("tail_freedom"),
        size_exponent=value.pop("size_exponent"),
        radius_scatter=value.pop("radius_scatter"),
        lost=value.pop("lost"),
        false=value.pop("false"),
        reference_offset=value.pop("reference_offset"),
        stated_share=value.pop("stated_share"),
    )
    if planted is not None:
        value["planted"] = planted
    cell = VirtualCell.draw(seed, preset, stack_pressure_mpa=(pressure,) * len(states), **value)
    motions = drifted(motions, cell.drift)
    assumed = (own[0] * (1.0 + wrong), own[1] * (1.0 + wrong), own[2] * (1.0 + wrong))
    return DrawnCell(cell, instrument, motions, assumed)


def _drawn(rng: np.random.Generator, prior: Any) -> float:
    if isinstance(prior, Mapping):
        if "normal" in prior:
            return float(prior["normal"] * rng.standard_normal())
        spread = math.log(prior["factor"])
        return float(prior["median"] * math.exp(rng.uniform(-spread, spread)))
    if isinstance(prior, list):
        return float(rng.uniform(prior[0], prior[1]))
    return float(prior)
