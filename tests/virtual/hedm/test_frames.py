"""Virtual frames: noise, spots and their spread, each against its slow twin."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree
from scipy.stats import chisquare, norm, poisson

from mesolith.errors import InvalidValueError
from mesolith.virtual.hedm._kernels_bright import lit_share, path_through
from mesolith.virtual.hedm._kernels_frames import STRIP, draw_frame, paint_spots
from mesolith.virtual.hedm.backdrop import (
    PowderRings,
    attenuated,
    powder_counts,
    scattering_angles,
)
from mesolith.virtual.hedm.calibrant import CERIA, calibrant_frame
from mesolith.virtual.hedm.exposure import Exposure, PanelSpots, counts_scale, expose
from mesolith.virtual.hedm.fragments import Fragments, random_spheres
from mesolith.virtual.hedm.frames import VirtualFrames
from mesolith.virtual.hedm.noise import noise_tables
from mesolith.virtual.hedm.rays import rays_of
from mesolith.virtual.hedm.station import Station
from mesolith.virtual.rotation import matrices_from_vectors

SMALL = Station(distance=547_250.0, shape=(512, 512), frames=360, omega_step=math.radians(1.0))
CROOKED = Station(
    pitch=400.0,
    shape=(1024, 1024),
    tilt=(0.02, -0.015, 0.01),
    centre=(900.0, -700.0),
    distortion=(-2e-4, -4e-4, -5e-4, 2.0, 2.0, 2.0),
)


@pytest.fixture(scope="module")
def fragments() -> Fragments:
    return random_spheres(np.random.default_rng(4), 6, diameter=800.0, strain=0.0)


@pytest.fixture(scope="module")
def frames(fragments: Fragments) -> VirtualFrames:
    exposure = Exposure(least_counts=0.1)
    return VirtualFrames(SMALL, exposure, expose(fragments, SMALL, exposure), seed=3)


@pytest.mark.parametrize(("mean", "read_noise"), [(0.4, 0.0), (3.0, 0.7), (60.0, 6.0)])
def test_background_has_the_very_distribution(mean: float, read_noise: float) -> None:
    """A Poisson number plus a normal one, rounded: frequencies of 400,000 pixels."""
    background = np.full((640, 625), mean)
    tables = noise_tables(background, read_noise)
    drawn = drawn_frame(np.zeros(background.shape, np.float32), tables, dark=200) - 200
    value = np.arange(drawn.min() - 40, drawn.max() + 40)
    photons = np.arange(0, 400)
    weight = poisson.pmf(photons, mean)
    if read_noise > 0.0:
        edge = (value[:, None] + np.array([-0.5, 0.5]))[:, :, None] - photons
        chance = np.diff(norm.cdf(edge / read_noise) @ weight, axis=1)[:, 0]
    else:
        chance = np.where(value >= 0, poisson.pmf(value, mean), 0.0)
    seen = np.bincount(drawn.ravel() - value[0], minlength=len(value))
    often = chance * drawn.size > 10.0
    expected = chance[often] / chance[often].sum() * seen[often].sum()
    assert chisquare(seen[often], expected).pvalue > 1e-3
    rare = seen[~often].sum() - chance[~often].sum() * drawn.size
    assert abs(rare) < 5.0 * math.sqrt(chance[~often].sum() * drawn.size + 1.0)


def test_counts_of_spots_are_poisson_numbers() -> None:
    tables = noise_tables(np.zeros((256, 320)), 0.0)
    for mean in (0.5, 30.0, 900.0):
        signal = np.full((256, 320), mean, dtype=np.float32)
        drawn = drawn_frame(signal, tables)
        assert drawn.mean() == pytest.approx(mean, abs=5.0 * math.sqrt(mean / drawn.size))
        assert drawn.var() == pytest.approx(mean, rel=0.03)
        assert not signal.any()


def test_the_panel_ends_at_its_ceiling() -> None:
    signal = np.full((64, 64), 20_000.0, dtype=np.float32)
    assert (drawn_frame(signal, noise_tables(np.zeros((64, 64)), 6.0)) == 16_383).all()


def drawn_frame(signal: np.ndarray, tables: object, *, dark: int = 0) -> np.ndarray:
    rows, columns = signal.shape
    frame = np.empty((rows, columns), dtype=np.uint16)
    draw_frame(
        signal,
        np.ones((rows, math.ceil(columns / STRIP)), dtype=bool),
        tables.level,  # type: ignore[attr-defined]
        tables.table,  # type: ignore[attr-defined]
        tables.cumulative,  # type: ignore[attr-defined]
        tables.lowest,  # type: ignore[attr-defined]
        np.full((rows, columns), dark, dtype=np.uint16),
        16_383,
        np.uint64(12),
        frame,
    )
    return frame.astype(np.int64)


def test_painting_is_the_integral_over_a_frame() -> None:
    """A spot that leans in omega, against many thin slices of its normal distribution."""
    covariance = np.array([[1.1, 0.9, 0.02**2, 0.008, -0.006, 0.2]])
    begin, end = 0.010, 0.030
    signal = np.zeros((40, 40), np.float32)
    touched = np.zeros((40, math.ceil(40 / STRIP)), dtype=bool)
    rows = np.zeros(1, dtype=np.int64)
    place = np.array([19.3]), np.array([21.6]), np.array([2.0 * math.pi])
    paint_spots(
        rows, rows, 0, *place, np.array([5e3]), covariance, begin, end, 0.0, 1.0, signal, touched
    )
    ff, ss, ww, sw, fw, fs = covariance[0]
    y, x = np.mgrid[:40, :40]
    slow = np.zeros((40, 40))
    within = np.array([[ff - fw * fw / ww, fs - fw * sw / ww], [0.0, ss - sw * sw / ww]])
    within[1, 0] = within[0, 1]
    inverse = np.linalg.inv(within)
    for w in np.linspace(begin, end, 401)[:-1] + (end - begin) / 800:
        away = np.stack([x - 19.3 - fw / ww * w, y - 21.6 - sw / ww * w])
        power = np.einsum("i...,ij,j...->...", away, inverse, away)
        chance = math.exp(-0.5 * w * w / ww) / math.sqrt(2.0 * math.pi * ww) * (end - begin) / 400
        slow += (
            5e3 * chance * np.exp(-0.5 * power) / (2.0 * math.pi * math.sqrt(np.linalg.det(within)))
        )
    assert signal.sum() == pytest.approx(slow.sum(), rel=2e-3)
    assert np.abs(signal - slow).max() < 0.02 * slow.max()
    painted = np.add.reduceat(signal > 0, np.arange(0, 40, STRIP), axis=1) > 0
    assert np.array_equal(touched, painted)


def test_a_spot_is_whole_over_all_frames(frames: VirtualFrames) -> None:
    """No counts are lost between frames, nor where the turn ends and begins."""
    total = np.zeros(SMALL.shape)
    for k in range(SMALL.frames):
        total += frames.expected(k)
    inside = frames.spots
    near_rim = (np.minimum(inside.fast, inside.slow) < 6) | (
        np.maximum(inside.fast, inside.slow) > 505
    )
    assert total.sum() == pytest.approx(inside.counts.sum(), rel=0.01 + near_rim.mean())
    edge = np.abs(np.abs(inside.omega) - np.pi) < math.radians(0.05)
    assert edge.any()
    for i in np.flatnonzero(edge & (inside.counts > 50.0) & ~near_rim):
        f, s = round(inside.fast[i]), round(inside.slow[i])
        both = [frames.expected(k)[s, f] > 0.5 for k in (0, SMALL.frames - 1)]
        assert any(both)


def test_a_spot_lies_where_the_truth_says(frames: VirtualFrames) -> None:
    """First moments over pixels and frames; frame k is the turn from edge k to edge k + 1."""
    fine = replace(SMALL, frames=3600, omega_step=math.radians(0.1))
    scan = VirtualFrames(fine, frames.exposure, frames.spots, seed=3)
    spots = scan.spots
    frame = (spots.omega - fine.omega_start) / fine.omega_step
    place = np.column_stack([spots.fast / 16.0, spots.slow / 16.0, frame / 24.0])
    lone = [len(near) == 1 for near in cKDTree(place).query_ball_point(place, 1.5)]
    inside = np.maximum(np.abs(spots.fast - 255.5), np.abs(spots.slow - 255.5)) < 240.0
    good = np.array(lone) & inside & (spots.counts > 200.0) & (spots.covariance[:, 2] < 4e-6)
    good &= np.abs(frame - 1800.0) < 1780.0
    assert good.sum() >= 8
    for i in np.flatnonzero(good)[:8]:
        first = int(frame[i]) - 8
        f, s = round(float(spots.fast[i])) - 8, round(float(spots.slow[i])) - 8
        near = [scan.expected(k)[s : s + 17, f : f + 17] for k in range(first, first + 17)]
        share = np.array(near) / np.sum(near)
        late, slow, fast = ((share * axis).sum() for axis in np.indices(share.shape))
        assert np.sum(near) == pytest.approx(spots.counts[i], rel=0.01)
        assert fast + f == pytest.approx(spots.fast[i], abs=0.01)
        assert slow + s == pytest.approx(spots.slow[i], abs=0.01)
        omega = scan.omega[first] + fine.omega_step * (late + 0.5)
        assert omega == pytest.approx(spots.omega[i], abs=0.01 * fine.omega_step)


def test_frames_do_not_depend_on_the_blocks(frames: VirtualFrames) -> None:
    one = {
        k + i: b[i].copy()
        for k, b in frames.blocks(first=5, last=12, size=3)
        for i in range(len(b))
    }
    for k, block in frames.blocks(first=7, last=11, size=4):
        for i, frame in enumerate(block):
            assert np.array_equal(frame, one[k + i])
    assert not np.array_equal(one[5], one[6])
    assert one[5].dtype == np.uint16
    dark = frames.dark_frame()
    assert one[5].mean() - dark.mean() == pytest.approx(60.0, rel=0.03)
    with pytest.raises(InvalidValueError, match="frames 0 to 361 of a scan that has 360"):
        next(frames.blocks(last=361))


def test_spread_of_a_spot_is_that_of_many_points() -> None:
    """Points of the grain, turns of the lattice and energies drawn one by one."""
    rng = np.random.default_rng(6)
    station = replace(CROOKED, wedge=0.003)
    grain = random_spheres(rng, 1, grain_um=300.0)
    root = 100.0 * np.array([[1.0, 0.0, 0.0], [0.4, 0.6, 0.0], [-0.3, 0.2, 0.8]])
    grain = replace(grain, shape=(root @ root.T)[None])
    exposure = Exposure(
        mosaic_fwhm=math.radians(0.3), energy_fwhm=4e-3, least_counts=0.0, spacing_angstrom=3.2
    )
    spots = expose(grain, station, exposure)
    crystal = grain.crystals(12.945)
    fwhm = 2.3548
    count = 4000
    hkl = np.array([[4, 0, 0], [0, 4, 0], [0, 0, 4]])
    measured: dict[tuple[int, ...], list[tuple[float, float, float]]] = {}
    places = grain.position + rng.normal(size=(count, 3)) @ root.T
    turns = matrices_from_vectors(rng.normal(size=(count, 3)) * exposure.mosaic_fwhm / fwhm)
    many = replace(
        crystal,
        position=places,
        orientation=turns @ crystal.orientation,
        strain=turns @ crystal.strain @ np.swapaxes(turns, 1, 2),
        strength=np.ones(count),
    )
    # energies in a few classes of equal weight
    for block in np.array_split(np.arange(count), 40):
        shift = 1.0 + exposure.energy_fwhm / fwhm * rng.normal()
        lit = replace(station, energy_kev=station.energy_kev * shift)
        rays = rays_of(many, hkl, lit, rows=block)
        for member, f, s, w in zip(rays.member, rays.fast, rays.slow, rays.omega, strict=True):
            measured.setdefault(tuple(hkl[member]), []).append((f, s, w))
    compared = 0
    for i in range(len(spots)):
        key = tuple(spots.hkl[i])
        if key not in measured:
            continue
        sigma = np.sqrt(spots.covariance[i, :3])
        sample = np.array(measured[key]) - [spots.fast[i], spots.slow[i], spots.omega[i]]
        sample = sample[np.abs(sample[:, 0]) + np.abs(sample[:, 1]) < 30.0]
        if len(sample) < 0.98 * count or sigma[2] > 0.02:
            continue
        found = np.cov(sample.T)
        ff, ss, ww, sw, fw, fs = spots.covariance[i]
        point = (exposure.point_fwhm_px / fwhm) ** 2
        stated = np.array([[ff - point, fs, fw], [fs, ss - point, sw], [fw, sw, ww]])
        scale = np.sqrt(np.outer(np.diag(stated), np.diag(stated)))
        assert np.abs((found - stated) / scale).max() < 0.15
        compared += 1
    assert compared >= 4


def test_path_in_the_sample_and_share_in_the_beam() -> None:
    rng = np.random.default_rng(1)
    step = np.linspace(0.0, 4_000.0, 40_001)[:, None]
    for _ in range(5):
        start = np.array([*rng.uniform(-400.0, 400.0, 2), 20.0])
        ray = np.array([1.0, *rng.normal(0.0, 0.1, 2)])
        ray /= np.linalg.norm(ray)
        middle = np.array([50.0, -30.0, 0.0])
        length = 0.0
        for direction in (np.array([-1.0, 0.0, 0.0]), ray):
            point = start + step * direction - middle
            length += 0.1 * (np.hypot(point[:, 0], point[:, 1]) < 800.0).sum()
        assert path_through(start, ray, middle, 800.0) == pytest.approx(length, abs=0.3)
    ball = rng.normal(size=(200_000, 3))
    ball *= 30.0 * (rng.random(200_000) ** (1 / 3) / np.linalg.norm(ball, axis=1))[:, None]
    for y in (-80.0, 75.0, 110.0, -140.0, 20.0):
        lit = np.abs(ball[:, 1] + y) < 95.0
        share, aside = lit_share(y, 30.0, 95.0)
        assert share == pytest.approx(lit.mean(), abs=0.005)
        assert aside == pytest.approx(ball[lit, 1].mean() if lit.any() else 0.0, abs=0.3)


def test_the_photon_budget() -> None:
    """{400} of a sphere of 25 um in the middle has 300 counts where Lorentz' factor is least."""
    grain = random_spheres(np.random.default_rng(2), 8, grain_um=25.0, log_sigma=0.0, strain=0.0)
    grain = replace(grain, position=np.zeros((8, 3)))
    station, exposure = Station(), Exposure()
    spots = expose(grain, station, exposure)
    first = (np.sort(np.abs(spots.hkl), axis=1) == [0, 0, 4]).all(axis=1)
    u, v = (spots.fast[first] - 1023.5), (spots.slow[first] - 1023.5)
    sine = np.abs(u) / np.hypot(u, v)
    assert spots.counts[first] * sine == pytest.approx(300.0, rel=0.01)
    assert counts_scale(station, replace(exposure, reference_counts=600.0)) == pytest.approx(
        2.0 * counts_scale(station, exposure)
    )
    # {420} over {400}: abs(F)^2 as in the powder ring, Lorentz' factor by 1 / sin 2 theta
    second = (np.sort(np.abs(spots.hkl), axis=1) == [0, 2, 4]).all(axis=1)
    u, v = (spots.fast[second] - 1023.5), (spots.slow[second] - 1023.5)
    ratio = np.median(spots.counts[second] * np.abs(u) / np.hypot(u, v)) / 300.0
    assert ratio == pytest.approx(0.495 * math.sqrt(16.0 / 20.0), rel=0.01)


