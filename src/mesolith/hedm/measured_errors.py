"""How far spots of a kind really lie from their predictions, against what they state.

A spot states the error of its counts and of its profile. What else displaces it, it cannot know:
a neighbour that was not told apart, a grain that is no point, an axis that wobbles, a background
whose noise nobody recorded. A bright spot hides more of that than a faint one, and a spot cut out
of a patch more than one that stands alone. So the ratio of measured to stated error is a curve
over the stated error, one for either sort.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm.match import Matches, SpotLookup
from mesolith.hedm.refine import Refined

_FEWEST, _EACH, _MOST_KNOTS = 200, 1_000, 12
_NEAR = np.log(1.15)  # stated errors as alike as that are one knot
_BOUNDS = (0.2, 30.0)
_MEDIAN = 0.6745  # of the size of a normal number
_PARAMETERS = 4.0  # of the twelve of a grain, for each of fast, slow and omega
_MOST_LEVERAGE = 0.8


@dataclass(frozen=True, slots=True)
class ErrorCurve:
    """Logarithm of measured over stated error (k,) at logarithms of the stated error (k,)."""

    stated: FloatArray
    ratio: FloatArray

    def factors(self, stated: FloatArray) -> FloatArray:
        """Factor for each stated error (n,); constant beyond the ends of the curve."""
        return np.asarray(np.exp(np.interp(np.log(stated), self.stated, self.ratio)))


def measured_factors(
    lookup: SpotLookup, matches: Matches, refined: Refined
) -> tuple[FloatArray, FloatArray]:
    """What multiplies the stated standard deviations of places and of omega, (n,) each.

    One number a spot of the lookup, from the residuals of some refined grains on spots that they
    have alone. Medians, so that displaced spots hardly move them; what a grain follows of its own
    spots is added again. 1 where there are fewer than 200 spots.
    """
    used = (matches.spot >= 0) & (matches.share > 0.99) & (refined.weight > 0.0)
    spot = matches.spot[used]
    if len(spot) < _FEWEST:
        return np.ones(len(lookup.rows)), np.ones(len(lookup.rows))
    grain = np.nonzero(used)[0]
    stated = 1.0 / np.sqrt(lookup.rows[spot][:, [3, 6, 8]])
    information = refined.weight[used][:, None] / stated**2
    total = np.stack([np.bincount(grain, column) for column in information.T], axis=1)
    leverage = np.minimum(_PARAMETERS * information / total[grain], _MOST_LEVERAGE)
    size = np.abs(refined.residual[used]) / stated / np.sqrt(1.0 - leverage)
    return (
        _factors(lookup, spot, [0, 1], stated, size),
        _factors(lookup, spot, [2], stated, size),
    )


def _factors(
    lookup: SpotLookup, spot: IntArray, axes: list[int], stated: FloatArray, size: FloatArray
) -> FloatArray:
    of_all = 1.0 / np.sqrt(np.prod(lookup.rows[:, [(3, 6, 8)[a] for a in axes]], axis=1))
    of_all **= 1.0 / len(axes)
    mean = np.prod(stated[:, axes], axis=1) ** (1.0 / len(axes))
    touching = lookup.touching[spot]
    found = np.empty(len(of_all))
    for sort in (False, True):
        chosen = touching == sort
        if np.count_nonzero(chosen) < _FEWEST:
            chosen = np.ones(len(spot), dtype=np.bool_)
        curve = error_curve(mean[chosen], size[chosen][:, axes])
        rows = lookup.touching == sort
        found[rows] = curve.factors(of_all[rows])
    return found


def error_curve(stated: FloatArray, size: FloatArray) -> ErrorCurve:
    """The curve through medians of ``size`` (n, axes), residuals over ``stated`` (n,)."""
    order = np.argsort(stated, kind="stable")
    parts = np.array_split(order, int(np.clip(len(order) // _EACH, 1, _MOST_KNOTS)))
    level = np.log([float(np.median(stated[part])) for part in parts])
    # parts that state the same are one
    number = np.zeros(len(parts), dtype=np.int64)
    for k in range(1, len(parts)):
        first = level[np.flatnonzero(number == number[k - 1])[0]]
        number[k] = number[k - 1] + (level[k] - first > _NEAR)
    knots, ratio = [], []
    for k in range(int(number[-1]) + 1):
        rows = np.concatenate([parts[j] for j in np.flatnonzero(number == k)])
        knots.append(float(np.log(np.median(stated[rows]))))
        middle = float(np.median(size[rows])) / _MEDIAN
        ratio.append(float(np.log(np.clip(middle, *_BOUNDS))))
    return ErrorCurve(np.array(knots), np.array(ratio))
