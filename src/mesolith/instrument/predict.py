"""Where and when the reflections of grains are recorded, and how that moves with each grain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.instrument import _kernels_geometry as kernels
from mesolith.instrument.instrument import Instrument, kernel_arrays
from mesolith.instrument.scattering import reciprocal_from_lattice_vectors


@dataclass(frozen=True, slots=True)
class Predicted:
    """Both crossings of each reflection of each grain, shape (grain, hkl, 2).

    ``panel`` is -1 where no panel records the crossing; ``fast`` and ``slow`` are NaN there, and
    where g meets the sphere nowhere so are ``omega`` (rad, in [-pi, pi)) and ``rate``. ``rate`` is
    wavelength d(b R g)/d omega, negative at the first crossing: about sin 2theta sin eta.
    """

    panel: IntArray
    fast: FloatArray
    slow: FloatArray
    omega: FloatArray
    rate: FloatArray


@dataclass(frozen=True, slots=True)
class Linearised:
    """Spots and their derivatives with respect to each one's g and the grain's position.

    ``value`` (n, 3) is fast, slow (px) and omega (rad). ``by_g`` (n, 3, 3) is d value / d g per
    1/angstrom, sample axes; omega follows g. ``by_position`` (n, 3, 3) is d value / d position
    per um, sample axes.
    """

    value: FloatArray
    by_g: FloatArray
    by_position: FloatArray


def predict_spots(
    instrument: Instrument, lattice_vectors: FloatArray, position: FloatArray, hkl: FloatArray
) -> Predicted:
    """Spots of grains with lattice vectors (g, 3, 3) at positions (g, 3) for indices hkl (h, 3).

    Lattice vectors are columns a, b, c in angstrom on sample axes, positions um on sample axes.
    One thread; ten million crossings a CPU-second, over three million on a distorted panel.
    """
    reciprocal = reciprocal_from_lattice_vectors(np.asarray(lattice_vectors, dtype=np.float64))
    source, panels = kernel_arrays(instrument)
    shape = (len(reciprocal), len(hkl), 2)
    panel = np.empty(shape, dtype=np.int64)
    value, rate = np.empty((*shape, 3)), np.empty(shape)
    kernels.predict_all(
        np.ascontiguousarray(reciprocal),
        np.array(position, dtype=np.float64, order="C"),  # a copy: one kind, compiled for once
        np.ascontiguousarray(hkl, dtype=np.float64),
        source,
        panels,
        panel,
        value,
        rate,
    )
    return Predicted(panel, value[..., 0], value[..., 1], value[..., 2], rate)


def crossings_of(instrument: Instrument, g: FloatArray) -> FloatArray:
    """Both omega (n, 2), rad in [-pi, pi), at which vectors g (n, 3) cross the sphere; NaN: none.

    The first has the negative rate, see `Predicted`.
    """
    source, _ = kernel_arrays(instrument)
    omega = np.empty((len(g), 2))
    kernels.crossings_all(np.ascontiguousarray(g, dtype=np.float64), source, omega)
    return omega


def linearise_spots(
    instrument: Instrument,
    g: FloatArray,
    position: FloatArray,
    *,
    near_omega: FloatArray,
    panel: IntArray,
) -> Linearised:
    """Spots (n,) of vectors g (n, 3) on given panels, at the crossing nearest to ``near_omega``.

    ``position`` (n, 3) is the place of each spot's grain, um on sample axes. Omega comes out
    within pi of ``near_omega``, so the difference of the two is the residual. NaN rows where g
    does not cross the sphere, the ray misses the panel's plane or ``panel`` is -1; a spot beyond
    the panel's edge is given all the same.
    """
    source, panels = kernel_arrays(instrument)
    n = len(g)
    value, by_g, by_p = np.empty((n, 3)), np.empty((n, 3, 3)), np.empty((n, 3, 3))
    kernels.linearise_all(
        np.ascontiguousarray(g, dtype=np.float64),
        np.array(np.broadcast_to(position, (n, 3)), dtype=np.float64, order="C"),  # as above
        np.ascontiguousarray(near_omega, dtype=np.float64),
        np.ascontiguousarray(panel, dtype=np.int64),
        source,
        panels,
        value,
        by_g,
        by_p,
    )
    return Linearised(value, by_g, by_p)


def derivative_by_lattice_vectors(
    by_g: FloatArray, g: FloatArray, reciprocal: FloatArray
) -> FloatArray:
    """d value / d A (n, 3, 3, 3) of by_g (n, 3, 3), for g = inv(A)^T hkl.

    Entry [n, i, k, j] is the derivative of value i by A[k, j], the lattice vectors' matrix with
    columns a, b, c; ``reciprocal`` (n, 3, 3) or (3, 3) is inv(A)^T.
    """
    inner = by_g @ reciprocal
    return -g[:, None, :, None] * inner[:, :, None, :]
