"""Grain tracking recovers known partners, and says so where there are none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.tracking_maps import HARD, misspecified, two_maps
from mesolith.errors import InvalidValueError
from mesolith.link.track import track_grains
from mesolith.numerics.rotations import (
    matrix_from_quaternion,
    quaternion_from_rotation_vector,
    quaternion_multiply,
    random_quaternions,
)
from mesolith.records.grains import GrainMap, Phases
from tests.link.grain_maps_for_tracking import (
    GARNET,
    PHASES,
    displaced,
    grain_map,
    random_grains,
    rotation_about,
)


def angle_between(a, b):
    return np.degrees(np.arccos(np.clip((np.trace(a.T @ b) - 1.0) / 2.0, -1.0, 1.0)))


def calibration_error(probability, right):
    place = np.minimum((10 * probability).astype(int), 9)
    return sum(
        np.mean(place == k) * abs(probability[place == k].mean() - right[place == k].mean())
        for k in np.unique(place)
    )


def assert_complete(tracking, before, after):
    """Every grain is in one pair, or lost, or new."""
    assert sorted([*tracking.before, *tracking.lost]) == list(range(before))
    assert sorted([*tracking.after, *tracking.new]) == list(range(after))
    assert np.all((tracking.probability >= 0.0) & (tracking.probability <= 1.0))


@pytest.mark.parametrize(
    ("turn", "shift"), [(0.0, 0.0), (1.0, 40.0), (3.0, 200.0), (120.0, 5000.0)]
)
@pytest.mark.parametrize("count", [5, 50, 400])
def test_partners_and_motion_are_recovered(count, turn, shift):
    rng = np.random.default_rng([count, int(shift)])
    position, orientation = random_grains(rng, count)
    moved, turned, rotation, step = displaced(rng, position, orientation, turn=turn, shift=shift)
    order = rng.permutation(count)
    tracking = track_grains(
        grain_map(position, orientation), grain_map(moved[order], turned[order])
    )
    assert_complete(tracking, count, count)
    assert tracking.before.tolist() == list(range(count))
    assert order[tracking.after].tolist() == list(range(count))
    assert tracking.probability.min() > 0.99
    assert angle_between(tracking.rotation, rotation) < 0.3 / np.sqrt(count)
    centre = position.mean(axis=0)
    there = tracking.rotation @ centre + tracking.translation
    assert np.linalg.norm(there - rotation @ centre - step) < 25.0 / np.sqrt(count)
    residual = moved - position @ tracking.rotation.T - tracking.translation
    assert tracking.distance == pytest.approx(np.linalg.norm(residual, axis=1), abs=1e-6)


def test_hard_scene_is_tracked_and_its_probabilities_are_honest():
    change = replace(HARD, grains=4000)
    pair = two_maps(change, 1)
    tracking = track_grains(pair.before, pair.after)
    right = pair.partner[tracking.before] == tracking.after
    assert_complete(tracking, len(pair.before), len(pair.after))
    assert np.mean(~right) < 0.01
    assert right.sum() > 0.985 * np.sum(pair.partner >= 0)
    assert calibration_error(tracking.probability, right) < 0.02
    assert angle_between(tracking.rotation, pair.rotation) < 0.03
    # a grain that split has two candidates; what is unsure is said to be
    unsure = (tracking.probability > 0.05) & (tracking.probability < 0.95)
    assert 10 < unsure.sum() < 200
    assert np.mean(right[unsure]) < np.mean(right[~unsure])


@pytest.mark.parametrize("case", list(misspecified(HARD)))
def test_broken_assumptions_cost_little(case):
    change = misspecified(replace(HARD, grains=2500))[case]
    pair = two_maps(change, 2)
    tracking = track_grains(
        pair.before,
        pair.after,
        sigma_position=change.told * change.sigma_position,
        sigma_orientation=np.radians(change.told * change.sigma_orientation),
    )
    right = pair.partner[tracking.before] == tracking.after
    assert np.mean(~right) < 0.02
    assert right.sum() > 0.96 * np.sum(pair.partner >= 0)


def test_nearest_rule_is_mutual_nearest_and_carries_the_probability_of_its_pairs():
    change = replace(HARD, grains=1200, sigma_position=12.0)
    pair = two_maps(change, 3)
    tracking = track_grains(pair.before, pair.after, rule="nearest")
    moved = pair.before.position @ tracking.rotation.T + tracking.translation
    apart = np.linalg.norm(moved[:, None] - pair.after.position[None], axis=2)
    nearest, back = apart.argmin(axis=1), apart.argmin(axis=0)
    expected = [(i, j) for i, j in enumerate(nearest) if back[j] == i]
    assert list(zip(tracking.before, tracking.after, strict=True)) == expected
    right = pair.partner[tracking.before] == tracking.after
    assert 0.2 < np.mean(right) < 0.9
    assert tracking.probability[~right].mean() < 0.05
    assert tracking.probability[right].mean() > 0.9
    assert_complete(tracking, len(pair.before), len(pair.after))


def scene(seed, count=60, lost=6):
    rng = np.random.default_rng(seed)
    position, orientation = random_grains(rng, count)
    moved, turned, _, _ = displaced(rng, position, orientation, turn=1.5, shift=60.0)
    before = grain_map(position[lost:], orientation[lost:])
    return before, grain_map(moved[: count - lost], turned[: count - lost]), rng


def pairs_of(tracking):
    return set(zip(tracking.before.tolist(), tracking.after.tolist(), strict=True))


@settings(max_examples=8)
@given(st.integers(0, 10_000))
def test_swapping_the_states_inverts_the_tracking(seed):
    before, after, _ = scene(seed)
    there, back = track_grains(before, after), track_grains(after, before)
    assert pairs_of(there) == {(i, j) for j, i in pairs_of(back)}
    assert there.lost.tolist() == back.new.tolist()
    assert angle_between(there.rotation, back.rotation.T) < 0.01
    centre = before.position.mean(axis=0)
    there_and_back = back.rotation @ (there.rotation @ centre + there.translation)
    assert there_and_back + back.translation == pytest.approx(centre, abs=0.5)


@settings(max_examples=8)
@given(st.integers(0, 10_000))
def test_relabelling_the_grains_relabels_the_pairs(seed):
    before, after, rng = scene(seed)
    first, second = rng.permutation(len(before)), rng.permutation(len(after))
    shuffled = track_grains(
        grain_map(before.position[first], before.orientation[first]),
        grain_map(after.position[second], after.orientation[second]),
    )
    expected = pairs_of(track_grains(before, after))
    assert {(int(first[i]), int(second[j])) for i, j in pairs_of(shuffled)} == expected


@settings(max_examples=8)
@given(st.integers(0, 10_000))
def test_turning_the_axes_turns_the_motion_and_nothing_else(seed):
    before, after, rng = scene(seed)
    spin = random_quaternions(rng, 1)[0]
    turn, step = matrix_from_quaternion(spin), rng.uniform(-500, 500, 3)

    def seen(grains):
        return grain_map(
            grains.position @ turn.T + step, quaternion_multiply(spin, grains.orientation)
        )

    tracking, turned = track_grains(before, after), track_grains(seen(before), seen(after))
    assert pairs_of(turned) == pairs_of(tracking)
    assert angle_between(turned.rotation, turn @ tracking.rotation @ turn.T) < 1e-2
    assert turned.distance == pytest.approx(tracking.distance, abs=0.05)
    assert turned.probability == pytest.approx(tracking.probability, abs=1e-3)


@settings(max_examples=8)
@given(st.integers(0, 10_000))
def test_equivalent_orientations_are_the_same_grain(seed):
    from mesolith.crystal.symmetry import rotation_operators

    before, after, rng = scene(seed)
    operators = rotation_operators(220)
    other = quaternion_multiply(
        after.orientation, operators[rng.integers(len(operators), size=len(after))]
    )
    tracking = track_grains(before, grain_map(after.position, other))
    assert pairs_of(tracking) == pairs_of(track_grains(before, after))


def test_identical_maps_are_the_identity():
    position, orientation = random_grains(np.random.default_rng(1), 300)
    tracking = track_grains(*[grain_map(position, orientation)] * 2)
    assert tracking.after.tolist() == tracking.before.tolist() == list(range(300))
    assert tracking.rotation == pytest.approx(np.eye(3), abs=1e-9)
    assert tracking.translation == pytest.approx(np.zeros(3), abs=1e-6)
    assert tracking.distance.max() < 1e-6


@pytest.mark.parametrize(("before", "after"), [(0, 0), (0, 7), (7, 0)])
def test_no_grains_means_all_lost_or_new(before, after):
    rng = np.random.default_rng(0)
    tracking = track_grains(
        grain_map(*random_grains(rng, before)), grain_map(*random_grains(rng, after))
    )
    assert tracking.before.size == 0
    assert_complete(tracking, before, after)
    assert np.all(np.isnan(tracking.translation))


def test_one_grain_that_hardly_moved_is_known_and_one_that_is_elsewhere_is_not():
    rng = np.random.default_rng(2)
    position, orientation = random_grains(rng, 1)
    moved, turned, _, _ = displaced(rng, position, orientation, turn=0.05, shift=5.0)
    near = track_grains(grain_map(position, orientation), grain_map(moved, turned))
    assert near.before.size == 1
    assert near.probability[0] > 0.9
    far = track_grains(grain_map(position, orientation), grain_map(moved + 5e3, turned))
    assert far.before.size == 0
    other = track_grains(
        grain_map(position, orientation), grain_map(position, random_quaternions(rng, 1))
    )
    assert other.before.size == 0


@pytest.mark.parametrize("count", [1, 4, 30, 600])
def test_unrelated_maps_are_not_paired(count):
    rng = np.random.default_rng(count)
    for _ in range(3):
        tracking = track_grains(
            grain_map(*random_grains(rng, count)), grain_map(*random_grains(rng, count))
        )
        assert tracking.before.size == 0
        assert tracking.lost.size == tracking.new.size == count


@pytest.mark.parametrize("flat", [[0, 2], [2], [1, 2]])
def test_a_thin_sample_is_tracked(flat):
    rng = np.random.default_rng(4)
    position, orientation = random_grains(rng, 200, spacing=120.0)
    position[:, flat] = 0.0
    moved, turned, rotation, _ = displaced(rng, position, orientation, turn=2.0, shift=100.0)
    tracking = track_grains(grain_map(position, orientation), grain_map(moved, turned))
    assert tracking.after.tolist() == tracking.before.tolist() == list(range(200))
    assert angle_between(tracking.rotation, rotation) < 0.05


def test_two_copies_of_a_grain_share_its_probability():
    rng = np.random.default_rng(5)
    position, orientation = random_grains(rng, 100)
    moved, turned, _, _ = displaced(rng, position, orientation, turn=1.0, shift=40.0)
    tracking = track_grains(
        grain_map(position, orientation),
        grain_map(np.concatenate([moved, moved[:10]]), np.concatenate([turned, turned[:10]])),
    )
    assert tracking.before.size == 100
    assert tracking.probability[:10] == pytest.approx(0.5, abs=0.01)
    assert tracking.probability[10:].min() > 0.99
    assert tracking.new.size == 10


def test_a_texture_is_told_apart_by_position():
    """All orientations within two degrees: neighbours look alike, positions decide."""
    rng = np.random.default_rng(6)
    position, _ = random_grains(rng, 250)
    orientation = quaternion_from_rotation_vector(np.radians(2.0) * rng.standard_normal((250, 3)))
    moved, turned, rotation, _ = displaced(rng, position, orientation, turn=0.5, shift=30.0)
    tracking = track_grains(grain_map(position, orientation), grain_map(moved, turned))
    assert np.mean(tracking.before == tracking.after) == 1.0
    assert tracking.before.size == 250
    assert angle_between(tracking.rotation, rotation) < 0.05


def test_of_equal_motions_the_smallest_is_taken():
    """A cubic grid of like crystals fits itself after many motions."""
    axis = 50.0 * np.arange(5)
    position = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    orientation = np.tile([1.0, 0.0, 0.0, 0.0], (len(position), 1))
    rng = np.random.default_rng(7)
    moved, turned, _, _ = displaced(
        rng, position, orientation, turn=0.3, shift=8.0, sigma=1.0, sigma_deg=0.02
    )
    tracking = track_grains(grain_map(position, orientation), grain_map(moved, turned))
    assert tracking.after.tolist() == tracking.before.tolist() == list(range(len(position)))


def test_phases_that_an_indexer_may_confuse_pair_at_a_price_and_others_never():
    rng = np.random.default_rng(8)
    position, orientation = random_grains(rng, 300)
    moved, turned, _, _ = displaced(rng, position, orientation, turn=1.0, shift=40.0)
    phase = np.where(np.arange(300) < 290, 0, 2)
    later = phase.copy()
    later[:5] = 1  # found as the other garnet
    later[5:10] = 2  # found as quartz
    tracking = track_grains(
        grain_map(position, orientation, phase=phase), grain_map(moved, turned, phase=later)
    )
    assert set(tracking.before) == set(range(300)) - set(range(5, 10))
    assert np.all(tracking.before == tracking.after)
    assert tracking.lost.tolist() == tracking.new.tolist() == list(range(5, 10))


def test_a_doubtful_pair_of_another_phase_gives_way_to_one_of_the_same():
    rng = np.random.default_rng(9)
    position, orientation = random_grains(rng, 200)
    moved, turned, _, _ = displaced(rng, position, orientation, turn=1.0, shift=40.0, sigma=8.0)
    phase = rng.integers(0, 2, 200)
    # a copy of every tenth grain, found as the other phase
    copied = np.arange(0, 200, 10)
    tracking = track_grains(
        grain_map(position, orientation, phase=phase),
        grain_map(
            np.concatenate([moved[copied], moved]),
            np.concatenate([turned[copied], turned]),
            phase=np.concatenate([1 - phase[copied], phase]),
        ),
    )
    assert np.all(tracking.after == tracking.before + len(copied))


def test_phases_may_be_listed_in_another_order():
    rng = np.random.default_rng(10)
    position, orientation = random_grains(rng, 100)
    moved, turned, _, _ = displaced(rng, position, orientation, turn=1.0, shift=40.0)
    phase = rng.integers(0, 3, 100)
    other = Phases(
        name=PHASES.name[::-1],
        space_group=PHASES.space_group[::-1].copy(),
        lattice=PHASES.lattice[::-1].copy(),
    )
    tracking = track_grains(
        grain_map(position, orientation, phase=phase),
        grain_map(moved, turned, phase=2 - phase, phases=other),
    )
    assert tracking.before.size == 100
    assert tracking.probability.min() > 0.99


def test_like_symmetry_with_another_lattice_is_another_crystal():
    rng = np.random.default_rng(11)
    position, orientation = random_grains(rng, 50)
    gold = Phases(name=("gold",), space_group=np.array([225]), lattice=GARNET[None] * 0.315)
    tracking = track_grains(
        grain_map(position, orientation), grain_map(position, orientation, phases=gold)
    )
    assert tracking.before.size == 0


def test_size_decides_between_the_parts_of_a_split_grain():
    rng = np.random.default_rng(12)
    position, orientation = random_grains(rng, 400)
    radius = 24.0 * np.exp(0.2 * rng.standard_normal(400))
    moved, turned, _, _ = displaced(rng, position, orientation, turn=1.0, shift=40.0, sigma=10.0)
    split = np.arange(40)
    along = np.zeros((40, 3))
    along[:, 0] = 15.0
    places = np.concatenate([moved, moved[split] + along])
    places[split] -= along
    sizes = np.concatenate([radius, radius[split] * 0.2 ** (1 / 3)])
    sizes[split] *= 0.8 ** (1 / 3)
    noisy = sizes * np.exp(0.05 * rng.standard_normal(len(sizes)))
    tracking = track_grains(
        grain_map(position, orientation, radius=radius),
        grain_map(places, np.concatenate([turned, turned[split]]), radius=noisy),
    )
    assert np.mean(tracking.after[:40] == split) > 0.95
    assert np.all(tracking.after[40:] == np.arange(40, 400))


def test_the_same_call_gives_the_same_bytes():
    before, after, _ = scene(3, count=400)
    first, second = track_grains(before, after), track_grains(before, after)
    for name in ("before", "after", "probability", "distance", "rotation", "translation"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()


def test_wrong_arguments_are_named():
    before, after, _ = scene(0)
    with pytest.raises(InvalidValueError, match=r"unknown tracking rule 'closest'(.|\n)*nearest"):
        track_grains(before, after, rule="closest")
    with pytest.raises(InvalidValueError, match=r"sigma_position is 0\.0"):
        track_grains(before, after, sigma_position=0.0)
    with pytest.raises(InvalidValueError, match="sigma_orientation is nan"):
        track_grains(before, after, sigma_orientation=float("nan"))


def test_pairs_of_different_crystals_under_the_nearest_rule_have_no_misorientation():
    rng = np.random.default_rng(13)
    position, orientation = random_grains(rng, 60)
    phase = np.zeros(60, dtype=np.int64)
    later = phase.copy()
    later[0] = 2
    tracking = track_grains(
        grain_map(position, orientation, phase=phase),
        grain_map(position, orientation, phase=later),
        rule="nearest",
    )
    assert tracking.before.size == 60
    assert np.isnan(tracking.misorientation[0])
    assert tracking.probability[0] == 0.0
    assert np.all(np.isfinite(tracking.misorientation[1:]))


def test_strong_lattice_rotation_of_single_grains_is_found():
    """Grains that turned by one degree among 500 that did not."""
    rng = np.random.default_rng(14)
    position, orientation = random_grains(rng, 500)
    moved, turned, _, _ = displaced(rng, position, orientation, turn=1.0, shift=40.0)
    for k in range(10):
        turned[k] = quaternion_multiply(rotation_about(rng, 1.0), turned[k])
    tracking = track_grains(grain_map(position, orientation), grain_map(moved, turned))
    assert np.all(tracking.before == tracking.after)
    assert tracking.before.size == 500
    assert np.degrees(tracking.misorientation[:10]) == pytest.approx(1.0, abs=0.35)


def test_record_round_trip(tmp_path):
    from mesolith.io.record_file import read_record, write_record
    from mesolith.records.tracking import Tracking

    before, after, _ = scene(1)
    tracking = track_grains(before, after)
    write_record(tmp_path / "record.h5", tracking)
    again = read_record(tmp_path / "record.h5", Tracking)
    assert again.before.tolist() == tracking.before.tolist()
    assert again.rule == "optimal"
    assert isinstance(before, GrainMap)
