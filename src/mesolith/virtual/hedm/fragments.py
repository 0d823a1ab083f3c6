"""What the beam lights of each grain of a virtual cell, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mesolith.errors import InvalidValueError
from mesolith.virtual.arrays import COMPONENTS, BoolArray, FloatArray, IntArray, full_tensor
from mesolith.virtual.cell import VirtualCell
from mesolith.virtual.elasticity import cubic_strain
from mesolith.virtual.grid import Grid
from mesolith.virtual.hedm.grains import CrystalGrains
from mesolith.virtual.rotation import (
    matrices_from_quaternions,
    matrices_from_vectors,
    random_orientations,
)


@dataclass(frozen=True, slots=True)
class Fragments:
    """Lit parts of grains, one row each, sample axes with z = 0 in the middle of the beam.

    ``grain`` is the number of the whole grain; ``position`` (n, 3), um, the centre of mass of
    the part that is lit and ``volume`` (n,), um^3, its size; ``shape`` (n, 3, 3), um^2, the
    second moments about that centre; ``cut`` tells whether the grain goes on beyond the beam;
    ``strain`` (n, 3, 3) the mean elastic strain of the part; ``orientation`` maps crystal to
    sample; ``phase`` 0 is the majority, 1 the minority polymorph.
    """

    grain: IntArray
    position: FloatArray
    volume: FloatArray
    shape: FloatArray
    cut: BoolArray
    orientation: FloatArray
    strain: FloatArray
    phase: IntArray

    def __len__(self) -> int:
        return len(self.grain)

    @property
    def diameter(self) -> FloatArray:
        """Diameter of the sphere of equal volume, um."""
        return np.cbrt(6.0 * self.volume / math.pi)

    def take(self, keep: BoolArray | IntArray) -> Fragments:
        """Some of the rows."""
        return Fragments(
            self.grain[keep],
            self.position[keep],
            self.volume[keep],
            self.shape[keep],
            self.cut[keep],
            self.orientation[keep],
            self.strain[keep],
            self.phase[keep],
        )

    def moved(self, shift: FloatArray, turn: FloatArray) -> Fragments:
        """The same parts after the sample was turned by a rotation vector and then shifted."""
        rotation = matrices_from_vectors(np.asarray(turn, dtype=np.float64))
        return Fragments(
            self.grain,
            self.position @ rotation.T + shift,
            self.volume,
            rotation @ self.shape @ rotation.T,
            self.cut,
            rotation @ self.orientation,
            rotation @ self.strain @ rotation.T,
            self.phase,
        )

    def crystals(
        self, lattice_angstrom: float | FloatArray, *, counts_per_um3: float = 1.0
    ) -> CrystalGrains:
        """Grains for a spot list: as strong as they are large; a lattice for all, or one each."""
        return CrystalGrains(
            self.position,
            self.orientation,
            self.strain,
            counts_per_um3 * self.volume,
            lattice_angstrom,
            self.phase,
        )


def layers_of(
    cell: VirtualCell, state: int, *, height: float = 100.0, spacing: float = 5.0
) -> Iterator[tuple[float, Fragments]]:
    """Layers of a cell from below, as (height of the middle, fragments); what is left is a layer.

    ``height`` of the beam in um, ``spacing`` of the voxels on which it is rendered. One layer is
    in memory at a time.
    """
    count = math.ceil(cell.plan.thickness_um / height - 1e-9)
    first = -cell.plan.thickness_um / 2.0 + height / 2.0
    for k in range(count):
        middle = first + k * height
        yield middle, fragments_of(cell, state, middle=middle, height=height, spacing=spacing)


def fragments_of(
    cell: VirtualCell, state: int, *, middle: float, height: float, spacing: float = 5.0
) -> Fragments:
    """Parts of the grains between ``middle`` - and + ``height`` / 2, um of the cell's z axis.

    Rendered on voxels of about ``spacing`` um, which the height holds a whole number of. Pores
    are left out of all sums. Strain is the mean over the voxels, each with the elastic strain
    at its centre; positions are relative to (0, 0, ``middle``).
    """
    if not (height > 0.0 and spacing > 0.0):
        raise InvalidValueError(f"a layer of {height:g} um on voxels of {spacing:g} um is none")
    slices = max(1, round(height / spacing))
    voxel = height / slices
    across = math.ceil(cell.plan.diameter_um / voxel)
    half = 0.5 * (across - 1) * voxel
    grid = Grid(
        (-half, -half, middle - 0.5 * (slices - 1) * voxel), voxel, (slices, across, across)
    )
    sums = np.zeros((cell.count, 16))
    for layer in range(slices):
        _add_slice(sums, cell, state, grid.slab(layer, layer + 1), middle)
    here = np.flatnonzero(sums[:, 0] > 0.0)
    voxels = sums[here, 0]
    mean = sums[here, 1:4] / voxels[:, None]
    second = np.empty((len(here), 3, 3))
    stress = np.empty((len(here), 3, 3))
    for c, (i, j) in enumerate(COMPONENTS):
        second[:, i, j] = second[:, j, i] = (
            sums[here, 4 + c] / voxels - mean[:, i] * mean[:, j] + (i == j) * voxel**2 / 12.0
        )
        stress[:, i, j] = stress[:, j, i] = sums[here, 10 + c] / voxels
    orientation = matrices_from_quaternions(cell.orientation[here])
    return Fragments(
        grain=here,
        position=mean,
        volume=voxels * voxel**3,
        shape=second,
        cut=_goes_on(cell, here, grid, state),
        orientation=orientation,
        strain=cubic_strain(stress, orientation, cell.plan.stiffness_mpa),
        phase=cell.phase[here],
    )


def random_spheres(
    rng: np.random.Generator,
    count: int,
    *,
    grain_um: float = 50.0,
    log_sigma: float = 0.2,
    diameter: float = 1600.0,
    height: float = 100.0,
    strain: float = 5e-4,
) -> Fragments:
    """Fragments without a cell: spheres of log-normal diameter at random, none of them cut."""
    size = grain_um * np.exp(log_sigma * rng.standard_normal(count))
    across = diameter / 2.0 * np.sqrt(rng.random(count))
    angle = 2.0 * math.pi * rng.random(count)
    place = [across * np.cos(angle), across * np.sin(angle), height * (rng.random(count) - 0.5)]
    return Fragments(
        grain=np.arange(count),
        position=np.column_stack(place),
        volume=math.pi / 6.0 * size**3,
        shape=(size**2 / 20.0)[:, None, None] * np.eye(3),
        cut=np.zeros(count, dtype=bool),
        orientation=matrices_from_quaternions(random_orientations(rng, count)),
        strain=full_tensor(strain * rng.standard_normal((count, 6))),
        phase=np.zeros(count, dtype=np.int64),
    )


def _add_slice(sums: FloatArray, cell: VirtualCell, state: int, grid: Grid, middle: float) -> None:
    """Add one slice of voxels: counts, first and second moments, stress; sums is (n, 16)."""
    grain = cell.render(grid, state).grain.ravel()
    solid = np.flatnonzero(grain >= 0)
    if not len(solid):
        return
    owner = grain[solid]
    points = grid.points()[solid]
    stress = cell.stress_at(points, state)
    points[:, 2] -= middle
    x, y, z = points.T
    columns = [np.ones(len(owner)), x, y, z, x * x, y * y, z * z, y * z, x * z, x * y]
    columns += [stress[:, i, j] for i, j in COMPONENTS]
    for c, values in enumerate(columns):
        sums[:, c] += np.bincount(owner, weights=values, minlength=len(sums))


def _goes_on(cell: VirtualCell, grains: IntArray, grid: Grid, state: int) -> BoolArray:
    """Whether each grain has a voxel in the slice just below or just above the layer."""
    found = np.zeros(cell.count, dtype=bool)
    for start in (-1, grid.shape[0]):
        beyond = cell.render(grid.slab(start, start + 1), state).grain
        found[beyond[beyond >= 0]] = True
    return found[grains]
