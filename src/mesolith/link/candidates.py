"""Pairs of grains that are near in position and in orientation, found without trying them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.symmetry import rotation_operators
from mesolith.numerics.rotations import quaternion_conjugate, quaternion_multiply, rotation_angle
from mesolith.records.grains import GrainMap

_SAME_LATTICE = 0.03  # lattices that agree to 3 % in every length may be taken for one another


@dataclass(frozen=True, slots=True)
class Grains:
    """Plain arrays of one map: what tracking looks at, and nothing else.

    ``label`` numbers the phases of both maps together (same name and space group, same number);
    ``kind`` numbers the sets of phases that an indexer may take for one another, and
    ``operators`` holds the rotations of each kind.
    """

    position: FloatArray
    orientation: FloatArray
    log_radius: FloatArray
    label: IntArray
    kind: IntArray
    operators: tuple[FloatArray, ...]

    def __len__(self) -> int:
        return len(self.position)

    def of_kind(self, kind: int) -> IntArray:
        """Rows of that kind, ascending."""
        return np.flatnonzero(self.kind == kind)

    def rows(self, rows: IntArray) -> Grains:
        """Only those rows."""
        return Grains(
            self.position[rows],
            self.orientation[rows],
            self.log_radius[rows],
            self.label[rows],
            self.kind[rows],
            self.operators,
        )


def grains_of_maps(before: GrainMap, after: GrainMap) -> tuple[Grains, Grains]:
    """Arrays of two maps, with phases numbered across both."""
    entries: list[tuple[str, int]] = []
    lattices: list[FloatArray] = []
    labels: list[list[int]] = []
    for grain_map in (before, after):
        numbers = []
        phases = grain_map.phases
        for name, group, lattice in zip(
            phases.name, phases.space_group, phases.lattice, strict=True
        ):
            entry = (name, int(group))
            if entry not in entries:
                entries.append(entry)
                lattices.append(lattice)
            numbers.append(entries.index(entry))
        labels.append(numbers)
    operators: list[FloatArray] = []
    representative: list[int] = []
    kind_of_label = np.zeros(max(len(entries), 1), dtype=np.int64)
    for label, (_, group) in enumerate(entries):
        own = rotation_operators(group)
        for kind, other in enumerate(representative):
            same = own.shape == operators[kind].shape and np.allclose(own, operators[kind])
            ratio = lattices[label][:3] / lattices[other][:3]
            if same and np.all(np.abs(ratio - 1.0) < _SAME_LATTICE):
                kind_of_label[label] = kind
                break
        else:
            kind_of_label[label] = len(representative)
            representative.append(label)
            operators.append(own)
    made = []
    for grain_map, numbers in zip((before, after), labels, strict=True):
        label_of_phase = np.array(numbers or [0], dtype=np.int64)
        label_of_grain = label_of_phase[grain_map.phase]
        radius = np.where(grain_map.radius > 0.0, grain_map.radius, np.nan)
        made.append(
            Grains(
                grain_map.position,
                grain_map.orientation,
                np.log(radius),
                label_of_grain,
                kind_of_label[label_of_grain],
                tuple(operators),
            )
        )
    return made[0], made[1]


def nearest_equivalents(orientation: FloatArray, operators: FloatArray) -> FloatArray:
    """Of each orientation's equivalents the one with the smallest rotation, (n, 4), w >= 0."""
    best = np.argmax(np.abs(_scalar_parts(orientation, operators)), axis=1)
    return quaternion_multiply(orientation, operators[best])


def equivalents_near_zone(
    orientation: FloatArray, operators: FloatArray, margin: float
) -> tuple[IntArray, FloatArray]:
    """All equivalents that come within ``margin`` (rad) of a `nearest_equivalents` result.

    Returns the row of each and the quaternion, with both signs where w is near zero: the chord
    between it and a nearest equivalent then measures every misorientation up to ``margin``.
    """
    scalar = np.abs(_scalar_parts(orientation, operators))
    angle = 2.0 * np.arccos(np.minimum(scalar, 1.0))
    # an equivalent within the margin of p turns by at most |p| + margin, and |p| itself by at
    # most the smallest turn here + margin
    row, which = np.nonzero(angle <= angle.min(axis=1, keepdims=True) + 2.0 * margin)
    image = quaternion_multiply(orientation[row], operators[which])
    both = np.flatnonzero(image[:, 0] < np.sin(0.5 * margin))
    return np.concatenate([row, row[both]]), np.concatenate([image, -image[both]])


