"""The rigid motion between two grain maps, found without knowing any pair of grains.

Two neighbouring grains have a distance and a misorientation that no motion changes. Pairs of
neighbours that agree in both, one of each map, vote for the motion that takes one to the other;
true votes fall together and chance votes do not. Where neighbours say nothing (a texture, a few
grains), single grains vote, for small turns only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.link.candidates import CandidateFinder, Grains
from mesolith.numerics.rotations import (
    matrix_from_quaternion,
    quaternion_conjugate,
    quaternion_multiply,
    rotation_angle,
)

_NEIGHBOURS_BEFORE = 4
_NEIGHBOURS_AFTER = 7
_ASKED_PAIRS = 300  # neighbour pairs of the earlier map that look for their like
_ASKED_GRAINS = 150  # grains of the earlier map that vote one by one
_SCORED_GRAINS = 1500
_MOST_VOTES = 40_000
_CROWD_CENTRES = 4_000  # votes around which others are counted
_LARGEST_TURN = np.radians(10.0)  # of a motion found from single grains
_FALSE_ALARM = 1e-3  # expected number of motions as good as the one found, by chance
_HYPOTHESES = 4
_TELLING = 0.2  # a search is telling where chance explains a smaller share of the grains


@dataclass(frozen=True, slots=True)
class Motion:
    """x_after = rotation x_before + translation, the rotation as a quaternion."""

    rotation: FloatArray
    translation: FloatArray

    def moved(self, grains: Grains) -> Grains:
        """Grains of the earlier map where the later one should find them."""
        return replace(
            grains,
            position=grains.position @ matrix_from_quaternion(self.rotation).T + self.translation,
            orientation=quaternion_multiply(self.rotation, grains.orientation),
        )


@dataclass(frozen=True, slots=True)
class _Votes:
    """Motions voted for, both maps centred; ``tried`` is how many could have come by chance."""

    rotation: FloatArray
    translation: FloatArray
    tried: float
    free: int  # grains that a vote explains by construction


IDENTITY = Motion(np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3))


def find_motion(
    before: Grains,
    after: Grains,
    *,
    sigma_position: float,
    sigma_orientation: float,
    rng: np.random.Generator,
) -> Motion | None:
    """Motion that brings more grains together than chance would, or None.

    Parameters
    ----------
    before, after
        The two maps.
    sigma_position, sigma_orientation
        Guesses of the standard error per coordinate of one map, um and rad; a factor of three
        either way does no harm.
    rng
        Draws which grains are asked where there are many.

    Returns
    -------
    motion
        Good to a few sigma over the root of the number of votes, to be refined; of motions that
        explain the maps about equally well, the smallest. None where the best one explains no
        more grains than a chance motion would (expected false alarms above 0.001).
    """
    if len(before) == 0 or len(after) == 0:
        return None
    gap = spacing(after.position)
    distance = max(4.0 * np.sqrt(2.0) * sigma_position, gap)
    angle = float(np.clip(4.0 * np.sqrt(2.0) * sigma_orientation, 0.01, 0.05))
    asked = before.rows(_some_rows(rng, len(before), _SCORED_GRAINS))
    finder = CandidateFinder(after, distance=distance, angle=angle)
    like = after.rows(_some_rows(rng, len(after), _SCORED_GRAINS))
    while distance > 0.5 * gap and _chance_matches(like, finder, rng) > _TELLING * len(like):
        # like grains everywhere (a texture): only a closer look tells motions apart
        distance, angle = 0.7 * distance, 0.7 * angle
        finder = CandidateFinder(after, distance=distance, angle=angle)
    best: list[tuple[int, float, Motion]] = []
    for ballot in _ballots(before, after, distance=distance, angle=angle, rng=rng):
        for votes in ballot:
            for motion in _clusters(votes, before, after, distance=distance, angle=angle, rng=rng):
                moved = motion.moved(asked)
                explained = _explained(moved, finder)
                chance = _chance_matches(moved, finder, rng) / len(asked)
                beyond = max(explained - votes.free, 0)
                if votes.tried * _at_least(beyond, len(asked), chance) < _FALSE_ALARM:
                    best.append((explained, _size(motion, before), motion))
        if best:
            break
    if not best:
        return None
    most = max(explained for explained, _, _ in best)
    near = [entry for entry in best if entry[0] >= 0.95 * most]
    return min(near, key=lambda entry: entry[1])[2]


def _ballots(
    before: Grains, after: Grains, *, distance: float, angle: float, rng: np.random.Generator
) -> Iterator[tuple[_Votes, ...]]:
    """Sources of votes, the surest first; the next are asked where the last found nothing."""
    shift = after.position.mean(axis=0) - before.position.mean(axis=0)
    still = _Votes(IDENTITY.rotation[None], -shift[None], 1.0, 0)
    neighbours = _neighbour_votes(before, after, distance=distance, angle=angle, rng=rng)
    yield still, neighbours
    extent = float(np.ptp(after.position, axis=0).max() + np.ptp(before.position, axis=0).max())
    reach = 2.0 * distance
    while True:
        yield (_grain_votes(before, after, reach=reach, rng=rng),)
        if reach > extent:
            return
        reach *= 3.0


def _some_rows(rng: np.random.Generator, count: int, most: int) -> IntArray:
    rows: IntArray = np.arange(count)
    return rows if count <= most else np.sort(rng.choice(rows, most, replace=False))


def spacing(position: FloatArray) -> float:
    """Median distance to the nearest other grain; 0 for one grain."""
    from scipy.spatial import cKDTree

    if len(position) < 2:
        return 0.0
    near = np.asarray(cKDTree(position).query(position, k=2)[0])
    return float(np.median(near[:, 1]))


def _size(motion: Motion, grains: Grains) -> float:
    """Largest displacement of a grain and, scaled to um, the turn itself."""
    extent = float(np.linalg.norm(np.ptp(grains.position, axis=0))) + 1.0
    step = motion.moved(grains).position - grains.position
    return float(np.linalg.norm(step, axis=1).max() + extent * rotation_angle(motion.rotation))


def _explained(moved: Grains, finder: CandidateFinder) -> int:
    """How many moved grains find one like them where they are."""
    return int(np.unique(finder.pairs(moved).before).size)


def _chance_matches(moved: Grains, finder: CandidateFinder, rng: np.random.Generator) -> float:
    """Expected number of explained grains if the motion were wrong.

    From the number of grains within reach and a uniform spread of orientations, or, if those
    find more (a texture), from moving each grain away by itself, inwards where it would leave
    the map.
    """
    after = finder.after
    low, high = after.position.min(axis=0), after.position.max(axis=0)
    span = high - low + 2.0 * finder.distance
    share = min(1.0, 4.19 * finder.distance**3 / float(np.prod(span)))
    uniform = 0.0
    for kind, operators in enumerate(after.operators):
        orientation = len(operators) * (finder.angle - np.sin(finder.angle)) / np.pi
        pairs = moved.of_kind(kind).size * after.of_kind(kind).size
        uniform += pairs * share * min(orientation, 1.0)
    thick = high - low > finder.distance
    away = rng.standard_normal((len(moved), 3)) * (thick | ~thick.any())
    length = np.linalg.norm(away, axis=1, keepdims=True)
    away *= 2.5 * finder.distance / np.maximum(length, 1e-9)
    outside = (moved.position + away < low) | (moved.position + away > high)
    away = np.where(outside, -away, away)
    strayed = _explained(replace(moved, position=moved.position + away), finder)
    return min(max(uniform, float(strayed)), float(len(moved)))


def _at_least(count: int, trials: int, probability: float) -> float:
    """Probability of ``count`` successes or more."""
    from scipy.special import betainc

    if count <= 0 or probability >= 1.0:
        return 1.0
    return float(betainc(count, trials - count + 1, probability))


def _neighbour_pairs(grains: Grains, rows: IntArray, neighbours: int) -> IntArray:
    """Rows of each pair of near neighbours, each once, shape (n, 2)."""
    from scipy.spatial import cKDTree

    count = min(neighbours, rows.size - 1)
    if count < 1:
        return np.zeros((0, 2), dtype=np.int64)
    position = grains.position[rows]
    _, near = cKDTree(position).query(position, k=count + 1)
    first = np.repeat(np.arange(rows.size), count + 1)
    second = near.ravel()
    low, high = np.minimum(first, second), np.maximum(first, second)
    code = np.unique((low * rows.size + high)[low < high])
    return np.stack([rows[code // rows.size], rows[code % rows.size]], axis=1)


def _pair_features(
    grains: Grains, pairs: IntArray, operators: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Misorientation of each pair, and what no motion and no choice of equivalents changes.

    The features are the three smallest angles among the equivalent misorientations (rad) and the
    distance (um).
    """
    between = quaternion_multiply(
        quaternion_conjugate(grains.orientation[pairs[:, 0]]), grains.orientation[pairs[:, 1]]
    )
    scalar = np.abs(between @ (operators * np.array([1.0, -1.0, -1.0, -1.0])).T)
    kept = min(3, len(operators))
    top = np.partition(scalar, len(operators) - kept, axis=1)[:, len(operators) - kept :]
    angle = 2.0 * np.arccos(np.minimum(np.sort(top, axis=1), 1.0))
    separation = np.linalg.norm(grains.position[pairs[:, 1]] - grains.position[pairs[:, 0]], axis=1)
    return between, np.column_stack([angle, separation])


