"""Each compiled kernel of the peak search against a slow and obvious twin."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import least_squares
from scipy.stats import norm

from mesolith.axes import FloatArray
from mesolith.hedm._kernels_background import sort_samples, tile_offsets
from mesolith.hedm._kernels_moments import moments
from mesolith.hedm._kernels_patches import (
    cut_patches,
    facts_of_spots,
    join_neighbours,
    judge_voxels,
    summits_with_seed,
    voxels_by_spot,
)
from mesolith.hedm._kernels_peaks import (
    CORE,
    MASKED,
    RIM,
    SATURATED,
    SEED,
    find_cores,
    find_cores_listed,
    gather_voxels,
)
from mesolith.hedm._kernels_profile import fit_profiles
from mesolith.hedm.background import background_from_frames, exchange_network
from mesolith.hedm.patches import scratch_for
from tests.hedm.peak_frames import (
    PEDESTAL,
    READ_NOISE,
    expected,
    noisy,
    ring_background,
    series_of,
    spot_table,
)

SHAPE, FRAMES, SIDE = (45, 53), 7, 16
BinaryImage = NDArray[np.bool_]


def smoothed(counts: FloatArray) -> FloatArray:
    for axis in range(3):
        counts = ndimage.correlate1d(counts, [0.25, 0.5, 0.25], axis=axis, mode="constant")
    return counts


def linear_between_tiles(offsets: FloatArray) -> FloatArray:
    """Factor of each pixel: 1 + offset, linear between the tiles' centres, constant outside."""
    y, x = (
        np.clip((np.arange(length) + 0.5) / SIDE - 0.5, 0.0, tiles - 1.0)
        for length, tiles in zip(SHAPE, offsets.shape, strict=True)
    )
    return 1.0 + ndimage.map_coordinates(offsets, np.meshgrid(y, x, indexing="ij"), order=1)


