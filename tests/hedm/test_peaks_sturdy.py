"""Frames that no search should be given: it masks, leaves out and says so, or refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.hedm import peaks
from mesolith.hedm.peaks import find_spots, join_blocks, search_block
from mesolith.hedm.search_settings import PeakSearch
from mesolith.io.frame_series import FrameSeries, series_from_source
from mesolith.io.frame_source import FrameSource
from mesolith.records.spots import Spots
from tests.hedm.peak_frames import STEP, expected, frame_of, noisy, series_of, spot_table

SHAPE, FRAMES = (128, 136), 40
PHOTONS = PeakSearch(gain=1.0)
BRIGHT = spot_table(
    [
        [9000, column, row, frame, 0.8, 0.8, 1.1]
        for column, row, frame in ((30.2, 40.4, 9.3), (90.0, 31.7, 20.1), (60.6, 90.3, 31.0))
    ]
)


@pytest.fixture(scope="module")
def counts() -> NDArray[np.uint16]:
    return noisy(expected(SHAPE, FRAMES, BRIGHT, np.full(SHAPE, 60.0)), seed=11)


def cut_at(counts: NDArray[np.uint16], floor: float) -> FrameSeries:
    """Frames as a frame cache keeps them: zero up to ``floor``."""
    kept = np.where(counts > floor, counts, 0).astype(np.uint16)
    series = series_of(kept)
    return replace(series, source=replace(series.source, floor=floor))


def of_floats(counts: NDArray[np.float32]) -> FrameSeries:
    edges = STEP * np.arange(len(counts) + 1)
    omega = np.column_stack([edges[:-1], edges[1:]])
    source = FrameSource(
        *("floats", counts.shape[1:], counts.dtype, len(counts)),
        read=lambda k: counts[k],
        omega=omega,
    )
    return series_from_source(source)


def bright_places(spots: Spots, start: float) -> FloatArray:
    """Column, row and frame of the spots above 4,000 counts, by frame."""
    bright = spots.intensity > 4000.0
    place = np.column_stack([spots.fast, spots.slow, frame_of(spots.omega, start=start)])[bright]
    return place[np.argsort(place[:, 2])]


def found(series: FrameSeries, search: PeakSearch = PHOTONS) -> tuple[FloatArray, Spots, str]:
    """Places of bright spots, all spots, and everything that was said of the frames."""
    block = search_block(series, 0, len(series), search)
    spots = join_blocks(series, [block], search)
    text = "\n".join(finding.text for finding in block.findings)
    return bright_places(spots, float(series.omega[0, 0])), spots, text


def test_pixels_that_are_always_lit_are_masked(counts: NDArray[np.uint16]) -> None:
    rng = np.random.default_rng(5)
    lit = rng.uniform(size=SHAPE) < 0.12
    for column, row in BRIGHT[:, 1:3].round().astype(int):
        lit[row - 5 : row + 6, column - 5 : column + 6] = False
    hot = counts.copy()
    hot[:, lit] += rng.integers(300, 900, (FRAMES, int(lit.sum()))).astype(np.uint16)
    place, spots, text = found(cut_at(hot, 250.0))
    assert lit.sum() > 2000
    assert f"{int(lit.sum())} pixels" in text
    assert "masked" in text
    assert len(place) == 3
    assert np.allclose(place, BRIGHT[:, 1:4], atol=0.2)
    assert len(spots) == 3


@pytest.mark.parametrize("floor", [120.0, 165.0])
def test_a_threshold_below_the_background_is_refused(
    floor: float, counts: NDArray[np.uint16]
) -> None:
    with pytest.raises(InvalidValueError, match="cut them again at a higher one"):
        find_spots(cut_at(counts, floor))


def test_a_threshold_within_the_noise_is_survived(counts: NDArray[np.uint16]) -> None:
    # 8 % of the pixels of each frame are lit, others each time
    place, spots, _ = found(cut_at(counts, 174.0))
    distance, _ = cKDTree(place).query(BRIGHT[:, 1:4])
    assert np.all(distance < 0.2)
    assert len(spots) < 500


def test_a_threshold_of_the_search_within_the_noise_is_refused(
    counts: NDArray[np.uint16],
) -> None:
    with pytest.raises(InvalidValueError, match="stand out of the background") as raised:
        find_spots(series_of(counts), PeakSearch(seed_sigmas=1.0, grow_sigmas=1.0, gain=1.0))
    assert "Raise seed_sigmas and grow_sigmas" in str(raised.value)


def test_patches_without_an_end_are_refused(
    counts: NDArray[np.uint16], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peaks, "_MOST_OPEN", 0.001)
    monkeypatch.setattr(peaks, "_BATCHES", 1)
    with pytest.raises(InvalidValueError, match="hang together over"):
        find_spots(series_of(counts), PHOTONS)


@pytest.mark.parametrize("stated", [True, False])
def test_a_saturated_frame_is_left_out(stated: bool, counts: NDArray[np.uint16]) -> None:
    flash = counts.copy()
    flash[21] = 16383
    series = series_of(flash, saturation=16383.0 if stated else None)
    place, spots, text = found(series)
    assert "frames 21 are left out" in text
    assert len(spots) < 8
    # the spot about frame 20 goes on without that frame, and says so
    assert len(place) == 3
    assert np.allclose(place[[0, 2]], BRIGHT[[0, 2], 1:4], atol=0.1)
    assert np.allclose(place[1], BRIGHT[1, 1:4], atol=0.3)
    near = np.abs(frame_of(spots.omega) - 20.0) < 2.0
    assert spots.partial[near & (spots.intensity > 4000.0)].all()
    assert not spots.partial[~near & (spots.intensity > 4000.0)].any()


def test_a_block_of_empty_frames_has_no_spots(counts: NDArray[np.uint16]) -> None:
    both = np.concatenate([np.zeros_like(counts), counts])
    spots = find_spots(series_of(both), PHOTONS, block=FRAMES)
    place = bright_places(spots, float(series_of(both).omega[0, 0]))
    assert np.allclose(place, BRIGHT[:, 1:4] + [0.0, 0.0, FRAMES], atol=0.1)
    assert np.all(frame_of(spots.omega) > FRAMES - 2)


def test_an_empty_frame_cache_has_no_spots(counts: NDArray[np.uint16]) -> None:
    assert len(find_spots(cut_at(np.zeros_like(counts), 250.0))) == 0


def test_pixels_without_a_number_are_masked(counts: NDArray[np.uint16]) -> None:
    floats = counts.astype(np.float32)
    _, whole, _ = found(of_floats(floats))
    floats[:, 60:64] = np.nan
    floats[20, 100:110] = np.inf
    floats[9, 40, 30] = np.nan
    floats[15] = np.nan
    place, spots, text = found(of_floats(floats))
    assert f"{4 * SHAPE[1]} pixels often hold no number" in text
    assert "frames 15 are left out" in text
    assert np.allclose(place, BRIGHT[:, 1:4], atol=0.15)
    assert len(spots) <= len(whole) + 2
    assert np.isfinite(spots.covariance).all()
    assert spots.partial[np.argmin(np.abs(spots.fast - 30.2) + np.abs(spots.slow - 40.4))]


def test_no_pixel_that_can_be_used(counts: NDArray[np.uint16]) -> None:
    with pytest.raises(InvalidValueError, match="none of the 17408 pixels can be used"):
        find_spots(series_of(counts, saturation=50.0))


def test_frames_about_zero_are_not_taken_for_a_closed_shutter(
    counts: NDArray[np.uint16],
) -> None:
    # the background was taken off before: what is left of it is less than its own noise
    place, _, text = found(of_floats(counts.astype(np.float32) - np.float32(159.99)))
    assert "left out" not in text
    assert np.allclose(place, BRIGHT[:, 1:4], atol=0.1)