def test_absorption_and_the_beam_dim_a_spot() -> None:
    """At the rim a grain is bright when it faces away from the beam's way in and out."""
    grain = random_spheres(np.random.default_rng(2), 5, log_sigma=0.0)
    grain = replace(grain, position=np.tile([[700.0, 0.0, 0.0]], (5, 1)))
    plain = expose(grain, Station(), Exposure(absorption=0.0, least_counts=0.0))
    dimmed = expose(grain, Station(), Exposure(least_counts=0.0))
    ratio = dimmed.counts / plain.counts
    assert np.array_equal(plain.omega, dimmed.omega)
    span = ratio.max() / ratio.min()
    assert 5.0 < span < 19.0
    narrow = expose(grain, Station(), Exposure(absorption=0.0, beam_um=400.0, least_counts=0.0))
    assert (narrow.counts / plain.counts).max() <= 1.0 + 1e-9
    lit = np.abs(700.0 * np.sin(plain.omega)) < 225.0
    assert (narrow.counts[~lit] == 0.0).all()


def test_pixels_and_rays_agree_on_angles() -> None:
    """From the pixel to 2 theta: the other way round than rays take, distortion and tilts in."""
    grains = replace(random_spheres(np.random.default_rng(5), 20), position=np.zeros((20, 3)))
    rays = rays_of(grains.crystals(12.945), np.array([[4, 0, 0], [4, 2, 0]]), CROOKED)
    two_theta, eta = scattering_angles(CROOKED)
    places = np.stack([rays.slow, rays.fast])
    x, y, z = rays.direction.T
    seen = map_coordinates(two_theta, places, order=1)
    assert np.abs(seen - np.arctan2(np.hypot(y, z), x)).max() < 0.002 * CROOKED.pitch / 2.2e6
    seen = map_coordinates(np.sin(eta), places, order=1)
    assert np.abs(seen - z / np.hypot(y, z)).max() < 5e-6


