"""Which grain of one state is which grain of the next (the step link.track)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.orientation import misorientation_angle
from mesolith.errors import InvalidValueError
from mesolith.io.record_file import read_record, write_record
from mesolith.link.candidates import CandidateFinder, Candidates, Grains, grains_of_maps
from mesolith.link.chance import LocalDensity, chance_of_maps
from mesolith.link.evidence import (
    HOPELESS,
    PairModel,
    first_model,
    gain_with_fragments,
    gains_of,
    residuals_of,
)
from mesolith.link.learning import learn
from mesolith.link.motion import Motion, find_motion, spacing
from mesolith.numerics.assignment import best_pairing, pair_probabilities
from mesolith.numerics.rotations import (
    matrix_from_quaternion,
    quaternion_from_matrix,
    rotation_angle,
)
from mesolith.pipeline.work import Remark, Work, write_remarks
from mesolith.records.grains import GrainMap
from mesolith.records.tracking import Tracking
from mesolith.units import from_internal, to_internal

RULES = ("optimal", "nearest")
AMBIGUOUS = (0.05, 0.95)

_LARGEST_ANGLE = np.radians(8.0)
_NEAR_ANGLE = np.radians(4.0)  # grains turn by up to a few degrees between states
_MOST_CANDIDATES = 300_000
_FIRST_GRAINS = 5_000  # are enough for a first look at how pairs scatter


@dataclass(frozen=True, slots=True)
class _Match:
    """Candidates with their gains under the final model."""

    candidates: Candidates
    gain: FloatArray
    probability: FloatArray
    motion: Motion


def track_grains(
    before: GrainMap,
    after: GrainMap,
    *,
    rule: str = "optimal",
    sigma_position: float = 20.0,
    sigma_orientation: float = float(np.radians(0.1)),
    seed: int = 0,
) -> Tracking:
    """Pair the grains of two states one to one.

    The rigid motion between the maps is found first, whatever its size, and removed. The maps
    then tell how true pairs scatter in position, orientation and size, how many grains are lost
    and new, and how often a phase is taken for another.

    Parameters
    ----------
    before, after
        Grain maps of an earlier and a later state. Only crystals of one Laue class whose lattice
        lengths agree to 3 % are paired; a pair that changes its phase name pays a penalty.
    rule
        "optimal": the pairs whose joint likelihood is largest, over distance, misorientation
        and size. "nearest": each grain with the nearest centre of mass where that is mutual, the
        rule of Dixit 2022; its pairs carry the probability that the likelihood gives them.
    sigma_position, sigma_orientation
        Guesses of the standard error of one map, um per coordinate and rad per axis. They start
        the estimate and weigh as ten grains; a factor of three either way does little harm.
    seed
        Decides which grains are asked for the motion in maps of more than 150.

    Returns
    -------
    tracking
        Pairs in the order of ``before``. The probability of a pair counts the alternatives
        among all candidates, and being lost or new. Misorientation is NaN for crystals of
        different Laue classes (rule "nearest" only). Where no motion brings more grains together
        than chance would, there is no pair, all grains are lost or new, and the motion is NaN.

    Raises
    ------
    InvalidValueError
        For an unknown rule, or a sigma that is not positive and finite.
    """
    if rule not in RULES:
        raise InvalidValueError(
            f"unknown tracking rule {rule!r}", remedy=f"Rules: {', '.join(RULES)}."
        )
    for name, sigma in (
        ("sigma_position", sigma_position),
        ("sigma_orientation", sigma_orientation),
    ):
        if not (np.isfinite(sigma) and sigma > 0.0):
            raise InvalidValueError(f"{name} is {sigma}, it must be positive and finite")
    rng = np.random.default_rng([seed, 3])
    old, new = grains_of_maps(before, after)
    motion = find_motion(
        old, new, sigma_position=sigma_position, sigma_orientation=sigma_orientation, rng=rng
    )
    if motion is None:
        return _nothing_tracked(old, new, rule)
    model = first_model(
        old, new, motion, sigma_position=sigma_position, sigma_orientation=sigma_orientation
    )
    match = _matched(old, new, model, rng)
    if rule == "nearest":
        i, j = _mutual_nearest(match.motion.moved(old).position, new.position)
        probability = _probability_of(i, j, match, len(new))
    else:
        chosen = best_pairing(match.candidates.before, match.candidates.after, match.gain)
        i, j = match.candidates.before[chosen], match.candidates.after[chosen]
        probability = match.probability[chosen]
    return _tracking(old, new, i, j, probability, match.motion, rule)


def _matched(old: Grains, new: Grains, first: PairModel, rng: np.random.Generator) -> _Match:
    """Learn what true pairs look like, near the core first and then in the wings."""
    density = LocalDensity(new, rng)
    model = first
    spread, turn = _widest(model)
    distance = max(6.0 * spread, 4.0 * spacing(new.position))
    angle = min(max(6.0 * turn, np.radians(1.0)), _LARGEST_ANGLE)
    whole = np.arange(len(old))
    part = np.sort(rng.choice(whole, _FIRST_GRAINS, False)) if len(old) > _FIRST_GRAINS else whole
    for rows in (part, whole):
        start = model.motion
        asked = old.rows(rows)
        chance = chance_of_maps(asked, new, density, sigma_position=spread, sigma_orientation=turn)
        candidates = _candidates(asked, new, start, distance, angle)
        # shares of wide components mean something else within other bounds: learn them anew
        model = replace(model, weight=first.weight, wide=first.wide)
        share = rows.size / max(len(old), 1)
        model = learn(candidates, asked, new, start, chance, model, first, asked=share)
        spread, turn = _widest(model)
        distance = 8.0 * spread
        angle = min(max(10.0 * turn, _NEAR_ANGLE), _LARGEST_ANGLE)
    residuals = residuals_of(candidates, old, new, start, model)
    evidence = gains_of(candidates, residuals, old, new, chance, model)
    hopeful = np.flatnonzero(evidence.gain > HOPELESS)
    candidates = candidates.where(hopeful)
    gain = gain_with_fragments(candidates, evidence.where(hopeful))
    probability = pair_probabilities(candidates.before, candidates.after, gain)
    return _Match(candidates, gain, probability, model.motion)


def _widest(model: PairModel) -> tuple[float, float]:
    """Largest standard deviations of a pair's difference, um and rad."""
    spread = float(np.sqrt(np.linalg.eigvalsh(model.position)[-1]))
    turn = float(np.sqrt(np.linalg.eigvalsh(model.orientation)[-1]))
    return spread, turn


