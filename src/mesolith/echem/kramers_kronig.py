"""Kramers-Kronig test: do real and imaginary part of a spectrum belong to one linear system?

A linear, causal, steady cell has a spectrum that a chain of relaxations describes, the same chain
in both parts (Boukamp 1995, 10.1149/1.2044210). What drifts while the sweep runs, or answers
nonlinearly, breaks that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError

Verdict = Literal["valid", "violated", "unclear"]

_BEYOND = 10.0  # relaxations are placed up to that factor outside the measured range
# Relaxations per decade. A chain as dense as the points describes anything, belonging or not.
_DENSITIES = (1.0, 1.25, 1.5, 1.75, 2.0, 2.5)
_DENSER = 1.3  # the test's own chain, so that its gaps are no disagreement
_FEWEST_POINTS = 8
_RANK = 1e-9
_LEAST_FREEDOM = 0.3  # share of the numbers that must be left over, so that noise can be told


@dataclass(frozen=True, slots=True)
class KramersKronig:
    """Verdict on one spectrum, and what it rests on.

    ``p_value`` is the probability of parts that disagree as much by noise alone; ``disagreement``
    the root mean square, relative to abs(Z), by which a common chain of relaxations misses what
    each part by itself allows, noise taken off; ``noise`` that of each part about its own chain.
    ``residual`` is (measured - common chain) / abs(Z), complex, in the order of ``frequency``.
    """

    verdict: Verdict
    p_value: float
    disagreement: float
    noise: float
    relaxations: int
    frequency: FloatArray
    residual: NDArray[np.complex128]


def kramers_kronig_test(
    frequency: FloatArray,
    impedance: NDArray[np.complex128],
    *,
    false_alarm: float = 0.01,
    tolerance: float = 0.005,
) -> KramersKronig:
    """Linear Kramers-Kronig test of one spectrum.

    Chains of relaxations of growing length, with resistance, inductance and capacitance in
    series, are fitted to both parts at once and to each part by itself, weighted by 1/abs(Z); the
    length is chosen where the parts by themselves are described to their noise (corrected
    information criterion). An F test then tells whether one chain serves both.

    Parameters
    ----------
    frequency, impedance
        Hz and ohm (complex), shape (n,), any order; zeros and values that are not finite raise
        `InvalidValueError`.
    false_alarm
        Share of valid spectra that may be called violated.
    tolerance
        Disagreement, relative to abs(Z), below which a significant one still passes: instruments
        are calibrated to a few tenths of a percent.

    "unclear" means too few points, or noise so large that a disagreement of ten times the
    tolerance could hide.
    """
    f = np.asarray(frequency, dtype=np.float64)
    z = np.asarray(impedance, dtype=np.complex128)
    if not (np.all(np.isfinite(z)) and np.all(f > 0.0) and np.all(z != 0.0)):
        raise InvalidValueError(
            "a spectrum holds values that are not finite, or a frequency or impedance of zero",
            remedy="Leave these points out.",
        )
    order = np.argsort(-f, kind="stable")
    f, z = f[order], z[order]
    if len(f) < _FEWEST_POINTS:
        empty = np.zeros(len(f), dtype=np.complex128)
        nan = float("nan")
        return KramersKronig("unclear", nan, nan, nan, 0, f, empty)
    data = np.concatenate([z.real, z.imag]) / np.tile(np.abs(z), 2)
    apart = _best_apart(f, z, data)
    together = _fit(apart.basis, data)
    extra = max(apart.rank - together.rank, 1)
    freedom = len(data) - apart.rank
    between = max(together.cost - apart.cost, 0.0)
    noise = float(np.sqrt(apart.cost / freedom))
    p_value = _tail_of_f(between / extra, apart.cost / freedom, extra, freedom)
    disagreement = float(np.sqrt(max(between - extra * noise**2, 0.0) / len(data)))
    verdict: Verdict = "valid"
    if p_value < false_alarm and disagreement > tolerance:
        verdict = "violated"
    elif noise * np.sqrt(extra / len(data)) > 10.0 * tolerance:
        verdict = "unclear"
    rest = together.residual
    return KramersKronig(
        verdict=verdict,
        p_value=p_value,
        disagreement=disagreement,
        noise=noise,
        relaxations=apart.relaxations,
        frequency=f,
        residual=rest[: len(f)] + 1j * rest[len(f) :],
    )


@dataclass(frozen=True, slots=True)
class _Linear:
    cost: float
    rank: int
    residual: FloatArray


@dataclass(frozen=True, slots=True)
class _Apart:
    """The chain by which each part is described on its own."""

    relaxations: int
    basis: FloatArray
    cost: float
    rank: int


def _best_apart(f: FloatArray, z: NDArray[np.complex128], data: FloatArray) -> _Apart:
    n = len(f)
    decades = float(np.log10(f.max() / f.min())) + 2.0 * float(np.log10(_BEYOND))
    chosen, least = _DENSITIES[0], np.inf
    for density in _DENSITIES:
        found = _apart(f, z, data, 1 + int(density * decades))
        if 2 * n - found.rank < _LEAST_FREEDOM * 2 * n:
            break
        criterion = _criterion(found.cost, found.rank, 2 * n)
        if criterion < least:
            chosen, least = density, criterion
    return _apart(f, z, data, 1 + int(_DENSER * chosen * decades))


def _apart(f: FloatArray, z: NDArray[np.complex128], data: FloatArray, count: int) -> _Apart:
    n = len(f)
    basis = _basis(f, np.abs(z), count)
    parts = [_fit(basis[part], data[part]) for part in (slice(0, n), slice(n, None))]
    return _Apart(count, basis, sum(p.cost for p in parts), sum(p.rank for p in parts))


def _criterion(cost: float, rank: int, n: int) -> float:
    """Akaike's, corrected for few data; a perfect fit is as good as round-off allows."""
    left = max(n - rank - 2, 1)
    return n * float(np.log(max(cost, 1e-28 * n))) + 2.0 * n * (rank + 1) / left


def _basis(f: FloatArray, size: FloatArray, count: int) -> FloatArray:
    """Columns of R, L, 1/C and relaxations; rows real parts then imaginary, over abs(Z)."""
    omega = 2.0 * np.pi * f
    tau = np.geomspace(1.0 / (_BEYOND * omega.max()), _BEYOND / omega.min(), count)
    chain = 1.0 / (1.0 + 1j * omega[:, None] * tau)
    ends = np.stack([np.ones_like(omega) + 0j, 1j * omega, -1j / omega], axis=1)
    columns = np.concatenate([ends, chain], axis=1) / size[:, None]
    both = np.concatenate([columns.real, columns.imag])
    return np.asarray(both / np.linalg.norm(both, axis=0), dtype=np.float64)


def _fit(basis: FloatArray, data: FloatArray) -> _Linear:
    left, singular, _ = np.linalg.svd(basis, full_matrices=False)
    used = left[:, singular > _RANK * singular[0]]
    residual = data - used @ (used.T @ data)
    return _Linear(float(residual @ residual), used.shape[1], residual)


def _tail_of_f(above: float, below: float, extra: int, freedom: int) -> float:
    from scipy.special import fdtrc

    if below <= 0.0:
        return 1.0 if above <= 0.0 else 0.0
    return float(fdtrc(extra, freedom, above / below))