@pytest.fixture(scope="module")
def scene() -> dict[str, NDArray[np.generic]]:
    """Frames with spots, and everything the kernels are given beside them."""
    rng = np.random.default_rng(0)
    spots = [
        [rng.uniform(500, 5000), *rng.uniform(0, [53, 45, 7]), 0.8, 0.8, 1.0] for _ in range(25)
    ]
    mean = expected(SHAPE, FRAMES, spot_table(spots), np.full(SHAPE, 60.0))
    tiles = (-(-SHAPE[0] // SIDE), -(-SHAPE[1] // SIDE))
    return {
        "frames": noisy(mean, seed=1),
        "level": rng.uniform(155.0, 165.0, SHAPE).astype(np.float32),
        "variance": rng.uniform(90.0, 100.0, SHAPE).astype(np.float32),
        "mask": rng.uniform(size=SHAPE) < 0.03,
        "offsets": rng.normal(0.0, 0.01, (FRAMES, *tiles)),
    }


def twin_of_cores(scene: dict[str, NDArray[np.generic]], threshold: FloatArray) -> FloatArray:
    """Smoothed counts (frame, slow, fast) where they exceed the threshold, else 0."""
    above = np.stack(
        [
            frame - scene["level"] * linear_between_tiles(offset)
            for frame, offset in zip(scene["frames"], scene["offsets"], strict=True)
        ]
    )
    smooth = smoothed(np.where(scene["mask"], 0.0, above))
    smooth[(smooth <= threshold) | scene["mask"]] = 0.0
    smooth[[0, -1]] = 0.0
    return smooth


def cores_of(
    scene: dict[str, NDArray[np.generic]], threshold: FloatArray, capacity: int = 2000
) -> tuple[bool, list[NDArray[np.generic]]]:
    count = np.zeros(FRAMES, dtype=np.int64)
    out = [np.zeros((FRAMES, capacity), kind) for kind in (np.int32, np.int32, np.float32)]
    fits = find_cores(
        *(scene["frames"], scene["level"], threshold.astype(np.float32), scene["mask"]),
        *(scene["offsets"], SIDE, 8, count, *out),
    )
    return fits, [count, *out]


def test_find_cores(scene: dict[str, NDArray[np.generic]]) -> None:
    threshold = 0.92 * np.sqrt(scene["variance"])
    fits, (count, rows, columns, smooth) = cores_of(scene, threshold)
    assert fits
    found = np.zeros_like(scene["frames"], dtype=np.float64)
    for k in range(FRAMES):
        n = count[k]
        assert np.all(np.diff(rows[k, :n].astype(int) * 1000 + columns[k, :n]) > 0)
        found[k, rows[k, :n], columns[k, :n]] = smooth[k, :n]
    twin = twin_of_cores(scene, threshold)
    assert (twin > 0).sum() > 200
    # single precision may differ where the threshold is just met
    differ = (found > 0) != (twin > 0)
    assert np.all(np.abs(twin + found - threshold)[differ] < 1e-3)
    assert np.allclose(found[~differ], twin[~differ], atol=1e-3)


def test_find_cores_says_how_much_room_it_needs(scene: dict[str, NDArray[np.generic]]) -> None:
    threshold = 0.92 * np.sqrt(scene["variance"])
    fits, (count, *_) = cores_of(scene, threshold, capacity=20)
    assert not fits
    assert np.array_equal(count, cores_of(scene, threshold)[1][0])


def test_gather_voxels(scene: dict[str, NDArray[np.generic]]) -> None:
    threshold = 0.92 * np.sqrt(scene["variance"])
    _, (number, rows, columns, smooth) = cores_of(scene, threshold)
    kinds = (np.int32, np.int32, np.float32, np.float32, np.float32, np.uint8)
    inner = slice(1, FRAMES - 1)
    frames = scene["frames"][inner].astype(np.float32)
    frames[2, rows[3, 0], columns[3, 0]] = np.nan
    inputs = (
        *(frames, scene["level"], scene["variance"], scene["mask"]),
        *(scene["offsets"][inner], SIDE, 8, 400.0, 1.5, number, rows, columns, smooth),
    )
    count = np.zeros(len(frames), dtype=np.int64)
    out = [np.zeros((len(frames), 3000), kind) for kind in kinds]
    assert gather_voxels(*inputs, count, *out)
    core = np.zeros((FRAMES, *SHAPE))
    for k in range(FRAMES):
        core[k, rows[k, : number[k]], columns[k, : number[k]]] = smooth[k, : number[k]]
    edges = ndimage.generate_binary_structure(3, 2)
    near = ndimage.binary_dilation(core > 0.0, structure=edges)
    assert near[inner].sum() > 2000
    for k in range(len(frames)):
        wanted, own, frame = near[k + 1], core[k + 1], frames[k]
        row, column, high, counts, variance, flags = (values[k, : count[k]] for values in out)
        assert np.array_equal(np.column_stack([row, column]), np.argwhere(wanted))
        assert np.array_equal(high, own[wanted].astype(np.float32))
        level = scene["level"] * linear_between_tiles(scene["offsets"][k + 1])
        lost = np.isnan(frame[wanted])
        assert lost.sum() == (k == 2)
        assert np.allclose(counts[~lost], (frame - level)[wanted][~lost], atol=1e-3)
        assert np.all(counts[lost] == 0.0)
        assert np.array_equal(variance, scene["variance"][wanted])
        assert np.array_equal(flags & CORE > 0, own[wanted] > 0)
        assert np.array_equal(flags & MASKED > 0, scene["mask"][wanted] | lost)
        assert np.array_equal(flags & SATURATED > 0, frame[wanted] >= 400.0)
        seeds = own[wanted] > 1.5 * np.sqrt(variance)
        assert np.array_equal(flags & SEED > 0, seeds)
    needed = count.copy()
    assert not gather_voxels(*inputs, count, *(values[:, :5] for values in out))
    assert np.array_equal(count, needed)


def test_find_cores_listed(scene: dict[str, NDArray[np.generic]]) -> None:
    frames = np.where(scene["frames"] > 250, scene["frames"], 0).astype(np.uint16)
    listed = [np.argwhere(frame > 0).astype(np.int32) for frame in frames]
    begins = np.cumsum([0, *(len(pixels) for pixels in listed)])
    row, column = np.concatenate(listed).T.copy()
    near = np.zeros(SHAPE, dtype=np.uint8)
    touched = np.zeros(SHAPE[0], dtype=np.uint8)
    count = np.zeros(FRAMES, dtype=np.int64)
    rows, columns = np.zeros((2, FRAMES, 3000), dtype=np.int32)
    smooth = np.zeros((FRAMES, 3000), dtype=np.float32)
    threshold = np.full(SHAPE, 20.0, dtype=np.float32)
    assert find_cores_listed(
        *(frames, threshold, scene["mask"], near, touched, begins, row, column),
        *(count, rows, columns, smooth),
    )
    assert not near.any()
    assert not touched.any()
    twin = smoothed(np.where(scene["mask"], 0.0, frames.astype(np.float64)))
    twin[(twin <= 20.0) | scene["mask"]] = 0.0
    twin[[0, -1]] = 0.0
    found = np.zeros_like(twin)
    for k in range(FRAMES):
        found[k, rows[k, : count[k]], columns[k, : count[k]]] = smooth[k, : count[k]]
    assert (twin > 0.0).sum() > 100
    assert np.allclose(found, twin, atol=1e-4)


def test_facts_of_spots() -> None:
    rng = np.random.default_rng(0)
    spots = 12
    sizes = rng.integers(5, 60, spots)
    begin = np.concatenate([[0], np.cumsum(sizes)])
    n = int(begin[-1])
    frame = rng.integers(0, 30, n).astype(np.int32)
    counts = rng.exponential(30.0, n).astype(np.float32)
    variance = rng.uniform(4.0, 9.0, n).astype(np.float32)
    choices = np.array([CORE, CORE | SEED, CORE | RIM, MASKED, CORE | SATURATED, 0], np.uint8)
    flags = rng.choice(choices, n, p=[0.4, 0.2, 0.1, 0.05, 0.05, 0.2])
    flags[begin[:-1]] = CORE
    maximum, share = np.zeros((2, spots))
    pixels, found = np.zeros((2, spots), dtype=np.int64)
    frames = np.zeros((spots, 2), dtype=np.int64)
    facts_of_spots(*(begin, frame, counts, variance, flags, maximum, pixels, frames, found, share))
    for s in range(spots):
        own = np.arange(begin[s], begin[s + 1])
        core = own[flags[own] & CORE > 0]
        assert maximum[s] == counts[own].max()
        assert pixels[s] == len(core)
        assert frames[s].tolist() == [frame[core].min(), frame[core].max()]
        told = own[(flags[own] & (CORE | MASKED)) > 0]
        assert found[s] == np.bitwise_or.reduce(flags[told])
        clear = counts[own][counts[own] > 2.0 * np.sqrt(variance[own])].sum()
        sharp = np.any(counts[own] > 6.0 * np.sqrt(variance[own])) and not found[s] & SATURATED
        assert share[s] == pytest.approx(counts[own].max() / clear if sharp else 0.0, rel=1e-5)


def test_voxels_by_spot() -> None:
    rng = np.random.default_rng(4)
    n = 300
    summit = rng.choice(np.array([-1, 7, 20, 41, 90], dtype=np.int32), n)
    columns = [rng.integers(0, 50, n).astype(np.int32) for _ in range(3)]
    light = [rng.normal(size=n).astype(np.float32) for _ in range(3)]
    flags = np.where(rng.uniform(size=n) < 0.02, SEED, CORE).astype(np.uint8)
    done = rng.uniform(size=n) < 0.8
    seeded = summits_with_seed(summit, done, flags)
    told = done & (flags & SEED > 0) & (summit >= 0)
    assert seeded.tolist() == np.unique(summit[told]).tolist()
    wanted = np.array([90, 7, 41], dtype=np.int32)
    frame, row, column = columns
    begin, place, values, bits = voxels_by_spot(wanted, summit, frame, row, column, *light, flags)
    order = np.concatenate([np.flatnonzero(summit == top) for top in wanted])
    assert np.diff(begin).tolist() == [int((summit == top).sum()) for top in wanted]
    assert np.array_equal(place, np.stack([column, row, frame])[:, order])
    assert np.array_equal(values, np.stack(light)[:, order])
    assert np.array_equal(bits, flags[order])


def test_judge_voxels() -> None:
    # two patches (voxels 0 and 3), a neighbour of the first, one of nothing in frame 9
    frame = np.array([4, 5, 5, 7, 9, 9], dtype=np.int32)
    flags = np.array([CORE, CORE | SEED, 0, CORE, CORE, 0], dtype=np.uint8)
    patch = np.array([0, 0, -1, 3, 3, -1], dtype=np.int32)
    up = np.array([1, 1, 1, 3, 3, -1], dtype=np.int32)
    assert judge_voxels(frame, flags, patch, up, 4, 9).tolist() == [3, 3, 3, 4, 4, 4]
    assert judge_voxels(frame, flags, patch, up, 5, 10).tolist() == [3, 3, 3, 0, 0, 0]


def random_cores(seed: int) -> tuple[FloatArray, tuple[NDArray[np.int32], ...], BinaryImage]:
    """Smoothed random counts, sparse voxels of them (cores and others), and which are cores."""
    rng = np.random.default_rng(seed)
    height = ndimage.gaussian_filter(rng.normal(size=(9, 21, 23)), 1.2)
    height = (height - height.min()) / np.ptp(height) * 100.0
    core = height > np.quantile(height, 0.8)
    listed = core | (rng.uniform(size=core.shape) < 0.4)
    listed[4] = False  # a frame without voxels
    return height, tuple(axis.astype(np.int32) for axis in np.nonzero(listed)), core


def joined(seed: int) -> tuple[FloatArray, tuple[NDArray[np.generic], ...], BinaryImage]:
    height, (frame, row, column), core = random_cores(seed)
    core = core & (np.arange(9) != 4)[:, None, None]
    where = (frame, row, column)
    smooth = np.where(core, height, 0.0)[where].astype(np.float32)
    flags = np.where(core[where], CORE, 0).astype(np.uint8)
    scratch = scratch_for((21, 23))
    result = join_neighbours(frame, row, column, smooth, flags, scratch)
    assert np.all(scratch == -1)
    return height, (frame, row, column, smooth, *result), core


def test_join_neighbours() -> None:
    height, (frame, row, column, smooth, patch, up, pairs), core = joined(0)
    where = (frame, row, column)
    labels, count = ndimage.label(core, structure=np.ones((3, 3, 3)))
    inside = core[where]
    assert np.all(patch[~inside] == -1)
    assert len(np.unique(patch[inside])) == count
    assert len(np.unique(np.column_stack([patch, labels[where]])[inside], axis=0)) == count
    highest = ndimage.maximum_filter(np.where(core, height, 0.0), size=3, mode="constant")[where]
    assert np.array_equal(up < 0, highest == 0.0)
    assert np.allclose(smooth[up[inside]], highest[inside])
    place = np.column_stack(where)
    other = ~inside & (up >= 0)
    assert np.all(inside[up[other]])
    assert np.all(np.abs(place[up[other]] - place[other]).max(axis=1) == 1)
    own = ndimage.maximum_filter(core, size=(1, 3, 3), mode="constant")[where]
    assert np.array_equal(place[up[other]][:, 0] == place[other][:, 0], own[other])
    index = np.flatnonzero(inside)
    beside = np.abs(place[index][:, None] - place[index]).max(axis=2) <= 1
    wanted = np.column_stack([index[axis] for axis in np.nonzero(np.tril(beside, -1))])
    assert sorted(map(tuple, pairs.tolist())) == sorted(map(tuple, wanted.tolist()))


@pytest.mark.parametrize(("sigmas", "depth"), [(0.0, 0.0), (2.0, 0.0), (0.0, 0.2)])
def test_cut_patches(sigmas: float, depth: float) -> None:
    _, (*_, smooth, patch, up, pairs), _ = joined(1)
    variance = np.full(len(smooth), 9.0, dtype=np.float32)
    summit = cut_patches(smooth, variance, up, pairs, 0.5, 1.0, sigmas, depth)
    climbed = up.copy()
    for _ in range(50):
        climbed = np.where(climbed >= 0, up[climbed], -1)
    group = {int(top): int(top) for top in np.unique(climbed[climbed >= 0])}
    saddles = []
    for i, j in pairs:
        if climbed[i] != climbed[j]:
            saddles.append((min(smooth[i], smooth[j]), climbed[i], climbed[j]))

    def top(i: int) -> int:
        while group[i] != i:
            i = group[i]
        return i

    for height, i, j in sorted(saddles, reverse=True):
        a, b = sorted((top(int(i)), top(int(j))), key=lambda v: -smooth[v])
        noise = np.sqrt(9.0 + 2.0 * 0.5 * height)
        rise = smooth[b] - height
        if a != b and (rise < sigmas * noise or rise < depth * smooth[b]):
            group[b] = a
    twin = np.array([top(int(i)) if i >= 0 else -1 for i in climbed])
    assert np.array_equal(summit, twin)
    cores = patch >= 0
    assert len(np.unique(summit[cores])) >= len(np.unique(patch[cores]))


def test_a_network_sorts() -> None:
    rng = np.random.default_rng(0)
    for count in (1, 2, 7, 24, 32):
        samples = rng.integers(0, 100, (count, 4, 5)).astype(np.uint16)
        twin = np.sort(samples, axis=0)
        sort_samples(samples, exchange_network(count))
        assert np.array_equal(samples, twin)


@pytest.mark.parametrize("light", [1.0, 0.7])
def test_tile_offsets(light: float) -> None:
    rng = np.random.default_rng(0)
    level = np.full((64, 96), 200.0, dtype=np.float32)
    change = np.repeat(np.repeat([[0.02, -0.01, 0.0], [0.05, 0.0, -0.03]], 32, 0), 32, 1)
    change = light * (1.0 + change) - 1.0
    frame = np.rint(level * (1.0 + change) + rng.normal(0.0, 5.0, level.shape))
    spots = rng.uniform(size=level.shape) < 0.05
    frame[spots] += 1000.0
    masked = rng.uniform(size=level.shape) < 0.02
    frame[masked] = 0.0
    noise = np.where(masked, -1.0, 5.0)
    pixel = np.arange(level.size).reshape(2, 32, 3, 32).swapaxes(1, 2).reshape(2, 3, -1)
    offsets = np.zeros((2, 3))
    kept = tile_offsets(
        *(frame.astype(np.uint16), pixel.astype(np.int32), level.ravel()[pixel]),
        *(noise.astype(np.float32).ravel()[pixel], offsets),
    )
    assert np.allclose(offsets, change[::32, ::32], atol=3.0 * 5.0 / 200.0 / 30.0)
    # 2.5 sigma hold 98.8 % of what is no spot
    assert kept == pytest.approx(0.988 * (1.0 - spots[~masked].mean()), abs=0.005)


@pytest.mark.parametrize("gain", [1.0, 3.0])
def test_background_and_noise_are_measured(gain: float) -> None:
    shape = (90, 110)
    light = ring_background(shape) + np.linspace(0.0, 200.0, shape[1])
    series = series_of(noisy(np.tile(light, (200, 1, 1)), seed=0, gain=gain))
    found = background_from_frames(series)
    variance = READ_NOISE**2 + gain**2 * light
    assert found.gain_source == "measured"
    assert found.gain == pytest.approx(gain, rel=0.05)
    error = (found.level - PEDESTAL - gain * light) / np.sqrt(variance / found.frames)
    assert abs(error.mean()) < 0.15
    assert error.std() == pytest.approx(1.0, abs=0.15)
    assert np.median(found.variance / variance) == pytest.approx(1.0, abs=0.03)


def test_the_gain_is_assumed_where_all_pixels_are_alike() -> None:
    series = series_of(noisy(np.full((60, 50, 50), 60.0), seed=0))
    found = background_from_frames(series)
    assert (found.gain, found.gain_source) == (1.0, "assumed")
    assert np.median(found.variance) == pytest.approx(60.0 + READ_NOISE**2, rel=0.05)
    assert background_from_frames(series, gain=2.0).gain_source == "given"


def test_fit_profiles() -> None:
    shape = (7, 9, 9)
    truth = np.array([4000.0, 4.3, 3.8, 3.1, *np.log([0.8, 0.7, 1.1])])
    place = np.indices(shape).reshape(3, -1)[::-1].astype(np.int32)

    def model(p: FloatArray) -> FloatArray:
        share = np.array([p[0]])
        value = np.ones(place.shape[1])
        for a in range(3):
            edge = (place[a][:, None] + [-0.5, 0.5] - p[1 + a]) / np.exp(p[4 + a])
            value *= np.diff(norm.cdf(edge), axis=1)[:, 0]
        return share * value

    rng = np.random.default_rng(3)
    mean = model(truth)
    counts = (rng.poisson(mean + 60.0) - 60.0 + rng.normal(0.0, 6.0, len(mean))).astype(np.float32)
    background = np.full(len(mean), 96.0, dtype=np.float32)
    begin = np.array([0, len(mean)])
    usable = np.ones(len(mean), dtype=bool)
    value, covariance = np.zeros((1, 7)), np.zeros((1, 7, 7))
    misfit = np.full(1, np.nan)
    every = np.ones(1, dtype=bool)
    moments(
        *(begin, place, counts, background, usable),
        *(1.0, np.inf, every, value, covariance),
    )
    assert value[0, 0] == pytest.approx(float(counts.sum()), rel=1e-4)
    centre = [float(np.sum(counts * place[a]) / counts.sum()) for a in range(3)]
    assert value[0, 1:4] == pytest.approx(centre, rel=1e-4)
    smooth = smoothed(counts.reshape(shape).astype(np.float64)).ravel()
    smooth = np.where(smooth > 10.0, smooth, 0.0).astype(np.float32)
    fit_profiles(
        *(begin, np.array([0, 1]), np.array([3], dtype=np.int32), place, smooth),
        *(counts, background, usable),
        *(1.0, np.inf, np.zeros(3), np.zeros(3), 1, value, covariance, misfit),
    )

    # the same weights, so that the twin has the same minimum
    weight = 1.0 / np.sqrt(background + np.maximum(model(value[0]), 0.0))
    twin = least_squares(lambda p: weight * (counts - model(p)), truth, x_scale=np.abs(truth) + 0.1)
    errors = np.linalg.inv(twin.jac.T @ twin.jac)
    sigma = np.sqrt(np.diag(errors))
    assert np.all(np.abs(value[0] - twin.x) < 0.1 * sigma)
    stated = np.sqrt(np.diag(covariance[0]) / max(misfit[0], 1.0))
    assert np.allclose(stated, sigma, rtol=0.05)
    assert np.all(np.abs(value[0] - truth) < 4.0 * sigma)