def _candidates(
    old: Grains, new: Grains, motion: Motion, distance: float, angle: float
) -> Candidates:
    """Candidates within both bounds, which shrink where a texture would make too many."""
    moved = motion.moved(old)
    probe = moved.rows(np.arange(0, len(moved), max(1, len(moved) // 500)))
    while True:
        finder = CandidateFinder(new, distance=distance, angle=angle)
        expected = len(finder.pairs(probe)) * (len(moved) / len(probe))
        if expected <= _MOST_CANDIDATES:
            return finder.pairs(moved)
        distance, angle = 0.8 * distance, 0.8 * angle


def _mutual_nearest(moved: FloatArray, later: FloatArray) -> tuple[IntArray, IntArray]:
    """Rows of grains that are each other's nearest."""
    from scipy.spatial import cKDTree

    nearest = np.asarray(cKDTree(later).query(moved)[1])
    back = np.asarray(cKDTree(moved).query(later)[1])
    i = np.flatnonzero(back[nearest] == np.arange(len(moved)))
    return i, nearest[i]


def _probability_of(i: IntArray, j: IntArray, match: _Match, width: int) -> FloatArray:
    """Probability of given pairs; 0 where a pair is no candidate."""
    known = match.candidates.before * width + match.candidates.after
    wanted = i * width + j
    place = np.minimum(np.searchsorted(known, wanted), max(len(known) - 1, 0))
    if len(known) == 0:
        return np.zeros(len(i))
    return np.where(known[place] == wanted, match.probability[place], 0.0)


def _tracking(
    old: Grains,
    new: Grains,
    i: IntArray,
    j: IntArray,
    probability: FloatArray,
    motion: Motion,
    rule: str,
) -> Tracking:
    moved = motion.moved(old)
    misorientation = np.full(len(i), np.nan)
    for kind, operators in enumerate(old.operators):
        rows = np.flatnonzero((old.kind[i] == kind) & (new.kind[j] == kind))
        misorientation[rows] = misorientation_angle(
            moved.orientation[i[rows]], new.orientation[j[rows]], operators
        )
    return Tracking(
        before=i,
        after=j,
        probability=np.clip(probability, 0.0, 1.0),
        distance=np.linalg.norm(new.position[j] - moved.position[i], axis=1),
        misorientation=misorientation,
        lost=np.setdiff1d(np.arange(len(old)), i),
        new=np.setdiff1d(np.arange(len(new)), j),
        rotation=matrix_from_quaternion(motion.rotation),
        translation=motion.translation,
        rule=rule,
    )


def _nothing_tracked(old: Grains, new: Grains, rule: str) -> Tracking:
    none = np.zeros(0, dtype=np.int64)
    return Tracking(
        before=none,
        after=none,
        probability=np.zeros(0),
        distance=np.zeros(0),
        misorientation=np.zeros(0),
        lost=np.arange(len(old)),
        new=np.arange(len(new)),
        rotation=np.full((3, 3), np.nan),
        translation=np.full(3, np.nan),
        rule=rule,
    )


def compute(work: Work) -> None:
    """Step link.track: the grain maps of a state and the next become a Tracking."""
    earlier, later = work.inputs["hedm.read"]
    before = read_record(earlier.record_file, GrainMap)
    after = read_record(later.record_file, GrainMap)
    tracking = track_grains(
        before,
        after,
        rule=str(work.settings["hedm.track_rule"]),
        sigma_position=float(work.settings["hedm.sigma_position_um"]),
        sigma_orientation=to_internal(float(work.settings["hedm.sigma_orientation_deg"]), "deg"),
        seed=work.seed,
    )
    write_record(work.folder / "record.h5", tracking)
    write_remarks(work.folder, _remarks(tracking, f"{earlier.label} to {later.label}"))


def _remarks(tracking: Tracking, where: str) -> list[Remark]:
    """What a reader must know of a tracking: counts, the motion, and where it failed."""
    kept, lost, new = tracking.before.size, tracking.lost.size, tracking.new.size
    if not np.all(np.isfinite(tracking.translation)):
        text = (
            f"no grain was tracked ({lost} before, {new} after): "
            + ("a map is empty" if lost == 0 or new == 0 else "no common motion was found")
            + ". Check that both maps show the same cell and the same part of it."
        )
        return [Remark("warning", where, text)]
    shift = float(np.linalg.norm(tracking.translation))
    turn = float(rotation_angle(quaternion_from_matrix(tracking.rotation)))
    low, high = AMBIGUOUS
    unsure = int(np.sum((tracking.probability >= low) & (tracking.probability <= high)))
    doubtful = int(np.sum(tracking.probability < low))
    text = (
        f"{kept} grains tracked by the rule {tracking.rule!r}, {lost} lost, {new} new. Common "
        f"motion removed: {shift:.1f} um, {from_internal(turn, 'deg'):.3f} deg. "
        f"{unsure} pairs are ambiguous (probability {low:.0%} to {high:.0%})"
    )
    text += f", {doubtful} improbable." if doubtful else "."
    return [Remark("warning" if doubtful > 0.01 * kept else "note", where, text)]
