"""Truth of a virtual cell: functions of position and state, kept as seeds and coefficients.

Axes: z is the stack axis, counter electrode below, working electrode above; the origin is the
centre of the pellet. Points are (m, 3), um. A state is its number in `CellPlan.states`.

The residual stress is that of an eigenstrain (each grain has its own tensor) in a homogeneous
isotropic body, computed periodically on the voxels of `VirtualCell.grid`; a uniform stress in the
solid then makes the volume mean over the cylinder, pores counted as zero stress, exactly
diag(0, 0, -p) in each state. Inside the body this stress is free of divergence. On the cut
surface of the cylinder and of the pores its tractions are not zero: there the truth is a body
cut out without being let go. Grains answer with their own cubic compliance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from mesolith.virtual.arrays import BoolArray, FloatArray, IntArray, full_tensor
from mesolith.virtual.elasticity import cubic_strain, hydrostatic, isotropic_moduli, von_mises
from mesolith.virtual.electrodes import Electrodes, draw_electrodes
from mesolith.virtual.green import stress_from_eigenstrain
from mesolith.virtual.grid import Grid, grid_around
from mesolith.virtual.misfit import draw_misfit, mode_weights
from mesolith.virtual.plan import CellPlan, plan_from_preset
from mesolith.virtual.planting import drift_by_state, planted_misfit
from mesolith.virtual.pores import Pores, draw_pores
from mesolith.virtual.rotation import matrices_from_quaternions, random_orientations
from mesolith.virtual.tessellation import Laguerre, cell_moments, fit_laguerre

OUTSIDE, MAJORITY, MINORITY, PORE, LITHIUM_WORKING, LITHIUM_COUNTER = range(6)


@dataclass(frozen=True, slots=True)
class GrainTruth:
    """What is true of each grain in one state, body axes (no rigid motion yet).

    ``grain`` are the numbers of the grains (0, 1, ...); ``position`` the centre (of the
    whole grain) and ``volume`` that of its solid, pores left out; ``orientation`` matrices map
    crystal to sample;
    ``phase`` is 0 for the majority, 1 for the minority polymorph; ``stress`` (MPa) and
    ``strain`` (elastic) are means over the solid of the grain.
    """

    grain: IntArray
    position: FloatArray
    volume: FloatArray
    orientation: FloatArray
    phase: IntArray
    stress: FloatArray
    strain: FloatArray

    @property
    def radius(self) -> FloatArray:
        """Radius of the sphere of equal volume, um."""
        return np.cbrt(3.0 * self.volume / (4.0 * math.pi))

    @property
    def stress_hydrostatic(self) -> FloatArray:
        """Hydrostatic stress, MPa."""
        return hydrostatic(self.stress)

    @property
    def stress_von_mises(self) -> FloatArray:
        """Von Mises stress, MPa."""
        return von_mises(self.stress)


@dataclass(frozen=True, slots=True)
class Slab:
    """Maps of one slab of the cell in one state, arrays of the order (z, y, x)."""

    grid: Grid
    phase: NDArray[np.uint8]
    grain: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class VirtualCell:
    """A cell with known truth; made by `VirtualCell.draw`."""

    seed: int
    plan: CellPlan
    laguerre: Laguerre
    orientation: FloatArray
    phase: IntArray
    misfit: FloatArray
    pores: Pores
    electrodes: Electrodes

    @classmethod
    def draw(cls, seed: int, preset: str = "tiny", **overrides: Any) -> VirtualCell:
        """Cell of a preset, some values of its plan replaced; the same seed, the same cell."""
        plan = plan_from_preset(preset, **overrides)
        rng = np.random.default_rng([seed, 0xCE11])
        count = plan.grains
        diameter = plan.grain_um * np.exp(plan.log_sigma * rng.standard_normal(count))
        laguerre = fit_laguerre(
            diameter**3,
            diameter=plan.diameter_um,
            height=plan.thickness_um,
            rng=rng,
            voxels_across=plan.voxels_across,
        )
        orientation = random_orientations(rng, count)
        phase = np.zeros(count, dtype=np.int64)
        minority = rng.permutation(count)[: round(plan.minority_share * count)]
        phase[minority] = 1
        spots = _draw_hot_spots(plan, rng)
        misfit = draw_misfit(plan, laguerre.seed, phase, spots, rng)
        pores = draw_pores(plan, spots, rng)
        electrodes = draw_electrodes(plan, spots, rng)
        cell = cls(seed, plan, laguerre, orientation, phase, misfit, pores, electrodes)
        return cell._with_planted_stress() if plan.planted.stress else cell

    @property
    def count(self) -> int:
        """Number of grains."""
        return len(self.phase)

    @property
    def drift(self) -> FloatArray:
        """Planted dilatation (states,) that every lattice of a state seems to have."""
        return drift_by_state(self.plan, self.seed)

    @cached_property
    def grid(self) -> Grid:
        """Grid of the mechanics: the voxels on which stress is balanced and averaged."""
        spacing = self.plan.grain_um / self.plan.voxels_across
        return grid_around(self.plan.diameter_um, self.plan.thickness_um, spacing, odd=True)

    def grain_at(self, points: FloatArray, state: int) -> IntArray:
        """Number of the grain at each point; -1 in pores and outside the electrolyte."""
        inside = self._in_electrolyte(points) & ~self.pores.at(points, state)
        grain = np.full(len(points), -1, dtype=np.int64)
        if inside.any():
            grain[inside] = self.laguerre.owner_at(points[inside])
        return grain

    def pore_at(self, points: FloatArray, state: int) -> BoolArray:
        """Whether each point lies in a pore of the electrolyte."""
        return self._in_electrolyte(points) & self.pores.at(points, state)

    def phase_at(self, points: FloatArray, state: int) -> NDArray[np.uint8]:
        """OUTSIDE, MAJORITY, MINORITY, PORE, LITHIUM_WORKING or LITHIUM_COUNTER at each point."""
        grain = self.grain_at(points, state)
        phase = np.full(len(points), OUTSIDE, dtype=np.uint8)
        solid = grain >= 0
        phase[solid] = (MAJORITY + self.phase[grain[solid]]).astype(np.uint8)
        phase[~solid & self._in_electrolyte(points)] = PORE
        beyond = np.abs(points[:, 2]) - self.plan.thickness_um / 2.0
        disc = np.hypot(points[:, 0], points[:, 1]) <= self.plan.diameter_um / 2.0
        for side, code in ((1, LITHIUM_WORKING), (-1, LITHIUM_COUNTER)):
            here = disc & (beyond > 0.0) & (side * points[:, 2] > 0.0)
            thickness = self.electrodes.thickness(points[here, :2], state, side)
            phase[np.flatnonzero(here)[beyond[here] <= thickness]] = code
        return phase

    def stress_at(self, points: FloatArray, state: int) -> FloatArray:
        """Stress (m, 3, 3), MPa: linear between the voxels of `grid`; zero off the solid."""
        six = np.zeros((len(points), 6))
        solid = self._in_electrolyte(points) & ~self.pores.at(points, state)
        where = (points[solid] - np.array(self.grid.first)) / self.grid.spacing
        for c, field in enumerate(self._stress_fields(state)):
            six[solid, c] = map_coordinates(field, where[:, ::-1].T, order=1, mode="grid-wrap")
        return full_tensor(six)

    def strain_at(self, points: FloatArray, state: int) -> FloatArray:
        """Elastic strain (m, 3, 3): the compliance of the grain on `stress_at`."""
        grain = self.grain_at(points, state)
        strain = np.zeros((len(points), 3, 3))
        solid = grain >= 0
        strain[solid] = cubic_strain(
            self.stress_at(points[solid], state),
            matrices_from_quaternions(self.orientation[grain[solid]]),
            self.plan.stiffness_mpa,
        )
        return strain

    def render(self, grid: Grid, state: int) -> Slab:
        """Phase and grain maps on a grid; slabs of a grid give the slabs of its maps.

        Voxels take the value at their centre. Memory is about 30 bytes a voxel.
        """
        inside = grid.in_cylinder(self.plan.diameter_um, self.plan.thickness_um)
        grain = self.laguerre.render(grid, inside)
        pore = self.pores.render(grid, state) & inside
        grain[pore] = -1
        phase = np.zeros(grid.shape, dtype=np.uint8)
        phase[inside] = (MAJORITY + self.phase[grain[inside]]).astype(np.uint8)
        phase[pore] = PORE
        self._paint_lithium(phase, grid, state)
        return Slab(grid, phase, grain)

    def grain_truth(self, state: int) -> GrainTruth:
        """Means over the solid of each grain, on the voxels of `grid`.

        The sum of volume times stress over the grains is diag(0, 0, -p) times the volume of the
        cylinder to round-off. A grain without a voxel of solid is left out.
        """
        sums = self._sums
        pore = self.pores.render(self.grid, state).ravel()[sums.pore_voxel]
        label = sums.pore_owner[pore]
        voxels = sums.voxels - np.bincount(label, minlength=self.count)
        weights = self._weights(state)
        total = np.tensordot(weights, sums.stress, axes=1)
        in_pores = np.tensordot(weights, sums.pore_stress, axes=1)[:, pore]
        for c in range(6):
            total[c] -= np.bincount(label, weights=in_pores[c], minlength=self.count)
        here = np.flatnonzero(voxels > 0)
        six = (total[:, here] / voxels[here]).T + self._uniform(state, total.sum(axis=1), voxels)
        stress = full_tensor(six)
        rotation = matrices_from_quaternions(self.orientation[here])
        return GrainTruth(
            grain=here,
            position=sums.centre[here],
            volume=voxels[here].astype(np.float64) * self.grid.spacing**3,
            orientation=rotation,
            phase=self.phase[here],
            stress=stress,
            strain=cubic_strain(stress, rotation, self.plan.stiffness_mpa),
        )

    def _with_planted_stress(self) -> VirtualCell:
        """The same cell with the planted effects of its plan in its eigenstrains."""
        first = replace(self, misfit=self.misfit[:1]).grain_truth(0)
        misfit = planted_misfit(
            self.misfit,
            self.plan,
            grain=first.grain,
            position=first.position,
            hydrostatic=first.stress_hydrostatic,
            rng=np.random.default_rng([self.seed, 0x91A7]),
        )
        return replace(self, misfit=misfit)

    def _weights(self, state: int) -> FloatArray:
        """Weight of each mode of the misfit in a state."""
        return mode_weights(self.plan.states[state], self.plan.states, len(self.misfit))

    def _uniform(self, state: int, total: FloatArray, voxels: NDArray[Any]) -> FloatArray:
        """Uniform stress (6,) of the solid that brings the mean over the cylinder to its load."""
        load = np.zeros(6)
        load[2] = -self.plan.stack_pressure_mpa[state]
        return np.asarray((load * self._sums.voxels.sum() - total) / voxels.sum())

    def _in_electrolyte(self, points: FloatArray) -> BoolArray:
        disc = points[:, 0] ** 2 + points[:, 1] ** 2 <= (self.plan.diameter_um / 2.0) ** 2
        return np.asarray(disc & (np.abs(points[:, 2]) <= self.plan.thickness_um / 2.0))

    def _paint_lithium(self, phase: NDArray[np.uint8], grid: Grid, state: int) -> None:
        x, y = np.meshgrid(grid.axis(0), grid.axis(1))
        disc = x**2 + y**2 <= (self.plan.diameter_um / 2.0) ** 2
        columns = np.column_stack([x[disc], y[disc]])
        for side, code in ((1, LITHIUM_WORKING), (-1, LITHIUM_COUNTER)):
            thickness = self.electrodes.thickness(columns, state, side)
            for layer, z in enumerate(grid.axis(2)):
                beyond = side * z - self.plan.thickness_um / 2.0
                if beyond > 0.0:
                    phase[layer][disc] = np.where(thickness >= beyond, code, OUTSIDE)

    def _stress_fields(self, state: int) -> list[FloatArray]:
        """Stress of the state on `grid`, six arrays; the last state asked for is kept."""
        kept: dict[int, list[FloatArray]] = self.__dict__.setdefault("_kept_fields", {})
        if state not in kept:
            kept.clear()
            six = np.tensordot(self._weights(state), self.misfit, axes=1)
            fields = list(self._transformed(six, self._owner()))
            pore = self.pores.render(self.grid, state)
            solid = self.grid.in_cylinder(self.plan.diameter_um, self.plan.thickness_um) & ~pore
            total = np.array([field[solid].sum() for field in fields])
            uniform = self._uniform(state, total, np.array([solid.sum()]))
            for field, shift in zip(fields, uniform, strict=True):
                field += shift
            kept[state] = fields
        return kept[state]

    def _owner(self) -> NDArray[np.int32]:
        inside = self.grid.in_cylinder(self.plan.diameter_um, self.plan.thickness_um)
        return self.laguerre.render(self.grid, inside)

    def _transformed(self, six: FloatArray, owner: NDArray[np.int32]) -> Any:
        """Stress fields of one eigenstrain tensor a grain, (n, 6); none outside the cylinder."""
        bulk, shear = isotropic_moduli(self.plan.stiffness_mpa)
        padded = np.vstack([six, np.zeros(6)])  # owner -1 finds the last row
        return stress_from_eigenstrain(
            lambda c: padded[owner, c], grid=self.grid, bulk_mpa=bulk, shear_mpa=shear
        )

    @cached_property
    def _sums(self) -> _Sums:
        """Sums over the voxels of each grain, for each mode of the misfit."""
        owner = self._owner()
        volume, centre = cell_moments(owner, self.grid, self.count)
        last = len(self.plan.states) - 1
        flat = owner.ravel()
        pore = np.flatnonzero(self.pores.render(self.grid, last).ravel() & (flat >= 0))
        modes = len(self.misfit)
        stress = np.empty((modes, 6, self.count))
        pore_stress = np.empty((modes, 6, len(pore)))
        label = flat + 1
        for mode in range(modes):
            for c, field in enumerate(self._transformed(self.misfit[mode], owner)):
                values = field.ravel()
                stress[mode, c] = np.bincount(label, values, minlength=self.count + 1)[1:]
                pore_stress[mode, c] = values[pore]
        return _Sums(
            voxels=np.rint(volume / self.grid.spacing**3).astype(np.int64),
            centre=centre,
            stress=stress,
            pore_voxel=pore,
            pore_owner=flat[pore].astype(np.int64),
            pore_stress=pore_stress,
        )


@dataclass(frozen=True, slots=True)
class _Sums:
    """Per grain: voxels (pores included), centre, stress sums (mode, 6, n); and pore voxels."""

    voxels: IntArray
    centre: FloatArray
    stress: FloatArray
    pore_voxel: IntArray
    pore_owner: IntArray
    pore_stress: FloatArray


def _draw_hot_spots(plan: CellPlan, rng: np.random.Generator) -> FloatArray:
    """Places where the current focuses, shape (spots, 3): most near the working electrode."""
    radius = 0.42 * plan.diameter_um * np.sqrt(rng.random(plan.hot_spots))
    angle = 2.0 * math.pi * rng.random(plan.hot_spots)
    depth = np.minimum(rng.exponential(0.2, plan.hot_spots), 0.9) * plan.thickness_um
    return np.column_stack(
        [radius * np.cos(angle), radius * np.sin(angle), plan.thickness_um / 2.0 - depth]
    )
