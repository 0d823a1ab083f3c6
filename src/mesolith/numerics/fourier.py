"""Steady conduction by conjugate gradients with a Fourier preconditioner.

The independent twin of `mesolith.numerics.multigrid`: the same voxel problem, written with plain
slices of 64-bit arrays, preconditioned by the exact inverse of the uniform block (sine transform
along the flow, cosine or Fourier transforms across), stopped by the residual.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray
from mesolith.numerics.multigrid import ConvergenceError


@dataclass(frozen=True, slots=True)
class FourierPotential:
    """Potential (1 to 0 along axis 0), effective conductivity and iterations."""

    values: FloatArray
    conductivity: float
    iterations: int


def potential_by_fourier(
    conductivity: NDArray[Any],
    *,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    periodic: bool = False,
    tolerance: float = 1e-8,
    most_iterations: int = 5000,
) -> FourierPotential:
    """Potential from the conductivity of each voxel, shape (nx, ny, nz), zero or positive.

    The conditions are those of `multigrid.potential_of_conductivity`; ``tolerance`` is that of
    the residual's norm, relative to the sources. About 100 bytes per voxel.
    """
    k = np.asarray(conductivity, dtype=np.float64)
    strength = [(spacing[0] / h) ** 2 for h in spacing]
    ends = 2.0 * k[0], 2.0 * k[-1]
    faces = [strength[axis] * _series(k, _above(k, axis, periodic)) for axis in range(3)]

    def operator(u: FloatArray) -> FloatArray:
        out = np.zeros_like(u)
        out[0] += ends[0] * u[0]
        out[-1] += ends[1] * u[-1]
        for axis, face in enumerate(faces):
            flux = face * (u - _above(u, axis, periodic))
            out += flux
            out -= np.roll(flux, 1, axis)  # faces that do not exist carry nothing
        return out

    nx = k.shape[0]
    scale = float(k[k > 0].mean())
    inverse = _UniformInverse(k.shape, strength, periodic)
    source = np.zeros_like(k)
    source[0] = ends[0]
    profile = 1.0 - (np.arange(nx) + 0.5) / nx
    u = np.where(k > 0, profile[:, None, None], 0.0)
    r = source - operator(u)
    goal = tolerance * float(np.linalg.norm(source))
    p = z = inverse(r) / scale
    rz = float(np.vdot(r, z))
    iterations = 0
    while np.linalg.norm(r) > goal:
        if iterations == most_iterations:
            raise ConvergenceError(
                f"Fourier conduction: no convergence in {iterations} iterations",
                remedy="Ask for a larger tolerance, or use the multigrid solver.",
            )
        q = operator(p)
        step = rz / float(np.vdot(p, q))
        u += step * p
        r -= step * q
        z = inverse(r) / scale
        rz, before = float(np.vdot(r, z)), rz
        p = z + (rz / before) * p
        iterations += 1
    flux = 0.5 * float(np.sum(ends[0] * (1.0 - u[0])) + np.sum(ends[1] * u[-1]))
    return FourierPotential(u, flux * nx / (k.shape[1] * k.shape[2]), iterations)


def _above(u: FloatArray, axis: int, periodic: bool) -> FloatArray:
    """Voxels above the upper faces; beyond the last, the first where periodic, else zero."""
    above = np.roll(u, -1, axis)
    if axis == 0 or not periodic:
        np.moveaxis(above, axis, 0)[-1] = 0.0
    return above


def _series(a: FloatArray, b: FloatArray) -> FloatArray:
    total = a + b
    return np.divide(2.0 * a * b, total, out=np.zeros_like(total), where=total > 0)


class _UniformInverse:
    """Inverse of the operator of a uniform block of conductivity 1."""

    def __init__(self, shape: tuple[int, ...], strength: list[float], periodic: bool) -> None:
        nx, ny, nz = shape
        self._periodic = periodic
        turns = 2.0 if periodic else 1.0
        x = strength[0] * (2.0 - 2.0 * np.cos(np.pi * np.arange(1, nx + 1) / nx))
        y, z = (
            g * (2.0 - 2.0 * np.cos(turns * np.pi * np.arange(n) / n))
            for g, n in ((strength[1], ny), (strength[2], nz))
        )
        self._eigenvalues = x[:, None, None] + y[:, None] + z

    def __call__(self, r: FloatArray) -> FloatArray:
        from scipy import fft

        waves = fft.dst(r, type=2, axis=0, norm="ortho")
        if self._periodic:
            turned = fft.fft2(waves, axes=(1, 2)) / self._eigenvalues
            waves = fft.ifft2(turned, axes=(1, 2)).real
        else:
            waves = fft.dctn(waves, type=2, axes=(1, 2), norm="ortho") / self._eigenvalues
            waves = fft.idctn(waves, type=2, axes=(1, 2), norm="ortho")
        return np.asarray(fft.idst(waves, type=2, axis=0, norm="ortho"))
