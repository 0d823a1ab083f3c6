"""Eigenstrains of the grains: what does not fit, and how the protocol changes it.

Three modes, each one tensor a grain: what was there from sintering (0), what follows the charge
that stands on the working side and goes back with it (1), and what every half cycle leaves (2).
A planted effect may need a fourth: what the first half cycle does and none undoes (3).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mesolith.virtual.arrays import FloatArray, IntArray
from mesolith.virtual.plan import CellPlan, StatePlan

MODES = 3
EARLY_MODE = MODES


def mode_weights(state: StatePlan, states: Sequence[StatePlan], modes: int = MODES) -> FloatArray:
    """Weight of each of the first ``modes`` modes in a state, shape (modes,)."""
    most = max(1, max(other.passed for other in states))
    weights = [1.0, float(state.net), state.passed / most, float(state.passed > 0)]
    return np.array(weights[:modes])


def draw_misfit(
    plan: CellPlan,
    seed: FloatArray,
    phase: IntArray,
    spots: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Eigenstrains, shape (MODES, n, 6), tensor shears, order xx yy zz yz xz xy.

    A dilatation e of one grain makes a hydrostatic stress of about -129 GPa times e there. The
    minority grains carry most of it, in both directions: bounded, so that no grain of a large
    cell leaves the range that is seen.
    """
    count = len(phase)
    minority = phase == 1
    sign = _bounded(rng, count)
    misfit = np.zeros((MODES, count, 6))
    misfit[0] = plan.residual * _random_tensors(rng, count)
    misfit[0, minority, :3] += (plan.minority * (0.25 + sign[minority]))[:, None]
    misfit[1] = 0.15 * plan.flicker * plan.residual * _random_tensors(rng, count)
    misfit[1, minority, :3] += (
        plan.cycling * (0.6 * sign[minority] + 0.4 * _bounded(rng, int(minority.sum())))
    )[:, None]
    misfit[2] = 0.2 * plan.flicker * plan.residual * _random_tensors(rng, count)
    distance = np.linalg.norm(seed[:, None, :] - spots[None, :, :], axis=2)
    near = np.exp(-0.5 * (distance / plan.hot_spot_um) ** 2).sum(axis=1)
    misfit[2, :, :3] -= (plan.damage * near)[:, None]
    return misfit


def _bounded(rng: np.random.Generator, count: int) -> FloatArray:
    """Symmetric about 0 within -1 and 1, standard deviation 0.45."""
    return 2.0 * rng.beta(2.0, 2.0, count) - 1.0


def _random_tensors(rng: np.random.Generator, count: int) -> FloatArray:
    """Symmetric tensors without preferred direction, unit deviation of the normal components."""
    six = rng.standard_normal((count, 6))
    six[:, 3:] *= np.sqrt(0.5)
    return six
