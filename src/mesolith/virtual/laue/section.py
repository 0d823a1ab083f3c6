"""A virtual cell's cross-section with known truth: grains, bent lattices, strains, lithium.

Everything is a function of place and state, kept as seeds and coefficients. Axes of the section:
X and Y in its surface, Z out of it; the stack runs along Y, lithium lies beyond the interface at
larger Y. Lengths in um, angles in rad.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from mesolith.errors import InvalidValueError
from mesolith.virtual.arrays import BoolArray, FloatArray, IntArray, full_tensor
from mesolith.virtual.rotation import (
    matrices_from_quaternions,
    matrices_from_vectors,
    random_orientations,
)

STATES = 4


@dataclass(frozen=True, slots=True)
class SectionPlan:
    """What a section is drawn from.

    ``bend`` is the lattice's rotation per um, rad, ``strain`` the size (sqrt(2/3 e:e)) of the
    strain that a grain was sintered with, ``strain_slope`` how much of it changes over 100 um.
    ``near_strain`` falls off with ``near_decay`` from the interface. ``interface`` is the share
    of the height at which the phase ends, with a slope and a wave of amplitude ``wave`` um.
    ``lean`` is how far boundaries move sideways per depth.

    What cycling does, by state: ``near_growth`` multiplies ``near_strain``, ``stack_strain`` is a
    strain along the stack added everywhere, ``corner_bend`` a rotation (rad) about the middle of
    the lower right corner that falls off with ``corner_reach``.
    """

    width: float = 260.0
    height: float = 260.0
    grains: int = 3
    bend: float = 1.2e-5
    strain: float = 3e-4
    strain_slope: float = 0.4
    near_strain: float = 4e-4
    near_decay: float = 25.0
    interface: float = 0.85
    slope: float = 0.04
    wave: float = 1.5
    lean: float = 0.2
    near_growth: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    stack_strain: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    corner_bend: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    corner_reach: float = 35.0

    def __post_init__(self) -> None:
        if self.grains < 1 or not (self.width > 0.0 and self.height > 0.0):
            raise InvalidValueError("a section has a size and at least one grain")
        if {len(self.near_growth), len(self.stack_strain), len(self.corner_bend)} != {STATES}:
            raise InvalidValueError(f"what cycling does is told for {STATES} states")


def cycled(plan: SectionPlan) -> SectionPlan:
    """The plan with the changes that the papers report from scan 0 to scan 3."""
    return replace(
        plan,
        near_growth=(1.0, 1.15, 1.35, 1.7),
        stack_strain=(-2e-4, -1e-4, 0.5e-4, 2e-4),
        corner_bend=(0.0, 4e-4, 1e-3, 2.5e-3),
    )


@dataclass(frozen=True, slots=True)
class Section:
    """A section as drawn: sites of its grains, their orientations and coefficients of the fields.

    ``orientation`` (n, 3, 3) takes crystal axes to those of the section. ``bend`` (n, 3, 2) is the
    rotation vector per um along X and Y, ``strain`` (n, 6) that of the grain in the order of
    `full_tensor`, ``slope`` (n, 6, 2) its change per um, ``near`` (6,) the tensor beside the
    interface.
    """

    plan: SectionPlan
    site: FloatArray
    lean: FloatArray
    orientation: FloatArray
    bend: FloatArray
    strain: FloatArray
    slope: FloatArray
    near: FloatArray
    phase_of_wave: float
    corner_axis: FloatArray

    def interface_at(self, x: FloatArray) -> FloatArray:
        """Y (n,) at which the phase ends."""
        plan = self.plan
        wave = plan.wave * np.sin(2.0 * math.pi * x / plan.width + self.phase_of_wave)
        return np.asarray(plan.interface * plan.height + plan.slope * (x - plan.width / 2.0) + wave)

    def within(self, x: FloatArray, y: FloatArray) -> BoolArray:
        """Whether places (n,) are of the mapped phase."""
        return np.asarray(y < self.interface_at(x))

    def grain_at(self, x: FloatArray, y: FloatArray, depth: FloatArray) -> IntArray:
        """Grain (n,) at places and depths below the surface; -1 in the lithium."""
        place = np.stack([x, y], axis=-1)[:, None, :]
        moved = self.site + depth[:, None, None] * self.lean
        nearest = np.argmin(np.sum((place - moved) ** 2, axis=-1), axis=-1)
        return np.where(self.within(x, y), nearest, -1)

    def boundary_distance(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Distance (n,) at the surface to the nearest grain boundary; infinite where none is."""
        square = np.sum((np.stack([x, y], axis=-1)[:, None, :] - self.site) ** 2, axis=-1)
        if len(self.site) == 1:
            return np.full(len(square), np.inf)
        first = np.argmin(square, axis=-1)
        rows = np.arange(len(square))
        apart = np.linalg.norm(self.site[first][:, None, :] - self.site, axis=-1)
        apart[rows, first] = 1.0
        distance = (square - square[rows, first][:, None]) / (2.0 * apart)
        distance[rows, first] = np.inf
        return np.asarray(distance.min(axis=-1))

    def rotation_vector(
        self, grain: IntArray, x: FloatArray, y: FloatArray, state: int
    ) -> FloatArray:
        """Rotation (n, 3) of the lattice against that of its grain, axes of the section."""
        plan = self.plan
        from_site = np.stack([x, y], axis=-1) - self.site[grain]
        turned = np.einsum("nij,nj->ni", self.bend[grain], from_site)
        reach = plan.corner_reach
        across, up = (x - plan.width) / reach, y / reach
        bump = plan.corner_bend[state] * np.exp(-0.5 * (across**2 + up**2))
        return np.asarray(turned + bump[:, None] * self.corner_axis)

    def orientation_at(
        self, grain: IntArray, x: FloatArray, y: FloatArray, state: int
    ) -> FloatArray:
        """Orientation (n, 3, 3), crystal to the section's axes."""
        turn = matrices_from_vectors(self.rotation_vector(grain, x, y, state))
        return np.asarray(turn @ self.orientation[grain])

    def strain_at(self, grain: IntArray, x: FloatArray, y: FloatArray, state: int) -> FloatArray:
        """Deviatoric strain (n, 3, 3), axes of the section."""
        plan = self.plan
        from_site = np.stack([x, y], axis=-1) - self.site[grain]
        six = self.strain[grain] + np.einsum("nij,nj->ni", self.slope[grain], from_site)
        distance = np.maximum(self.interface_at(x) - y, 0.0)
        size = plan.near_strain * plan.near_growth[state] * np.exp(-distance / plan.near_decay)
        stack = plan.stack_strain[state] * np.array([-0.5, 1.0, -0.5, 0.0, 0.0, 0.0])
        return full_tensor(six + size[:, None] * self.near + stack)


