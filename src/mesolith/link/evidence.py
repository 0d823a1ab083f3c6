"""How much more likely a candidate pair is than chance, once the motion is removed.

True pairs scatter in position and orientation with covariances that are estimated, mixed with
wider components for what no Gaussian holds: heavy tails, and grains that turned between the
states. Everything else is a chance pair, as dense as the new grains are, and denser beside a
grain that split or was found twice. Sigmas that a user guesses only start the estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.link.candidates import Candidates, Grains
from mesolith.link.chance import Chance, log_normal
from mesolith.link.motion import Motion
from mesolith.numerics.assignment import Groups
from mesolith.numerics.rotations import (
    matrix_from_quaternion,
    quaternion_conjugate,
    quaternion_multiply,
    rotation_vector_from_quaternion,
)

POSITION_SCALES = np.array([1.0, 2.5, 6.0]) ** 2  # variances of the components over the core's
TAIL_SCALE = 2.5**2  # of the second orientation component
PRIOR_WEIGHT = 10.0 * np.outer([0.9, 0.08, 0.02], [0.85, 0.1, 0.05])
SIZE_TAIL = 0.1  # share of pairs whose size says little
SIZE_START = 0.3
_WIDE_START = np.radians(1.0)
_SHARE_START = 0.1  # lost, and new
_SPLIT_START = 0.01
# a grain of volume 1 that splits, its larger part uniform in (0.5, 1): mean and spread of the
# logarithmic radius of either part; the smaller part lies half a radius away along each axis
_MAIN_SIZE = (-0.102, 0.065)
_FRAGMENT_SIZE = (-0.564, 0.333)
_FRAGMENT_SHIFT = 0.5
_FRAGMENT_TURN = np.radians(0.2)
_LARGEST_LOG = 200.0  # odds beyond this are cut, so that sums stay finite
HOPELESS = -12.0  # a gain below this is not worth a place in the graph


@dataclass(frozen=True, slots=True)
class PairModel:
    """What true pairs look like once the motion is removed.

    Covariances are of the difference between the maps. ``weight`` has the shares of the position
    components (rows) and orientation components (columns); ``wide`` is the variance of the last
    orientation component. ``strain`` is a small symmetric stretch about the matched grains'
    centre, beside the rigid motion. ``lost`` and ``new`` are shares of either map. ``size`` has
    offset and spread of the logarithmic radius ratio; ``relabelled`` the probability of each
    phase label of the later map given that of the earlier one. ``split`` and ``merged`` are the
    shares of pairs beside which a fragment lies in the later and in the earlier map.
    """

    motion: Motion
    strain: FloatArray
    centre: FloatArray
    position: FloatArray
    orientation: FloatArray
    weight: FloatArray
    wide: float
    lost: float
    new: float
    size: tuple[float, float]
    relabelled: FloatArray
    split: float
    merged: float


@dataclass(frozen=True, slots=True)
class Residuals:
    """Differences of each candidate pair: position with and without the stretch, turn, size."""

    rigid: FloatArray
    position: FloatArray
    turn: FloatArray
    size: FloatArray

    def where(self, rows: IntArray) -> Residuals:
        """Only those pairs."""
        return Residuals(self.rigid[rows], self.position[rows], self.turn[rows], self.size[rows])


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for each candidate pair.

    ``share`` (n, 3, 3) is the part of each component in its density; ``split`` and ``merged``
    are the odds that its later (earlier) grain is a fragment of its earlier (later) one rather
    than new (lost); ``smaller`` and ``larger`` how much better its sizes fit if the earlier
    (later) grain is the one with a fragment elsewhere.
    """

    gain: FloatArray
    share: FloatArray
    split: FloatArray
    merged: FloatArray
    smaller: FloatArray
    larger: FloatArray

    def where(self, rows: IntArray) -> Evidence:
        """Only those pairs."""
        return Evidence(
            self.gain[rows],
            self.share[rows],
            self.split[rows],
            self.merged[rows],
            self.smaller[rows],
            self.larger[rows],
        )


