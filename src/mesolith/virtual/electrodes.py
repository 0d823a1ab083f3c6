"""The two lithium electrodes: thickness over the face, state by state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.virtual.arrays import FloatArray
from mesolith.virtual.plan import CellPlan

# molar volume of lithium over the Faraday constant: um of lithium for each mAh/cm2
MICROMETRES_PER_MAH_CM2 = 4.84


@dataclass(frozen=True, eq=False)
class Electrodes:
    """Lithium above and below: thickness = pristine + moved * focusing(x, y).

    ``moved`` (states,) is the mean thickness in um that has come to the working side; the
    focusing is 1 on average over the face, with a Gaussian peak at each hot spot.
    """

    pristine: float
    moved: FloatArray
    spot: FloatArray
    height: FloatArray
    width: float
    level: float

    def focusing(self, places: FloatArray) -> FloatArray:
        """Local over mean current density at places (m, 2)."""
        square = ((places[:, None, :] - self.spot[None, :, :]) ** 2).sum(axis=2)
        peaks = np.exp(-0.5 * square / self.width**2) @ self.height
        return np.asarray(self.level + peaks)

    def thickness(self, places: FloatArray, state: int, side: int) -> FloatArray:
        """Thickness of lithium (um) on the working (side 1) or counter electrode (side -1)."""
        local = self.pristine + side * self.moved[state] * self.focusing(places)
        return np.maximum(local, 0.0)


def draw_electrodes(plan: CellPlan, spots: FloatArray, rng: np.random.Generator) -> Electrodes:
    """Electrodes of the plan; the charge follows from its current and duration."""
    half_cycle = MICROMETRES_PER_MAH_CM2 * plan.current_ma_cm2 * plan.half_cycle_h
    moved = half_cycle * np.array([float(state.net) for state in plan.states])
    height = rng.uniform(0.5, 2.0, len(spots))
    width = plan.hot_spot_um
    electrodes = Electrodes(plan.lithium_um, moved, spots[:, :2].copy(), height, width, 0.0)
    across = np.linspace(-0.5, 0.5, 201) * plan.diameter_um
    x, y = (axis.ravel() for axis in np.meshgrid(across, across))
    disc = np.hypot(x, y) <= plan.diameter_um / 2.0
    peaks = float(electrodes.focusing(np.column_stack([x[disc], y[disc]])).mean())
    return Electrodes(plan.lithium_um, moved, spots[:, :2].copy(), height, width, 1.0 - peaks)