def test_rings_of_a_casing() -> None:
    """The two walls make two rings, whose radii differ as their distances do."""
    station = Station(shape=(4, 2048), centre=(0.0, 0.0))
    theta = math.asin(station.wavelength / 4.0)
    both = np.zeros(1024)
    for place in (-3_000.0, 3_000.0):
        rings = PowderRings(np.array([2.0]), np.array([50.0]), (place,), texture=0.0)
        line = powder_counts(station, rings)[2, 1024:]
        radius = (2.189e6 - place) * math.tan(2.0 * theta) / 200.0 - 0.5
        assert (line * np.arange(1024)).sum() / line.sum() == pytest.approx(radius, abs=0.05)
        assert line.max() == pytest.approx(50.0, rel=0.05)
        both += line
    rings = PowderRings(np.array([2.0]), np.array([50.0]), (-3_000.0, 3_000.0), texture=0.0)
    assert np.allclose(powder_counts(station, rings)[2, 1024:], both / 2.0)
    uneven = replace(rings, texture=0.5)
    assert np.ptp(powder_counts(SMALL, uneven)) > np.ptp(powder_counts(SMALL, rings))
    filtered = attenuated(SMALL, np.ones(SMALL.shape), 20_000.0, 0.01)
    assert filtered[256, 256] == 0.01
    assert filtered[0, 256] == 1.0


