"""Errors of sums over places that are alike: slow twins, known truths, false alarms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist
from scipy.special import stdtrit

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.numerics._kernels_likeness import products_by_distance
from mesolith.numerics.likeness import LikenessModel

SPACING = 46.0


def _places(rng: np.random.Generator, across: int, high: int) -> FloatArray:
    axes = [np.arange(float(n)) for n in (across, across, high)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.asarray(SPACING * (grid + 0.2 * rng.standard_normal(grid.shape)))


def _alike(place: FloatArray, reach: float) -> FloatArray:
    """Matrix that makes Gaussian-correlated fields of variance 1 from white numbers."""
    apart = np.linalg.norm(place[:, None] - place[None, :], axis=2)
    values, axes = np.linalg.eigh(np.exp(-0.5 * (apart / reach) ** 2))
    return np.asarray(axes * np.sqrt(np.maximum(values, 0.0)))


def _heavy(rng: np.random.Generator, shape: tuple[int, int]) -> FloatArray:
    """White numbers of variance 1, of which 3 % deviate four times as far."""
    rare = rng.random(shape) < 0.03
    values = 30.0 * rng.standard_normal(shape) + rare * 120.0 * rng.standard_normal(shape)
    return np.asarray(values / np.sqrt(30.0**2 + 0.03 * 120.0**2))


def _slopes(place: FloatArray) -> FloatArray:
    centred = place - place.mean(axis=0)
    return np.asarray(centred @ np.linalg.inv(centred.T @ centred))


def test_products_by_distance_are_their_definition() -> None:
    rng = np.random.default_rng(0)
    place, weights = rng.uniform(0.0, 5.0, (40, 3)), rng.standard_normal((40, 2, 2))
    rows, counts = np.array([3, 8, 21]), np.array([1.0, 2.0, 0.5])
    found = products_by_distance(place, rows, counts, weights, 0.7, 5)
    slow = np.zeros((5, 2, 2, 2))
    for i, count in zip(rows, counts, strict=True):
        for j in range(40):
            if i != j:
                own = min(int(np.linalg.norm(place[i] - place[j]) / 0.7), 4)
                slow[own] += count * np.einsum("ga,gb->gab", weights[i], weights[j])
    assert found == pytest.approx(slow)


def test_without_likeness_a_sum_has_the_error_of_independent_values() -> None:
    rng = np.random.default_rng(1)
    place = _places(rng, 10, 10)
    field = 7.0 * rng.standard_normal((len(place), 1))
    model = LikenessModel(place, SPACING)
    weights = rng.standard_normal((len(place), 1, 1))
    found = model.test(model.fit(field), weights, np.array([[0.0]]))
    assert found.se[0, 0] == pytest.approx(7.0 * np.sqrt(np.sum(weights**2)), rel=0.06)
    assert found.p[0] == pytest.approx(1.0)


def test_variance_of_a_sum_is_that_of_the_fields_covariance() -> None:
    """Against w^T C w with the true C, on one long-known field: the mean over many draws."""
    rng = np.random.default_rng(2)
    place = _places(rng, 11, 8)
    root = _alike(place, 90.0)
    fields = 0.7 * root @ rng.standard_normal((len(place), 60))
    fields += np.sqrt(0.51) * rng.standard_normal(fields.shape)
    near = np.exp(-0.5 * (np.linalg.norm(place - place[300], axis=1) / 60.0) ** 2)
    weights = near / near.sum() - 1.0 / len(place)
    truth = 0.51 * weights @ weights + 0.49 * np.sum((root.T @ weights) ** 2)
    model = LikenessModel(place, SPACING)
    likeness = model.fit(fields)
    found = model.test(likeness, weights[:, None, None], (weights @ fields)[:, None])
    assert np.median(found.se) == pytest.approx(np.sqrt(truth), rel=0.1)
    # as if 1/4 of the grains stood alone
    assert np.all(found.units < 0.25 * len(place))
    assert np.median(model.reach(likeness)) == pytest.approx(90.0, rel=0.2)


@pytest.mark.parametrize(("reach", "share"), [(70.0, 0.2), (70.0, 0.8), (110.0, 0.5)])
def test_trends_are_not_made_of_likeness(reach: float, share: float) -> None:
    """False alarms, cover of the 68 % interval, and power; rare grains deviate far."""
    rng = np.random.default_rng(3)
    place, trials = _places(rng, 12, 9), 300
    white = _heavy(rng, (len(place), trials))
    fields = np.sqrt(1.0 - share) * white
    root = _alike(place, reach)
    fields += np.sqrt(share) * root @ rng.standard_normal(white.shape)
    slopes = _slopes(place)
    model = LikenessModel(place, SPACING)
    likeness = model.fit(fields)
    found = model.test(likeness, slopes[:, None, :], (slopes.T @ fields).T)
    assert 0.01 <= np.mean(found.p <= 0.05) <= 0.085
    half = stdtrit(found.freedom, 0.84)[:, None] * found.se
    assert 0.6 <= np.mean(np.abs(found.total) < half) <= 0.77
    truth = (1.0 - share) * slopes.T @ slopes + share * slopes.T @ root @ root.T @ slopes
    planted = np.array([0.0, 0.0, 6.0 * np.sqrt(truth[2, 2])])
    seen = model.test(likeness, slopes[:, None, :], found.total + planted)
    assert np.mean(seen.p <= 0.05) > 0.8


def test_a_body_narrower_than_its_likeness_tells_nothing() -> None:
    rng = np.random.default_rng(4)
    place = _places(rng, 6, 5)
    field = _alike(place, 150.0) @ rng.standard_normal((len(place), 1))
    field = field + 0.05 * rng.standard_normal(field.shape)
    model = LikenessModel(place, SPACING)
    weights = np.full((len(place), 1, 1), 1.0 / len(place))
    found = model.test(model.fit(field), weights, field.mean(axis=0)[:, None])
    assert found.units[0] < 5.0
    assert np.isnan([found.p[0], found.se[0, 0], found.freedom[0]]).all()
    assert found.total[0, 0] == pytest.approx(field.mean())


def test_a_large_body_is_judged_by_pieces_of_it() -> None:
    """The errors of 6,000 places by pieces and sampled pairs against the true covariance."""
    rng = np.random.default_rng(5)
    place = _places(rng, 20, 15)
    reach, wide = 80.0, 12
    shape = (20 + 2 * wide, 20 + 2 * wide, 15 + 2 * wide)
    inner = (slice(wide, -wide),) * 3
    fields = _heavy(rng, (len(place), 3)) * np.sqrt(0.5)
    for k in range(3):
        # white numbers smoothed by a Gaussian are alike over sqrt(2) of its width
        white = rng.standard_normal(shape)
        smooth = gaussian_filter(white, reach / np.sqrt(2.0) / SPACING, truncate=5.0)
        fields[:, k] += np.sqrt(0.5) * (smooth / smooth.std())[inner].ravel()
    model = LikenessModel(place, SPACING)
    slopes = _slopes(place)
    likeness = model.fit(fields)
    found = model.test(likeness, slopes[:, None, :], (slopes.T @ fields).T)
    alike = np.zeros(3)
    for some in np.array_split(np.arange(len(place)), 20):
        apart = cdist(place[some], place)
        alike += np.sum(slopes[some] * (np.exp(-0.5 * (apart / reach) ** 2) @ slopes), axis=0)
    truth = np.sqrt(0.5 * np.sum(slopes**2, axis=0) + 0.5 * alike)
    assert found.se == pytest.approx(np.tile(truth, (3, 1)), rel=0.25)
    assert np.all(found.p > 0.001)


def test_what_cannot_be_judged_is_said() -> None:
    with pytest.raises(InvalidValueError, match="5 places are too few"):
        LikenessModel(np.eye(5)[:, :3], 1.0)
    place = _places(np.random.default_rng(6), 5, 5)
    with pytest.raises(InvalidValueError, match="field without spread"):
        LikenessModel(place, SPACING).fit(np.ones((len(place), 1)))
