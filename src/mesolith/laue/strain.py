"""Deviatoric strain of a lattice from its reciprocal vectors, on any axes."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray


def orientation_and_stretch(
    lattice_vectors: FloatArray, reference: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Split A = V U A0: rotation matrices U (..., 3, 3) and left stretches V (..., 3, 3).

    ``lattice_vectors`` and ``reference`` (..., 3, 3) hold a, b, c as columns, the one on laboratory
    axes, the other on crystal axes.
    """
    left, value, right = np.linalg.svd(lattice_vectors @ np.linalg.inv(reference))
    rotation = left @ right
    stretch = (left * value[..., None, :]) @ np.swapaxes(left, -1, -2)
    return rotation, stretch


def deviatoric_strain(stretch: FloatArray) -> FloatArray:
    """V / (tr V / 3) - 1 of stretches (..., 3, 3): free of trace, blind to the lattice's size."""
    third = np.trace(stretch, axis1=-2, axis2=-1)[..., None, None] / 3.0
    return np.asarray(stretch / third - np.eye(3))


def on_axes(tensor: FloatArray, axes: FloatArray) -> FloatArray:
    """Tensors (..., 3, 3) on other axes.

    ``axes`` (..., 3, 3) holds the new axes' unit vectors as columns, on the present axes: the
    orientation matrix for crystal axes, the columns of the surface's axes for those.
    """
    return np.asarray(np.swapaxes(axes, -1, -2) @ tensor @ axes)


def surface_axes(surface: FloatArray, beam: FloatArray) -> FloatArray:
    """Axes of the sample's surface as columns (3, 3), laboratory axes.

    Z points out of the surface, X lies in it, along the beam's projection, Y completes.
    """
    z = surface / np.linalg.norm(surface)
    x = beam - (beam @ z) * z
    x = x / np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], axis=1)


def equivalent_strain(strain: FloatArray) -> FloatArray:
    """Von Mises equivalent strain, sqrt(2/3 e:e) of deviatoric e, shape (...).

    With this prefactor a uniaxial stress of an incompressible solid gives the axial strain.
    Others write sqrt(1/2 ...) or 2/(3 (1 + nu)): compare numbers only with their prefactor.
    A trace is taken off first.
    """
    third = np.trace(strain, axis1=-2, axis2=-1)[..., None, None] / 3.0
    deviatoric = strain - third * np.eye(3)
    return np.asarray(np.sqrt(2.0 / 3.0 * np.sum(deviatoric**2, axis=(-2, -1))))
