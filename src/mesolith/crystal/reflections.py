"""Which reflections a space group allows, and the rings they make."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.crystal.symmetry import space_group_of


def allowed_reflections(
    space_group: int, hkl: IntArray
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether the space group (standard setting) allows each hkl, shape (n, 3) -> (n,).

    By symmetry alone: an allowed reflection can still be too weak to see.
    """
    operations = space_group_of(space_group).operations()
    hkl = np.asarray(hkl, dtype=np.int64)
    absent = [operations.is_systematically_absent([int(index) for index in row]) for row in hkl]
    return ~np.array(absent, dtype=np.bool_)


def rings(
    space_group: int, lattice: FloatArray, d_min: float
) -> list[tuple[float, tuple[tuple[int, int, int], ...]]]:
    """Powder rings in order, outermost d first: (d in angstrom, families on that ring).

    A family is named by its member with the largest h, then k, then l. Families whose d differ
    by less than 1e-9 of d share a ring, as {431} and {510} of a cubic lattice do.
    """
    reciprocal = np.linalg.inv(basis_from_lattice(lattice)).T
    limit = np.floor(np.asarray(lattice)[:3] / d_min).astype(int)
    grid = np.meshgrid(*(np.arange(-n, n + 1) for n in limit), indexing="ij")
    hkl = np.stack([axis.ravel() for axis in grid], axis=1)
    length = np.linalg.norm(hkl @ reciprocal.T, axis=1)
    near = (length > 0) & (length <= (1.0 + 1e-9) / d_min)
    hkl, length = hkl[near], length[near]
    keep = allowed_reflections(space_group, hkl)
    hkl, length = hkl[keep], length[keep]
    operations = space_group_of(space_group).operations()
    found: list[tuple[float, list[tuple[int, int, int]]]] = []
    seen: set[tuple[int, int, int]] = set()
    for k in np.argsort(length, kind="stable"):
        first = tuple(int(index) for index in hkl[k])
        if first in seen:
            continue
        family = _family(operations, first)
        seen |= family
        if found and abs(found[-1][0] * length[k] - 1.0) < 1e-9:
            found[-1][1].append(max(family))
        else:
            found.append((1.0 / float(length[k]), [max(family)]))
    return [(d, tuple(sorted(families))) for d, families in found]


def equivalent_reflections(space_group: int, hkl: tuple[int, int, int]) -> IntArray:
    """All reflections (m, 3) equivalent to hkl in the Laue class, sorted, mates included."""
    members = _family(space_group_of(space_group).operations(), hkl)
    return np.array(sorted(members), dtype=np.int64)


def _family(operations: object, hkl: tuple[int, ...]) -> set[tuple[int, int, int]]:
    """All reflections equivalent to hkl in the Laue class."""
    members: set[tuple[int, int, int]] = set()
    for operation in operations.sym_ops:  # type: ignore[attr-defined]
        h, k, m = operation.apply_to_hkl(list(hkl))
        members |= {(h, k, m), (-h, -k, -m)}
    return members
