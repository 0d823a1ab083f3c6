"""Conduction by multigrid: exact answers, the error it tells, and its Fourier twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mesolith.numerics.components import through_clusters
from mesolith.numerics.fourier import potential_by_fourier
from mesolith.numerics.multigrid import ConvergenceError, potential_of_conductivity


def blobs(shape, fraction, *, size=2.0, seed=0):
    """Smooth random pattern that fills a fraction of the image."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    field = ndimage.gaussian_filter(noise, size, mode="wrap")
    return field < np.quantile(field, fraction)


def dense_answer(k, spacing=(1.0, 1.0, 1.0), periodic=False):
    """Effective conductivity by a dense matrix, one face after the other: the slow twin."""
    nx, ny, nz = k.shape
    strength = [(spacing[0] / h) ** 2 for h in spacing]
    matrix, source = np.zeros((k.size, k.size)), np.zeros(k.size)
    number = np.arange(k.size).reshape(k.shape)
    for here in np.ndindex(k.shape):
        a = number[here]
        for axis in range(3):
            there = list(here)
            there[axis] += 1
            if there[axis] == k.shape[axis]:
                if axis == 0 or not periodic or k.shape[axis] == 1:
                    continue
                there[axis] = 0
            other = k[tuple(there)]
            if k[here] > 0 and other > 0:
                g = strength[axis] * 2.0 * k[here] * other / (k[here] + other)
                b = number[tuple(there)]
                matrix[a, a] += g
                matrix[b, b] += g
                matrix[a, b] -= g
                matrix[b, a] -= g
        if here[0] == 0:
            matrix[a, a] += 2.0 * k[here]
            source[a] += 2.0 * k[here]
        if here[0] == nx - 1:
            matrix[a, a] += 2.0 * k[here]
    used = np.diag(matrix) > 0
    u = np.zeros(k.size)
    u[used] = np.linalg.solve(matrix[np.ix_(used, used)], source[used])
    flux = np.sum(2.0 * k[-1].ravel() * u.reshape(k.shape)[-1].ravel())
    return flux * nx / (ny * nz), u.reshape(k.shape)


@given(
    shape=st.tuples(*[st.integers(1, 5)] * 3),
    spacing=st.tuples(*[st.sampled_from([0.5, 1.0, 2.0])] * 3),
    periodic=st.booleans(),
    values=st.sampled_from([(0.0, 1.0), (0.0, 2.5), (0.0, 0.01, 1.0), (1.0, 30.0)]),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=30, deadline=None)
def test_any_small_image_is_solved_as_by_a_dense_matrix(shape, spacing, periodic, values, seed):
    k = np.random.default_rng(seed).choice(values, size=shape)
    k = np.where(through_clusters(k > 0, periodic=periodic), k, 0.0)
    if not k.any():
        return
    exact, potential = dense_answer(k, spacing, periodic)
    found = potential_of_conductivity(k, spacing=spacing, periodic=periodic, tolerance=1e-9)
    # conductances are 32 bit
    assert found.conductivity == pytest.approx(exact, rel=1e-7)
    assert np.abs(found.values - potential).max() < 1e-3
    twin = potential_by_fourier(k, spacing=spacing, periodic=periodic, tolerance=1e-11)
    assert twin.conductivity == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize(
    ("kind", "periodic", "spacing"),
    [
        ("mask", False, (1.0, 1.0, 1.0)),
        ("mask", True, (1.0, 2.0, 0.5)),
        ("three materials", False, (1.0, 2.0, 0.5)),
        ("three materials", True, (1.0, 1.0, 1.0)),
        ("field", True, (1.0, 1.0, 1.0)),
    ],
)
def test_agrees_with_the_fourier_twin_within_the_error_it_tells(kind, periodic, spacing):
    shape = (30, 27, 21)
    k = blobs(shape, 0.6).astype(float)
    if kind == "three materials":
        k *= np.where(blobs(shape, 0.5, seed=1), 1.0, 0.2)
    elif kind == "field":
        noise = np.random.default_rng(2).standard_normal(shape)
        field = ndimage.gaussian_filter(noise, 2.0)
        k = np.exp(0.5 * field / field.std())
    k = np.where(through_clusters(k > 0, periodic=periodic), k, 0.0)
    twin = potential_by_fourier(k, spacing=spacing, periodic=periodic, tolerance=1e-8)
    for tolerance in (1e-4, 1e-6):
        found = potential_of_conductivity(
            k, spacing=spacing, periodic=periodic, tolerance=tolerance
        )
        off = found.conductivity / twin.conductivity - 1.0
        # Dirichlet's principle: from above, by no more than was told
        assert -1e-7 < off <= found.error <= tolerance


def test_a_contrast_of_a_million_is_no_obstacle():
    solid = through_clusters(blobs((32, 32, 32), 0.4))
    bare = potential_of_conductivity(solid, tolerance=1e-8)
    filled = potential_of_conductivity(np.where(solid, 1.0, 1e-9), tolerance=1e-8)
    assert filled.conductivity == pytest.approx(bare.conductivity, rel=1e-6)
    assert filled.iterations <= 2 * bare.iterations


def test_same_bytes_for_any_number_of_threads():
    solid = through_clusters(blobs((70, 90, 100), 0.5))
    results = [potential_of_conductivity(solid, threads=n) for n in (1, 2, 3)]
    assert len({one.values.tobytes() for one in results}) == 1
    assert len({(one.conductivity, one.error) for one in results}) == 1


def test_one_material_and_faces_give_the_same_iteration():
    """The byte kernels against the general ones, on the same image."""
    solid = through_clusters(blobs((24, 25, 26), 0.45))
    by_byte = potential_of_conductivity(solid, tolerance=1e-9)
    # a second value in one voxel, too close to 1 to matter, takes the general way
    k = solid.astype(float)
    k[tuple(np.argwhere(solid)[0])] = 1.0 - 1e-12
    by_face = potential_of_conductivity(k, tolerance=1e-9)
    assert by_face.iterations == by_byte.iterations
    assert by_face.conductivity == pytest.approx(by_byte.conductivity, rel=1e-8)
    assert np.abs(by_face.values - by_byte.values).max() < 1e-5


def test_memory_is_within_the_promise():
    solid = through_clusters(blobs((64, 64, 64), 0.5))
    assert potential_of_conductivity(solid).bytes_per_voxel <= 32.0
    mixed = np.where(solid, 1.0, 0.5)
    assert potential_of_conductivity(mixed).bytes_per_voxel <= 44.0


def test_iterations_hardly_grow_with_the_image():
    counts = []
    for n in (24, 48, 96):
        solid = through_clusters(blobs((n, n, n), 0.5, size=2.5, seed=3))
        counts.append(potential_of_conductivity(solid, tolerance=1e-6).iterations)
    assert counts[-1] <= 2 * counts[0]


def test_too_few_iterations_are_an_error_and_no_answer():
    solid = through_clusters(blobs((32, 32, 32), 0.35))
    with pytest.raises(ConvergenceError, match="after 2 iterations") as caught:
        potential_of_conductivity(solid, tolerance=1e-9, most_iterations=2)
    assert caught.value.remedy
    with pytest.raises(ConvergenceError, match="no convergence in 2 iterations"):
        potential_by_fourier(solid, most_iterations=2)
