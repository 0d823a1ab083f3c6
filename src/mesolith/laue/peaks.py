"""Peaks of one white-beam pattern: where they are, how well, how strong, how wide."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray
from mesolith.errors import ContradictionError, EmptyFileError, InvalidValueError
from mesolith.laue import _kernels_peaks as kernel
from mesolith.laue import _kernels_regions as region
from mesolith.laue._kernels_level import between_blocks_of
from mesolith.laue.background import Background, measured_background
from mesolith.laue.maxima import Image, Maxima, found_maxima
from mesolith.laue.peak_fits import PeakFits, axes_of, fitted_peaks
from mesolith.laue.peak_settings import LauePeakSearch
from mesolith.records.laue import LauePeaks, laue_peaks

BoolArray = NDArray[np.bool_]

_OVEREXPOSED = 0.02
_LEAST_PIXELS = 6
_COARSE = 2.5


def find_laue_peaks(
    image: NDArray[Any],
    search: LauePeakSearch | None = None,
    *,
    mask: BoolArray | None = None,
    shape: tuple[int, int] | None = None,
    pattern: int = 0,
    place: str = "pattern",
) -> LauePeaks:
    """Peaks of a pattern, strongest first; an empty list where nothing stands out.

    A peak is a Gaussian of any width and tilt, fitted by least squares with equal weights; close
    ones are fitted with each other taken off. The covariance is that of the counts' noise,
    correlated as the background is. Where weights by that noise would put the peak elsewhere
    than chance explains, as they do with lopsided peaks, the square of the distance is added.
    Peaks that no Gaussian fits have the place and moments of their pixels.

    Parameters
    ----------
    image
        Counts (slow, fast) of any real type; what is not finite is masked.
    search
        Thresholds; those of `LauePeakSearch` by default.
    mask
        True where a pixel cannot be used, (slow, fast).
    shape
        (slow, fast) of the panel that was calibrated.
    pattern
        Number of the pattern, kept with each peak.
    place
        File or point, as errors name it.

    Raises
    ------
    ContradictionError
        An image or a mask of another size.
    EmptyFileError
        All pixels hold the same number: nothing was exposed.
    InvalidValueError
        More than 2 % of the pixels are saturated, too many maxima, no picture at all.
    """
    search = search or LauePeakSearch()
    limit = _saturation(image, search)
    _check(image, mask, shape, search, limit, place)
    work, usable = _prepared(image, mask)
    background = measured_background(work, usable, block=search.block, gain=search.gain)
    row, column = np.nonzero(usable == 0)
    work[row, column] = between_blocks_of(background.level, background.block, row, column)
    maxima = found_maxima(work, usable, background, search)
    if not len(maxima):
        return _nothing()
    fits = fitted_peaks(work, usable, background, maxima, search, limit)
    return _record(fits, maxima, background, search, pattern)


def _saturation(image: NDArray[Any], search: LauePeakSearch) -> float:
    if search.saturation is not None:
        return search.saturation
    return float(np.iinfo(image.dtype).max) if image.dtype.kind in "iu" else math.inf


def _check(
    image: NDArray[Any],
    mask: BoolArray | None,
    shape: tuple[int, int] | None,
    search: LauePeakSearch,
    limit: float,
    place: str,
) -> None:
    if image.ndim != 2 or image.dtype.kind not in "iuf" or min(image.shape) < 2 * search.block:
        raise InvalidValueError(
            f"an array {image.shape} of {image.dtype} is no pattern to search",
            where=place,
            remedy=f"Give one number a pixel and at least {2 * search.block} pixels a side.",
        )
    if shape is not None and image.shape != shape:
        raise ContradictionError(
            f"the image has {image.shape[0]} x {image.shape[1]} pixels, the calibration "
            f"{shape[0]} x {shape[1]}",
            where=place,
            remedy="Give the calibration of this detector, binning and region.",
        )
    if mask is not None and mask.shape != image.shape:
        raise ContradictionError(
            f"the mask has {mask.shape[0]} x {mask.shape[1]} pixels, the image "
            f"{image.shape[0]} x {image.shape[1]}",
            where=place,
            remedy="Give the mask of this detector, binning and region.",
        )
    first = image.flat[0]
    if image[0, 1] == first and np.all(image == first):
        raise EmptyFileError(
            f"all pixels hold {first}: the image is dark",
            where=place,
            remedy="Check shutter and beam at this point, or leave it out.",
        )
    full = np.count_nonzero(image >= limit) if math.isfinite(limit) else 0
    if full > _OVEREXPOSED * image.size:
        raise InvalidValueError(
            f"{100.0 * full / image.size:.3g} % of the pixels reach {limit:.6g}: the image is "
            "saturated",
            where=place,
            remedy="Shorten the exposure, or state the detector's true limit as saturation.",
        )


def _prepared(image: NDArray[Any], mask: BoolArray | None) -> tuple[Image, NDArray[np.uint8]]:
    """A copy to work on, and 1 where a pixel can be used."""
    work = image.astype(np.float32)
    usable = np.ones(work.shape, dtype=np.uint8)
    if image.dtype.kind == "f":
        usable[~np.isfinite(work)] = 0
    if mask is not None:
        usable[mask] = 0
    work[usable == 0] = 0.0
    return work, usable


def _record(
    fits: PeakFits,
    maxima: Maxima,
    background: Background,
    search: LauePeakSearch,
    pattern: int,
) -> LauePeaks:
    """The list of all that are peaks, strongest first."""
    peaks, told = fits.peaks, fits.told
    widths, tilt = axes_of(peaks)
    fast, slow = peaks[:, kernel.FAST].copy(), peaks[:, kernel.SLOW].copy()
    covariance = _covariance(told, widths, background)
    height, intensity = peaks[:, kernel.HEIGHT].copy(), told[:, kernel.COUNTS].copy()
    rest = peaks[:, kernel.REST].copy()
    # what no Gaussian fits
    m = maxima.moments
    spread, spread_tilt = _axes_of_moments(m)
    other = ~fits.sound & ~fits.double & (m[:, region.PIXELS] >= _LEAST_PIXELS)
    other &= (m[:, region.SUM] > 0.0) & (spread[:, 1] >= search.narrowest)
    fast[other], slow[other] = m[other, region.FAST], m[other, region.SLOW]
    height[other], intensity[other] = maxima.top[other], m[other, region.SUM]
    widths[other], tilt[other], rest[other] = spread[other], spread_tilt[other], 0.0
    covariance[other] = _covariance_of_moments(m[other], maxima.noise[other], background)
    rows = np.flatnonzero((fits.sound | other) & (height >= search.least_height))
    rows = rows[np.argsort(-intensity[rows], kind="stable")]
    level = between_blocks_of(background.level, background.block, maxima.row, maxima.column)
    return LauePeaks(
        pattern=np.full(len(rows), pattern, dtype=np.int64),
        fast=fast[rows],
        slow=slow[rows],
        covariance=covariance[rows],
        height=height[rows],
        intensity=intensity[rows],
        widths=widths[rows],
        tilt=tilt[rows],
        background=(level + rest)[rows],
        saturated=told[rows, kernel.SATURATED] > 0.0,
    )


def _nothing() -> LauePeaks:
    none = np.zeros(0)
    return laue_peaks(none, none, none)


def _covariance(told: FloatArray, widths: FloatArray, background: Background) -> FloatArray:
    """Covariance of places (n, 2, 2).

    Counting noise; how far other weights move the place beyond chance; and what pixels do that
    are as wide as the peak, since the Gaussian is taken at their centres.
    """
    behind, own = background.shared_noise(widths.prod(axis=1))
    variances = (
        behind[:, None] * told[:, kernel.OF_BACKGROUND : kernel.OF_PEAK]
        + own[:, None] * told[:, kernel.OF_PEAK :]
    )
    columns = [kernel.COV_FF, kernel.COV_FS, kernel.COV_FS, kernel.COV_SS]
    covariance = variances[:, columns].reshape(-1, 2, 2)
    coarse = _COARSE * np.exp(-2.0 * np.pi**2 * widths[:, 1] ** 2)
    for axis, move, variance in (
        (0, kernel.MOVE_F, kernel.VAR_F),
        (1, kernel.MOVE_S, kernel.VAR_S),
    ):
        odd = np.maximum(told[:, move] ** 2 - variances[:, variance], 0.0)
        covariance[:, axis, axis] += odd + coarse**2
    return covariance


def _axes_of_moments(moments: FloatArray) -> tuple[FloatArray, FloatArray]:
    """As `axes_of`, of second moments."""
    ff, fs, ss = (moments[:, k] for k in (region.FF, region.FS, region.SS))
    middle, apart = 0.5 * (ff + ss), np.hypot(0.5 * (ff - ss), fs)
    widths = np.sqrt(np.maximum(np.stack([middle + apart, middle - apart], axis=1), 0.0))
    return widths, 0.5 * np.arctan2(2.0 * fs, ff - ss)


def _covariance_of_moments(
    moments: FloatArray, noise: FloatArray, background: Background
) -> FloatArray:
    """Covariance of centres of mass (n, 2, 2): counting noise, and a tenth of the widths."""
    total, pixels = moments[:, region.SUM], moments[:, region.PIXELS]
    counting = (noise**2 * pixels + background.gain * total) / total**2
    spread = moments[:, [region.FF, region.FS, region.FS, region.SS]].reshape(-1, 2, 2)
    return np.asarray((background.correlation * counting + 0.01)[:, None, None] * spread)
