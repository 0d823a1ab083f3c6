"""What spots do not know of themselves: a floor of their errors, and angles that are stretched.

The error that the peak search states is that of the counts. A bright spot states 0.01 px, while
grains that are no points, wobble, distortion and frames that are wider than a spot displace it
by more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.records.indexed import IndexedGrains, SpotAssignment
from mesolith.records.spots import Spots

_MEDIAN = 0.4549  # of the square of a normal number
_TRUSTED = 0.5
_FEWEST = 100
_FREE = 12  # numbers of a grain


@dataclass(frozen=True, slots=True)
class ErrorFloor:
    """Standard deviations that stand beside what spots state: place (px) and omega (rad)."""

    place: float = 0.0
    omega: float = 0.0


def with_floor(spots: Spots, floor: ErrorFloor) -> Spots:
    """The spots with the floor's variance added to that of each."""
    for name in ("place", "omega"):
        if not getattr(floor, name) >= 0.0:
            raise InvalidValueError(f"the error floor of {name} is {getattr(floor, name)}")
    added = np.diag([floor.place, floor.place, floor.omega]) ** 2
    return replace(spots, covariance=spots.covariance + added)


def floor_from_residuals(
    spots: Spots, grains: IndexedGrains, assignment: SpotAssignment
) -> ErrorFloor | None:
    """The floor that explains how far spots lie from where their grains put them.

    ``spots`` state their own errors, without any floor. The half of them with the smaller stated
    errors decides, by medians, so that outliers do not; zero where residuals are no larger than
    stated. None where fewer than 100 spots can be trusted.
    """
    used = assignment.weight > _TRUSTED
    used &= ~(spots.overlapping | spots.saturated | spots.partial)[assignment.spot]
    if np.count_nonzero(used) < _FEWEST:
        used = assignment.weight > 0.0
    if np.count_nonzero(used) < _FEWEST:
        return None
    count = np.zeros(int(grains.grain_id.max()) + 1)
    count[grains.grain_id] = grains.spots
    own = 3.0 * count[assignment.grain_id[used]]
    # a grain follows its spots, which leaves less than their errors
    left = np.maximum(1.0 - _FREE / np.maximum(own, 1.0), 0.1)
    square = assignment.residual[used] ** 2 / left[:, None]
    stated = np.diagonal(spots.covariance, axis1=1, axis2=2)[assignment.spot[used]]
    place = _floor(np.concatenate([square[:, 0], square[:, 1]]), np.concatenate(stated[:, :2].T))
    return ErrorFloor(place, _floor(square[:, 2], stated[:, 2]))


def _floor(square: FloatArray, variance: FloatArray) -> float:
    """Root of the variance to be added so that the median of square / variance is a normal's."""
    good = variance <= np.median(variance)
    square, variance = square[good], variance[good]
    if np.median(square / variance) <= _MEDIAN:
        return 0.0
    low, high = 0.0, float(np.median(square)) / _MEDIAN
    while np.median(square / (variance + high)) > _MEDIAN:
        high *= 2.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if np.median(square / (variance + middle)) > _MEDIAN:
            low = middle
        else:
            high = middle
    return math.sqrt(0.5 * (low + high))


def with_turn(spots: Spots, factor: float) -> Spots:
    """The spots as if each frame had turned by ``factor`` times what its file states.

    Angles are stretched about omega = 0, where sample and laboratory axes agree. What then lies
    beyond a whole turn is the same angle as one at its begin. Rows keep their order.
    """
    if not 0.5 < factor < 2.0:
        raise InvalidValueError(
            f"frames that turn by {factor:g} of what is stated are not believed",
            remedy="Correct omega's start and step.",
        )
    ranges = spots.omega_range * factor
    omega = spots.omega * factor
    first = float(ranges[0, 0])
    last = first + 2.0 * math.pi
    if ranges[-1, 1] > last:
        omega = np.where(omega > last, omega - 2.0 * math.pi, omega)
        ranges = np.minimum(ranges, last)
        ranges = ranges[ranges[:, 1] - ranges[:, 0] > 0.0]
    covariance = spots.covariance.copy()
    covariance[:, 2] *= factor
    covariance[:, :, 2] *= factor
    return replace(
        spots,
        omega=omega,
        omega_range=ranges,
        omega_step=spots.omega_step * factor,
        covariance=covariance,
        widths=spots.widths * [1.0, 1.0, factor],
    )
