"""Symmetry of crystals, from the space group (gemmi)."""

from __future__ import annotations

from functools import cache

import gemmi
import numpy as np

from mesolith.axes import FloatArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.errors import InvalidValueError
from mesolith.numerics.rotations import quaternion_from_matrix


def space_group_of(number: int) -> gemmi.SpaceGroup:
    """Space group of that number in its standard setting."""
    group = gemmi.find_spacegroup_by_number(int(number)) if 1 <= int(number) <= 230 else None
    if group is None:
        raise InvalidValueError(
            f"no space group has number {number}", remedy="Space groups go from 1 to 230."
        )
    return group


@cache
def rotation_operators(space_group: int) -> FloatArray:
    """Proper rotations of the Laue class as quaternions on crystal axes.

    Shape (m, 4), m = 1 (triclinic) to 24 (cubic m-3m), read-only; the identity comes first.
    Two orientations q and q s, with s any of these, cannot be told apart by diffraction.
    """
    group = space_group_of(space_group)
    gamma = 120.0 if 143 <= group.number <= 194 else 90.0
    basis = basis_from_lattice(np.array([1.0, 1.0, 1.0, *np.radians([90.0, 90.0, gamma])]))
    inverse = np.linalg.inv(basis)
    found: list[FloatArray] = []
    for operation in group.operations().sym_ops:
        fractional = np.array(operation.rot, dtype=np.float64) / operation.DEN
        rotation = basis @ fractional @ inverse
        rotation *= np.sign(np.linalg.det(rotation))
        quaternion = quaternion_from_matrix(np.where(np.abs(rotation) < 1e-12, 0.0, rotation))
        if all(abs(quaternion @ known) < 1.0 - 1e-9 for known in found):
            found.append(quaternion)
    found.sort(key=lambda q: (-round(float(q[0]), 9), *(round(float(part), 9) for part in -q[1:])))
    operators = np.array(found)
    operators.flags.writeable = False
    return operators
