"""Where peaks begin: maxima that stand out, with the pixels that belong to each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.laue._kernels_level import between_blocks_of
from mesolith.laue._kernels_maxima import connected_groups, local_maxima, remove_single_pixels
from mesolith.laue._kernels_regions import grow_regions
from mesolith.laue.background import Background
from mesolith.laue.peak_settings import LauePeakSearch

Image = NDArray[np.float32]

_MOST = 20_000
# a region ends at this share of the top
_LOW_SHARE = 0.15
_MOMENTS = 7
# skewness that smoothing by 1 2 1 both ways leaves of that of single pixels
_SMOOTH_SKEW = 0.463


@dataclass(frozen=True, slots=True)
class Maxima:
    """Maxima (n,), highest first, one a peak.

    ``row`` and ``column`` are those of the pixel, ``top`` its counts above the level, ``noise``
    the standard deviation of a pixel there. ``moments`` (n, 7) are of the pixels of its region:
    sum of counts, place fast and slow, second moments ff fs ss, pixels. ``owner`` (slow, fast)
    tells the region of each pixel, from 1 on, 0 where there is none.
    """

    row: IntArray
    column: IntArray
    top: FloatArray
    noise: FloatArray
    moments: FloatArray
    owner: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.row)


def found_maxima(
    image: Image, usable: NDArray[np.uint8], background: Background, search: LauePeakSearch
) -> Maxima:
    """Maxima of an image (slow, fast).

    Pixels that stand alone are taken out of ``usable`` and replaced by what lies about them.
    Raises ``InvalidValueError`` where so much stands out that it cannot be peaks.
    """
    row, column = _standing_out(image, usable, background, search)
    block = background.block
    top = image[row, column] - between_blocks_of(background.level, block, row, column)
    noise = between_blocks_of(background.sigma, block, row, column)
    smooth = between_blocks_of(background.smooth_sigma, block, row, column)
    # counts of the peak and of what it stands on are noisy too
    brought = background.smooth_share * background.gain * np.maximum(top, 0.0)
    group = np.empty(len(row), dtype=np.int64)
    connected_groups(image, row, column, top, np.sqrt(smooth**2 + brought), search.reach, group)
    head = np.flatnonzero(group == np.arange(len(row)))
    number = np.zeros(len(row), dtype=np.int64)
    number[head] = np.arange(len(head))
    owner = np.zeros(image.shape, dtype=np.int32)
    moments = np.zeros((len(head), _MOMENTS))
    low = np.maximum(3.0 * smooth, _LOW_SHARE * top)
    grow_regions(
        image, background.level, block, row, column, number[group], low, 2.0 * smooth,
        search.reach, owner, moments,
    )  # fmt: skip
    return Maxima(
        row=row[head],
        column=column[head],
        top=top[head],
        noise=noise[head],
        moments=moments,
        owner=owner,
    )


def _standing_out(
    image: Image, usable: NDArray[np.uint8], background: Background, search: LauePeakSearch
) -> tuple[IntArray, IntArray]:
    """Rows and columns of maxima above the threshold, highest first, none of a single pixel."""
    # few photons make a lopsided noise: the first term of Cornish and Fisher
    lopsided = _SMOOTH_SKEW * background.gain / background.sigma
    sigmas = search.sigmas + (search.sigmas**2 - 1.0) / 6.0 * lopsided
    # smoothing leaves about a third of the height of a narrow peak
    floor = np.maximum(sigmas * background.smooth_sigma, 0.3 * search.least_height)
    threshold = background.level + floor
    row, column = np.empty(_MOST, dtype=np.int64), np.empty(_MOST, dtype=np.int64)
    value = np.empty(_MOST, dtype=np.float32)
    block = background.block
    count = local_maxima(image, threshold, block, row, column, value)
    if count > _MOST:
        raise InvalidValueError(
            f"{count} maxima stand out of the background, more than {_MOST}",
            remedy="This is no pattern of spots; if it is one, raise sigmas.",
        )
    row, column, value = row[:count], column[:count], value[:count]
    sigma = between_blocks_of(background.sigma, block, row, column)
    remove_single_pixels(
        image, background.level, threshold, block, row, column, value, sigma, usable
    )
    order = np.argsort(-value, kind="stable")
    order = order[: np.count_nonzero(value)]
    return row[order], column[order]
