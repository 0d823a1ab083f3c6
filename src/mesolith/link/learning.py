"""The pair model that two maps suggest themselves: expectation maximisation over candidates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mesolith.axes import FloatArray
from mesolith.link.candidates import Candidates, Grains
from mesolith.link.chance import Chance, log_normal
from mesolith.link.evidence import (
    HOPELESS,
    POSITION_SCALES,
    PRIOR_WEIGHT,
    SIZE_START,
    SIZE_TAIL,
    TAIL_SCALE,
    Evidence,
    PairModel,
    Residuals,
    gain_with_fragments,
    gains_of,
    residuals_of,
)
from mesolith.link.motion import Motion
from mesolith.numerics.assignment import pair_probabilities
from mesolith.numerics.rotations import (
    matrix_from_quaternion,
    quaternion_conjugate,
    quaternion_from_rotation_vector,
    quaternion_multiply,
    rotation_angle,
)

_ROUNDS = 12
_PRIOR_GRAINS = 10.0  # grains that the given sigmas count for
_FRAGMENT_PRIOR = 100.0
_WIDE_LIMITS = (np.radians(0.5), np.radians(3.0))
_STRAIN_PRIOR = 2e-3  # standard deviation of the stretch before anything is seen


def learn(
    candidates: Candidates,
    before: Grains,
    after: Grains,
    start: Motion,
    chance: Chance,
    model: PairModel,
    prior: PairModel,
    *,
    asked: float = 1.0,
) -> PairModel:
    """Expectation maximisation: the model that the candidates themselves suggest.

    ``start`` is the motion the candidates were found with. The covariances of ``prior`` count as
    ten grains, so that few grains cannot shrink them to nothing. ``before`` may be a random part
    of its map; ``asked`` is the share that it makes up.
    """
    for _ in range(_ROUNDS):
        residuals = residuals_of(candidates, before, after, start, model)
        evidence = gains_of(candidates, residuals, before, after, chance, model)
        hopeful = np.flatnonzero(evidence.gain > HOPELESS)
        pairs = candidates.where(hopeful)
        evidence = evidence.where(hopeful)
        gain = gain_with_fragments(pairs, evidence)
        probability = pair_probabilities(
            pairs.before, pairs.after, gain, iterations=15, exact=False
        )
        split, merged = _fragment_shares(pairs, evidence, probability)
        last, model = model, replace(model, split=split, merged=merged)
        sure = np.flatnonzero(probability > 1e-4)
        model = _updated(
            model,
            prior,
            pairs.where(sure),
            residuals.where(hopeful[sure]),
            probability[sure],
            evidence.share[sure],
            before,
            after,
            asked,
        )
        if _settled(last, model):
            break
    return model


def _settled(last: PairModel, model: PairModel) -> bool:
    """Whether nothing has moved by more than a thousandth of its own spread."""
    shift = model.motion.translation - last.motion.translation
    turn = quaternion_multiply(model.motion.rotation, quaternion_conjugate(last.motion.rotation))
    return bool(
        np.allclose(last.position, model.position, rtol=1e-3, atol=1e-3 * last.position.max())
        and np.allclose(
            last.orientation, model.orientation, rtol=1e-3, atol=1e-3 * last.orientation.max()
        )
        and np.allclose(last.weight, model.weight, rtol=0.0, atol=1e-3)
        and abs(last.wide / model.wide - 1.0) < 1e-2
        and abs(last.lost - model.lost) + abs(last.new - model.new) < 1e-3
        and np.linalg.norm(shift) < 1e-2 * np.sqrt(np.trace(model.position))
        and rotation_angle(turn) < 1e-2 * np.sqrt(np.trace(model.orientation))
    )


def _fragment_shares(
    pairs: Candidates, evidence: Evidence, probability: FloatArray
) -> tuple[float, float]:
    """Shares of pairs with a fragment beside them, in the later and in the earlier map."""
    if len(pairs) == 0:
        return 1.0 / _FRAGMENT_PRIOR, 1.0 / _FRAGMENT_PRIOR
    of_row = np.bincount(pairs.before, probability)[pairs.before] - probability
    of_column = np.bincount(pairs.after, probability)[pairs.after] - probability
    free = 1.0 - np.minimum(of_column + probability, 1.0)
    split = np.maximum(of_row, 0.0) * free * evidence.split / (1.0 + evidence.split)
    free = 1.0 - np.minimum(of_row + probability, 1.0)
    merged = np.maximum(of_column, 0.0) * free * evidence.merged / (1.0 + evidence.merged)
    total = probability.sum() + _FRAGMENT_PRIOR
    return float((split.sum() + 1.0) / total), float((merged.sum() + 1.0) / total)


def _updated(
    model: PairModel,
    prior: PairModel,
    pairs: Candidates,
    residuals: Residuals,
    probability: FloatArray,
    share: FloatArray,
    before: Grains,
    after: Grains,
    asked: float,
) -> PairModel:
    """Model that fits the pairs best, each counted by its probability."""
    expected = probability[:, None, None] * share
    count = expected.sum()
    by_position = expected.sum(axis=2)
    by_orientation = expected.sum(axis=1)
    core = by_position @ (1.0 / POSITION_SCALES)
    tight = by_orientation[:, 0] + by_orientation[:, 1] / TAIL_SCALE
    motion, strain, centre = _fitted_motion(model, pairs, residuals, core, tight, before)
    narrow = by_orientation[:, :2].sum()
    wide_sum = by_orientation[:, 2] @ np.sum(residuals.turn**2, axis=1)
    orientation = _covariance(residuals.turn, tight, narrow, prior.orientation)
    wide = (3.0 * _PRIOR_GRAINS * prior.wide + wide_sum) / (
        3.0 * (_PRIOR_GRAINS + by_orientation[:, 2].sum())
    )
    least = max(_WIDE_LIMITS[0] ** 2, 6.0 * float(np.trace(orientation)) / 3.0)
    position = _covariance(residuals.position, core, count, prior.position)
    weight = PRIOR_WEIGHT + expected.sum(axis=0)
    # where sigmas were guessed far too small a wide component takes the core's place
    largest = int(np.argmax(by_position.sum(axis=0)))
    wider = int(np.argmax(by_orientation[:, :2].sum(axis=0)))
    if largest or wider:
        position = position * POSITION_SCALES[largest]
        orientation = orientation * (1.0, TAIL_SCALE)[wider]
        weight = PRIOR_WEIGHT
    relabelled = 10.0 * prior.relabelled
    np.add.at(relabelled, (before.label[pairs.before], after.label[pairs.after]), probability)
    return replace(
        model,
        motion=motion,
        strain=strain,
        centre=centre,
        position=position,
        orientation=orientation,
        weight=weight / weight.sum(),
        wide=float(np.clip(wide, least, max(_WIDE_LIMITS[1] ** 2, least))),
        lost=(len(before) - count + 1.0) / (len(before) + 2.0),
        new=(max(asked * len(after) - count, 0.0) + 1.0) / (asked * len(after) + 2.0),
        size=_fitted_size(model, residuals.size, probability),
        relabelled=relabelled / relabelled.sum(axis=1, keepdims=True),
    )


def _covariance(
    values: FloatArray, weight: FloatArray, count: float, prior: FloatArray
) -> FloatArray:
    covariance: FloatArray = (_PRIOR_GRAINS * prior + (values * weight[:, None]).T @ values) / (
        _PRIOR_GRAINS + count
    )
    return covariance


def _fitted_size(
    model: PairModel, size: FloatArray, probability: FloatArray
) -> tuple[float, float]:
    """Offset and spread of the logarithmic radius ratio, outliers counting less."""
    known = np.isfinite(size)
    size, weight = size[known], probability[known]
    offset, spread = model.size
    core = (1.0 - SIZE_TAIL) * np.exp(log_normal(size - offset, spread))
    tail = SIZE_TAIL * np.exp(log_normal(size - offset, 3.0 * spread))
    core_share = core / np.maximum(core + tail, 1e-300)
    robust = weight * (core_share + (1.0 - core_share) / 9.0)
    mean = robust @ size / (robust.sum() + 1e-12)
    variance = (_PRIOR_GRAINS * SIZE_START**2 + robust @ (size - mean) ** 2) / (
        _PRIOR_GRAINS + weight.sum()
    )
    return float(mean), float(np.sqrt(max(variance, 1e-4)))


def _fitted_motion(
    model: PairModel,
    pairs: Candidates,
    residuals: Residuals,
    core: FloatArray,
    tight: FloatArray,
    before: Grains,
) -> tuple[Motion, FloatArray, FloatArray]:
    """Rotation, translation and stretch by least squares on positions and orientations."""
    moved = before.position[pairs.before] @ matrix_from_quaternion(model.motion.rotation).T
    moved += model.motion.translation
    total = core.sum()
    centre = core @ moved / total if total > 0.0 else model.centre
    y = moved - centre
    # unknowns: turn (3), shift (3), stretch 11 22 33 23 13 12
    design = np.zeros((len(y), 3, 12))
    design[:, 0, 1], design[:, 0, 2] = y[:, 2], -y[:, 1]
    design[:, 1, 0], design[:, 1, 2] = -y[:, 2], y[:, 0]
    design[:, 2, 0], design[:, 2, 1] = y[:, 1], -y[:, 0]
    design[:, range(3), range(3, 6)] = 1.0
    design[:, 0, 6], design[:, 1, 7], design[:, 2, 8] = y[:, 0], y[:, 1], y[:, 2]
    design[:, 1, 9], design[:, 2, 9] = y[:, 2], y[:, 1]
    design[:, 0, 10], design[:, 2, 10] = y[:, 2], y[:, 0]
    design[:, 0, 11], design[:, 1, 11] = y[:, 1], y[:, 0]
    whiten = np.linalg.inv(np.linalg.cholesky(model.position))
    root = np.sqrt(core)[:, None]
    left = (root[:, :, None] * (whiten @ design)).reshape(-1, 12)
    right = (root * (residuals.rigid @ whiten.T)).ravel()
    normal, moment = left.T @ left, left.T @ right
    precision = np.linalg.inv(model.orientation)
    normal[:3, :3] += tight.sum() * precision
    moment[:3] += precision @ (tight @ residuals.turn)
    # a plane or a handful of grains does not fix the stretch, no pair at all not even the motion
    normal[range(6, 12), range(6, 12)] += _STRAIN_PRIOR**-2
    normal[range(6), range(6)] += 1e-9 * np.diag(normal)[:6] + 1e-12
    fitted = np.asarray(np.linalg.solve(normal, moment), dtype=np.float64)
    turn = quaternion_from_rotation_vector(fitted[:3])
    rotation = quaternion_multiply(turn, model.motion.rotation)
    shift = model.motion.translation - centre
    translation = centre + fitted[3:6] + matrix_from_quaternion(turn) @ shift
    e = fitted[6:]
    strain = np.array([[e[0], e[5], e[4]], [e[5], e[1], e[3]], [e[4], e[3], e[2]]])
    return Motion(rotation, translation), strain, centre + fitted[3:6]
