"""Coincidence relatives: wrong orientations that share many reflections with a right one.

Crystals whose reflections partly coincide under a rotation that is no symmetry (Sigma 3, 5, 9
of a cubic lattice) can be taken for each other where few spots are seen. The rotations are
found from the reflections themselves: each takes two reflections onto two others of the same
rings at the same angle, whatever the lattice.
"""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray
from mesolith.crystal.symmetry import rotation_operators
from mesolith.hedm.phase_rings import PhaseRings, ring_angles
from mesolith.numerics.rotations import matrix_from_quaternion

_MOST_PAIRS = 2_000


def coincidence_rotations(
    phase: PhaseRings, *, least_share: float = 0.08, most: int = 120
) -> FloatArray:
    """Rotations (k, 3, 3) on crystal axes under which reflections coincide, the most first.

    Up to symmetry from the right, the identity left out. ``least_share`` is the share of the
    reflections that a rotation must take onto others.
    """
    g = phase.hkl @ phase.reciprocal.T
    operators = matrix_from_quaternion(rotation_operators(phase.space_group))
    scale = np.linalg.norm(g, axis=1).max()
    known = {tuple(row) for row in np.rint(g * (1e4 / scale)).astype(np.int64).tolist()}
    members = np.bincount(phase.ring)
    emptiest = np.argsort(members, kind="stable")[:4]
    found: list[FloatArray] = []
    seen: set[tuple[int, ...]] = set()
    shares: list[float] = []
    tried = 0
    for a, one in enumerate(emptiest):
        for two in emptiest[: a + 1]:
            for pairs in ring_angles(phase, int(one), int(two))[1]:
                for first in pairs:
                    for second in pairs:
                        tried += 1
                        if first is second or tried > _MOST_PAIRS:
                            continue
                        turn = _turning(first, second, phase.reciprocal)
                        if _label(turn, operators) in seen:
                            continue
                        rotated = np.rint((g @ turn.T) * (1e4 / scale)).astype(np.int64)
                        share = np.mean([_is_near(row, known) for row in rotated.tolist()])
                        # a symmetry from the left makes another relative, as alike as this one
                        for s in operators:
                            label = _label(s @ turn, operators)
                            if label not in seen and least_share <= share < 1.0 - 1e-9:
                                found.append(s @ turn)
                                shares.append(float(share))
                            seen.add(label)
    order = np.argsort(-np.array(shares), kind="stable")[:most]
    return np.array([found[k] for k in order]).reshape(-1, 3, 3)


def _label(turn: FloatArray, operators: FloatArray) -> tuple[int, ...]:
    """The same for all rotations that differ by a symmetry from the right."""
    turned = np.rint((turn @ operators) * 1e4).astype(np.int64)
    return min(tuple(row) for row in turned.reshape(len(operators), 9).tolist())


def _is_near(row: list[int], known: set[tuple[int, ...]]) -> bool:
    """Whether a rounded vector is known, give or take one unit in each component."""
    h, k, m = row
    return any(
        (h + a, k + b, m + c) in known for a in (0, -1, 1) for b in (0, -1, 1) for c in (0, -1, 1)
    )


def _turning(first: FloatArray, second: FloatArray, reciprocal: FloatArray) -> FloatArray:
    """Rotation (3, 3) that takes the two reflections of ``first`` (6,) onto those of ``second``."""
    return _frame(second, reciprocal) @ _frame(first, reciprocal).T


def _frame(pair: FloatArray, reciprocal: FloatArray) -> FloatArray:
    one, two = reciprocal @ pair[:3], reciprocal @ pair[3:]
    one, two = one / np.linalg.norm(one), two / np.linalg.norm(two)
    along = (one + two) / np.linalg.norm(one + two)
    across = (one - two) / np.linalg.norm(one - two)
    return np.stack([along, across, np.cross(along, across)], axis=1)
