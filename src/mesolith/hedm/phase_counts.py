"""Fit one phase, fit the other, and count: what that says of two phases on one lattice.

Dixit 2022 fitted the same spots to I-43d and to Ia-3d and counted some 30,000 and 1,000 grains.
On the rings that were used, {321}, {400}, {420} and {332}, both groups allow the same reflections,
so at equal lattice parameter every grain fits both. The counts part only where the second phase
is given a lattice parameter that lies beyond the tolerance for most grains, and then they count
strain, not phases.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.errors import InvalidValueError

OFFSETS = np.linspace(-8e-3, 8e-3, 161)
PAPER_SHARE = 1_000.0 / 30_000.0


def grains_that_fit(
    lattice_vectors: FloatArray, lattice: FloatArray, offsets: FloatArray, *, tolerance: float
) -> IntArray:
    """How many grains fit a phase whose lattice parameters are larger by each of ``offsets``.

    A grain fits where none of its spacings differs by more than ``tolerance`` from the phase's,
    relative. ``lattice_vectors`` (g, 3, 3) are columns in angstrom, ``lattice`` (6,) the phase's.
    Returns (k,).
    """
    low, high = _stretches(lattice_vectors, lattice)
    scale = 1.0 + np.asarray(offsets, dtype=np.float64)[:, None]
    fits = (high / scale <= 1.0 + tolerance) & (low / scale >= 1.0 - tolerance)
    return np.asarray(fits.sum(axis=1), dtype=np.int64)


def offsets_for_share(
    lattice_vectors: FloatArray,
    lattice: FloatArray,
    *,
    tolerance: float,
    share: float = PAPER_SHARE,
) -> tuple[float, float]:
    """Offsets, below and above, at which ``share`` of the grains still fit the second phase.

    With the paper's 1,000 of 30,000 by default: how wrong the lattice parameter of the second
    phase must be for these counts to come from grains of the first phase alone.
    `InvalidValueError` without a grain, or where fewer than that share fit at the best offset.
    """
    if not len(lattice_vectors):
        raise InvalidValueError("no grain can fit a phase where there are no grains")
    low, high = _stretches(lattice_vectors, lattice)
    middle = float(np.median(0.5 * (low + high))) - 1.0

    def excess(offset: float) -> float:
        # each grain's edge smoothed a little, so that the root is well defined
        scale = 1.0 + offset
        room = np.minimum(1.0 + tolerance - high / scale, low / scale - 1.0 + tolerance)
        return float(np.mean(0.5 * (1.0 + np.tanh(room / 2e-6)))) - share

    if excess(middle) <= 0.0:
        raise InvalidValueError(
            f"fewer than {share:.1%} of the grains fit the phase at any lattice parameter",
            remedy="Widen the tolerance: the grains' own strains exceed it.",
        )
    reach = 2.0 * tolerance + 10.0 * float(np.ptp(0.5 * (low + high)) + np.max(high - low))
    below = brentq(excess, middle - reach, middle, xtol=1e-8)
    above = brentq(excess, middle, middle + reach, xtol=1e-8)
    return float(below), float(above)


def _stretches(lattice_vectors: FloatArray, lattice: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Smallest and largest stretch (g,) of the grains' lattices over the phase's."""
    bent = lattice_vectors @ np.linalg.inv(basis_from_lattice(np.asarray(lattice)))
    stretch = np.linalg.svd(bent, compute_uv=False)
    return np.asarray(stretch[:, -1]), np.asarray(stretch[:, 0])
