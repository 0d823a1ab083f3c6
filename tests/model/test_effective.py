"""Effective conductivity: exact answers of the textbooks, symmetries, and images without a path."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mesolith.errors import InvalidValueError
from mesolith.model.effective import (
    conduction,
    conductivity_of_materials,
    flux_density,
    local_tortuosity,
)


def blobs(shape, fraction, *, size=2.0, seed=0):
    """Smooth random pattern that fills a fraction of the image."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    field = ndimage.gaussian_filter(noise, size, mode="wrap")
    return field < np.quantile(field, fraction)


# --- exact answers ---------------------------------------------------------------------------


@pytest.mark.parametrize("sides", ["no flux", "periodic"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_uniform_block_has_a_tortuosity_factor_of_one(axis, sides):
    block = np.full((7, 12, 9), 3.0)
    found = conduction(block, axis=axis, voxel_size=(0.5, 1.0, 2.5), sides=sides)
    assert found.effective_conductivity == pytest.approx(3.0, rel=1e-9)
    assert found.tortuosity_factor == pytest.approx(1.0, rel=1e-9)
    assert found.normalised_tortuosity == pytest.approx(0.0, abs=1e-9)
    assert found.through_connectivity == 1.0
    flux = flux_density(found)
    length = block.shape[axis] * found.voxel_size[axis]
    assert flux[axis] == pytest.approx(3.0 / length, rel=1e-5)
    assert np.abs(np.delete(flux, axis, axis=0)).max() < 1e-6
    assert local_tortuosity(found) == pytest.approx(1.0, rel=1e-5)


def test_layers_across_the_flow_add_their_resistances():
    values = np.array([1.0, 20.0, 0.03, 4.0, 4.0, 0.5])
    image = np.repeat(values, 3)[:, None, None] * np.ones((1, 8, 5))
    found = conduction(image, axis=0, tolerance=1e-9)
    assert found.effective_conductivity == pytest.approx(1.0 / np.mean(1.0 / values), rel=1e-6)


@pytest.mark.parametrize("axis", [1, 2])
def test_layers_along_the_flow_add_their_conductances(axis):
    values = np.array([1.0, 20.0, 0.0, 4.0, 0.5])
    image = np.repeat(values, 3)[:, None, None] * np.ones((1, 8, 5))
    found = conduction(image, axis=axis, tolerance=1e-9)
    assert found.effective_conductivity == pytest.approx(np.mean(values), rel=1e-6)
    # mean over effective: no detour, though a fifth of the image insulates
    assert found.tortuosity_factor == pytest.approx(1.0, rel=1e-6)


def sphere_deviation(n, inside):
    """Relative deviation of the change of conductivity from Maxwell's, an eighth of a sphere."""
    x = np.arange(n) + 0.5
    ball = x[:, None, None] ** 2 + x[:, None] ** 2 + x**2 < (0.4 * n) ** 2
    contrast = ball.mean() * (inside - 1.0) / (inside + 2.0)
    exact = 3.0 * contrast / (1.0 - contrast)
    found = conduction(np.where(ball, inside, 1.0))
    return (found.effective_conductivity - 1.0) / exact - 1.0


@pytest.mark.parametrize("inside", [0.0, 0.2])
def test_dilute_spheres_as_maxwell_says(inside):
    """A sphere amid its mirror images: a cubic array, Maxwell to order 10/3 in the fraction.

    The surface of voxels is a staircase: order 1, and the limit is right.
    """
    coarse, fine = sphere_deviation(20, inside), sphere_deviation(40, inside)
    assert np.log2(coarse / fine) == pytest.approx(1.0, abs=0.1)
    assert 2.0 * fine - coarse == pytest.approx(0.0, abs=0.005)


def test_a_conducting_sphere_as_maxwell_says():
    assert sphere_deviation(40, 10.0) == pytest.approx(0.0, abs=0.005)


def test_order_on_a_checkerboard():
    """Contrast 4: exact sqrt(1 * 4) (Dykhne); the corner's singularity makes order 1.18."""
    error = []
    for n in (32, 64, 128):
        upper = np.arange(n) >= n // 2
        image = np.where(upper[:, None] ^ upper, 4.0, 1.0)[:, :, None]
        found = conduction(image, tolerance=1e-8)
        error.append(abs(found.effective_conductivity - 2.0))
    orders = np.log2(np.array(error[:-1]) / np.array(error[1:]))
    assert orders == pytest.approx(1.18, abs=0.05)


def cylinder_deviation(n, inside):
    """Relative deviation from the series for a square array, a quarter of a cylinder.

    Perrins, McKenzie and McPhedran 1979, doi:10.1098/rspa.1979.0160, at a fraction near 0.4.
    """
    x = np.arange(n) + 0.5
    disc = x[:, None] ** 2 + x**2 < 1.6 * n**2 / np.pi
    f, t = disc.mean(), (1.0 + inside) / (1.0 - inside)
    series = 0.305827 * f**4 * t / (t**2 - 1.402958 * f**8) + 0.013362 * f**8 / t
    exact = 1.0 - 2.0 * f / (t + f - series)
    found = conduction(np.where(disc, inside, 1.0)[:, :, None])
    return found.effective_conductivity / exact - 1.0


def test_square_array_of_insulating_cylinders():
    coarse, fine = cylinder_deviation(32, 0.0), cylinder_deviation(256, 0.0)
    assert np.log2(coarse / fine) / 3.0 == pytest.approx(1.0, abs=0.1)
    assert fine == pytest.approx(0.0, abs=0.004)


def test_square_array_of_conducting_cylinders():
    assert cylinder_deviation(256, 50.0) == pytest.approx(0.0, abs=0.001)


# --- symmetries and maps ---------------------------------------------------------------------


def test_turning_mirroring_and_scaling_the_image_changes_nothing_else():
    image = np.where(blobs((20, 24, 28), 0.7), 1.0, 0.02)
    size = (1.0, 1.5, 0.8)
    plain = conduction(image, axis=1, voxel_size=size, tolerance=1e-8)
    turned = conduction(
        7.0 * image.transpose(2, 0, 1)[::-1, :, ::-1],
        axis=2,
        voxel_size=(0.08, 0.1, 0.15),
        tolerance=1e-8,
    )
    assert turned.effective_conductivity == pytest.approx(
        7.0 * plain.effective_conductivity, rel=1e-6
    )
    back = 1.0 - turned.potential[::-1, :, ::-1].transpose(1, 2, 0)
    assert np.abs(back - plain.potential).max() < 1e-3


def test_maps_carry_the_same_flux_through_every_slice():
    image = blobs((30, 32, 34), 0.6)
    found = conduction(image, axis=2, voxel_size=(1.0, 1.0, 0.5), tolerance=1e-8)
    flux = flux_density(found)
    through = found.conductivity > 0
    assert not flux[:, ~through].any()
    assert np.isnan(found.potential).sum() == np.count_nonzero(~through)
    length = image.shape[2] * 0.5
    per_slice = flux[2].mean(axis=(0, 1), dtype=float)
    assert per_slice == pytest.approx(found.effective_conductivity / length, rel=2e-3)
    path = local_tortuosity(found)
    assert np.array_equal(np.isfinite(path), through)
    assert 1.0 < np.nanmean(path, dtype=float) < found.tortuosity_factor


def test_a_result_cannot_be_changed():
    found = conduction(np.ones((3, 3, 3), dtype=bool))
    with pytest.raises(ValueError, match="read-only"):
        found.potential[0, 0, 0] = 2.0
    with pytest.raises(AttributeError):
        found.iterations = 0


def test_materials_by_their_labels():
    labels = np.zeros((4, 3, 2), dtype=np.uint8)
    labels[2:] = 7
    values = conductivity_of_materials(labels, {0: 1.0, 7: 0.25})
    found = conduction(values)
    assert found.effective_conductivity == pytest.approx(0.4, rel=1e-6)
    with pytest.raises(InvalidValueError, match=r"labels \[7\].*no conductivity"):
        conductivity_of_materials(labels, {0: 1.0})


# --- images without a path, and others at the edge -------------------------------------------


def test_an_empty_image_is_infinitely_tortuous():
    found = conduction(np.zeros((4, 5, 6), dtype=bool))
    assert found.effective_conductivity == 0.0
    assert found.tortuosity_factor == found.tortuosity == float("inf")
    assert found.through_connectivity == 0.0
    assert "No voxel conducts" in found.statement
    assert np.isnan(found.potential).all()
    assert not flux_density(found).any()
    assert np.isnan(local_tortuosity(found)).all()


def test_no_path_is_told_and_never_negative():
    image = np.ones((10, 6, 6), dtype=bool)
    image[5] = False
    found = conduction(image)
    assert found.tortuosity_factor == float("inf")
    assert found.conducting_fraction == pytest.approx(0.9)
    assert "touches both ends of axis 0" in found.statement
    assert conduction(image, axis=1).tortuosity_factor == pytest.approx(1.0)


def test_voxels_that_touch_at_edges_only_do_not_conduct():
    image = (np.indices((6, 6, 1)).sum(axis=0) % 2).astype(bool)
    found = conduction(image)
    assert not found.percolates
    assert "an edge or a corner does not join" in found.statement


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("shape", [(1, 9, 9), (9, 1, 9), (9, 9, 1), (1, 1, 9), (1, 1, 1)])
def test_one_voxel_thick(shape, axis):
    for sides in ("no flux", "periodic"):
        found = conduction(np.ones(shape, dtype=np.uint8), axis=axis, sides=sides)
        assert found.effective_conductivity == pytest.approx(1.0, rel=1e-9)


def test_a_single_winding_path_is_as_long_as_it_is():
    image = np.zeros((9, 9, 1), dtype=bool)
    image[:2, 0] = image[1, :] = image[1:, 8] = True
    found = conduction(image, tolerance=1e-10)
    # 9 + 8 voxels in a row, from face to face
    assert found.effective_conductivity == pytest.approx(9 / (9 * 17), rel=1e-6)
    # for a single path the factor is the square of its relative length
    assert found.tortuosity == pytest.approx(17 / 9, rel=1e-6)
    assert found.statement.startswith("Tortuosity factor 3.5679 along axis 0, through 100 %")


def test_through_connectivity_counts_what_carries():
    image = np.zeros((8, 8, 8), dtype=bool)
    image[:, 2, 2] = True
    image[3:5, 5, 5] = True
    found = conduction(image)
    assert found.through_connectivity == pytest.approx(0.8)
    assert found.effective_conductivity == pytest.approx(1 / 64, rel=1e-9)
    assert found.tortuosity_factor == pytest.approx(10 / 8, rel=1e-9)


def test_periodic_sides_join_what_the_walls_part():
    image = np.zeros((4, 4, 1), dtype=bool)
    image[:2, 0] = image[2:, 3] = True
    image[1, 0] = image[1, 3] = True
    assert not conduction(image).percolates
    found = conduction(image, sides="periodic")
    assert found.effective_conductivity == pytest.approx(4 / (4 * 5), rel=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conductivity": np.ones((3, 3))}, r"shape \(3, 3\)"),
        ({"conductivity": np.ones((3, 0, 3))}, r"at least one voxel"),
        ({"conductivity": np.full((2, 2, 2), -1.0)}, "not negative"),
        ({"conductivity": np.full((2, 2, 2), np.nan)}, "finite"),
        ({"conductivity": np.full((2, 2, 2), np.inf)}, "finite"),
        ({"conductivity": np.full((2, 2, 2), 1j)}, "complex128"),
        ({"axis": 3}, "axis 3"),
        ({"voxel_size": (1.0, 0.0, 1.0)}, "voxel size"),
        ({"sides": "open"}, "'open'"),
        ({"tolerance": 0.0}, "tolerance 0.0"),
    ],
)
def test_what_makes_no_sense_is_refused(change, message):
    arguments = {"conductivity": np.ones((2, 2, 2)), **change}
    with pytest.raises(InvalidValueError, match=message) as caught:
        conduction(**arguments)
    assert caught.value.where == "conduction"
    assert caught.value.remedy
