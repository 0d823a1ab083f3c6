"""Grains cut by borders of layers: which finds are one grain, and what the whole grain is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mesolith.axes import SIX, FloatArray, IntArray
from mesolith.errors import ContradictionError, InvalidValueError
from mesolith.hedm.border_odds import strangers_of
from mesolith.hedm.cut_spheres import cut_spheres
from mesolith.hedm.figure_parts import parts_drawing
from mesolith.hedm.find_pairs import strain_of, turn_of
from mesolith.hedm.layer_finds import Layer
from mesolith.hedm.stitch import Stitched, stitch_layers
from mesolith.records.grains import Phases
from tests.hedm.cut_grains import CUBE, LATTICE, Plan, Truth, cut_layers, random_grains


@dataclass(frozen=True)
class Pile:
    layers: list[Layer]
    truth: Truth
    stitched: Stitched

    @property
    def owner(self) -> IntArray:
        """True grain of each find, in the order of the stitched finds."""
        return np.concatenate(self.truth.owner)

    @property
    def wrong(self) -> int:
        finds = self.stitched.finds
        return int((self.owner[finds.lower] != self.owner[finds.upper]).sum())

    @property
    def split(self) -> int:
        """Joins that are missing."""
        finds = self.stitched.finds
        return len(finds) - len(np.unique(self.owner)) - (len(finds.lower) - self.wrong)


def pile(plan: Plan, seed: int, **changes: object) -> Pile:
    rng = np.random.default_rng(seed)
    position, turn = random_grains(plan, rng)
    layers, truth = cut_layers(plan, rng, position, turn, **changes)  # type: ignore[arg-type]
    return Pile(layers, truth, stitch_layers(layers))


@pytest.fixture(scope="module")
def many() -> Pile:
    return pile(Plan(layers=4, grains=400), 1)


def whole(made: Pile) -> tuple[IntArray, IntArray]:
    """Rows of stitched grains of which all parts were joined, and the true grain of each."""
    finds, owner = made.stitched.finds, made.owner
    first = np.unique(finds.grain_id, return_index=True)[1]
    parts = np.bincount(finds.grain_id)
    true = owner[first]
    rows = np.flatnonzero(parts == np.bincount(owner, minlength=true.max() + 1)[true])
    return rows, true[rows]


def test_every_cut_grain_is_joined_and_no_other(many: Pile) -> None:
    finds = many.stitched.finds
    assert len(finds.lower) > 90
    assert many.wrong == 0
    assert many.split <= 1
    assert len(many.stitched.grains) == finds.grains
    assert finds.expected_wrong + finds.expected_missed < 2.0


def test_whole_grains_are_where_and_as_large_as_they_are(many: Pile) -> None:
    grains = many.stitched.grains
    rows, true = whole(many)
    truth = many.truth
    off = grains.position[rows] - truth.position[true]
    assert np.sqrt(np.mean(off**2, axis=0)) == pytest.approx([2.2, 2.2, 1.5], rel=0.25)
    share = grains.volume_share[rows] * many.stitched.finds.grain_volume
    assert np.std(np.log(share / truth.volume[true])) < 0.08
    deformed = (np.eye(3) + truth.strain[true]) @ truth.turn[true]
    change = nearest(grains.lattice_vectors[rows] / LATTICE, deformed)
    assert np.linalg.norm(turn_of(change), axis=1).max() < 1e-3
    assert np.sqrt(np.mean(strain_of(change) ** 2)) < 5e-5


def test_errors_of_whole_grains_are_the_true_ones(many: Pile) -> None:
    grains = many.stitched.grains
    rows, true = whole(many)
    parts = np.bincount(many.stitched.finds.grain_id)[rows]
    off = grains.position[rows] - many.truth.position[true]
    sigma = np.sqrt(np.diagonal(grains.covariance[rows], axis1=1, axis2=2)[:, :3])
    for some in (parts == 1, parts > 1):
        assert some.sum() > 80
        covered = np.mean(np.abs(off[some]) < sigma[some], axis=0)
        assert np.all((covered > 0.58) & (covered < 0.78))


def test_the_order_of_layers_and_grains_is_nothing(many: Pile) -> None:
    rng = np.random.default_rng(4)
    shuffled = []
    for layer in many.layers[::-1]:
        grains = layer.grains
        assert grains is not None
        rows = rng.permutation(len(grains))
        fields = ("lattice_vectors", "position", "covariance", "volume_share", "volume_share_se")
        moved = replace(grains, **{name: getattr(grains, name)[rows] for name in fields})
        moved = replace(moved, lattice_vectors=moved.lattice_vectors @ CUBE[7])
        shuffled.append(replace(layer, grains=moved))
    again = stitch_layers(shuffled)
    assert again.order == (3, 2, 1, 0)
    first, second = many.stitched.grains, again.grains
    assert len(first) == len(second)
    one, two = (np.lexsort(np.round(g.position, 6).T) for g in (first, second))
    np.testing.assert_allclose(first.position[one], second.position[two], atol=1e-6)
    np.testing.assert_allclose(first.lattice_vectors[one], second.lattice_vectors[two], atol=1e-9)
    np.testing.assert_allclose(first.covariance[one], second.covariance[two], atol=1e-9)


def test_neighbours_that_lie_alike_stay_two_grains() -> None:
    # every grain has a neighbour turned by 0.12 deg, a dozen times the errors: as often as not the
    # two lie on both sides of a border
    plan = Plan(layers=4, grains=400)
    rng = np.random.default_rng(2)
    position, turn = random_grains(plan, rng)
    order = np.argsort(position[:, 2], kind="stable")
    free = set(order.tolist())
    for g in order:
        if g not in free:
            continue
        free.discard(g)
        near = sorted(free, key=lambda h: float(np.sum((position[h] - position[g]) ** 2)))
        if near:
            free.discard(near[0])
            axis = rng.standard_normal(3)
            small = np.radians(0.12) * axis / np.linalg.norm(axis)
            turn[near[0]] = Rotation.from_rotvec(small).as_matrix() @ turn[g]
    layers, truth = cut_layers(plan, rng, position, turn)
    made = Pile(layers, truth, stitch_layers(layers))
    assert made.wrong <= 1
    assert made.split <= 2


def test_grains_through_three_layers() -> None:
    plan = Plan(layers=3, grains=40, diameter=60.0)
    rng = np.random.default_rng(3)
    stretch = np.ones((40, 3))
    position, turn = random_grains(plan, rng)
    # six columns of 170 um in the middle
    stretch[:6, 2] = 170.0 / 60.0
    position[:6, 2] = rng.uniform(-8.0, 8.0, 6)
    layers, truth = cut_layers(plan, rng, position, turn, stretch=stretch)
    made = Pile(layers, truth, stitch_layers(layers))
    assert made.wrong == 0
    assert made.split == 0
    finds = made.stitched.finds
    for g in range(6):
        rows = np.flatnonzero(made.owner == g)
        assert sorted(finds.layer[rows]) == [0, 1, 2]
        grain = made.stitched.grains.position[finds.grain_id[rows[0]]]
        assert abs(grain[2] - position[g, 2]) < 6.0


def test_a_part_that_was_not_found_is_counted_and_joins_nobody() -> None:
    plan = Plan(layers=2, grains=120)
    rng = np.random.default_rng(5)
    position, turn = random_grains(plan, rng)
    cut = np.flatnonzero(np.abs(position[:, 2]) < 12.0)[:6]
    assert len(cut) == 6
    lost = tuple((k % 2, int(g)) for k, g in enumerate(cut))
    layers, truth = cut_layers(plan, rng, position, turn, lost=lost)
    made = Pile(layers, truth, stitch_layers(layers))
    assert made.wrong == 0
    for g in cut:
        assert (made.owner == g).sum() == 1
    assert made.stitched.finds.cut_alone >= 5
    assert len(made.stitched.grains) == len(np.unique(made.owner))


def test_an_empty_layer_is_taken_as_it_is(many: Pile) -> None:
    below, middle, *above = many.layers
    empty = replace(middle, grains=None)
    found = stitch_layers([below, empty, *above]).finds
    assert set(found.layer) == {0, 2, 3}
    assert len(found.layer_z) == 4
    owner = np.concatenate([many.truth.owner[k] for k in (0, 2, 3)])
    assert np.array_equal(owner[found.lower], owner[found.upper])
    # nothing crosses 100 um of which nothing is known
    assert set(found.layer[found.lower]) == {2}


def test_beams_that_overlap_find_grains_twice_but_count_them_once() -> None:
    made = pile(Plan(layers=3, grains=250, overlap=30.0), 6)
    assert made.wrong == 0
    assert made.split <= 1
    rows, true = whole(made)
    parts = np.bincount(made.stitched.finds.grain_id)[rows]
    volume = made.stitched.grains.volume_share[rows] * made.stitched.finds.grain_volume
    ratio = np.log(volume / made.truth.volume[true])
    assert abs(np.mean(ratio[parts > 1])) < 0.05


@pytest.mark.parametrize("scale", [1.0, 1.8])
def test_parts_tell_how_true_the_errors_are(scale: float) -> None:
    plan = Plan(layers=5, grains=600, error_scale=scale, strain_within=0.0)
    found = pile(plan, 7).stitched.finds
    assert abs(found.turn_scale - scale) < 3.0 * found.turn_scale_se
    assert found.turn_scale_se < 0.12 * scale
    assert abs(found.strain_scale - scale) < 3.0 * found.strain_scale_se


def test_a_strain_that_differs_within_grains_is_no_error() -> None:
    found = pile(Plan(layers=5, grains=600, strain_within=1e-4), 8).stitched.finds
    # each part of its own: the difference spreads by a root of two, or less off the diagonal
    assert 0.9e-4 < found.strain_spread < 1.9e-4
    assert abs(found.turn_scale - 1.0) < 3.0 * found.turn_scale_se
    assert found.turn_spread < np.radians(0.004)


def test_one_layer_is_itself(many: Pile) -> None:
    lowest = many.layers[0]
    assert lowest.grains is not None
    alone = stitch_layers([lowest])
    assert len(alone.grains) == len(lowest.grains)
    expected = lowest.grains.position + np.array([0.0, 0.0, lowest.middle])
    np.testing.assert_allclose(alone.grains.position, expected)
    np.testing.assert_allclose(
        alone.grains.covariance, lowest.grains.covariance, rtol=1e-9, atol=1e-25
    )
    assert len(alone.finds.lower) == 0


def test_layers_that_cannot_be_one_sample_are_refused(many: Pile) -> None:
    first, second = many.layers[:2]
    with pytest.raises(ContradictionError, match="the same height"):
        stitch_layers([first, replace(second, middle=first.middle)])
    with pytest.raises(ContradictionError, match="no layer holds a grain"):
        stitch_layers([replace(first, grains=None)])
    assert second.grains is not None
    other = Phases(("LLZO",), np.array([230]), second.grains.phases.lattice)
    changed = replace(second, grains=replace(second.grains, phases=other))
    with pytest.raises(ContradictionError, match="different phases"):
        stitch_layers([first, changed])
    with pytest.raises(InvalidValueError, match="lights nothing"):
        replace(first, height=0.0)


@pytest.mark.parametrize(("top", "bottom"), [(5.0, 5.0), (8.0, 2.0), (3.0, 6.0), (40.0, -40.0)])
def test_a_sphere_cut_by_two_edges_against_points(top: float, bottom: float) -> None:
    rng = np.random.default_rng(9)
    points = rng.uniform(-1.0, 1.0, (400_000, 3))
    height = 2.0 + 10.0 * points[np.sum(points**2, axis=1) < 1.0, 2]
    volume = 4.0 / 3.0 * np.pi * 1000.0
    below, above = height < top, height > bottom
    found = cut_spheres(
        np.array([below.mean() * volume]),
        np.array([above.mean() * volume]),
        np.array([top]),
        np.array([bottom]),
    )
    assert found.volume[0] == pytest.approx(volume, rel=5e-3)
    assert found.apart[0] == pytest.approx(height[above].mean() - height[below].mean(), abs=0.05)
    both = np.concatenate([height[below], height[above]])
    assert np.isnan(found.centre[0]) or found.centre[0] == pytest.approx(both.mean(), abs=0.05)
    assert np.isnan(found.centre[0]) == (top > 30.0)


def test_strangers_that_lie_alike_raise_the_bar() -> None:
    rng = np.random.default_rng(10)
    random = rng.uniform(0.2, 1.0, 20_000)
    alone = strangers_of(random, 24)
    crowd = strangers_of(np.concatenate([random, np.radians(rng.uniform(0.0, 0.3, 400))]), 24)
    at = np.radians([0.01, 0.1, 0.25, 5.0])
    assert alone.at(at)[0] == pytest.approx(24.0 / (8.0 * np.pi**2), rel=0.2)
    assert np.all(crowd.at(at)[:3] > 1e3 * alone.at(at)[:3])
    assert np.all(np.diff(crowd.at(at)) <= 0.0)


def test_the_figure_says_what_the_finds_say(many: Pile) -> None:
    finds = many.stitched.finds
    drawing = parts_drawing("pristine", finds)
    assert f"{len(finds)} finds in 4 layers of pristine are 400 grains" in drawing.caption
    assert f"of {finds.turn_scale:.2f} ± {finds.turn_scale_se:.2f} times" in drawing.caption
    assert len(drawing.table["turn_x_rad"]) == len(finds.lower)


def nearest(found: FloatArray, true: FloatArray) -> FloatArray:
    """Deformations that carry true lattices into found ones, over all settings of a cube."""
    moved = found[:, None] @ CUBE @ np.linalg.inv(true)[:, None]
    best = np.argmax(np.trace(moved, axis1=2, axis2=3), axis=1)
    return np.asarray(moved[np.arange(len(found)), best])


def test_components_are_in_the_order_of_the_house() -> None:
    change = np.eye(3)
    change[1, 2] = change[2, 1] = 1e-4
    assert strain_of(change)[SIX.index((1, 2))] == pytest.approx(1e-4)
    turned = Rotation.from_rotvec([0.0, 0.0, 1e-4]).as_matrix()
    np.testing.assert_allclose(turn_of(turned), [0.0, 0.0, 1e-4], atol=1e-9)