def _neighbour_votes(
    before: Grains, after: Grains, *, distance: float, angle: float, rng: np.random.Generator
) -> _Votes:
    """Motions that take a pair of neighbours of one map to a like pair of the other."""
    from scipy.spatial import cKDTree

    rotations, translations, tried = [np.zeros((0, 4))], [np.zeros((0, 3))], 0.0
    centre_before, centre_after = before.position.mean(axis=0), after.position.mean(axis=0)
    reach = 1.5 * distance  # two grains of either map are off by one sigma each
    for kind, operators in enumerate(before.operators):
        old = _neighbour_pairs(before, before.of_kind(kind), _NEIGHBOURS_BEFORE)
        new = _neighbour_pairs(after, after.of_kind(kind), _NEIGHBOURS_AFTER)
        if len(old) == 0 or len(new) == 0:
            continue
        old = old[_some_rows(rng, len(old), _ASKED_PAIRS)]
        old_between, old_feature = _pair_features(before, old, operators)
        new_between, new_feature = _pair_features(after, new, operators)
        scale = np.array([angle] * (old_feature.shape[1] - 1) + [reach])
        tree = cKDTree(new_feature / scale, balanced_tree=False)
        near = cKDTree(old_feature / scale).sparse_distance_matrix(
            tree, 1.0, p=np.inf, output_type="ndarray"
        )
        i, k = near["i"], near["j"]
        if i.size > _MOST_VOTES:
            some = _some_rows(rng, i.size, _MOST_VOTES)
            i, k = i[some], k[some]
        tried += 2.0 * len(old) * len(new) * len(operators) ** 2 * angle**3 / (6.0 * np.pi)
        for swapped in (False, True):
            pair = new[k][:, ::-1] if swapped else new[k]
            between = quaternion_conjugate(new_between[k]) if swapped else new_between[k]
            rotation, agree = _rotation_of_pairs(
                before.orientation[old[i, 0]],
                after.orientation[pair[:, 0]],
                old_between[i],
                between,
                operators,
                angle,
            )
            turn = matrix_from_quaternion(rotation)
            old_step = before.position[old[i, 1]] - before.position[old[i, 0]]
            new_step = after.position[pair[:, 1]] - after.position[pair[:, 0]]
            missed = np.linalg.norm(_applied(turn, old_step) - new_step, axis=1)
            keep = agree & (missed < reach)
            middle_old = 0.5 * (before.position[old[i, 0]] + before.position[old[i, 1]])
            middle_new = 0.5 * (after.position[pair[:, 0]] + after.position[pair[:, 1]])
            step = (middle_new - centre_after) - _applied(turn, middle_old - centre_before)
            rotations.append(rotation[keep])
            translations.append(step[keep])
    return _Votes(np.concatenate(rotations), np.concatenate(translations), tried, 2)


