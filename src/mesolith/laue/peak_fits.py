"""Gaussians for all peaks of a pattern, neighbours taken off in turns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray
from mesolith.laue import _kernels_peaks as kernel
from mesolith.laue import _kernels_regions as region
from mesolith.laue.background import Background
from mesolith.laue.maxima import Image, Maxima
from mesolith.laue.peak_settings import LauePeakSearch

_LEAST_HALF = 6
# first windows are no larger: what is wide is fitted anew
_FIRST_MOST = 10
_ROUNDS = 2
# what pixels and the end of a region at a share of the top do to second moments, px^2
_MOMENT_FLOOR = 0.3
# windows that should be so much larger are fitted anew
_WIDER = 1.3


@dataclass(frozen=True, slots=True)
class PeakFits:
    """Peaks (n, 7) as height, place, inverse covariance ff ss fs and rest of the level.

    ``told`` (n, 15) is what `_kernels_peaks` says of each; ``sound`` (n,) whether the Gaussian is
    a peak; ``double`` (n,) whether it is a part of another.
    """

    peaks: FloatArray
    told: FloatArray
    sound: NDArray[np.bool_]
    double: NDArray[np.bool_]


def fitted_peaks(
    image: Image,
    usable: NDArray[np.uint8],
    background: Background,
    maxima: Maxima,
    search: LauePeakSearch,
    limit: float,
) -> PeakFits:
    """Fit a Gaussian to each maximum; ``limit`` are the counts of a saturated pixel.

    First each by the pixels that no other one owns; then those in whose windows others reach
    once more, with the others' Gaussians taken off.
    """
    peaks = _from_moments(maxima)
    count = len(peaks)
    told = np.zeros((count, kernel.TOLD))
    begin, near = np.zeros(count + 1, dtype=np.int64), np.zeros(0, dtype=np.int64)
    given = (image, usable, maxima.owner, background.level, background.block, limit,
             background.gain, maxima.noise)  # fmt: skip
    half = _half_window(2.2 * _long(peaks), _FIRST_MOST)
    everyone = np.arange(count)
    kernel.fit_peaks(everyone, *given, half, begin, near, True, peaks, told)
    failed = np.flatnonzero(told[:, kernel.SETTLED] == 0.0)
    peaks[failed] = _narrow(maxima)[failed]
    half[failed] = _LEAST_HALF
    kernel.fit_peaks(failed, *given, half, begin, near, True, peaks, told)
    alive = _sound(peaks, told, maxima, search)
    wider = _half_window(3.5 * _long(peaks), search.reach + 8)
    again = alive & (wider > _WIDER * half)
    half = np.where(again, wider, half)
    double = np.zeros(count, dtype=np.bool_)
    for turn in range(_ROUNDS + 1):
        before = alive.copy()
        begin, near = _near(peaks, alive, half)
        kernel.drop_doubles(peaks, alive, begin, near, again)
        double |= before & ~alive
        if turn == _ROUNDS:
            break
        begin, near = _near(peaks, alive, half)
        again |= np.diff(begin) > 0
        which = np.flatnonzero(again & alive)
        kernel.fit_peaks(which, *given, half, begin, near, False, peaks, told)
        again[:] = False
        alive &= _sound(peaks, told, maxima, search)
    return PeakFits(peaks, told, alive, double)


def _sound(
    peaks: FloatArray, told: FloatArray, maxima: Maxima, search: LauePeakSearch
) -> NDArray[np.bool_]:
    """Whose fit ended near its maximum, neither too long nor too narrow (n,)."""
    widths, _ = axes_of(peaks)
    moved = np.hypot(peaks[:, kernel.FAST] - maxima.column, peaks[:, kernel.SLOW] - maxima.row)
    return np.asarray(
        (told[:, kernel.SETTLED] > 0.0)
        & (told[:, kernel.COUNTS] > 0.0)
        & (widths[:, 0] <= search.reach)
        & (widths[:, 1] >= search.narrowest)
        & (moved <= 2.0 + widths[:, 0])
    )


def _half_window(size: FloatArray, most: int) -> NDArray[np.int64]:
    return np.clip(np.ceil(size) + 2.0, _LEAST_HALF, most).astype(np.int64)


def _from_moments(maxima: Maxima) -> FloatArray:
    """Gaussians to begin with (n, 7)."""
    peaks = _narrow(maxima)
    m = maxima.moments
    spread = np.stack([m[:, region.FF], m[:, region.FS], m[:, region.FS], m[:, region.SS]], axis=1)
    spread = spread.reshape(-1, 2, 2) + _MOMENT_FLOOR * np.eye(2)
    good = (m[:, region.SUM] > 0.0) & (np.linalg.det(spread) > 0.05) & (spread[:, 0, 0] > 0.0)
    inverse = np.linalg.inv(spread[good])
    peaks[good, kernel.FAST] = m[good, region.FAST]
    peaks[good, kernel.SLOW] = m[good, region.SLOW]
    peaks[good, kernel.FF], peaks[good, kernel.SS] = inverse[:, 0, 0], inverse[:, 1, 1]
    peaks[good, kernel.FS] = inverse[:, 0, 1]
    return peaks


def _narrow(maxima: Maxima) -> FloatArray:
    """Round Gaussians of 1 px at the maxima (n, 7)."""
    peaks = np.zeros((len(maxima), kernel.PARAMETERS))
    peaks[:, kernel.HEIGHT] = maxima.top
    peaks[:, kernel.FAST], peaks[:, kernel.SLOW] = maxima.column, maxima.row
    peaks[:, kernel.FF] = peaks[:, kernel.SS] = 1.0
    return peaks


def _long(peaks: FloatArray) -> FloatArray:
    """Standard deviation along the long axis (n,), px."""
    return axes_of(peaks)[0][:, 0]


def axes_of(peaks: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Standard deviations (n, 2) along the long and the short axis, px, and tilt (n,), rad.

    The tilt is where the long axis points, from fast towards slow, -pi/2 to pi/2.
    """
    a, b, c = peaks[:, kernel.FF], peaks[:, kernel.SS], peaks[:, kernel.FS]
    middle, apart = 0.5 * (a + b), np.hypot(0.5 * (a - b), c)
    # 1 / (m - d) = (m + d) / det, exact where the two nearly cancel
    det = np.maximum(a * b - c * c, 1e-12)
    widths = np.sqrt(np.stack([(middle + apart) / det, 1.0 / (middle + apart)], axis=1))
    # the long axis is the direction of the smaller eigenvalue
    return widths, 0.5 * np.arctan2(-2.0 * c, b - a)


def _near(
    peaks: FloatArray, alive: NDArray[np.bool_], half: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Who reaches into whose window: near[begin[k] : begin[k + 1]] into that of k."""
    begin = np.zeros(len(peaks) + 1, dtype=np.int64)
    near = np.zeros(32 * len(peaks), dtype=np.int64)
    count = kernel.neighbours(peaks, alive, half, begin, near)
    if count > len(near):
        near = np.zeros(count, dtype=np.int64)
        kernel.neighbours(peaks, alive, half, begin, near)
    return begin, near
