"""Background and noise of frames, from samples of the frames themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.hedm._kernels_background import (
    add_capped,
    level_and_variance,
    noise_by_level,
    sort_samples,
)
from mesolith.io.finding import Finding
from mesolith.io.frame_series import FrameSeries

Image = NDArray[np.float32]

_SAMPLES, _FEWEST = 32, 8
_SAMPLE_BYTES = 220_000_000
_GROUP, _ROOM = 4, 30_000.0
_BINS = 128
_ROUNDING = 1.0 / 12.0
# share of samples in which a pixel may fail, or be lit in thresholded frames; share lit of a frame
_OFTEN, _MOST_LIT = 0.25, 0.15


@dataclass(frozen=True, slots=True)
class Background:
    """What a frame shows without spots.

    ``level`` is the mean counts of each pixel and ``variance`` their variance, (slow, fast).
    ``gain`` is the variance that one more count brings: 1 where counts are photons.
    ``gain_source`` is "measured", "given" or "assumed". ``frames`` is how many frames the level
    is the mean of, infinite where it is known. ``mask`` is True where a pixel cannot be used;
    ``saturated`` pixels of them are at the detector's limit without any spot, ``failed`` ones
    often hold no number, ``lit`` ones are above the floor of thresholded frames too often.
    """

    level: Image
    variance: Image
    mask: NDArray[np.bool_]
    gain: float
    gain_source: str
    frames: float
    saturated: int = 0
    failed: int = 0
    lit: int = 0


def background_from_frames(
    series: FrameSeries,
    *,
    first: int = 0,
    last: int | None = None,
    gain: float | None = None,
) -> Background:
    """Level and noise of each pixel from frames spread evenly over a block.

    The level is the clipped mean of up to 32 samples, each the sum of up to four frames that
    follow each other, so that it holds whatever stands still:
    rings of the casing, hot pixels, the detector's offset. A spot that lasts for half of the
    block is taken for background. The noise is fitted to all pixels together as
    ``constant + gain * level``, from how far the lower samples lie below the median, which no
    spot disturbs. Frames that were thresholded when they were written (`FrameSeries.floor`) have
    level 0 and a third of the floor as noise; pixels above the floor in a quarter of the samples
    are masked.

    Parameters
    ----------
    series
        The frames.
    first, last
        The block: frames from ``first`` up to, not including, ``last``.
    gain
        Variance of one more count, if known. Otherwise it is measured where the levels of the
        pixels differ enough, and assumed to be 1 where they do not.

    Raises
    ------
    InvalidValueError
        Fewer than eight frames: background and spots cannot be told apart. All pixels masked or
        saturated. Thresholded frames whose threshold lies below their background.
    """
    last = len(series) if last is None else last
    shape = series.shape
    mask = np.zeros(shape, dtype=np.bool_) if series.mask is None else series.mask
    if series.floor > 0.0:
        lit = _often_lit(series, first, last, mask)
        return Background(
            level=np.zeros(shape, dtype=np.float32),
            variance=np.full(shape, (series.floor / 3.0) ** 2, dtype=np.float32),
            mask=mask | lit,
            gain=1.0 if gain is None else gain,
            gain_source="assumed" if gain is None else "given",
            frames=np.inf,
            lit=int(lit.sum()),
        )
    if last - first < _FEWEST:
        raise InvalidValueError(
            f"{last - first} frames are too few to tell spots from background",
            where=series.source.place,
            remedy=f"Search at least {_FEWEST} frames at once.",
        )
    whole = series.source.dtype == np.uint16
    size = shape[0] * shape[1] * (2 if whole else 4)
    count = int(np.clip(_SAMPLE_BYTES // size, _FEWEST, _SAMPLES))
    count = min(count, last - first)
    chosen = first + (np.arange(count) * (last - first) + (last - first) // 2) // count
    group = int(np.clip((last - first) // (3 * count // 2), 1, _GROUP))
    if float(np.median(series.read(first)[::16, ::16])) * group > _ROOM:
        group = 1
    samples = np.empty((count, *shape), np.uint16 if whole else np.float32)
    for k, frame in enumerate(chosen):
        _sum_into(samples[k], series, int(frame), group, last)
    samples = _alike(samples)
    count = len(samples)
    failed = _fill_failed(samples) & ~mask
    mask = mask | failed
    sort_samples(samples, exchange_network(count))
    offset = (
        np.zeros(shape, dtype=np.float32)
        if series.dark is None
        else (group * series.dark).astype(np.float32)
    )
    full = np.zeros(shape, dtype=np.bool_)
    if series.saturation is not None:
        limit = group * series.saturation
        full = (samples[count // 2] >= (min(limit, 65535.0) if whole else limit)) & ~mask
        mask = mask | full
    if mask.all():
        raise InvalidValueError(
            f"none of the {mask.size} pixels can be used: {int(full.sum())} are saturated in most "
            f"frames, {int(failed.sum())} hold no number, the others are masked",
            where=series.panel or series.source.place,
            remedy="Check the mask and the stated saturation, and whether these are the right "
            "frames.",
        )
    rank, quantile = _lower_rank(count)
    constant, slope, source = _noise(samples, offset, mask, rank, quantile, gain)
    level, variance = np.empty(shape, np.float32), np.empty(shape, np.float32)
    level_and_variance(samples, offset, rank, quantile, constant, slope, _ROUNDING, level, variance)
    return Background(
        level=level / np.float32(group),
        variance=variance / np.float32(group),
        mask=mask,
        gain=slope,
        gain_source=source,
        frames=float(group * count),
        saturated=int(full.sum()),
        failed=int(failed.sum()),
    )


def background_findings(background: Background, series: FrameSeries) -> list[Finding]:
    """What a reader of the spots must know of the background behind them."""
    where = series.panel or series.source.place
    found = []
    if background.saturated:
        share = background.saturated / background.mask.size
        found.append(
            Finding(
                "warning",
                where,
                f"{background.saturated} pixels ({share:.2%}) are saturated without any spot, as "
                "on a ring that is too bright: spots there are not seen, and those beside them "
                "are marked as partial. Attenuate the beam or filter the ring.",
            )
        )
    if background.failed:
        found.append(
            Finding(
                "warning",
                where,
                f"{background.failed} pixels often hold no number and are masked",
            )
        )
    if background.lit:
        share = background.lit / background.mask.size
        found.append(
            Finding(
                "warning",
                where,
                f"{background.lit} pixels ({share:.2%}) are above the threshold of these frames "
                "in more than a quarter of them, as hot ones and those on a bright ring are: they "
                "are masked, and spots there are not seen. A higher threshold leaves fewer.",
            )
        )
    if background.gain_source == "assumed":
        text = "the levels of the pixels are too much alike to measure the gain"
        if series.floor > 0.0:
            text = "frames that were thresholded when they were written show no noise"
        found.append(Finding("assumed", where, f"one count is taken for one photon: {text}"))
    return found


def exchange_network(count: int) -> IntArray:
    """Exchanges (n, 2) that sort ``count`` values, by Batcher's odd-even merging."""
    pairs = []
    p = 1
    while p < count:
        k = p
        while k >= 1:
            for j in range(k % p, count - k, 2 * k):
                for i in range(min(k, count - j - k)):
                    if (i + j) // (2 * p) == (i + j + k) // (2 * p):
                        pairs.append((i + j, i + j + k))
            k //= 2
        p *= 2
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _sum_into(total: NDArray[Any], series: FrameSeries, first: int, group: int, last: int) -> None:
    """Sum of some frames, moved to lie before ``last``; 16-bit integers where they suffice."""
    first = max(min(first, last - group), 0)
    series.read_into(first, total)
    frame = np.empty_like(total)
    for k in range(first + 1, first + group):
        series.read_into(k, frame)
        if total.dtype == np.uint16:
            # a sum beyond 65535 is a spot or a saturated pixel, never the median of the samples
            add_capped(total, frame)
        else:
            total += frame


