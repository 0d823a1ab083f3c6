"""How far spots of a kind really lie from their predictions, against what they state.

A spot states the error of its counts and of its profile. What else displaces it, it cannot know:
a neighbour that was not told apart, a grain that is no point, an axis that wobbles, a background
whose noise nobody recorded. Nor does it know that the profile of a bright spot, which fits badly,
has its centre all the same. So the ratio of measured to stated error is a curve over the stated
error times a curve over the intensity, for spots that stand alone and for those cut out of a patch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm.match import Matches, SpotLookup
from mesolith.hedm.refine import Refined

_FEWEST, _EACH, _MOST_KNOTS = 200, 1_000, 12
_NEAR = np.log(1.15)  # values as alike as that are one knot
_BOUNDS = (0.1, 30.0)
_TURNS = 3
_MOST_SPOTS = 20_000  # of a sort that make a curve
_MEDIAN = 0.6745  # of the size of a normal number
_PARAMETERS = 4.0  # of the twelve of a grain, for each of fast, slow and omega
_MOST_LEVERAGE = 0.8


@dataclass(frozen=True, slots=True)
class ErrorCurve:
    """Logarithm of measured over stated error (k,) at logarithms of what it hangs on (k,)."""

    place: FloatArray
    ratio: FloatArray

    def factors(self, values: FloatArray) -> FloatArray:
        """Factor at each positive value (n,); constant beyond the ends of the curve."""
        at = np.log(np.maximum(values, np.finfo(np.float64).tiny))
        return np.asarray(np.exp(np.interp(at, self.place, self.ratio)))


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
    return _factors(lookup, spot, size[:, :2], [3, 6]), _factors(lookup, spot, size[:, 2:], [8])


def _factors(
    lookup: SpotLookup, spot: IntArray, size: FloatArray, columns: list[int]
) -> FloatArray:
    """Factors (n,) of all spots from residuals over stated errors, ``size`` (m, axes), of some."""
    stated = np.exp(-0.5 * np.mean(np.log(lookup.rows[:, columns]), axis=1))
    found = np.empty(len(stated))
    for sort in (False, True):
        some = np.flatnonzero(lookup.touching[spot] == sort)
        if len(some) < _FEWEST:
            some = np.arange(len(spot))
        some = some[:: 1 + len(some) // _MOST_SPOTS]
        chosen, left, rows = spot[some], size[some], lookup.touching == sort
        scale = np.ones(np.count_nonzero(rows))
        curves: list[list[ErrorCurve]] = [[], []]
        for turn in range(2 * _TURNS):
            values = (stated, lookup.intensity)[turn % 2][chosen]
            curve = error_curve(values, left)
            left = left / curve.factors(values)[:, None]
            curves[turn % 2].append(curve)
        for values, several in zip((stated, lookup.intensity), curves, strict=True):
            scale *= product_of_curves(several).factors(values[rows])
        found[rows] = scale
    return np.asarray(np.clip(found, *_BOUNDS))


def product_of_curves(curves: list[ErrorCurve]) -> ErrorCurve:
    """One curve with the factors of several over the same values multiplied."""
    place = np.unique(np.concatenate([curve.place for curve in curves]))
    ratio = sum(
        (np.interp(place, curve.place, curve.ratio) for curve in curves), start=np.zeros(len(place))
    )
    return ErrorCurve(place, np.asarray(ratio))


def error_curve(values: FloatArray, size: FloatArray) -> ErrorCurve:
    """The curve over ``values`` (n,) through medians of ``size`` (n, axes), normal numbers if 1."""
    order = np.argsort(values, kind="stable")
    parts = np.array_split(order, int(np.clip(len(order) // _EACH, 1, _MOST_KNOTS)))
    at = np.log(np.maximum([np.median(values[part]) for part in parts], 1e-300))
    # parts that are alike in it are one
    number = np.zeros(len(parts), dtype=np.int64)
    for k in range(1, len(parts)):
        first = at[np.argmax(number[:k] == number[k - 1])]
        number[k] = number[k - 1] + (at[k] - first > _NEAR)
    joined = [
        np.concatenate([parts[j] for j in np.flatnonzero(number == k)])
        for k in range(int(number[-1]) + 1)
    ]
    middle = np.array([np.median(size[rows]) for rows in joined]) / _MEDIAN
    place = np.array([np.log(max(np.median(values[rows]), 1e-300)) for rows in joined])
    return ErrorCurve(place, np.log(np.clip(middle, *_BOUNDS)))