def test_a_crossing_of_an_empty_layer_is_refused() -> None:
    empty = random_spheres(np.random.default_rng(5), 1).take(np.zeros(1, dtype=bool))
    with pytest.raises(InvalidValueError, match="the layer is empty"):
        expose(empty, Station(), Exposure())
    with pytest.raises(InvalidValueError, match="sample_um of a virtual exposure"):
        Exposure(sample_um=0.0)
    with pytest.raises(InvalidValueError, match="shares between 0 and 1"):
        Exposure(tail_share=1.0)
    with pytest.raises(InvalidValueError, match="at least 0"):
        noise_tables(np.full((4, 4), -1.0), 6.0)


def test_spots_are_sorted_and_complete(frames: VirtualFrames) -> None:
    spots: PanelSpots = frames.spots
    assert (np.diff(spots.omega) >= 0.0).all()
    assert set(spots.fragment) == set(range(6))
    square = (spots.hkl**2).sum(axis=1)
    # the corner of the panel, 2 theta of 7.5 deg, is N = 109 at 12.945 angstrom
    assert 100 <= square.max() <= 109
    assert ((spots.hkl.sum(axis=1) % 2) == 0).all()


def test_rings_of_a_calibrant_lie_at_their_angles() -> None:
    """Mean 2 theta of the pixels of each ring, on a tilted and distorted panel."""
    station = replace(CROOKED, distance=1.0e6)
    counts = calibrant_frame(station, np.random.default_rng(3)).astype(np.float64)
    two_theta, _ = scattering_angles(station)
    per_px = station.pitch / station.distance
    for square in (3, 8, 16):
        angle = 2.0 * math.asin(station.wavelength / (2.0 * CERIA / math.sqrt(square)))
        near = np.abs(two_theta - angle) < 5.0 * per_px
        weight = counts[near] - np.median(counts[near])
        weight[np.abs(two_theta[near] - angle) > 3.0 * per_px] = 0.0
        found = (weight * two_theta[near]).sum() / weight.sum()
        assert near.sum() > 3000
        assert found == pytest.approx(angle, abs=0.03 * per_px)