def _scalar_parts(orientation: FloatArray, operators: FloatArray) -> FloatArray:
    """w of every orientation times every operator, (n, m)."""
    parts: FloatArray = orientation @ (operators * np.array([1.0, -1.0, -1.0, -1.0])).T
    return parts


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidate pairs: rows in both maps, and the orientations chosen among the equivalents."""

    before: IntArray
    after: IntArray
    orientation_before: FloatArray
    orientation_after: FloatArray

    def __len__(self) -> int:
        return len(self.before)

    def where(self, keep: IntArray) -> Candidates:
        """Only those pairs."""
        return Candidates(
            self.before[keep],
            self.after[keep],
            self.orientation_before[keep],
            self.orientation_after[keep],
        )


class CandidateFinder:
    """Search among the grains of the later map, by position and orientation at once.

    Position over ``distance`` and quaternion over the chord of ``angle`` make one space of seven
    dimensions, in which a k-d tree per kind of crystal answers.
    """

    def __init__(self, after: Grains, *, distance: float, angle: float) -> None:
        from scipy.spatial import cKDTree

        self.after = after
        self.distance = distance
        self.angle = angle
        self._trees: list[tuple[IntArray, FloatArray, cKDTree]] = []
        for kind, operators in enumerate(after.operators):
            rows = after.of_kind(kind)
            image_row, image = equivalents_near_zone(after.orientation[rows], operators, angle)
            image_row = rows[image_row]
            tree = cKDTree(self._points(after.position[image_row], image), balanced_tree=False)
            self._trees.append((image_row, image, tree))

    def _points(self, position: FloatArray, quaternion: FloatArray) -> FloatArray:
        chord = 2.0 * np.sin(0.25 * self.angle)
        return np.hstack([position / self.distance, quaternion / chord])

    def pairs(self, moved: Grains) -> Candidates:
        """Pairs within both bounds of grains that have already been moved, sorted by row."""
        from scipy.spatial import cKDTree

        found: list[Candidates] = []
        for kind, operators in enumerate(self.after.operators):
            image_row, image, tree = self._trees[kind]
            rows = moved.of_kind(kind)
            if rows.size == 0 or image_row.size == 0:
                continue
            nearest = nearest_equivalents(moved.orientation[rows], operators)
            query = cKDTree(self._points(moved.position[rows], nearest), balanced_tree=False)
            near = query.sparse_distance_matrix(tree, np.sqrt(2.0), output_type="ndarray")
            i, k = near["i"], near["j"]
            separation = moved.position[rows[i]] - self.after.position[image_row[k]]
            turn = quaternion_multiply(image[k], quaternion_conjugate(nearest[i]))
            keep = np.linalg.norm(separation, axis=1) <= self.distance
            keep &= rotation_angle(turn) <= self.angle
            i, k = i[keep], k[keep]
            found.append(Candidates(rows[i], image_row[k], nearest[i], image[k]))
        return _sorted_once(found)


def _sorted_once(found: Sequence[Candidates]) -> Candidates:
    """Candidates of all kinds in order of their rows, each pair once (its smallest turn)."""
    if not found:
        none = np.zeros(0, dtype=np.int64)
        return Candidates(none, none, np.zeros((0, 4)), np.zeros((0, 4)))
    merged = Candidates(
        np.concatenate([part.before for part in found]),
        np.concatenate([part.after for part in found]),
        np.concatenate([part.orientation_before for part in found]),
        np.concatenate([part.orientation_after for part in found]),
    )
    agreement = np.abs(np.sum(merged.orientation_before * merged.orientation_after, axis=1))
    order = np.lexsort((-agreement, merged.after, merged.before))
    merged = merged.where(order)
    first = np.ones(len(merged), dtype=bool)
    first[1:] = (np.diff(merged.before) != 0) | (np.diff(merged.after) != 0)
    return merged.where(np.flatnonzero(first))