def _applied(matrix: FloatArray, vector: FloatArray) -> FloatArray:
    """Each matrix (n, 3, 3) on its vector (n, 3)."""
    applied: FloatArray = np.einsum("nij,nj->ni", matrix, vector)
    return applied


def _rotation_of_pairs(
    old: FloatArray,
    new: FloatArray,
    old_between: FloatArray,
    new_between: FloatArray,
    operators: FloatArray,
    angle: float,
) -> tuple[FloatArray, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Rotation of the sample that takes a pair of grains to its like, and whether it does.

    With U' s_a = R U_i and U'' s_b = R U_j, the misorientations obey s_a M = M' s_b for two
    operators; those are found by trying all.
    """
    choice = np.zeros(len(old), dtype=np.int64)
    overlap = np.zeros(len(old))
    block = 4096
    for start in range(0, len(old), block):
        part = slice(start, start + block)
        left = quaternion_multiply(operators[None], old_between[part, None])
        right = quaternion_multiply(new_between[part, None], operators[None])
        product = np.abs(left @ right.swapaxes(1, 2)).reshape(len(left), -1)
        best = np.argmax(product, axis=1)
        choice[part] = best // len(operators)
        overlap[part] = product[np.arange(len(best)), best]
    equivalent = quaternion_multiply(new, operators[choice])
    rotation = quaternion_multiply(equivalent, quaternion_conjugate(old))
    return rotation, 2.0 * np.arccos(np.minimum(overlap, 1.0)) < angle


def _grain_votes(
    before: Grains, after: Grains, *, reach: float, rng: np.random.Generator
) -> _Votes:
    """Motions that take one grain to another within reach, with a turn of ten degrees at most."""
    centre_before, centre_after = before.position.mean(axis=0), after.position.mean(axis=0)
    asked = before.rows(_some_rows(rng, len(before), _ASKED_GRAINS))
    finder = CandidateFinder(after, distance=reach, angle=_LARGEST_TURN)
    found = finder.pairs(asked)
    if len(found) > _MOST_VOTES:
        found = found.where(_some_rows(rng, len(found), _MOST_VOTES))
    rotation = quaternion_multiply(
        found.orientation_after, quaternion_conjugate(found.orientation_before)
    )
    step = (after.position[found.after] - centre_after) - _applied(
        matrix_from_quaternion(rotation), asked.position[found.before] - centre_before
    )
    return _Votes(rotation, step, float(len(found)), 1)


def _clusters(
    votes: _Votes,
    before: Grains,
    after: Grains,
    *,
    distance: float,
    angle: float,
    rng: np.random.Generator,
) -> Iterator[Motion]:
    """Where votes crowd in rotation and translation together, the densest place first."""
    from scipy.spatial import cKDTree

    centre_before, centre_after = before.position.mean(axis=0), after.position.mean(axis=0)
    chord = 2.0 * np.sin(0.25 * angle)
    rotation, translation = votes.rotation, votes.translation
    for _ in range(_HYPOTHESES):
        if len(rotation) == 0:
            return
        place = np.hstack([rotation / chord, translation / distance])
        mirrored = np.hstack([-rotation / chord, translation / distance])
        tree = cKDTree(np.concatenate([place, mirrored]), balanced_tree=False)
        centres = _some_rows(rng, len(place), _CROWD_CENTRES)
        crowd = tree.query_ball_point(place[centres], 1.0, return_length=True)
        middle = int(centres[np.argmax(crowd)])
        sign = np.where(rotation @ rotation[middle] < 0.0, -1.0, 1.0)[:, None]
        apart = np.hstack([(rotation * sign) / chord, translation / distance]) - place[middle]
        near = np.linalg.norm(apart, axis=1) <= 1.0
        mean = np.sum((rotation * sign)[near], axis=0)
        mean /= np.linalg.norm(mean)
        step = translation[near].mean(axis=0)
        turn = matrix_from_quaternion(mean)
        yield Motion(mean if mean[0] >= 0 else -mean, step + centre_after - turn @ centre_before)
        far = np.linalg.norm(apart, axis=1) > 2.0
        rotation, translation = rotation[far], translation[far]
