"""Steady conduction through a voxel image: conjugate gradients preconditioned by multigrid.

Seven-point finite volumes; two neighbours are joined by the series conductance of their half
voxels. The potential is 1 on the lower and 0 on the upper end of axis 0, each half a voxel from
the first centres; the other sides carry no flux or are periodic. The potential and every sum are
64 bit, the preconditioner 32 bit: a W-cycle on cells joined two by two, whose faces carry half
the sum of the fine conductances, with coloured Gauss-Seidel sweeps; clusters of good conductors
amid bad ones get an unknown each (`mesolith.numerics.islands`).

What is asked for is the effective conductivity, so its error decides when to stop, not the
residual: the energy of any trial potential lies above the true conductance by exactly the energy
of its error (Dirichlet's principle), and each iteration tells by how much it lowered it.

Accuracy: that of the tolerance, down to 1e-7 for several materials (conductances are 32 bit).
Bytes per voxel while solving: about 29 for one conducting material, 40 for several, and 4 for each
of at most four levels of islands; more in images so small that their padding counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray
from mesolith.errors import MesolithError
from mesolith.numerics import _kernels_multigrid as kernels
from mesolith.numerics.blocks import Crew, crew_of
from mesolith.numerics.conduction_operator import (
    FaceOperator,
    MaskOperator,
    Operator,
    Shift,
)
from mesolith.numerics.islands import wrap_ghosts

Array = NDArray[Any]

COARSEST_CELLS = 64
# axes whose couplings are this much weaker than the strongest are not coarsened yet
WEAK = 1.0 / 3.0


class ConvergenceError(MesolithError):
    """The iteration did not reach the tolerance within its limit."""


@dataclass(frozen=True, slots=True)
class Potential:
    """Potential on the voxels, and what it says about the conductance.

    Attributes
    ----------
    values
        Shape of the image; 1 to 0 along axis 0, zero where nothing conducts.
    conductivity
        Effective conductivity along axis 0, in the unit of the image's values; never below the
        exact value of the voxel problem, but for rounding.
    error
        Estimated error of ``conductivity``, relative; from the energy that the last iterations
        gained and from the spread of the flux over the slices, whichever is larger.
    flux_spread
        Largest minus smallest flux through the slices, relative to their mean.
    iterations
        Of the conjugate gradients.
    bytes_per_voxel
        Of the arrays that the solver held.
    """

    values: FloatArray
    conductivity: float
    error: float
    flux_spread: float
    iterations: int
    bytes_per_voxel: float


def potential_of_conductivity(
    conductivity: Array,
    *,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    periodic: bool = False,
    tolerance: float = 1e-6,
    most_iterations: int = 1000,
    threads: int | None = None,
) -> Potential:
    """Potential from the conductivity of each voxel.

    Parameters
    ----------
    conductivity
        Shape (nx, ny, nz), zero or positive; every conducting voxel must belong to a cluster
        that touches both ends of axis 0 (see `mesolith.numerics.components`).
    spacing
        Edges of a voxel along the three axes; only their ratios matter.
    periodic
        Opposite sides (not the ends) are neighbours; otherwise no flux crosses them.
    tolerance
        Relative error of the effective conductivity at which to stop.
    threads
        How many threads share a sweep; the machine's number by default. The result is the same,
        byte by byte, for any number.

    Raises
    ------
    ConvergenceError
        Where ``most_iterations`` were not enough.
    """
    hx, hy, hz = spacing
    strength = (1.0, (hx / hy) ** 2, (hx / hz) ** 2)
    wrap = tuple(axis for axis in (1, 2) if periodic and conductivity.shape[axis] > 1)
    largest = float(conductivity.max())
    fine: Operator
    if _one_material(conductivity, largest):
        fine = MaskOperator.of_mask(conductivity, strength, wrap)
    else:
        fine = FaceOperator.of_conductivity(conductivity, largest, strength, wrap)
    with crew_of(threads) as crew:
        return _solve(fine, crew, largest, tolerance, most_iterations)


def _one_material(conductivity: Array, largest: float) -> bool:
    if conductivity.dtype == np.bool_:
        return True
    return all(bool(np.all((plane == 0) | (plane == largest))) for plane in conductivity)


class WCycle:
    """Approximate inverse of an operator: one cycle that visits coarse grids twice."""

    def __init__(self, fine: Operator, crew: Crew) -> None:
        self._crew = crew
        self._operators: list[Operator] = [fine]
        self._shifts: list[Shift] = []
        self._grids: list[tuple[Array, Array]] = []
        while int(np.prod(self._operators[-1].shape)) > COARSEST_CELLS:
            last = self._operators[-1]
            shift = _axes_to_join(last)
            self._shifts.append(shift)
            self._operators.append(FaceOperator.coarsened(last, shift))
            padded = [n + 2 for n in self._operators[-1].shape]
            self._grids.append((np.zeros(padded, np.float32), np.zeros(padded, np.float32)))
        self._inverse = self._dense_inverse()
        self.bytes = sum(operator.bytes for operator in self._operators[1:])
        self.bytes += sum(islands.bytes for islands in fine.islands)
        self.bytes += sum(a.nbytes + b.nbytes for a, b in self._grids)

    def __call__(self, r: Array, z: Array) -> None:
        """Write into z what the operator's inverse makes of r, nearly."""
        z[...] = 0.0
        self._cycle(0, z, r)
        for islands in self._operators[0].islands:
            islands.correct(r, z)

    def _cycle(self, level: int, u: Array, b: Array) -> None:
        operator, crew = self._operators[level], self._crew
        if level == len(self._operators) - 1:
            inside = (slice(1, -1),) * 3
            u[inside] = (self._inverse @ b[inside].ravel()).reshape(operator.shape)
            wrap_ghosts(u, operator.wrap)
            return
        operator.relax(crew, u, b, 0, 1)
        operator.relax(crew, u, b, 1, 1)
        coarse_u, coarse_b = self._grids[level]
        shift = self._shifts[level]
        operator.restrict(crew, u, b, shift, coarse_b)
        coarse_u[...] = 0.0
        for _ in range(2 if level > 0 else 1):
            self._cycle(level + 1, coarse_u, coarse_b)
        crew.planes(kernels.prolong_add, u, u, operator.active, shift, coarse_u)
        wrap_ghosts(u, operator.wrap)
        # the sweeps in reverse order keep the cycle symmetric
        operator.relax(crew, u, b, 1, 2)
        operator.relax(crew, u, b, 0, 2)

    def _dense_inverse(self) -> Array:
        operator = self._operators[-1]
        count = int(np.prod(operator.shape))
        u = np.zeros([n + 2 for n in operator.shape], dtype=np.float32)
        out = np.zeros_like(u)
        inside = (slice(1, -1),) * 3
        matrix = np.empty((count, count))
        for k in range(count):
            unit = np.zeros(count, dtype=np.float32)
            unit[k] = 1.0
            u[inside] = unit.reshape(operator.shape)
            wrap_ghosts(u, operator.wrap)
            operator.apply(self._crew, u, out)
            matrix[:, k] = out[inside].ravel()
        empty = np.diag(matrix) == 0
        matrix[empty, empty] = 1.0
        inverse: Array = np.linalg.inv(matrix)
        inverse[empty, empty] = 0.0
        return inverse.astype(np.float32)