def draw_section(rng: np.random.Generator, plan: SectionPlan) -> Section:
    """A section with grains of random orientation about sites that keep apart."""
    count = plan.grains
    site = _sites(rng, plan)
    bend = rng.standard_normal((count, 3, 2))
    bend *= plan.bend / np.linalg.norm(bend, axis=1, keepdims=True)
    strain = np.array([_deviatoric(rng) for _ in range(count)])
    slope = np.array([[_deviatoric(rng) for _ in range(2)] for _ in range(count)])
    axis = rng.standard_normal(3)
    return Section(
        plan=plan,
        site=site,
        lean=plan.lean * rng.uniform(-1.0, 1.0, (count, 2)),
        orientation=matrices_from_quaternions(random_orientations(rng, count)),
        bend=bend,
        strain=plan.strain * strain,
        slope=plan.strain * plan.strain_slope / 100.0 * np.moveaxis(slope, 1, 2),
        near=_deviatoric(rng),
        phase_of_wave=float(rng.uniform(0.0, 2.0 * math.pi)),
        corner_axis=axis / np.linalg.norm(axis),
    )


def _sites(rng: np.random.Generator, plan: SectionPlan) -> FloatArray:
    """Sites (n, 2) in the phase, as far from one another as the best of some draws."""
    size = np.array([plan.width, plan.interface * plan.height])
    best, widest = rng.uniform(size=(plan.grains, 2)) * size, -1.0
    for _ in range(50):
        drawn = rng.uniform(0.1, 0.9, (plan.grains, 2)) * size
        apart = np.linalg.norm(drawn[:, None] - drawn[None], axis=-1)
        closest = float(apart[np.triu_indices(plan.grains, 1)].min(initial=np.inf))
        if closest > widest:
            best, widest = drawn, closest
    return np.asarray(best)


def _deviatoric(rng: np.random.Generator) -> FloatArray:
    """Six components of a random tensor without trace of size sqrt(2/3 e:e) = 1."""
    six = rng.standard_normal(6)
    six[:3] -= six[:3].mean()
    tensor = full_tensor(six)
    return np.asarray(six / math.sqrt(2.0 / 3.0 * float(np.sum(tensor**2))))
