"""Known spots are found where they are, and no better than stated."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.stats import binomtest, norm

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError, SettingsError
from mesolith.hedm.peaks import blocks_of, find_spots, join_blocks, search_block
from mesolith.hedm.search_settings import PeakSearch
from mesolith.io.frame_series import FrameSeries, series_from_source
from mesolith.io.frame_source import FrameSource
from mesolith.records.spots import Spots
from tests.hedm.peak_frames import (
    READ_NOISE,
    STEP,
    expected,
    frame_of,
    noisy,
    ring_background,
    series_of,
    spot_table,
)

SHAPE = (160, 176)
PHOTONS = PeakSearch(gain=1.0)


def lonely_spots(count: int, frames: int, *, seed: int) -> FloatArray:
    """Spots of 400 to 20,000 counts, none near another or an edge."""
    rng = np.random.default_rng(seed)
    place = rng.uniform([8, 8, 8], [SHAPE[1] - 8, SHAPE[0] - 8, frames - 8], (count, 3))
    alone = np.array([len(near) == 1 for near in cKDTree(place).query_ball_point(place, 10.0)])
    counts = np.exp(rng.uniform(np.log(400.0), np.log(20000.0), count))
    widths = np.column_stack([rng.uniform(0.6, 0.9, (count, 2)), rng.uniform(0.5, 1.8, count)])
    return spot_table(np.column_stack([counts, place, widths])[alone])


def series_with(spots: FloatArray, frames: int, *, seed: int = 1) -> FrameSeries:
    return series_of(noisy(expected(SHAPE, frames, spots, ring_background(SHAPE)), seed=seed))


def partners(spots: Spots, truth: FloatArray, *, reach: float = 2.5) -> tuple[IntArray, IntArray]:
    """Numbers of found and of true spots that lie within ``reach`` cells of each other."""
    found = np.column_stack([spots.fast, spots.slow, frame_of(spots.omega)])
    distance, nearest = cKDTree(found).query(truth[:, 1:4])
    true = np.flatnonzero(distance < reach)
    return nearest[true], true


def pulls(spots: Spots, truth: FloatArray) -> FloatArray:
    """Errors over stated errors of column, row, frame and counts, (n, 4)."""
    at, true = partners(spots, truth)
    sigma = np.sqrt(np.diagonal(spots.covariance[at], axis1=1, axis2=2)) / [1.0, 1.0, STEP]
    place = np.column_stack([spots.fast, spots.slow, frame_of(spots.omega)])[at]
    counts = (spots.intensity[at] - truth[true, 0]) / spots.intensity_se[at]
    return np.column_stack([(place - truth[true, 1:4]) / sigma, counts])


@pytest.fixture(scope="module")
def lonely() -> tuple[FrameSeries, FloatArray]:
    truth = lonely_spots(900, 120, seed=3)
    return series_with(truth, 120), truth


@pytest.mark.parametrize("profile", [True, False])
def test_errors_are_as_large_as_stated(
    profile: bool, lonely: tuple[FrameSeries, FloatArray]
) -> None:
    series, truth = lonely
    spots = find_spots(series, PeakSearch(gain=1.0, profile=profile))
    at, true = partners(spots, truth)
    bright = truth[:, 0] > 800.0
    assert np.isin(np.flatnonzero(bright), true).all()
    assert len(true) >= 0.97 * len(truth)
    assert len(spots) - len(np.unique(at)) <= 3
    pull = pulls(spots, truth)
    assert len(pull) > 200
    assert np.all(pull.std(axis=0) > 0.9)
    assert np.all(pull.std(axis=0) < 1.15)
    assert np.all(np.abs(pull.mean(axis=0)) < 0.2)


def least_errors(truth: FloatArray) -> FloatArray:
    """Smallest standard deviation (n,) of the column that the light of each spot allows.

    Cramer and Rao's bound: light, background and read noise of all its pixels. No other parameter
    of the spot is learned from what is odd in the column.
    """
    light = ring_background(SHAPE)
    bounds = []
    for counts, *place, wide, high, long in truth:
        near = [np.arange(round(p) - 6, round(p) + 7) for p in place]
        edges = [np.append(cells, cells[-1] + 1) - 0.5 for cells in near]
        x, y, z = (
            np.diff(norm.cdf(e, p, s))
            for e, p, s in zip(edges, place, (wide, high, long), strict=True)
        )
        slope = -np.diff(norm.pdf(edges[0], place[0], wide))
        inside = np.clip(near[1], 0, SHAPE[0] - 1), np.clip(near[0], 0, SHAPE[1] - 1)
        variance = counts * np.einsum("k,j,i->kji", z, y, x)
        variance += light[np.ix_(*inside)] + READ_NOISE**2
        bounds.append(np.sum((counts * np.einsum("k,j,i->kji", z, y, slope)) ** 2 / variance))
    return 1.0 / np.sqrt(bounds)


def test_the_profile_reaches_the_least_error_and_moments_do_not(
    lonely: tuple[FrameSeries, FloatArray],
) -> None:
    """The root mean square of n numbers scatters by 1 / sqrt(2 n); coins fall n / 2 times."""
    series, truth = lonely
    faint = truth[truth[:, 0] < 1500.0]
    least = least_errors(faint)
    errors = np.full((2, len(faint)), np.nan)
    for row, profile in enumerate((True, False)):
        spots = find_spots(series, PeakSearch(gain=1.0, profile=profile))
        at, true = partners(spots, faint)
        errors[row, true] = np.abs(spots.fast[at] - faint[true, 1]) / least[true]
    errors = errors[:, np.isfinite(errors).all(axis=0)]
    count = errors.shape[1]
    assert count > 50
    most = 1.0 + 3.0 / np.sqrt(2.0 * count)
    size = np.sqrt(np.mean(errors**2, axis=1))
    assert 2.0 - most < size[0] < most
    assert size[1] > most
    nearer = int(np.sum(errors[0] < errors[1]))
    assert binomtest(nearer, count, alternative="greater").pvalue < 1e-3


def test_widths_are_those_of_the_spots(lonely: tuple[FrameSeries, FloatArray]) -> None:
    series, truth = lonely
    spots = find_spots(series, PHOTONS)
    at, true = partners(spots, truth)
    strong = truth[true, 0] > 5000.0
    ratio = spots.widths[at] / [1.0, 1.0, STEP] / truth[true, 4:]
    assert np.allclose(np.median(ratio[strong], axis=0), 1.0, atol=0.02)


def test_noise_alone_makes_as_few_spots_as_stated() -> None:
    empty = series_with(spot_table([]), 100)
    voxels = 100 * SHAPE[0] * SHAPE[1]
    assert len(find_spots(empty, PHOTONS)) <= 3.0 * voxels / 1e6


def test_two_spots_that_touch_are_cut_and_measured() -> None:
    rng = np.random.default_rng(7)
    pairs = []
    for column in range(12, 165, 14):
        for row in range(12, 150, 14):
            first = np.array([column, row, 20.0]) + rng.uniform(-1.0, 1.0, 3)
            way = rng.normal(size=3)
            way *= rng.uniform(3.5, 4.5) / np.linalg.norm(way)
            for place in (first, first + way):
                counts = rng.uniform(3000.0, 6000.0)
                pairs.append([counts, *place, 0.7, 0.7, 0.8])
    truth = spot_table(pairs)
    spots = find_spots(series_with(truth, 44), PHOTONS)
    at, true = partners(spots, truth, reach=1.0)
    assert len(true) >= 0.97 * len(truth)
    assert len(np.unique(at)) == len(true)
    assert spots.overlapping[at].mean() > 0.9
    pull = pulls(spots, truth)[:, :3]
    assert np.all(1.4826 * np.median(np.abs(pull), axis=0) < 1.3)


def test_two_spots_closer_than_their_widths_stay_one() -> None:
    truth = spot_table(
        [[5000, 80.0, 80.0, 30.0, 0.7, 0.7, 0.8], [5000, 80.9, 80.0, 30.0, 0.7, 0.7, 0.8]]
    )
    spots = find_spots(series_with(truth, 60), PHOTONS)
    bright = spots.intensity > 1000.0
    assert bright.sum() == 1
    assert spots.intensity[bright] == pytest.approx(10000.0, rel=0.05)


def test_a_saturated_spot_is_flagged_and_fitted_to_what_is_left() -> None:
    truth = spot_table(
        [[60000, 80.3, 60.2, 30.1, 0.9, 0.9, 1.2], [6000, 40.0, 60.0, 30.0, 0.9, 0.9, 1.2]]
    )
    mean = expected(SHAPE, 60, truth, ring_background(SHAPE))
    counts = noisy(mean, seed=2, limit=3000.0)
    spots = find_spots(series_of(counts, saturation=3000.0), PHOTONS)
    at, true = partners(spots, truth)
    assert spots.saturated[at][np.argsort(true)].tolist() == [True, False]
    hot = at[np.argsort(true)][0]
    assert spots.fast[hot] == pytest.approx(80.3, abs=0.05)
    assert spots.intensity[hot] == pytest.approx(60000.0, rel=0.1)


def test_blocks_join_what_their_borders_cut(lonely: tuple[FrameSeries, FloatArray]) -> None:
    series, truth = lonely
    whole = find_spots(series, PHOTONS)
    parts = find_spots(series, PHOTONS, block=30)
    assert len(blocks_of(series, 30)) == 4
    assert abs(len(whole) - len(parts)) <= 0.01 * len(whole)
    at, true = partners(parts, truth)
    cut = np.any(np.abs(truth[true, 3, None] - [29.5, 59.5, 89.5]) < 1.0, axis=1)
    assert cut.sum() > 10
    assert not parts.partial[at[cut]].any()
    pull = pulls(parts, truth)
    assert np.all(pull[cut].std(axis=0) < 1.5)


def test_a_spot_over_the_ends_of_a_full_turn_is_whole() -> None:
    frames, step = 72, 2.0 * np.pi / 72
    truth = spot_table(
        [[8000, 60.4, 80.2, 0.2, 0.8, 0.8, 1.3], [8000, 100.0, 80.0, 40.0, 0.8, 0.8, 1.3]]
    )
    again = truth.copy()
    again[:, 3] += frames
    mean = expected(SHAPE, frames + 10, np.concatenate([truth, again]), ring_background(SHAPE))
    mean = np.concatenate([mean[frames : frames + 5], mean[5:frames]])
    series = series_of(noisy(mean, seed=4), start=-np.pi, step=step)
    assert series.closed
    spots = find_spots(series, PHOTONS)
    bright = spots.intensity > 1000.0
    assert not spots.partial[bright].any()
    found = frame_of(spots.omega[bright], start=-np.pi, step=step)
    assert np.allclose(found, [0.2, 40.0], atol=0.1)
    assert np.allclose(spots.intensity[bright], 8000.0, rtol=0.05)


def test_cut_spots_are_partial() -> None:
    truth = spot_table(
        [
            [8000, 60.0, 60.0, 0.0, 0.8, 0.8, 1.3],
            [8000, 175.2, 60.0, 30.0, 0.8, 0.8, 1.3],
            [8000, 100.0, 100.0, 30.0, 0.8, 0.8, 1.3],
            [8000, 40.0, 120.0, 30.0, 0.8, 0.8, 1.3],
        ]
    )
    counts = noisy(expected(SHAPE, 60, truth, ring_background(SHAPE)), seed=5)
    mask = np.zeros(SHAPE, dtype=bool)
    mask[101, 101] = True
    spots = find_spots(series_of(counts, mask=mask), PHOTONS)
    at, true = partners(spots, truth)
    assert spots.partial[at][np.argsort(true)].tolist() == [True, True, True, False]
    assert pulls(spots, truth[2:3])[0, :2] == pytest.approx([0.0, 0.0], abs=4.0)


def test_no_spot_reaches_over_a_gap() -> None:
    truth = spot_table([[20000, 60.0, 60.0, 29.5, 0.8, 0.8, 2.0]])
    counts = noisy(expected(SHAPE, 60, truth, ring_background(SHAPE)), seed=6)
    kept = np.r_[0:29, 31:60]
    edges = STEP * np.column_stack([kept, kept + 1])
    source = FrameSource(
        *("frames", SHAPE, counts.dtype, len(kept)), read=lambda k: counts[kept[k]], omega=edges
    )
    spots = find_spots(series_from_source(source, allow_partial=True), PHOTONS)
    bright = spots.intensity > 1000.0
    assert bright.sum() == 2
    assert spots.partial[bright].all()
    assert np.allclose(spots.omega_range, STEP * np.array([[0, 29], [31, 60]]))


def test_memory_does_not_grow_with_the_frames() -> None:
    few = [noisy(np.full((256, 256), 60.0), seed=seed) for seed in range(7)]
    peaks = []
    for count in (60, 240):
        edges = 1e-3 * np.arange(count + 1)
        source = FrameSource(
            *("frames", (256, 256), few[0].dtype, count),
            read=lambda k: few[k % 7],
            omega=np.column_stack([edges[:-1], edges[1:]]),
        )
        series = series_from_source(source)
        tracemalloc.start()
        find_spots(series, PHOTONS)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_too_few_frames() -> None:
    with pytest.raises(InvalidValueError, match="5 frames are too few"):
        find_spots(series_with(spot_table([]), 5), PHOTONS)


def test_thresholds_in_the_wrong_order() -> None:
    with pytest.raises(SettingsError, match="grow down to 6 sigma"):
        PeakSearch(seed_sigmas=5.0, grow_sigmas=6.0)


def test_no_spot_at_all_is_a_list_without_rows() -> None:
    series = series_with(spot_table([]), 20)
    spots = find_spots(series, PeakSearch(seed_sigmas=60.0, grow_sigmas=50.0))
    assert len(spots) == 0
    assert np.allclose(spots.omega_range, series.stretches)


def test_a_saturated_ring_is_told_and_left_out() -> None:
    truth = spot_table([[8000, 40.0, 120.0, 15.0, 0.8, 0.8, 1.3]])
    light = ring_background(SHAPE)
    bright = light > 85.0
    mean = expected(SHAPE, 30, truth, np.where(bright, 5000.0, light))
    series = series_of(noisy(mean, seed=8, limit=3000.0), saturation=3000.0)
    block = search_block(series, 0, 30, PHOTONS)
    warning = next(found for found in block.findings if found.level == "warning")
    assert f"{int(bright.sum())} pixels" in warning.text
    spots = join_blocks(series, [block])
    at, _ = partners(spots, truth)
    assert len(at) == 1
    assert len(spots) < 10