def _axes_to_join(operator: Operator) -> Shift:
    """Axes with the strongest couplings that still have cells to join."""
    long = [n > 1 for n in operator.shape]
    top = max(g for g, can in zip(operator.strength, long, strict=True) if can)
    x, y, z = (int(can and g >= WEAK * top) for g, can in zip(operator.strength, long, strict=True))
    return x, y, z


@dataclass(frozen=True, slots=True)
class _Check:
    """What the potential itself says, in 64 bit, whatever the iteration believes.

    ``slice_gain`` is the energy that could be gained by shifting whole slices: a lower bound of
    the error, and the part of it that a plateau of the iteration would hide.
    """

    conductance: float
    slice_gain: float
    flux_spread: float


class _EnergyTail:
    """How much energy is left to gain, from what the iteration has met so far."""

    def __init__(self) -> None:
        self._gains: list[float] = []
        self._steps: list[float] = []
        self._ratios: list[float] = []
        self._largest_step = 0.0
        self._smallest_eigenvalue = float("inf")

    def restart(self) -> None:
        """The next direction forgets the ones before it."""
        self._steps, self._ratios = [], []

    def add(self, gain: float, step: float) -> None:
        """A step along a direction, and the energy it gained."""
        if self._steps:
            self._ratios.append(gain / step / (self._gains[-1] / self._steps[-1]))
        self._steps.append(step)
        self._gains.append(gain)
        self._largest_step = max(self._largest_step, step)

    def left(self, rz: float) -> float:
        """Energy of the error; rz is the energy of the residual under the preconditioner.

        Twice guessed: from the way the gains fall, and from the smallest eigenvalue that the
        iteration has found (Lanczos). The second is safe and, in hard cases, ten times too large.
        Both are guesses: against exact answers the error told was too small only for random
        voxels at percolation with edges of 1:10:100, by up to a factor of six.
        """
        count = len(self._gains)
        if count < 3:
            # too little is known of the preconditioner: only rounding passes
            return 1e4 * rz
        # a hard case falls in steps: the longer it lasts, the further back to look
        last = self._gains[-max(4, count // 3) :]
        if len(last) > 4:
            ratio = (last[-1] / last[0]) ** (1.0 / (len(last) - 1))
        else:
            ratio = max(b / a for a, b in pairwise(last))
        ratio = min(ratio, 0.99)
        by_gains = max(max(last[-4:]) * ratio / (1.0 - ratio), self._largest_step * rz)
        self._smallest_eigenvalue = min(self._smallest_eigenvalue, self._lanczos())
        return min(4.0 * by_gains, 2.0 * rz / self._smallest_eigenvalue)

    def _lanczos(self) -> float:
        """Smallest eigenvalue of the tridiagonal matrix of the steps since the last restart."""
        from scipy.linalg import eigvalsh_tridiagonal

        if len(self._steps) < 2:
            return float("inf")
        inverse = 1.0 / np.array(self._steps)
        ratios = np.array(self._ratios)
        diagonal = inverse.copy()
        diagonal[1:] += ratios * inverse[:-1]
        beside = np.sqrt(ratios) * inverse[:-1]
        lowest = eigvalsh_tridiagonal(diagonal, beside, select="i", select_range=(0, 0))
        return max(float(lowest[0]), np.finfo(float).tiny)


def _solve(
    fine: Operator, crew: Crew, unit: float, tolerance: float, most_iterations: int
) -> Potential:
    nx, ny, nz = fine.shape
    padded = (nx + 2, ny + 2, nz + 2)
    cycle = WCycle(fine, crew)
    u = np.zeros(padded)
    for i in range(1, nx + 1):
        u[i, 1:-1, 1:-1] = (1.0 - (i - 0.5) / nx) * fine.conducts(i)
    wrap_ghosts(u, fine.wrap)
    r, z, p, q = (np.zeros(padded, dtype=np.float32) for _ in range(4))
    held = u.nbytes + 4 * r.nbytes + fine.bytes + cycle.bytes

    tail = _EnergyTail()
    check = _residual(fine, crew, u, r)
    exact = True  # r is the residual of u, not what the recurrence made of it
    iterations, curvature = 0, 1.0
    while True:
        goal = tolerance * check.conductance
        cycle(r, z)
        rz = _dot(crew, r, z)
        left = tail.left(rz)
        if left <= goal:
            believed = _dot(crew, r, r)
            check = check if exact else _residual(fine, crew, u, r)
            # rounding of the recurrence is rough, and rough residuals hold little energy
            drifted = _dot(crew, r, r) > 4.0 * believed
            if max(left, check.slice_gain) <= tolerance * check.conductance and not drifted:
                break
            if not exact:
                exact = True
                continue
        if iterations >= most_iterations:
            raise ConvergenceError(
                f"conduction: relative error about {left / check.conductance:.1e} after "
                f"{iterations} iterations, {tolerance:.1e} was asked for",
                remedy="Ask for a larger tolerance; extreme contrasts need more iterations.",
            )
        # flexible: orthogonal to the last direction even where the cycle is not quite symmetric
        turned = 0.0
        if exact:
            tail.restart()
        else:
            turned = -_dot(crew, z, q) / curvature
        crew.pieces(kernels.turn, z, np.float32(turned), p)
        curvature = fine.apply(crew, p, q)
        step = rz / curvature
        crew.pieces(kernels.advance, step, p, q, u, r)
        tail.add(step * rz, step)
        exact = False
        iterations += 1
    return Potential(
        values=u[1:-1, 1:-1, 1:-1],
        conductivity=unit * check.conductance * nx / (ny * nz),
        error=max(left, check.slice_gain) / check.conductance,
        flux_spread=check.flux_spread,
        iterations=iterations,
        bytes_per_voxel=held / (nx * ny * nz),
    )


def _residual(fine: Operator, crew: Crew, u: FloatArray, r: Array) -> _Check:
    """Write the residual of u into r, and check the fluxes through all slices."""
    nx = fine.shape[0]
    energy = fine.residual(crew, u, r)
    inner = u[:, 1:-1, 1:-1]
    flux, conductance = np.empty(nx + 1), np.empty(nx + 1)
    for i in range(nx + 1):
        face = fine.faces(0, i + 1).astype(np.float64)
        below = 1.0 if i == 0 else inner[i]
        flux[i] = np.sum(face * (below - inner[i + 1]))
        conductance[i] = np.sum(face)
    common = np.sum(flux / conductance) / np.sum(1.0 / conductance)
    return _Check(
        conductance=energy,
        slice_gain=float(np.sum((flux - common) ** 2 / conductance)),
        flux_spread=float(np.ptp(flux) / flux.mean()),
    )


def _dot(crew: Crew, a: Array, b: Array) -> float:
    return sum(crew.pieces(kernels.dot, a, b))
