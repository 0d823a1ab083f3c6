"""Widths and streaks of a grain's peaks, and the bending of its lattice under the beam.

A peak's second moments are those of the beam and the detector, the same for all, and those that
rotations under the beam give: J S J^T, where J says how its place moves when the lattice turns and
S is the covariance of the rotation vector. Fitted to all peaks of a grain, S tells axis and size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray

_PARAMETERS = 7
_FEWEST = 12
_TURNS = 3
_TUKEY = 4.7
# the largest spread about an axis must stand out of the next by so many standard errors, and be
# so many times as large
_STANDS_OUT, _TIMES = 4.0, 2.0
_PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True, slots=True)
class Streaks:
    """Of one grain: see the fields of the same names in `LaueMap`."""

    peak_width: float
    peak_width_se: float
    streak: float
    streak_tilt: float
    bend: float
    bend_se: float
    bend_axis: FloatArray


_UNKNOWN = Streaks(np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, np.full(3, np.nan))


def streaks_of_grain(slope: FloatArray, widths: FloatArray, tilt: FloatArray) -> Streaks:
    """Widths, streaks and bending from the peaks of one grain that no other grain shares.

    Parameters
    ----------
    slope
        Change of each peak's place by rotations of the lattice about x, y, z, px per rad,
        (n, 2, 3).
    widths, tilt
        Standard deviations along the long and the short axis, px, (n, 2), and where the long one
        points (rad), as in `LauePeaks`; NaN where unknown.
    """
    known = np.all(np.isfinite(widths), axis=1) & np.isfinite(tilt)
    if int(known.sum()) < 3:
        return _UNKNOWN
    slope, widths, tilt = slope[known], widths[known], tilt[known]
    long = widths[:, 0]
    width = float(np.median(long))
    width_se = 1.2533 * 1.4826 * float(np.median(np.abs(long - width))) / np.sqrt(len(long))
    if len(slope) < _FEWEST or not np.all(np.isfinite(slope)):
        return Streaks(width, width_se, np.nan, np.nan, np.nan, np.nan, np.full(3, np.nan))
    fitted = _spread_of_rotations(slope, widths, tilt)
    if fitted is None:
        return Streaks(width, width_se, np.nan, np.nan, np.nan, np.nan, np.full(3, np.nan))
    spread, covariance = fitted
    value, axes = np.linalg.eigh(spread)
    axis = axes[:, 2]
    # variance of the spread about a fixed axis: a' S a is linear in the six
    along = np.array([axis[i] * axis[j] * (1.0 if i == j else 2.0) for i, j in _PAIRS])
    error = float(np.sqrt(along @ covariance @ along))
    largest = max(float(value[2]), 0.0)
    bend = np.sqrt(largest)
    told = value[2] - max(value[1], 0.0) > _STANDS_OUT * error and value[2] > _TIMES * value[1]
    mean = np.einsum("nai,ij,nbj->ab", slope, spread, slope) / len(slope)
    size, direction = np.linalg.eigh(mean)
    return Streaks(
        peak_width=width,
        peak_width_se=float(width_se),
        streak=float(np.sqrt(max(size[1], 0.0))),
        streak_tilt=float(np.arctan2(direction[1, 1], direction[0, 1]) % np.pi),
        bend=float(bend),
        bend_se=error / (2.0 * np.sqrt(max(largest, error))),
        bend_axis=axis if told else np.full(3, np.nan),
    )


def _spread_of_rotations(
    slope: FloatArray, widths: FloatArray, tilt: FloatArray
) -> tuple[FloatArray, FloatArray] | None:
    """Covariance of the rotation vector (3, 3), rad^2, and that of its six components (6, 6).

    Least squares with Tukey's weights; the errors are those that the residuals of whole peaks show.
    """
    c, s = np.cos(tilt), np.sin(tilt)
    a, b = widths[:, 0] ** 2, widths[:, 1] ** 2
    seen = np.stack([a * c**2 + b * s**2, a * s**2 + b * c**2, (a - b) * c * s], axis=1)
    design = np.zeros((len(seen), 3, _PARAMETERS))
    design[:, :2, 0] = 1.0
    for axis, (u, v) in enumerate(((0, 0), (1, 1), (0, 1))):
        for k, (i, j) in enumerate(_PAIRS):
            both = slope[:, u, i] * slope[:, v, j]
            if i != j:
                both = both + slope[:, u, j] * slope[:, v, i]
            design[:, axis, 1 + k] = both
    unit = 1.0 / (a + b)
    flat = (design * unit[:, None, None]).reshape(-1, _PARAMETERS)
    target = (seen * unit[:, None]).ravel()
    scale = np.sqrt(np.mean(flat**2, axis=0))
    if not np.all(scale > 0.0):
        return None
    flat = flat / scale
    weight = np.ones(len(seen))
    for _ in range(_TURNS):
        root = np.repeat(np.sqrt(weight), 3)
        weighed = flat * root[:, None]
        normal = weighed.T @ weighed
        try:
            inverse = np.linalg.inv(normal)
        except np.linalg.LinAlgError:
            return None
        solved = inverse @ (weighed.T @ (target * root))
        off = (target - flat @ solved).reshape(-1, 3)
        size = np.sqrt(np.mean(off**2, axis=1))
        middle = max(float(np.median(size)), 1e-9) * 1.3
        weight = np.maximum(1.0 - (size / (_TUKEY * middle)) ** 2, 0.0) ** 2
    free = weight.sum() - _PARAMETERS
    if free <= 0.0:
        return None
    # what each peak pulls: its three moments err together, and more where it is wide
    pull = np.einsum("nkp,nk->np", flat.reshape(len(seen), 3, -1), weight[:, None] * off)
    several = inverse @ (pull.T @ pull) @ inverse * (1.0 + _PARAMETERS / free)
    six = solved[1:] / scale[1:]
    covariance = several[1:, 1:] / np.outer(scale[1:], scale[1:])
    spread = np.empty((3, 3))
    for value, (i, j) in zip(six, _PAIRS, strict=True):
        spread[i, j] = spread[j, i] = value
    return spread, covariance
