"""The periodic Green operator against exact answers: balance of forces, and Eshelby's sphere."""

from __future__ import annotations

import numpy as np
import pytest

from mesolith.virtual.arrays import COMPONENTS, FloatArray
from mesolith.virtual.green import stress_from_eigenstrain
from mesolith.virtual.grid import Grid

BULK, SHEAR = 99_200.0, 62_500.0
POISSON = (3.0 * BULK - 2.0 * SHEAR) / (6.0 * BULK + 2.0 * SHEAR)


def stress_of(eigenstrain: FloatArray, grid: Grid) -> FloatArray:
    fields = stress_from_eigenstrain(
        lambda c: eigenstrain[c], grid=grid, bulk_mpa=BULK, shear_mpa=SHEAR
    )
    return np.stack(list(fields))


def test_stress_is_free_of_divergence_to_round_off() -> None:
    grid = Grid((0.0, 0.0, 0.0), 2.0, (15, 21, 27))
    rng = np.random.default_rng(1)
    stress = stress_of(rng.normal(size=(6, *grid.shape)) * 1e-3, grid)
    spectrum = {}
    for (i, j), field in zip(COMPONENTS, stress, strict=True):
        spectrum[i, j] = spectrum[j, i] = np.fft.fftn(field)
    waves = [2.0 * np.pi * np.fft.fftfreq(grid.shape[2 - d], grid.spacing) for d in range(3)]
    kz, ky, kx = np.meshgrid(waves[2], waves[1], waves[0], indexing="ij")
    wave = (kx, ky, kz)
    largest = max(np.abs(wave[0] * spectrum[0, j]).max() for j in range(3))
    for i in range(3):
        divergence = sum(wave[j] * spectrum[i, j] for j in range(3))
        assert np.abs(divergence).max() < 1e-12 * largest
    assert np.abs(stress.mean(axis=(1, 2, 3))).max() < 1e-12 * np.abs(stress).max()


def test_a_uniform_misfit_of_a_free_body_makes_no_stress() -> None:
    grid = Grid((0.0, 0.0, 0.0), 1.0, (5, 7, 9))
    strain = np.full((6, *grid.shape), 1e-3)
    assert np.abs(stress_of(strain, grid)).max() < 1e-9


def test_a_layer_of_misfit_carries_the_biaxial_stress_of_a_plate() -> None:
    # Exact: a layer normal to z with dilatation e has sigma_zz = 0 and, in the plane,
    # -E/(1-nu) (e - mean e).
    grid = Grid((0.0, 0.0, 0.0), 1.0, (45, 3, 5))
    misfit = np.random.default_rng(2).normal(size=45) * 1e-3
    strain = np.zeros((6, *grid.shape))
    strain[:3] = misfit[:, None, None]
    stress = stress_of(strain, grid)
    young = 9.0 * BULK * SHEAR / (3.0 * BULK + SHEAR)
    expected = -young / (1.0 - POISSON) * (misfit - misfit.mean())
    assert np.abs(stress[0] - expected[:, None, None]).max() < 1e-9
    assert np.abs(stress[1] - expected[:, None, None]).max() < 1e-9
    assert np.abs(stress[2:]).max() < 1e-9


@pytest.fixture(scope="module")
def sphere() -> tuple[Grid, FloatArray, FloatArray]:
    """A fine grid around the origin, the distance of its voxels, and the radius's voxels."""
    count = 105
    grid = Grid((-(count - 1) / 2.0,) * 3, 1.0, (count,) * 3)
    points = grid.points()
    return grid, points, np.linalg.norm(points, axis=1)


RADIUS = 11.0


def test_dilatation_of_a_sphere_against_eshelby(
    sphere: tuple[Grid, FloatArray, FloatArray],
) -> None:
    # Infinite body: -4 mu a e inside, -4 mu a e (R/r)^3 along and +2 mu a e (R/r)^3 across the
    # radius outside, with a = (1 + nu) / (3 (1 - nu)). The periodic images add less than their
    # volume fraction, 0.5 %.
    grid, points, distance = sphere
    inside = distance <= RADIUS
    strain = np.zeros((6, len(points)))
    strain[:3, inside] = 1e-3
    stress = stress_of(strain.reshape(6, *grid.shape), grid).reshape(6, -1)
    level = -4.0 * SHEAR * (1.0 + POISSON) / (3.0 * (1.0 - POISSON)) * 1e-3
    fraction = inside.mean()
    hydrostatic = stress[:3].mean(axis=0)
    # the hydrostatic part is local and exact
    assert np.abs(hydrostatic - level * (inside - fraction)).max() < 1e-9 * abs(level)
    core = distance < RADIUS - 3.0
    for c in range(3):
        assert np.abs(stress[c, core] / level - 1.0).max() < 0.03
        assert stress[c, core].mean() / level == pytest.approx(1.0, abs=0.006)
    far = (distance > RADIUS + 3.0) & (distance < 25.0)
    true_radius = np.cbrt(3.0 * inside.sum() / (4.0 * np.pi))
    radial = points[far] / distance[far, None]
    along = np.zeros(int(far.sum()))
    for c, (i, j) in enumerate(COMPONENTS):
        along += (1.0 if i == j else 2.0) * stress[c, far] * radial[:, i] * radial[:, j]
    expected = level * (true_radius / distance[far]) ** 3
    across = 0.5 * (stress[:3, far].sum(axis=0) - along)
    # the voxels' steps ring: 1.2 % of the interior stress in the RMS, 6 % at worst
    for found, exact in ((along, expected), (across, -0.5 * expected)):
        assert np.sqrt(np.mean((found - exact) ** 2)) < 0.012 * abs(level)
        assert np.abs(found - exact).max() < 0.06 * abs(level)


def test_shear_of_a_sphere_against_eshelby(sphere: tuple[Grid, FloatArray, FloatArray]) -> None:
    grid, points, distance = sphere
    strain = np.zeros((6, len(points)))
    strain[5, distance <= RADIUS] = 1e-3
    stress = stress_of(strain.reshape(6, *grid.shape), grid).reshape(6, -1)
    beta = 2.0 * (4.0 - 5.0 * POISSON) / (15.0 * (1.0 - POISSON))
    core = distance < RADIUS - 3.0
    assert stress[5, core].mean() == pytest.approx(2.0 * SHEAR * (beta - 1.0) * 1e-3, rel=0.01)


def test_slabs_of_waves_give_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = Grid((0.0, 0.0, 0.0), 1.0, (9, 11, 15))
    strain = np.random.default_rng(3).normal(size=(6, *grid.shape))
    whole = stress_of(strain, grid)
    monkeypatch.setattr("mesolith.virtual.green._SLAB_BYTES", 1)
    assert np.array_equal(stress_of(strain, grid), whole)


def test_an_even_grid_is_refused() -> None:
    grid = Grid((0.0, 0.0, 0.0), 1.0, (4, 5, 5))
    with pytest.raises(ValueError, match="odd numbers of voxels"):
        stress_of(np.zeros((6, *grid.shape)), grid)
