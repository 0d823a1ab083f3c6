"""Peaks of virtual images lie where they were put, within the errors that are stated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from mesolith.errors import ContradictionError, EmptyFileError, InvalidValueError, SettingsError
from mesolith.laue.peak_settings import LauePeakSearch
from mesolith.laue.peaks import find_laue_peaks
from mesolith.records.laue import LauePeaks
from mesolith.virtual.laue.images import CameraPlan, SpotsOnScreen, image_of_spots

SHAPE = (512, 640)


@dataclass(frozen=True)
class Seen:
    """Spots, the image of them, its peaks, and which peak is whose (-1: not found)."""

    spots: SpotsOnScreen
    image: NDArray[np.uint16]
    peaks: LauePeaks
    peak: NDArray[np.int64]

    @property
    def found(self) -> NDArray[np.bool_]:
        return self.peak >= 0

    @property
    def error(self) -> NDArray[np.float64]:
        place = np.column_stack([self.peaks.fast, self.peaks.slow])
        return place[self.peak[self.found]] - self.spots.place[self.found]

    @property
    def pull(self) -> NDArray[np.float64]:
        variance = np.diagonal(self.peaks.covariance, axis1=1, axis2=2)
        return self.error / np.sqrt(variance[self.peak[self.found]])


def spots_on_a_grid(rng: np.random.Generator, photons: tuple[float, float], streak: float):
    """Spots 40 px apart at random places within their cells, streaks of any direction."""
    y, x = np.mgrid[30 : SHAPE[0] - 20 : 40, 30 : SHAPE[1] - 20 : 40]
    place = np.column_stack([x.ravel(), y.ravel()]) + rng.uniform(-5.0, 5.0, (x.size, 2))
    angle, length = rng.uniform(0.0, 2.0 * np.pi, x.size), rng.uniform(0.0, streak, x.size)
    counts = np.exp(rng.uniform(*np.log(photons), x.size))
    return SpotsOnScreen(
        place, counts, length[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    )


def seen(
    camera: CameraPlan, seed: int, *, photons: tuple[float, float] = (500.0, 1e5), streak: float
) -> Seen:
    rng = np.random.default_rng(seed)
    spots = spots_on_a_grid(rng, photons, streak)
    image = image_of_spots(spots, camera, SHAPE, rng)
    peaks = find_laue_peaks(image)
    away = np.hypot(spots.place[:, None, 0] - peaks.fast, spots.place[:, None, 1] - peaks.slow)
    near = away.argmin(axis=1)
    return Seen(spots, image, peaks, np.where(away.min(axis=1) < 2.5, near, -1))


@pytest.fixture(scope="module")
def streaked() -> list[Seen]:
    return [seen(CameraPlan(hot=60, dead=20), 70 + k, streak=5.0) for k in range(2)]


def test_places_lie_within_the_stated_errors(streaked: list[Seen]) -> None:
    pull = np.concatenate([one.pull for one in streaked])
    size = np.concatenate([one.spots.photons[one.found] for one in streaked])
    assert np.mean([one.found.mean() for one in streaked]) > 0.93
    for third in np.array_split(np.argsort(size), 3):
        assert 0.60 < np.mean(np.abs(pull[third]) < 1.0) < 0.78
        assert np.sqrt(np.mean(pull[third] ** 2)) < 1.25


def test_errors_are_not_wide(streaked: list[Seen]) -> None:
    for one in streaked:
        stated = np.sqrt(one.peaks.covariance[one.peak[one.found], 0, 0])
        assert np.median(stated) < 1.3 * np.sqrt(np.mean(one.error[:, 0] ** 2))


def test_hot_pixels_are_no_peaks(streaked: list[Seen]) -> None:
    for one in streaked:
        assert len(one.peaks) - one.found.sum() <= 1


def test_widths_and_tilt_are_those_of_the_streak(streaked: list[Seen]) -> None:
    # widths of the beam's image, the screen and a pixel
    round_part = 0.7**2 + 0.45**2 + 1.0 / 12.0
    for one in streaked:
        bright = one.found & (one.spots.photons > 3e4)
        peak, streak = one.peak[bright], one.spots.streak[bright]
        length = np.hypot(*streak.T)
        widths = one.peaks.widths[peak]
        assert np.allclose(widths[:, 0], np.sqrt(round_part + length**2), rtol=0.05)
        assert np.allclose(widths[:, 1], np.sqrt(round_part), rtol=0.05)
        clear = length > 1.5
        direction = np.arctan2(streak[:, 1], streak[:, 0])
        apart = one.peaks.tilt[peak] - direction
        assert np.abs(np.sin(apart[clear])).max() < 0.05
        photons = one.peaks.intensity[peak] / 0.7
        assert np.allclose(photons, one.spots.photons[bright], rtol=0.05)


def test_two_close_spots_are_two_and_one_wide_one_is_one() -> None:
    rng = np.random.default_rng(5)
    place = np.array([[100.2, 150.7], [105.1, 150.1], [300.0, 200.0]])
    streak = np.array([[0.0, 0.0], [0.0, 0.0], [6.0, 6.0]])
    spots = SpotsOnScreen(place, np.array([3e4, 1e4, 1e5]), streak)
    peaks = find_laue_peaks(image_of_spots(spots, CameraPlan(), SHAPE, rng))
    assert len(peaks) == 3
    for x, y in place:
        assert np.hypot(peaks.fast - x, peaks.slow - y).min() < 0.15


def test_a_saturated_spot_is_flagged_and_keeps_its_place() -> None:
    rng = np.random.default_rng(6)
    spots = SpotsOnScreen(
        np.array([[100.3, 80.6], [400.0, 300.0]]), np.array([2e5, 5e3]), np.array([[2.0, 0.0]] * 2)
    )
    peaks = find_laue_peaks(
        image_of_spots(spots, CameraPlan(saturation=9000), SHAPE, rng),
        LauePeakSearch(saturation=9000.0),
    )
    assert peaks.saturated.tolist() == [True, False]
    assert np.hypot(peaks.fast[0] - 100.3, peaks.slow[0] - 80.6) < 0.1


def test_nothing_is_found_where_nothing_is() -> None:
    rng = np.random.default_rng(7)
    none = SpotsOnScreen(np.zeros((0, 2)), np.zeros(0), np.zeros((0, 2)))
    noise = image_of_spots(none, CameraPlan(hot=200, dead=100), SHAPE, rng)
    assert len(find_laue_peaks(noise, pattern=3)) == 0
    few = image_of_spots(none, CameraPlan(background=0.05, offset=0.0, read_noise=0.0), SHAPE, rng)
    assert len(find_laue_peaks(few)) == 0


def test_what_is_masked_or_no_number_is_not_looked_at(streaked: list[Seen]) -> None:
    one = streaked[0]
    image = one.image.astype(np.float64)
    image[:, :200] = np.nan
    mask = np.zeros(SHAPE, dtype=np.bool_)
    mask[:, 450:] = True
    peaks = find_laue_peaks(image, mask=mask)
    assert len(peaks) > 20
    assert peaks.fast.min() > 198.0
    assert peaks.fast.max() < 452.0
    inside = (one.peaks.fast > 220.0) & (one.peaks.fast < 430.0)
    assert len(peaks) >= inside.sum()


def test_bad_images_are_refused_by_name(streaked: list[Seen]) -> None:
    image = streaked[0].image
    with pytest.raises(ContradictionError, match=r"512 x 640 pixels, the calibration 512 x 512"):
        find_laue_peaks(image, shape=(512, 512), place="p.tif")
    with pytest.raises(ContradictionError, match=r"the mask has 5 x 5"):
        find_laue_peaks(image, mask=np.zeros((5, 5), dtype=np.bool_))
    with pytest.raises(EmptyFileError, match=r"p\.tif: all pixels hold 7"):
        find_laue_peaks(np.full(SHAPE, 7, dtype=np.uint16), place="p.tif")
    with pytest.raises(InvalidValueError, match=r"% of the pixels reach 1050: .* saturated"):
        find_laue_peaks(image, LauePeakSearch(saturation=1050.0))
    with pytest.raises(InvalidValueError, match=r"no pattern to search"):
        find_laue_peaks(image[:20])
    blobs = np.zeros((1312, 1312), dtype=np.float32)
    for y, x in np.ndindex(3, 3):
        blobs[y::9, x::9] = 500.0
    with pytest.raises(InvalidValueError, match=r"maxima stand out"):
        find_laue_peaks(blobs)


def test_settings_that_search_nothing_are_refused() -> None:
    with pytest.raises(SettingsError):
        LauePeakSearch(sigmas=1.0)
    with pytest.raises(SettingsError):
        LauePeakSearch(block=33)
