"""Stress of an eigenstrain in a homogeneous isotropic body, periodic, in one Fourier transform."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy import fft

from mesolith.virtual.arrays import COMPONENTS, FloatArray
from mesolith.virtual.grid import Grid

_SLAB_BYTES = 32_000_000


def stress_from_eigenstrain(
    eigenstrain: Callable[[int], FloatArray],
    *,
    grid: Grid,
    bulk_mpa: float,
    shear_mpa: float,
) -> Iterator[FloatArray]:
    """The six components of the self-equilibrated stress, one after the other.

    Parameters
    ----------
    eigenstrain
        ``eigenstrain(c)`` returns component c (xx yy zz yz xz xy, tensor shears) on the grid.
    grid
        Its numbers of voxels must be odd: only then has every wave its mirror image, and the
        stress is free of divergence to round-off as a trigonometric polynomial.
    bulk_mpa, shear_mpa
        Moduli of the body, MPa.

    Yields
    ------
    stress
        MPa, tension positive, order (z, y, x); the mean over the periodic box is zero.

    Notes
    -----
    For a wave along the unit vector n the polarisation t = C : e* exerts the traction
    f = t . n; the displacement that balances it follows from the acoustic tensor
    shear 1 + (lame + shear) n n, whose inverse is written out. See Mura, Micromechanics of
    Defects in Solids, 1987 (10.1007/978-94-009-3489-4), chapter 1.
    """
    if any(count % 2 == 0 for count in grid.shape):
        raise ValueError(f"the grid {grid.shape} must have odd numbers of voxels")
    spectra = [fft.rfftn(eigenstrain(c), workers=1) for c in range(6)]
    wave = [
        2.0 * np.pi * fft.rfftfreq(grid.shape[2], grid.spacing),
        2.0 * np.pi * fft.fftfreq(grid.shape[1], grid.spacing),
        2.0 * np.pi * fft.fftfreq(grid.shape[0], grid.spacing),
    ]
    rows = max(1, _SLAB_BYTES // (16 * spectra[0].shape[1] * spectra[0].shape[2]))
    for start in range(0, grid.shape[0], rows):
        part = slice(start, start + rows)
        _replace_by_stress(
            [spectrum[part] for spectrum in spectra],
            (wave[0][None, None, :], wave[1][None, :, None], wave[2][part, None, None]),
            bulk_mpa,
            shear_mpa,
        )
    spectra.reverse()
    while spectra:
        yield fft.irfftn(spectra.pop(), s=grid.shape, workers=1)


def _replace_by_stress(
    strain: list[np.ndarray[tuple[int, ...], np.dtype[np.complex128]]],
    wave: tuple[FloatArray, FloatArray, FloatArray],
    bulk: float,
    shear: float,
) -> None:
    """Overwrite the spectra of the eigenstrain by those of the stress, for one slab of waves."""
    lame = bulk - 2.0 * shear / 3.0
    length = np.sqrt(wave[0] ** 2 + wave[1] ** 2 + wave[2] ** 2)
    length[length == 0.0] = np.inf  # the uniform part has no direction and stays out
    n = [component / length for component in wave]
    trace = lame * (strain[0] + strain[1] + strain[2])
    for c, (i, j) in enumerate(COMPONENTS):
        strain[c] *= 2.0 * shear
        if i == j:
            strain[c] += trace
    polarisation = strain
    xx, yy, zz, yz, xz, xy = polarisation
    force = [
        xx * n[0] + xy * n[1] + xz * n[2],
        xy * n[0] + yy * n[1] + yz * n[2],
        xz * n[0] + yz * n[1] + zz * n[2],
    ]
    along = force[0] * n[0] + force[1] * n[1] + force[2] * n[2]
    share = (lame + shear) / (lame + 2.0 * shear)
    pressure = along * (lame / (lame + 2.0 * shear))
    for i in range(3):
        force[i] -= share * along * n[i]  # now the displacement direction times the shear modulus
    for c, (i, j) in enumerate(COMPONENTS):
        stress = force[i] * n[j] + force[j] * n[i]
        if i == j:
            stress += pressure
        polarisation[c] *= -1.0
        polarisation[c] += stress
    uniform = np.isinf(length)
    if uniform.any():
        for spectrum in polarisation:
            spectrum[uniform] = 0.0