def test_filters_families_and_mosaics_change_what_they_should(fragments: Fragments) -> None:
    plain = expose(fragments, SMALL, Exposure(least_counts=0.0))
    away = 200.0 * np.hypot(plain.fast - 255.5, plain.slow - 255.5)
    filtered = expose(fragments, SMALL, Exposure(least_counts=0.0, filter_um=25_000.0))
    ratio = filtered.counts / plain.counts
    assert np.allclose(ratio, np.where(away < 25_000.0, 0.01, 1.0), rtol=1e-5)
    assert 0.0 < (ratio < 0.5).mean() < 1.0

    wrong = expose(fragments, SMALL, Exposure(least_counts=0.0, structure_log_sigma=0.5))
    ratio = wrong.counts / plain.counts
    square = (plain.hkl.astype(np.int64) ** 2).sum(axis=1)
    families = [ratio[square == one] for one in np.unique(square)]
    assert max(np.ptp(one) / one.mean() for one in families) < 1e-5
    assert np.std([math.log(one.mean()) for one in families]) == pytest.approx(0.5, rel=0.5)

    wide = expose(fragments, SMALL, Exposure(least_counts=0.0, mosaic_log_sigma=0.4))
    turn = np.sqrt(wide.covariance[:, 2] / plain.covariance[:, 2])
    grains = [turn[plain.fragment == k] for k in range(6)]
    assert max(np.ptp(one) / one.mean() for one in grains) < 0.05
    assert np.std([math.log(one.mean()) for one in grains]) > 0.1