def first_model(
    before: Grains,
    after: Grains,
    motion: Motion,
    *,
    sigma_position: float,
    sigma_orientation: float,
) -> PairModel:
    """Model before anything is learnt, from the sigmas of one map (um, rad)."""
    labels = int(max(before.label.max(), after.label.max())) + 1
    same = np.full((labels, labels), 0.01) + 0.99 * np.eye(labels)
    return PairModel(
        motion=motion,
        strain=np.zeros((3, 3)),
        centre=motion.moved(before).position.mean(axis=0),
        position=2.0 * sigma_position**2 * np.eye(3),
        orientation=2.0 * sigma_orientation**2 * np.eye(3),
        weight=PRIOR_WEIGHT / PRIOR_WEIGHT.sum(),
        wide=max(_WIDE_START, 3.0 * sigma_orientation) ** 2,
        lost=_SHARE_START,
        new=_SHARE_START,
        size=(0.0, SIZE_START),
        relabelled=same / same.sum(axis=1, keepdims=True),
        split=_SPLIT_START,
        merged=_SPLIT_START,
    )


def residuals_of(
    candidates: Candidates, before: Grains, after: Grains, start: Motion, model: PairModel
) -> Residuals:
    """What remains of each candidate pair under the model's motion.

    ``start`` is the motion with which the candidates were found: their earlier orientations
    already hold it.
    """
    moved = before.position @ matrix_from_quaternion(model.motion.rotation).T
    moved += model.motion.translation
    i, j = candidates.before, candidates.after
    rigid = after.position[j] - moved[i]
    since = quaternion_multiply(model.motion.rotation, quaternion_conjugate(start.rotation))
    turned = quaternion_multiply(since, candidates.orientation_before)
    turn = rotation_vector_from_quaternion(
        quaternion_multiply(candidates.orientation_after, quaternion_conjugate(turned))
    )
    stretched = rigid - (moved[i] - model.centre) @ model.strain.T
    return Residuals(rigid, stretched, turn, after.log_radius[j] - before.log_radius[i])


def gains_of(
    candidates: Candidates,
    residuals: Residuals,
    before: Grains,
    after: Grains,
    chance: Chance,
    model: PairModel,
) -> Evidence:
    """Gain of each candidate, and what it is made of.

    The gain is the logarithm of: pair survives and looks like this, over: the earlier grain is
    lost and the later one is new.
    """
    parts = _log_components(residuals, model)
    peak = parts.max(axis=(1, 2), keepdims=True)
    scaled = np.exp(parts - peak)
    total = scaled.sum(axis=(1, 2), keepdims=True)
    density = (peak + np.log(total))[:, 0, 0]
    i, j = candidates.before, candidates.after
    label = np.log(model.relabelled[before.label[i], after.label[j]]) - chance.label[j]
    place = label - chance.place[j]
    gain = place + density + np.log((1.0 - model.lost) / (model.lost * model.new))

    # sizes speak where both are known and spread among their own map
    new_size, old_size = chance.size[j], chance.size_before[i]
    known = np.isfinite(residuals.size) & np.isfinite(new_size) & np.isfinite(old_size)
    new_size, old_size = np.where(known, new_size, 0.0), np.where(known, old_size, 0.0)
    offset, spread = model.size
    aside = np.where(known, residuals.size - offset, 0.0)
    alike = _log_alike(aside, spread)
    gain += np.where(known, alike - new_size, 0.0)

    whole = float(np.hypot(spread, _MAIN_SIZE[1]))
    smaller = np.where(known, np.exp(_log_alike(aside - _MAIN_SIZE[0], whole) - alike), 1.0)
    larger = np.where(known, np.exp(_log_alike(-aside - _MAIN_SIZE[0], whole) - alike), 1.0)
    mean, scatter = _FRAGMENT_SIZE
    scatter = float(np.hypot(spread, scatter))
    split = place + _log_fragment(residuals, before.log_radius[i], model)
    split += np.where(known, log_normal(aside - mean, scatter) - new_size, 0.0)
    merged = place + _log_fragment(residuals, after.log_radius[j], model)
    merged += np.where(known, log_normal(-aside - mean, scatter) - old_size, 0.0)
    split = np.exp(np.minimum(split + np.log(model.split / model.new), _LARGEST_LOG))
    merged = np.exp(np.minimum(merged + np.log(model.merged / model.lost), _LARGEST_LOG))
    return Evidence(gain, scaled / total, split, merged, smaller, larger)


