"""Virtual white-beam images: photons thrown one by one at a screen before a camera.

No profile is evaluated. Each photon of a spot lands at the spot's place, moved along its streak
and by the width of the beam's image; the screen spreads its light over pixels, so that neighbours
share its noise; the camera adds an offset and noise of its own, rounds and clips.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from mesolith.errors import InvalidValueError
from mesolith.virtual.arrays import FloatArray, IntArray
from mesolith.virtual.laue.crystal import CrystalReflections
from mesolith.virtual.laue.patterns import LaueCrystals, exact_spots
from mesolith.virtual.laue.station import LaueStation
from mesolith.virtual.rotation import matrices_from_vectors

_STEP = 1e-4
# parts of a pixel in which photons are gathered before the screen spreads their light: those of a
# spot, and those of the background
_FINE, _HALVES = 4, 2
# photons further from their spot are lost, px
_PATCH = 60.0


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """How photons become counts; lengths in px.

    ``spot_sigma``
        Spread of the photons of a spot without a streak.
    ``tail_share``, ``tail_reach``
        The share of a spot's photons that lands in a wide halo: exponentially falling distances
        of that mean, all directions alike.
    ``screen_sigma``
        Spread of a photon's light.
    ``gain``
        Counts of a photon.
    ``background``
        Photons a pixel at the panel's middle; ``slope`` (fast, slow) is its relative rise across
        the panel, ``hump`` what a broad maximum behind the middle adds, relative.
    ``offset``, ``read_noise``
        Of the camera, counts.
    ``saturation``
        Counts at which it clips.
    ``hot``, ``dead``
        Pixels that show anything up to saturation, or nothing.
    """

    spot_sigma: float = 0.7
    tail_share: float = 0.0
    tail_reach: float = 5.0
    screen_sigma: float = 0.45
    gain: float = 0.7
    background: float = 100.0
    slope: tuple[float, float] = (0.3, -0.2)
    hump: float = 0.5
    offset: float = 1000.0
    read_noise: float = 2.0
    saturation: int = 65_535
    hot: int = 0
    dead: int = 0

    def __post_init__(self) -> None:
        if not (self.gain > 0.0 and self.spot_sigma >= 0.0 and 0.0 <= self.tail_share < 1.0):
            raise InvalidValueError("a virtual camera needs a gain, and shares below 1")


@dataclass(frozen=True, slots=True)
class SpotsOnScreen:
    """What falls on the panel, one row a spot.

    ``place`` (n, 2) fast and slow in px; ``photons`` (n,) expected; ``streak`` (n, 2) is one
    standard deviation of the photons along the spot's streak, px.
    """

    place: FloatArray
    photons: FloatArray
    streak: FloatArray

    def __len__(self) -> int:
        return len(self.photons)


def image_of_spots(
    spots: SpotsOnScreen, camera: CameraPlan, shape: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.uint16]:
    """The image (slow, fast) that the camera writes."""
    light = _background_light(camera, shape, rng)
    for place, photons, streak in zip(spots.place, spots.photons, spots.streak, strict=True):
        at = _landed(place, photons, streak, camera, rng)
        _lit(light, at, place, camera)
    counts = camera.offset + camera.gain * light + camera.read_noise * rng.standard_normal(shape)
    for number, low, high in (
        (camera.hot, camera.offset, float(camera.saturation)),
        (camera.dead, 0.0, 1.0),
    ):
        row, column = (rng.integers(0, size, number) for size in shape)
        counts[row, column] = rng.uniform(low, high, number)
    return np.clip(np.rint(counts), 0, camera.saturation).astype(np.uint16)


def _background_light(
    camera: CameraPlan, shape: tuple[int, int], rng: np.random.Generator
) -> FloatArray:
    """Light of the photons of the background in each pixel (slow, fast)."""
    expected = camera.background * _backdrop(camera, shape) / _HALVES**2
    hits = rng.poisson(np.repeat(np.repeat(expected, _HALVES, axis=0), _HALVES, axis=1))
    spread = gaussian_filter(
        hits.astype(np.float32), camera.screen_sigma * _HALVES, mode="nearest", truncate=6.0
    )
    return _gathered(spread, _HALVES)


def _gathered(fine: NDArray[np.floating], parts: int) -> FloatArray:
    """Sums over ``parts`` x ``parts`` cells."""
    rows, columns = (size // parts for size in fine.shape)
    cells = fine.reshape(rows, parts, columns, parts)
    return np.asarray(cells.sum(axis=(1, 3), dtype=np.float64))


def _landed(
    place: FloatArray,
    photons: float,
    streak: FloatArray,
    camera: CameraPlan,
    rng: np.random.Generator,
) -> FloatArray:
    """Where the photons of a spot land, (photons, 2), px."""
    count = rng.poisson(photons)
    at = place + camera.spot_sigma * rng.standard_normal((count, 2))
    at += streak * rng.standard_normal((count, 1))
    far = int(rng.binomial(count, camera.tail_share))
    angle = 2.0 * np.pi * rng.uniform(size=far)
    away = rng.exponential(camera.tail_reach, far)
    at[:far] += np.stack([away * np.cos(angle), away * np.sin(angle)], axis=1)
    return at


def _lit(light: FloatArray, at: FloatArray, place: FloatArray, camera: CameraPlan) -> None:
    """Add the light of photons (n, 2), spread by the screen and gathered by whole pixels."""
    if not len(at):
        return
    margin = int(np.ceil(6.0 * camera.screen_sigma)) + 1
    low = np.floor(np.maximum(at.min(axis=0), place - _PATCH)).astype(np.int64) - margin
    high = np.ceil(np.minimum(at.max(axis=0), place + _PATCH)).astype(np.int64) + margin + 1
    fine = np.floor((at - low + 0.5) * _FINE).astype(np.int64)
    size = (high - low) * _FINE
    inside = np.all((fine >= 0) & (fine < size), axis=1)
    flat = fine[inside, 1] * size[0] + fine[inside, 0]
    patch = np.bincount(flat, minlength=size[0] * size[1]).reshape(size[1], size[0])
    spread = gaussian_filter(
        patch.astype(np.float64), camera.screen_sigma * _FINE, mode="constant", truncate=6.0
    )
    pixels = _gathered(spread, _FINE)
    first = np.maximum(low, 0)
    last = np.minimum(high, np.array(light.shape[::-1]))
    if np.all(last > first):
        (x, y), (x_end, y_end) = first - low, last - low
        light[first[1] : last[1], first[0] : last[0]] += pixels[y:y_end, x:x_end]


def _backdrop(camera: CameraPlan, shape: tuple[int, int]) -> FloatArray:
    """Relative background (slow, fast), never negative."""
    slow = (np.arange(shape[0]) / shape[0] - 0.5)[:, None]
    fast = (np.arange(shape[1]) / shape[1] - 0.5)[None, :]
    hump = camera.hump * np.exp(-((fast - 0.1) ** 2 + (slow + 0.15) ** 2) / (2.0 * 0.25**2))
    return np.maximum(1.0 + camera.slope[0] * fast + camera.slope[1] * slow + hump, 0.0)


def streaked_spots(
    crystals: LaueCrystals,
    reflections: CrystalReflections,
    station: LaueStation,
    bending: FloatArray,
    *,
    brightest: float,
    faintest: float,
    family_factor: FloatArray | None = None,
) -> tuple[SpotsOnScreen, IntArray]:
    """Spots of grains whose orientation spreads about an axis, and the grain of each.

    ``bending`` (grains, 3) is the rotation vector, rad, laboratory axes, of one standard
    deviation of each grain's orientation; streaks are what the forward code gives for grains
    turned a little either way. The strongest spot has ``brightest`` photons; those of fewer than
    ``faintest`` are left out.
    """
    middle = exact_spots(crystals, reflections, station, family_factor)
    sides = [
        exact_spots(_turned(crystals, sign * _STEP * bending), reflections, station, family_factor)
        for sign in (1.0, -1.0)
    ]
    name = [
        spots.grain * (reflections.spot.max() + 1) + reflections.spot[spots.member]
        for spots in (middle, *sides)
    ]
    common = np.intersect1d(np.intersect1d(name[0], name[1]), name[2])
    rows = [np.argsort(one)[np.searchsorted(np.sort(one), common)] for one in name]
    streak = (sides[0].place[rows[1]] - sides[1].place[rows[2]]) / (2.0 * _STEP)
    photons = middle.intensity[rows[0]] * brightest / middle.intensity.max()
    seen = photons >= faintest
    return (
        SpotsOnScreen(middle.place[rows[0]][seen], photons[seen], streak[seen]),
        middle.grain[rows[0]][seen],
    )


def _turned(crystals: LaueCrystals, vector: FloatArray) -> LaueCrystals:
    return LaueCrystals(
        orientation=matrices_from_vectors(vector) @ crystals.orientation,
        strain=crystals.strain,
        weight=crystals.weight,
        top=crystals.top,
        bottom=crystals.bottom,
    )
