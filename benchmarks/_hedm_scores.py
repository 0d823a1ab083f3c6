"""What the HEDM benchmarks share: found grains beside the true ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from mesolith.axes import SIX, FloatArray, IntArray
from mesolith.crystal.symmetry import rotation_operators
from mesolith.numerics.rotations import matrix_from_quaternion
from mesolith.virtual.hedm.grains import CrystalGrains

NEAR_DEG, NEAR_UM = 0.1, 30.0


@dataclass(frozen=True, slots=True)
class Score:
    """Pairs of found and true grains, their differences, and what is left over.

    ``position`` (n, 3) um, ``turn`` (n, 3) rad and ``strain`` (n, 6) are found minus true, sample
    axes.
    """

    found: IntArray
    true: IntArray
    position: FloatArray
    turn: FloatArray
    strain: FloatArray
    count_found: int
    count_true: int

    @property
    def recall(self) -> float:
        """Found share of the true grains."""
        return len(self.true) / max(self.count_true, 1)

    @property
    def false(self) -> float:
        """Share of the found grains that are none."""
        return 1.0 - len(self.found) / max(self.count_found, 1)

    def errors(self) -> dict[str, Any]:
        """Root mean squares: x y z in um, angle in deg, strain over six components."""
        if not len(self.found):
            return {"xyz_um": [np.nan] * 3, "angle_deg": np.nan, "strain": np.nan}
        return {
            "xyz_um": np.sqrt(np.mean(self.position**2, axis=0)).tolist(),
            "angle_deg": float(np.degrees(np.sqrt(np.mean(np.sum(self.turn**2, axis=1))))),
            "strain": float(np.sqrt(np.mean(self.strain**2))),
        }


def score_grains(
    lattice_vectors: FloatArray,
    position: FloatArray,
    truth: CrystalGrains,
    *,
    space_group: int = 220,
    near_deg: float = NEAR_DEG,
    near_um: float = NEAR_UM,
) -> Score:
    """Pair found grains with true ones one to one, the nearest in orientation first."""
    true_lattice = truth.lattice
    operators = matrix_from_quaternion(rotation_operators(space_group))
    pairs: list[tuple[float, int, int, FloatArray]] = []
    near = cKDTree(truth.position).query_ball_point(position, near_um)
    for i, candidates in enumerate(near):
        for j in candidates:
            # a cubic lattice: the operators act on its vectors
            moved = lattice_vectors[i] @ operators @ np.linalg.inv(true_lattice[j])
            cosine = (np.trace(moved, axis1=1, axis2=2) - 1.0) / 2.0
            best = moved[int(np.argmax(cosine))]
            vector = 0.5 * np.array(
                [best[2, 1] - best[1, 2], best[0, 2] - best[2, 0], best[1, 0] - best[0, 1]]
            )
            angle = float(np.linalg.norm(vector))
            if cosine.max() > 0.9 and angle < np.radians(near_deg):
                pairs.append((angle, i, j, best))
    pairs.sort(key=lambda pair: pair[0])
    used_found: set[int] = set()
    used_true: set[int] = set()
    kept = []
    for _, i, j, best in pairs:
        if i not in used_found and j not in used_true:
            used_found.add(i)
            used_true.add(j)
            kept.append((i, j, best))
    # not in the order of their errors, which would sort ties of whatever they are divided by
    kept.sort(key=lambda pair: pair[0])
    found = np.array([i for i, _, _ in kept], dtype=np.int64)
    true = np.array([j for _, j, _ in kept], dtype=np.int64)
    moved = np.array([best for _, _, best in kept]).reshape(-1, 3, 3)
    symmetric = 0.5 * (moved + moved.swapaxes(1, 2)) - np.eye(3)
    turn = 0.5 * np.stack(
        [
            moved[:, 2, 1] - moved[:, 1, 2],
            moved[:, 0, 2] - moved[:, 2, 0],
            moved[:, 1, 0] - moved[:, 0, 1],
        ],
        axis=1,
    )
    return Score(
        found,
        true,
        position[found] - truth.position[true],
        turn,
        np.stack([symmetric[:, a, b] for a, b in SIX], axis=1),
        len(position),
        len(truth.position),
    )