def gain_with_fragments(pairs: Candidates, evidence: Evidence) -> FloatArray:
    """Gains that know of fragments.

    A pair gains where another candidate of its earlier grain is a likely fragment of that grain
    and nobody else's: it then needs no chance to be where it is. The same holds for the later
    grain. A candidate that some other grain could claim, at best, counts as claimed, so that two
    like grains side by side are not taken for fragments of one another.
    """
    by_row, by_column = Groups(pairs.before), Groups(pairs.after)

    def raised(split: FloatArray, merged: FloatArray) -> FloatArray:
        return (
            evidence.gain
            + np.log1p(evidence.smaller * by_row.sum_of_others(split))
            + np.log1p(evidence.larger * by_column.sum_of_others(merged))
        )

    claim = np.exp(np.minimum(raised(evidence.split, evidence.merged), _LARGEST_LOG))
    free_after = 1.0 / (1.0 + by_column.sum_of_others(claim))
    free_before = 1.0 / (1.0 + by_row.sum_of_others(claim))
    return raised(free_after * evidence.split, free_before * evidence.merged)


def _log_fragment(residuals: Residuals, log_radius: FloatArray, model: PairModel) -> FloatArray:
    """Log density of a fragment around a grain of that radius, in position and turn."""
    noise = np.trace(model.position) / 3.0
    radius = np.where(np.isfinite(log_radius), np.exp(log_radius), np.sqrt(noise))
    variance = noise + (_FRAGMENT_SHIFT * radius) ** 2
    turn = float(np.trace(model.orientation)) / 3.0 + _FRAGMENT_TURN**2
    density: FloatArray = (
        -0.5 * np.sum(residuals.position**2, axis=1) / variance
        - 1.5 * np.log(2.0 * np.pi * variance)
        - 0.5 * np.sum(residuals.turn**2, axis=1) / turn
        - 1.5 * np.log(2.0 * np.pi * turn)
    )
    return density


def _log_alike(aside: FloatArray, spread: float) -> FloatArray:
    """Log density of the logarithmic radius ratio of a true pair, with a tail."""
    return np.logaddexp(
        np.log(1.0 - SIZE_TAIL) + log_normal(aside, spread),
        np.log(SIZE_TAIL) + log_normal(aside, 3.0 * spread),
    )


def _log_components(residuals: Residuals, model: PairModel) -> FloatArray:
    """Logarithm of weight times density of every component, (n, 3, 3), per um3 and rad3."""
    place = _log_gaussians(residuals.position, model.position, POSITION_SCALES)
    turn = np.column_stack(
        [
            _log_gaussians(residuals.turn, model.orientation, np.array([1.0, TAIL_SCALE])),
            _log_gaussians(residuals.turn, model.wide * np.eye(3), np.array([1.0])),
        ]
    )
    parts: FloatArray = np.log(model.weight) + place[:, :, None] + turn[:, None, :]
    return parts


def _log_gaussians(value: FloatArray, covariance: FloatArray, scales: FloatArray) -> FloatArray:
    """Log density of 3-vectors under scaled copies of one Gaussian, (n, scales)."""
    root = np.linalg.cholesky(covariance)
    square = np.sum((value @ np.linalg.inv(root).T) ** 2, axis=1)
    log_det = 2.0 * np.log(np.diag(root)).sum()
    log_density: FloatArray = -0.5 * (
        square[:, None] / scales + 3.0 * np.log(2.0 * np.pi * scales) + log_det
    )
    return log_density
