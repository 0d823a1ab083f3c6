"""Which of its equivalent lattices a grain is given."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.symmetry import rotation_operators
from mesolith.numerics.rotations import matrix_from_quaternion


def index_operators(space_group: int, basis: FloatArray) -> FloatArray:
    """Rotations of the Laue class as matrices on indices (m, 3, 3), in `rotation_operators`' order.

    Lattice vectors, columns on any axes, go over into equivalent ones by such a matrix from the
    right: basis^-1 R basis. ``basis`` (3, 3) is the lattice on crystal axes.
    """
    operators = matrix_from_quaternion(rotation_operators(space_group))
    return np.rint(np.linalg.inv(basis) @ operators @ basis)


def setting_operators(
    lattice_vectors: FloatArray, phase: IntArray, space_groups: IntArray, bases: FloatArray
) -> FloatArray:
    """What takes each lattice to the equivalent one that is nearest to the sample axes (g, 3, 3).

    So the choice among equivalent lattices hangs on the grain, not on the order of a search.
    Multiplied to lattice vectors from the right; indices go by its transpose. ``space_groups``
    (phases,) and ``bases`` (phases, 3, 3) are those of the phases.
    """
    out = np.tile(np.eye(3), (len(lattice_vectors), 1, 1))
    for number, (group, basis) in enumerate(zip(space_groups, bases, strict=True)):
        rows = np.flatnonzero(phase == number)
        if not len(rows):
            continue
        on_indices = index_operators(int(group), basis)
        turned = lattice_vectors[rows][:, None] @ on_indices
        closeness = np.trace(turned @ np.linalg.inv(basis), axis1=2, axis2=3)
        out[rows] = on_indices[np.argmax(closeness, axis=1)]
    return out


def standard_setting(
    lattice_vectors: FloatArray, phase: IntArray, space_groups: IntArray, bases: FloatArray
) -> FloatArray:
    """The lattices of `setting_operators`, (g, 3, 3)."""
    operators = setting_operators(lattice_vectors, phase, space_groups, bases)
    return np.asarray(lattice_vectors @ operators)