def _alike(samples: NDArray[np.generic]) -> NDArray[np.generic]:
    """Samples without those whose middle pixel has four times the usual counts, or a quarter."""
    middle = np.array([float(np.median(one[::16, ::16])) for one in samples])
    usual = float(np.nanmedian(middle))
    alike = (middle <= max(4.0 * usual, usual + 4.0)) & (middle >= min(0.25 * usual, usual - 4.0))
    return samples if alike.all() or not alike.any() else samples[alike]


def _fill_failed(samples: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Give pixels that hold no number in some samples their median; True where most are such."""
    failed = np.zeros(samples.shape[1:], dtype=np.bool_)
    if samples.dtype == np.uint16:
        return failed
    for begin in range(0, samples.shape[1], 64):
        rows = slice(begin, begin + 64)
        part = samples[:, rows]
        wrong = ~np.isfinite(part)
        some = wrong.any(axis=0)
        if some.any():
            failed[rows] = wrong.sum(axis=0) > _OFTEN * len(samples)
            values = np.where(wrong, np.nan, part.astype(np.float64))[:, some]
            values[:, failed[rows][some]] = 0.0
            part[:, some] = np.where(np.isnan(values), np.nanmedian(values, axis=0), values)
    return failed


def _often_lit(
    series: FrameSeries, first: int, last: int, mask: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Pixels above the floor of thresholded frames in more than a quarter of up to 32 frames."""
    count = min(_SAMPLES, last - first)
    chosen = first + (np.arange(count) * (last - first) + (last - first) // 2) // count
    times, share = np.zeros(series.shape, dtype=np.uint8), np.zeros(count)
    for k, frame in enumerate(chosen):
        row, column, _ = series.listed(int(frame))
        times[row, column] += 1
        share[k] = np.count_nonzero(~mask[row, column]) / mask.size
    often = (times > max(_OFTEN * count, 1.0)) & ~mask
    if max(float(np.median(share)), often.mean()) > _MOST_LIT:
        raise InvalidValueError(
            f"of the pixels {np.median(share):.0%} are above the floor of {series.floor:g} counts "
            f"in most frames, and {often.mean():.0%} in more than a quarter of them",
            where=series.panel or series.source.place,
            remedy="The frames were cut at a threshold below their background: cut them again at "
            "a higher one, at least four standard deviations above it, or search the frames as "
            "they were measured.",
        )
    return often


def _lower_rank(count: int) -> tuple[int, float]:
    """Rank about one sigma below the median, and how many sigma below it lies on average."""
    from scipy.stats import norm

    rank = max(int(0.16 * count), 0)
    return rank, -float(norm.ppf((rank + 1 - 0.375) / (count + 0.25)))


def _noise(
    samples: NDArray[np.generic],
    offset: Image,
    mask: NDArray[np.bool_],
    rank: int,
    quantile: float,
    gain: float | None,
) -> tuple[float, float, str]:
    """Constant and gain of ``variance = constant + gain * level``, and where the gain is from."""
    few = samples[len(samples) // 2, ::8, ::8].astype(np.float64) - offset[::8, ::8]
    few = few[~mask[::8, ::8]]
    low, high = np.quantile(few, [0.001, 0.99]) if few.size else (0.0, 1.0)
    low = np.floor(low - 0.05 * (high - low) - 1.0)
    width = max((high + 0.05 * (high - low) + 1.0 - low) / _BINS, 1.0)
    sigma = np.full(_BINS, np.inf)
    for _ in range(2):
        total, distance, pixels = noise_by_level(
            samples, offset, mask, rank, float(low), float(width), sigma
        )
        full = pixels >= 50
        if not full.any():
            full = pixels > 0
        if not full.any():
            break  # every pixel saw a spot: what the first round says of all must do
        level = total[full] / pixels[full]
        variance = (distance[full] / pixels[full] / quantile) ** 2
        weight = pixels[full].astype(np.float64)
        constant, slope, source = _line(level, variance, weight, gain, len(samples))
        centres = low + width * (np.arange(_BINS) + 0.5)
        sigma = np.sqrt(np.maximum(constant + slope * centres, _ROUNDING))
    return constant, slope, source


def _line(
    level: FloatArray,
    variance: FloatArray,
    weight: FloatArray,
    gain: float | None,
    samples: int,
) -> tuple[float, float, str]:
    """Straight line of variance over level; its slope is ``gain``, or 1 where it is not seen."""
    centre = np.average(level, weights=weight)
    mean = np.average(variance, weights=weight)
    spread = np.average((level - centre) ** 2, weights=weight)
    slope, source = (1.0, "assumed") if gain is None else (gain, "given")
    # the error of a median, which is in the distance below it too, must not pass for a slope
    own = np.pi / 2.0 * mean / samples
    if gain is None and len(level) > 3 and spread > 25.0 * own:
        # many pixels make each bin exact, so the scatter of the bins about the line is what counts
        rise = float(np.average((level - centre) * (variance - mean), weights=weight) / spread)
        scatter = np.average((variance - mean - rise * (level - centre)) ** 2, weights=weight)
        explained = rise**2 * spread
        if rise > 0.0 and 4.0 * explained > (0.3 * mean) ** 2 and scatter < 0.1 * explained:
            slope, source = rise, "measured"
    # the middle pixel decides, not a few that are far out
    constant = variance - slope * level
    order = np.argsort(constant)
    half = np.searchsorted(np.cumsum(weight[order]), 0.5 * weight.sum())
    return float(constant[order][half]), slope, source
