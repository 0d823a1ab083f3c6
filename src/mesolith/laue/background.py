"""Background and noise of a white-beam pattern."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, median_filter

from mesolith.axes import FloatArray
from mesolith.laue._kernels_level import block_levels

# the share of white noise that smoothing by 1 2 1 both ways leaves in the variance
_WHITE = (6.0 / 16.0) ** 2
_FEW_BLOCKS = 30
_NOISIER = 2.0
_MOST_SHARED = 5.0
# steps of whole counts
_ROUNDING = 1.0 / 12.0


@dataclass(frozen=True, slots=True)
class Background:
    """Level and noise in blocks of ``block`` pixels, grids (rows, columns), counts.

    ``level`` is the background; ``sigma`` the standard deviation of a pixel and ``smooth_sigma``
    that of the image smoothed by 1 2 1 both ways. ``gain`` is the variance of one more count.
    ``correlation`` is by how much the variance of the smoothed image exceeds that of independent
    pixels, since neighbours share noise where light spreads in a screen; at least 1.
    """

    block: int
    level: FloatArray
    sigma: FloatArray
    smooth_sigma: FloatArray
    gain: float
    correlation: float

    def shared_noise(self, area: FloatArray) -> tuple[FloatArray, FloatArray]:
        """By how much sharing of noise multiplies the variance of a place, for peaks (n,).

        ``area`` is the product of a peak's standard deviations, px^2. The first factor is for
        the background's noise, the second for that of the peak's own counts, which is less:
        light that spreads behind the screen does not move the photons. Both are those of least
        squares with a round Gaussian, for noise spread by a Gaussian.
        """
        shared = min(self.correlation, _MOST_SHARED)
        spread = 0.5 * shared / (2.0 * np.pi - shared)
        wider = area + spread
        before = np.maximum(area - spread, 0.1 * area)
        steep = 1.0 / (1.0 / before + 2.0 / wider)
        common = 4.0 * np.pi * spread
        return (
            common * (area / wider) ** 2,
            common * 9.0 * steep**2 * area**3 / (before * wider**4),
        )

    @property
    def smooth_share(self) -> float:
        """The share of a pixel's variance that the smoothed image has."""
        return _WHITE * self.correlation


def measured_background(
    image: NDArray[np.float32],
    usable: NDArray[np.uint8],
    *,
    block: int,
    gain: float | None = None,
) -> Background:
    """Background of an image (slow, fast) of at least 2 x 2 blocks, peaks included.

    Pixels that are not ``usable`` do not count; blocks without others are like their neighbours.

    The noise is taken as constant plus gain times level, fitted to all blocks. Where the levels
    are too much alike to show a gain, or the noise falls as they rise, it is 1.
    """
    shape = tuple(max(2, -(-size // block)) for size in image.shape)
    level, raw, smooth = np.empty(shape), np.empty(shape), np.empty(shape)
    block_levels(image, usable, block, level, raw, smooth)
    level = median_filter(_filled(level), 3, mode="nearest")
    # variances are those of every second block
    few = level[::2, ::2]
    raw = np.maximum(median_filter(_filled(raw[::2, ::2]), 3, mode="nearest"), _ROUNDING)
    smooth = median_filter(_filled(smooth[::2, ::2]), 3, mode="nearest")
    constant, slope = _noise_line(few, raw)
    variance = np.maximum(constant + slope * level, 0.25 * float(np.median(raw)))
    # parts of the panel that are noisier than their level tells
    more = median_filter(raw / np.maximum(constant + slope * few, 0.25 * raw), 3, mode="nearest")
    more = np.where(more > _NOISIER, more, 1.0)
    variance *= np.repeat(np.repeat(more, 2, axis=0), 2, axis=1)[: shape[0], : shape[1]]
    share = min(max(float(np.median(smooth / raw)), _WHITE), 1.0)
    return Background(
        block=block,
        level=level,
        sigma=np.sqrt(variance),
        smooth_sigma=np.sqrt(share * variance),
        gain=gain if gain is not None else (slope if slope > 0.0 else 1.0),
        correlation=share / _WHITE,
    )


def _filled(grid: FloatArray) -> FloatArray:
    """The grid, with what lies nearest in place of NaN; 0 everywhere where all is NaN."""
    unknown = np.isnan(grid)
    if not unknown.any():
        return grid
    if unknown.all():
        return np.zeros_like(grid)
    nearest = distance_transform_edt(unknown, return_distances=False, return_indices=True)
    return np.asarray(grid[tuple(nearest)])


def _noise_line(level: FloatArray, variance: FloatArray) -> tuple[float, float]:
    """Constant and slope of the variance over the level; slope 0 where none is to be seen.

    Medians of eight parts of equally many blocks, ordered by level, are joined by the median of
    the slopes between any two of them.
    """
    order = np.argsort(level, axis=None)
    if len(order) < _FEW_BLOCKS:
        return float(np.median(variance)), 0.0
    parts = np.array_split(order, 8)
    x = np.array([np.median(level.flat[part]) for part in parts])
    y = np.array([np.median(variance.flat[part]) for part in parts])
    one, two = np.triu_indices(8, 4)
    run = x[two] - x[one]
    if np.any(run <= 0.0):
        return float(np.median(variance)), 0.0
    slope = float(np.median((y[two] - y[one]) / run))
    # what chance makes of the median of a part
    chance = 2.0 * float(np.median(variance)) * np.sqrt(2.0 / 56.0 / len(parts[0])) * 1.5
    if slope * float(x[-1] - x[0]) < 2.0 * chance:
        return float(np.median(variance)), 0.0
    return float(np.median(y - slope * x)), slope
