"""Seven-point conduction on one grid, as the multigrid solver needs it.

Two operators with the same methods: one byte a voxel where a single material conducts, three
conductances a cell otherwise and on all coarse grids. All arrays are padded by one cell; axis 0
is the flow, and its ends are couplings to a fixed potential half a voxel away.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray
from mesolith.numerics import _kernels_multigrid as kernels
from mesolith.numerics.blocks import Crew
from mesolith.numerics.islands import Islands, islands_of, wrap_ghosts

Array = NDArray[Any]
Shift = tuple[int, int, int]


class Operator(Protocol):
    """Conduction on one grid; all arrays padded by one cell."""

    shape: tuple[int, int, int]
    strength: tuple[float, float, float]
    wrap: tuple[int, ...]
    active: Array
    bytes: int
    islands: list[Islands]

    def relax(self, crew: Crew, u: Array, b: Array, colour: int, first: int) -> None: ...
    def apply(self, crew: Crew, u: Array, out: Array) -> float: ...
    def residual(self, crew: Crew, u: Array, out: Array) -> float: ...
    def restrict(self, crew: Crew, u: Array, b: Array, shift: Shift, coarse: Array) -> None: ...
    def faces(self, axis: int, plane: int) -> Array: ...
    def conducts(self, plane: int) -> Array: ...


class MaskOperator:
    """One conducting material: equal conductance of all faces along an axis."""

    def __init__(
        self, code: Array, strength: tuple[float, float, float], wrap: tuple[int, ...]
    ) -> None:
        self.shape = _inner(code)
        self.strength = strength
        self.wrap = wrap
        self.active = code
        self.bytes = code.nbytes
        self.islands: list[Islands] = []
        self._single = tuple(np.float32(s) for s in strength)

    @classmethod
    def of_mask(
        cls, mask: Array, strength: tuple[float, float, float], wrap: tuple[int, ...]
    ) -> MaskOperator:
        """Count the couplings of each voxel."""
        nx, ny, nz = mask.shape
        conducts = np.zeros((nx + 2, ny + 2, nz + 2), dtype=np.uint8)
        np.not_equal(mask, 0, out=conducts[1:-1, 1:-1, 1:-1], casting="unsafe")
        wrap_ghosts(conducts, wrap)
        code = np.zeros_like(conducts)
        for i in range(1, nx + 1):
            plane = conducts[i]
            along_x = conducts[i - 1, 1:-1, 1:-1] + conducts[i + 1, 1:-1, 1:-1]
            along_x += 2 * (int(i == 1) + int(i == nx))
            along_y = plane[:-2, 1:-1] + plane[2:, 1:-1]
            along_z = plane[1:-1, :-2] + plane[1:-1, 2:]
            bits = along_x | (along_y << 3) | (along_z << 5)
            code[i, 1:-1, 1:-1] = bits * plane[1:-1, 1:-1]
        wrap_ghosts(code, wrap)
        operator = cls(code, strength, wrap)
        operator.islands = islands_of(operator, mask)
        return operator

    def relax(self, crew: Crew, u: Array, b: Array, colour: int, first: int) -> None:
        """Gauss-Seidel on one colour of rows."""
        crew.planes(
            kernels.relax_mask, u, u, b, self.active, *self._single, np.int64(colour), first
        )
        wrap_ghosts(u, self.wrap)

    def apply(self, crew: Crew, u: Array, out: Array) -> float:
        """Operator on u; returns the energy of u, its padding at the ends being zero."""
        strength = self._single if u.dtype == np.float32 else self.strength
        return sum(crew.planes(kernels.apply_mask, u, u, self.active, *strength, out))

    def residual(self, crew: Crew, u: Array, out: Array) -> float:
        """Residual for a potential of 1 below and 0 above; returns the energy."""
        # the end enters as padding, so that only a difference is rounded to 32 bit; its
        # coupling counts twice in the byte and once in the sum over the neighbours
        u[0] = 2.0
        product = self.apply(crew, u, out)
        u[0] = 0.0
        np.negative(out, out=out)
        conducts = self.conducts(1)
        return product + 2.0 * float(np.sum(1.0 - u[1, 1:-1, 1:-1][conducts]))

    def restrict(self, crew: Crew, u: Array, b: Array, shift: Shift, coarse: Array) -> None:
        """Residual of u, summed over coarse cells."""
        crew.planes(kernels.restrict_mask, coarse, u, b, self.active, *self._single, shift, coarse)

    def faces(self, axis: int, plane: int) -> Array:
        """Conductances across the faces below the cells of a padded plane, and above the last."""
        here = self.active[plane] != 0
        if axis == 0:
            below = self.active[plane - 1] != 0
            if plane == 1:
                open_ = 2.0 * here
            elif plane == self.shape[0] + 1:
                open_ = 2.0 * below
            else:
                open_ = (here & below).astype(np.float64)
            open_ = open_[1:-1, 1:-1]
        elif axis == 1:
            open_ = here[1:, 1:-1] & here[:-1, 1:-1]
        else:
            open_ = here[1:-1, 1:] & here[1:-1, :-1]
        return np.asarray(open_ * self.strength[axis], dtype=np.float32)

    def conducts(self, plane: int) -> Array:
        """Cells of a padded plane that have any coupling."""
        return self.active[plane, 1:-1, 1:-1] != 0


class FaceOperator:
    """A conductance for each face."""

    def __init__(
        self,
        faces: tuple[Array, Array, Array],
        strength: tuple[float, float, float],
        wrap: tuple[int, ...],
    ) -> None:
        self.shape = _inner(faces[0])
        self.strength = strength
        self.wrap = wrap
        self.islands: list[Islands] = []
        self.bytes = sum(array.nbytes for array in faces)
        self._faces = faces
        # a cell without couplings may carry any value, so all cells take part
        self.active = np.broadcast_to(np.uint8(1), faces[0].shape)

    @classmethod
    def of_conductivity(
        cls,
        conductivity: Array,
        largest: float,
        strength: tuple[float, float, float],
        wrap: tuple[int, ...],
    ) -> FaceOperator:
        """Series conductance of the two half voxels at each face, for conductivity / largest."""
        nx, ny, nz = conductivity.shape
        cx, cy, cz = (np.zeros((nx + 2, ny + 2, nz + 2), dtype=np.float32) for _ in range(3))
        below = None
        for i in range(1, nx + 1):
            here = np.zeros((ny + 2, nz + 2))
            here[1:-1, 1:-1] = conductivity[i - 1]
            here /= largest
            wrap_ghosts(here[None], wrap)
            inner = here[1:-1, 1:-1]
            cx[i, 1:-1, 1:-1] = 2.0 * inner if below is None else _series(below, inner)
            cy[i, 1:, 1:-1] = strength[1] * _series(here[:-1, 1:-1], here[1:, 1:-1])
            cz[i, 1:-1, 1:] = strength[2] * _series(here[1:-1, :-1], here[1:-1, 1:])
            below = inner
        cx[nx + 1, 1:-1, 1:-1] = 2.0 * below if below is not None else 0.0
        operator = cls((cx, cy, cz), strength, wrap)
        operator.islands = islands_of(operator, conductivity)
        return operator

    @classmethod
    def coarsened(cls, fine: Operator, shift: Shift) -> FaceOperator:
        """Faces of cells joined in pairs along the axes where shift is 1.

        The sum over the fine faces, halved where the distance of the centres has doubled.
        """
        nx, ny, nz = fine.shape
        shape = coarse_shape(fine.shape, shift)
        cx, cy, cz = (np.zeros([n + 2 for n in shape], dtype=np.float32) for _ in range(3))
        at = [
            np.minimum(np.arange(n + 1) << s, last)
            for n, s, last in zip(shape, shift, (nx, ny, nz), strict=True)
        ]
        half = [0.5 if s else 1.0 for s in shift]
        for m in range(1, shape[0] + 2):
            face = fine.faces(0, int(at[0][m - 1]) + 1)
            cx[m, 1:-1, 1:-1] = half[0] * _joined(_joined(face, 0, shift[1]), 1, shift[2])
        for m in range(1, shape[0] + 1):
            for i in range(((m - 1) << shift[0]) + 1, min(m << shift[0], nx) + 1):
                along_y, along_z = fine.faces(1, i)[at[1]], fine.faces(2, i)[:, at[2]]
                cy[m, 1:, 1:-1] += half[1] * _joined(along_y, 1, shift[2])
                cz[m, 1:-1, 1:] += half[2] * _joined(along_z, 0, shift[1])
        strength = tuple(g / (4.0 if s else 1.0) for g, s in zip(fine.strength, shift, strict=True))
        return cls((cx, cy, cz), (strength[0], strength[1], strength[2]), fine.wrap)

    def relax(self, crew: Crew, u: Array, b: Array, colour: int, first: int) -> None:
        """Gauss-Seidel on one colour of rows."""
        crew.planes(kernels.relax_faces, u, u, b, *self._faces, np.int64(colour), first)
        wrap_ghosts(u, self.wrap)

    def apply(self, crew: Crew, u: Array, out: Array) -> float:
        """Operator on u; returns the energy of u, its padding at the ends being zero."""
        return sum(crew.planes(kernels.apply_faces, u, u, *self._faces, out))

    def residual(self, crew: Crew, u: Array, out: Array) -> float:
        """Residual for a potential of 1 below and 0 above; returns the energy."""
        u[0] = 1.0
        energy = self.apply(crew, u, out)
        u[0] = 0.0
        np.negative(out, out=out)
        return energy

    def restrict(self, crew: Crew, u: Array, b: Array, shift: Shift, coarse: Array) -> None:
        """Residual of u, summed over coarse cells."""
        crew.planes(kernels.restrict_faces, coarse, u, b, *self._faces, shift, coarse)

    def faces(self, axis: int, plane: int) -> Array:
        """Conductances across the faces below the cells of a padded plane, and above the last."""
        values = self._faces[axis][plane]
        if axis == 0:
            return values[1:-1, 1:-1]
        return values[1:, 1:-1] if axis == 1 else values[1:-1, 1:]

    def conducts(self, plane: int) -> Array:
        """Cells of a padded plane that have any coupling."""
        x, y, z = (
            self.faces(0, plane) + self.faces(0, plane + 1),
            self.faces(1, plane),
            self.faces(2, plane),
        )
        return x + y[1:] + y[:-1] + z[:, 1:] + z[:, :-1] > 0


def _inner(padded: Array) -> tuple[int, int, int]:
    nx, ny, nz = padded.shape
    return nx - 2, ny - 2, nz - 2


def _series(a: FloatArray, b: FloatArray) -> FloatArray:
    total = a + b
    return np.divide(2.0 * a * b, total, out=np.zeros_like(total), where=total > 0)


def _joined(values: Array, axis: int, shift: int) -> Array:
    """Sum of neighbours two by two along an axis; an odd last one stays alone."""
    if not shift:
        return values
    values = np.moveaxis(values, axis, 0)
    out = values[0::2].copy()
    out[: len(values) // 2] += values[1::2]
    return np.moveaxis(out, 0, axis)


def coarse_shape(shape: tuple[int, int, int], shift: Shift) -> tuple[int, int, int]:
    """Cells of the next grid."""
    nx, ny, nz = ((n + s) >> s for n, s in zip(shape, shift, strict=True))
    return nx, ny, nz
