"""Grains in equilibrium with known stress and known strain-free lattice."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mesolith.axes import FloatArray, IntArray, tensor_from_six
from mesolith.crystal.elasticity import rotate_to_crystal, strain_from_stress
from mesolith.crystal.lattice import basis_from_lattice, lattice_from_basis
from mesolith.materials.loader import Material, load_material
from mesolith.numerics.rotations import random_quaternions
from mesolith.records.grains import GrainMap, Phases
from mesolith.records.tracking import Tracking

MATERIAL = load_material("LLZTO-I-43d")
FILE_LATTICE = np.array([12.95, 12.95, 12.95, *[np.pi / 2] * 3])
PHASES = Phases(name=("LLZTO",), space_group=np.array([220]), lattice=FILE_LATTICE[None])


def stiffness_of(material: Material) -> FloatArray:
    assert material.stiffness is not None
    return material.stiffness


@dataclass(frozen=True)
class Polycrystal:
    """Truth of one state: the volume mean of the stress is exactly diag(0, 0, -pressure)."""

    orientation: FloatArray
    radius: FloatArray
    completeness: FloatArray
    stress: FloatArray

    @property
    def weights(self) -> FloatArray:
        weights = self.radius**3 * self.completeness
        return weights / weights.sum()

    def grain_map(
        self,
        *,
        offset: float = 0.0,
        sigma_strain: float = 0.0,
        stated_strain: float = 1e-4,
        radius_scatter: float = 0.0,
        rng: np.random.Generator | None = None,
        error_source: str = "given",
    ) -> GrainMap:
        """Measured map; the strain-free lattice is the file's times 1 + offset."""
        rng = rng or np.random.default_rng(0)
        count = len(self.radius)
        strain = strain_from_stress(self.stress, stiffness_of(MATERIAL), self.orientation)
        strain = strain + tensor_from_six(sigma_strain * rng.standard_normal((count, 6)))
        crystal = rotate_to_crystal(strain, self.orientation)
        reference = FILE_LATTICE * np.array([1 + offset] * 3 + [1] * 3)
        lattice = lattice_from_basis((np.eye(3) + crystal) @ basis_from_lattice(reference))
        sigma = np.array([20.0] * 3 + [np.radians(0.1)] * 3 + [stated_strain] * 6)
        return GrainMap(
            grain_id=np.arange(1, count + 1),
            position=rng.uniform(-200, 200, (count, 3)),
            orientation=self.orientation,
            lattice=lattice,
            radius=self.radius * np.exp(radius_scatter * rng.standard_normal(count)),
            completeness=self.completeness,
            phase=np.zeros(count, dtype=np.int64),
            phases=PHASES,
            covariance=np.tile(np.diag(sigma**2), (count, 1, 1)),
            error_source=error_source,
        )

    def with_stress(self, stress: FloatArray, pressure: float) -> Polycrystal:
        """The same grains under another stress, balanced anew."""
        return replace(self, stress=_balanced(stress, self.weights, pressure))


def polycrystal(
    seed: int, count: int = 300, *, pressure: float = 0.0, spread: float = 40.0
) -> Polycrystal:
    """Grains with random orientations and sizes; stresses scatter by ``spread`` MPa."""
    rng = np.random.default_rng(seed)
    grains = Polycrystal(
        orientation=random_quaternions(rng, count),
        radius=28.0 * np.exp(0.2 * rng.standard_normal(count)),
        completeness=rng.uniform(0.7, 1.0, count),
        stress=np.zeros((count, 3, 3)),
    )
    return grains.with_stress(tensor_from_six(spread * rng.standard_normal((count, 6))), pressure)


def _balanced(stress: FloatArray, weights: FloatArray, pressure: float) -> FloatArray:
    mean = np.sum(weights[:, None, None] * stress, axis=0)
    return stress - mean + np.diag([0.0, 0.0, -pressure])


def all_tracked(count: int, lost: IntArray | None = None, *, position: float = 20.0) -> Tracking:
    """Row i of the one is row i of the other, but for the lost ones.

    Distances are the median of those between positions with that standard error (um).
    """
    gone = np.zeros(0, dtype=np.int64) if lost is None else lost
    rows = np.setdiff1d(np.arange(count), gone)
    return Tracking(
        before=rows,
        after=rows,
        probability=np.ones(len(rows)),
        distance=np.full(len(rows), position * np.sqrt(2.0) * 1.538172254455262),
        misorientation=np.full(len(rows), np.radians(position / 200.0) * 2.175304),
        lost=gone,
        new=gone,
        rotation=np.eye(3),
        translation=np.zeros(3),
        rule="optimal",
    )
