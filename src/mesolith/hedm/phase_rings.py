"""The reflections of one phase that indexing looks at, ring by ring."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.crystal.reflections import equivalent_reflections, rings
from mesolith.crystal.symmetry import rotation_operators
from mesolith.errors import InvalidValueError
from mesolith.numerics.rotations import matrix_from_quaternion


@dataclass(frozen=True, slots=True)
class PhaseRings:
    """A phase and its rings.

    ``lattice`` (6,) is a b c (angstrom), alpha beta gamma (rad); ``spacing`` (rings,) is d in
    angstrom, largest first; ``hkl`` (m, 3) holds all reflections, mates included, and ``ring``
    (m,) the ring of each.
    """

    name: str
    space_group: int
    lattice: FloatArray
    spacing: FloatArray
    hkl: IntArray
    ring: IntArray

    @property
    def basis(self) -> FloatArray:
        """Lattice vectors as columns (3, 3), crystal axes, angstrom."""
        return basis_from_lattice(self.lattice)

    @property
    def reciprocal(self) -> FloatArray:
        """Matrix (3, 3) that maps hkl to g on crystal axes, 1/angstrom."""
        return np.ascontiguousarray(np.linalg.inv(self.basis).T)

    @property
    def half(self) -> IntArray:
        """Rows of ``hkl`` that hold one of each two mates."""
        h, k, m = self.hkl.T
        first = (h > 0) | ((h == 0) & ((k > 0) | ((k == 0) & (m > 0))))
        return np.flatnonzero(first)


@dataclass(frozen=True, slots=True)
class ReflectionTable:
    """Reflections of several phases side by side.

    ``hkl`` (phases, h, 3) and ``ring`` (phases, h), rings numbered through all phases; where a
    phase has fewer reflections 0 0 0 and ring 0 stand at the end. ``rings`` is their number.
    """

    hkl: FloatArray
    ring: IntArray
    rings: int


def reflection_table(phases: tuple[PhaseRings, ...]) -> ReflectionTable:
    """The reflections of all phases in one table."""
    most = max(len(phase.hkl) for phase in phases)
    hkl = np.zeros((len(phases), most, 3))
    ring = np.zeros((len(phases), most), dtype=np.int64)
    rings = 0
    for row, phase in enumerate(phases):
        hkl[row, : len(phase.hkl)] = phase.hkl
        ring[row, : len(phase.hkl)] = phase.ring + rings
        rings += len(phase.spacing)
    return ReflectionTable(hkl, ring, rings)


def phase_rings(
    name: str,
    space_group: int,
    lattice: FloatArray,
    *,
    count: int | None = None,
    families: list[tuple[int, int, int]] | None = None,
    d_min: float | None = None,
) -> PhaseRings:
    """Rings of a phase: the first ``count``, those that hold ``families``, or all down to d_min.

    Rings are those that the space group allows. `InvalidValueError` where a family is on none
    of them, or where nothing says which rings to take.
    """
    lattice = np.asarray(lattice, dtype=np.float64)
    reciprocal = np.linalg.inv(basis_from_lattice(lattice)).T
    if families is not None:
        lengths = np.linalg.norm(np.array(families) @ reciprocal.T, axis=1)
        d_min = (1.0 - 1e-6) / float(lengths.max())
    if d_min is None and count is None:
        raise InvalidValueError(
            f"nothing says which rings of {name} to take",
            remedy="Give a number of rings, families of reflections, or the smallest spacing.",
        )
    found: list[tuple[float, tuple[tuple[int, int, int], ...]]] = []
    if d_min is None:
        assert count is not None
        # grow the sphere until it holds enough rings
        d_min = float(lattice[:3].max())
        while len(found) < count:
            d_min *= 0.8
            found = rings(space_group, lattice, d_min)
    else:
        found = rings(space_group, lattice, d_min)
    if families is not None:
        wanted = [(1.0 / length, family) for length, family in zip(lengths, families, strict=True)]
        chosen = []
        for d, family in wanted:
            on = [ring for ring in found if abs(ring[0] / d - 1.0) < 1e-9]
            if not on:
                raise InvalidValueError(
                    f"space group {space_group} allows no reflection on the ring of "
                    f"{family} of {name}",
                    remedy="Ask for other reflections, or for a number of rings.",
                )
            if on[0] not in chosen:
                chosen.append(on[0])
        found = sorted(chosen, key=lambda ring: -ring[0])
    found = found[:count]
    hkl, ring = [], []
    for row, (_, names) in enumerate(found):
        for family in names:
            members = equivalent_reflections(space_group, family)
            hkl.append(members)
            ring.append(np.full(len(members), row))
    return PhaseRings(
        name=name,
        space_group=space_group,
        lattice=lattice,
        spacing=np.array([d for d, _ in found]),
        hkl=np.concatenate(hkl),
        ring=np.concatenate(ring).astype(np.int64),
    )


def some_rings(phase: PhaseRings, chosen: NDArray[np.bool_]) -> PhaseRings:
    """The same phase with the rings that ``chosen`` (rings,) marks."""
    number = np.cumsum(chosen) - 1
    kept = chosen[phase.ring]
    return replace(
        phase,
        spacing=phase.spacing[chosen],
        hkl=phase.hkl[kept],
        ring=number[phase.ring[kept]].astype(np.int64),
    )


def ring_angles(
    phase: PhaseRings, one: int, two: int, *, apart: float = 1e-6
) -> tuple[FloatArray, list[FloatArray]]:
    """Table of angles between reflections of two rings.

    Returns
    -------
    cosines
        Of the different angles that are not negative and not of parallel reflections.
    pairs
        For each angle the index pairs (k, 6) that make it: one of each set of pairs that the
        rotations of the Laue class turn into each other, since those are one orientation.
    """
    g = phase.hkl @ phase.reciprocal.T
    unit = g / np.linalg.norm(g, axis=1)[:, None]
    operators = matrix_from_quaternion(rotation_operators(phase.space_group))
    basis = phase.basis
    # on indices a rotation R of the crystal acts as basis^T R basis^-T
    on_hkl = np.rint(np.einsum("ji,ojk,lk->oil", basis, operators, np.linalg.inv(basis)))
    first = np.flatnonzero(phase.ring == one)
    second = np.flatnonzero(phase.ring == two)
    cosine = unit[first] @ unit[second].T
    cosines: list[float] = []
    pairs: list[list[FloatArray]] = []
    seen: set[tuple[int, ...]] = set()
    for i, row in enumerate(first):
        for j, column in enumerate(second):
            value = float(cosine[i, j])
            if value < -1e-9 or value > 1.0 - 1e-9:
                continue
            both = np.concatenate([phase.hkl[row], phase.hkl[column]])
            if tuple(both.tolist()) in seen:
                continue
            for operator in on_hkl:
                turned = np.concatenate([operator @ both[:3], operator @ both[3:]])
                seen.add(tuple(turned.astype(np.int64).tolist()))
            place = [k for k, known in enumerate(cosines) if abs(known - value) < apart]
            if place:
                pairs[place[0]].append(both.astype(np.float64))
            else:
                cosines.append(max(value, 0.0))
                pairs.append([both.astype(np.float64)])
    return np.array(cosines), [np.array(found) for found in pairs]
