"""Indexing of small layers: what was put in comes out, and what is wrong is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.errors import ContradictionError, InvalidValueError
from mesolith.hedm.agreement import reversed_rotation
from mesolith.hedm.hypotheses import Grains
from mesolith.hedm.index_settings import IndexSettings
from mesolith.hedm.indexed import IndexedLayer, index_spots
from mesolith.hedm.layer_index import LayerIndex
from mesolith.hedm.phase_rings import phase_rings
from mesolith.hedm.second_looks import settled
from mesolith.instrument.beam import beam_from_energy
from mesolith.instrument.predict import linearise_spots
from mesolith.virtual.hedm.grains import random_grains
from mesolith.virtual.hedm.reflections import FIRST_RINGS, reflections_of
from mesolith.virtual.hedm.spot_lists import SpotPlan, VirtualLayer, measure_spots
from mesolith.virtual.hedm.station import Station
from tests.hedm.virtual_layers import (
    SETTINGS,
    UPRIGHT,
    A,
    compare,
    layer,
    llzo,
    predicted_layer,
    rows_of,
    together,
)
from tests.hedm.virtual_station import instrument_of

GRAINS = 60


@pytest.fixture(scope="module")
def truth() -> VirtualLayer:
    return layer(GRAINS, 3, false=0.02)


@pytest.fixture(scope="module")
def found(truth: VirtualLayer) -> IndexedLayer:
    return index_spots(truth.spots, UPRIGHT, (llzo(),), SETTINGS)


def test_all_grains_and_no_others_to_the_promised_accuracy(
    truth: VirtualLayer, found: IndexedLayer
) -> None:
    grains = found.grains
    assert len(grains) == GRAINS
    rows, place, bend = compare(
        grains.lattice_vectors, grains.position, truth.grains.lattice, truth.grains.position, llzo()
    )
    assert sorted(rows) == list(range(GRAINS))
    # promised 1.7, 1.7, 1.2 um, 0.0033 deg, 2.1e-5; sixty grains scatter by a seventh
    assert np.all(np.sqrt(np.mean(place**2, axis=0)) < np.array([2.0, 2.0, 1.4]))
    strain = 0.5 * (bend + bend.swapaxes(1, 2))
    turn = 0.5 * (bend - bend.swapaxes(1, 2))
    angle = np.sqrt(np.sum(turn**2, axis=(1, 2)) / 2.0)
    assert np.degrees(np.sqrt(np.mean(angle**2))) < 0.0038
    six = strain[:, *np.triu_indices(3)]
    assert np.sqrt(np.mean(six**2)) < 2.4e-5


def test_stated_errors_are_the_true_ones(truth: VirtualLayer, found: IndexedLayer) -> None:
    grains = found.grains
    rows, place, bend = compare(
        grains.lattice_vectors, grains.position, truth.grains.lattice, truth.grains.position, llzo()
    )
    turn = np.stack([bend[:, 2, 1], bend[:, 0, 2], bend[:, 1, 0]], axis=1)
    turn -= np.stack([bend[:, 1, 2], bend[:, 2, 0], bend[:, 0, 1]], axis=1)
    strain = 0.5 * (bend + bend.swapaxes(1, 2))
    order = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
    error = np.hstack([place, 0.5 * turn, np.stack([strain[:, i, j] for i, j in order], axis=1)])
    whitened = np.einsum("gi,gij,gj->g", error, np.linalg.inv(grains.covariance[rows]), error)
    # chi squared of 12: mean 12, and its mean over sixty grains is good to 0.63
    assert 12.0 - 4 * 0.63 < np.mean(whitened) < 12.0 + 4 * 0.63
    assert np.allclose(grains.error_scale, 1.0, atol=0.03)
    assert abs(float(np.median(grains.scatter)) - 1.0) < 0.05


def test_every_spot_goes_to_the_grain_that_made_it(
    truth: VirtualLayer, found: IndexedLayer
) -> None:
    grains, assigned = found.grains, found.assignment
    rows, _, _ = compare(
        grains.lattice_vectors, grains.position, truth.grains.lattice, truth.grains.position, llzo()
    )
    true_of = np.empty(GRAINS, dtype=np.int64)
    true_of[rows] = np.arange(GRAINS)
    single = truth.members[assigned.spot] == 1
    right = truth.owner[assigned.spot] == true_of[assigned.grain_id]
    assert right[single].mean() > 0.998
    real = np.flatnonzero(truth.members == 1)
    assert np.isin(real, assigned.spot).mean() > 0.99
    assert np.all(grains.spots >= grains.own_spots)
    assert np.all(grains.completeness > 0.95)
    assert np.mean(assigned.distance**2) == pytest.approx(3.0, abs=0.15)


def test_indices_are_those_of_the_lattice_beside_them(
    truth: VirtualLayer, found: IndexedLayer
) -> None:
    grains, assigned = found.grains, found.assignment
    spots = truth.spots
    lattice = grains.lattice_vectors[assigned.grain_id]
    g = np.einsum("nij,nj->ni", np.linalg.inv(lattice).swapaxes(1, 2), assigned.hkl)
    predicted = linearise_spots(
        UPRIGHT,
        g,
        grains.position[assigned.grain_id],
        near_omega=spots.omega[assigned.spot],
        panel=spots.panel[assigned.spot],
    ).value
    measured = np.column_stack([spots.fast, spots.slow, spots.omega])[assigned.spot]
    assert np.allclose(measured - predicted, assigned.residual, atol=0.02)


def test_volumes_follow_the_intensities(truth: VirtualLayer, found: IndexedLayer) -> None:
    grains = found.grains
    rows, _, _ = compare(
        grains.lattice_vectors, grains.position, truth.grains.lattice, truth.grains.position, llzo()
    )
    share = truth.grains.strength / truth.grains.strength.sum()
    ratio = grains.volume_share[rows] / share
    assert np.allclose(ratio, 1.0, atol=0.03)
    # the 5 % that each spot scatters by, over its 200 spots
    stated = grains.standard_error("volume_share")
    assert stated is not None
    assert 0.8 < np.std(np.log(ratio)) / np.median(stated / grains.volume_share) < 1.3


def test_relabelled_spots_give_the_same_grains(truth: VirtualLayer, found: IndexedLayer) -> None:
    order = np.random.default_rng(8).permutation(len(truth.spots))
    again = index_spots(rows_of(truth.spots, order), UPRIGHT, (llzo(),), SETTINGS).grains
    assert len(again) == GRAINS
    place = np.argsort(again.position[:, 0])
    known = np.argsort(found.grains.position[:, 0])
    # a spot on the rim of what still counts moves a grain by a tenth of its error
    assert np.allclose(again.position[place], found.grains.position[known], atol=0.3)
    assert np.allclose(
        again.lattice_vectors[place], found.grains.lattice_vectors[known], atol=A * 5e-6
    )


@pytest.mark.parametrize("angle", [0.7, -2.0])
def test_a_turned_sample_gives_turned_grains(
    truth: VirtualLayer, found: IndexedLayer, angle: float
) -> None:
    # a sample turned by an angle shows each spot earlier by that angle
    omega = np.mod(truth.spots.omega - angle + np.pi, 2.0 * np.pi) - np.pi
    turned = index_spots(replace(truth.spots, omega=omega), UPRIGHT, (llzo(),), SETTINGS).grains
    cosine, sine = np.cos(angle), np.sin(angle)
    rotation = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    assert len(turned) == GRAINS
    rows, place, bend = compare(
        turned.lattice_vectors,
        turned.position,
        rotation @ found.grains.lattice_vectors,
        found.grains.position @ rotation.T,
        llzo(),
    )
    assert sorted(rows) == list(range(GRAINS))
    assert np.abs(place).max() < 0.3
    assert np.abs(bend).max() < 5e-6


def test_a_beam_that_is_known_to_be_low_bounds_the_search(truth: VirtualLayer) -> None:
    low = replace(UPRIGHT, beam=beam_from_energy(76.2, height=40.0))
    index = LayerIndex(truth.spots, low, (llzo(),), SETTINGS)
    assert index.settings.height == 40.0
    assert LayerIndex(truth.spots, UPRIGHT, (llzo(),), SETTINGS).settings.height == 100.0


def test_one_grain() -> None:
    truth = layer(1, 4)
    grains = index_spots(truth.spots, UPRIGHT, (llzo(),), SETTINGS).grains
    assert len(grains) == 1
    assert np.abs(grains.position - truth.grains.position).max() < 8.0
    assert grains.volume_share[0] == pytest.approx(1.0)


def test_a_ring_too_weak_to_be_seen_hides_no_grain() -> None:
    # {310}, the third, is as weak as that in I-43d; nothing of chance lies on it either
    rng = np.random.default_rng(31)
    reflections = reflections_of(FIRST_RINGS, [1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    grains = random_grains(rng, 40, diameter=200.0)
    shown = measure_spots(grains, reflections, Station(), SpotPlan(), rng)
    found = index_spots(shown.spots, UPRIGHT, (llzo(),), replace(SETTINGS, sample_radius=100.0))
    assert len(found.grains) == 40
    assert np.all(found.grains.completeness > 0.8)


def test_no_spots_are_no_grains(truth: VirtualLayer) -> None:
    none = index_spots(rows_of(truth.spots, np.arange(0)), UPRIGHT, (llzo(),), SETTINGS)
    assert len(none.grains) == 0
    assert len(none.assignment) == 0


def test_spots_of_no_grain_are_no_grains(truth: VirtualLayer) -> None:
    # omega drawn anew: the rings stay, what ties spots together goes
    omega = np.random.default_rng(5).uniform(-np.pi, np.pi, len(truth.spots))
    none = index_spots(replace(truth.spots, omega=omega), UPRIGHT, (llzo(),), SETTINGS)
    assert len(none.grains) == 0


def test_half_of_the_spots_lost_at_random_loses_no_grain(truth: VirtualLayer) -> None:
    kept = np.flatnonzero(np.random.default_rng(6).random(len(truth.spots)) < 0.5)
    grains = index_spots(rows_of(truth.spots, kept), UPRIGHT, (llzo(),), SETTINGS).grains
    assert len(grains) == GRAINS
    # the paper's criterion would keep none of them
    assert grains.completeness.max() < 0.70
    asked = replace(SETTINGS, least_completeness=0.70)
    assert len(index_spots(rows_of(truth.spots, kept), UPRIGHT, (llzo(),), asked).grains) == 0


def test_wedge_and_tilts_are_taken_as_they_are() -> None:
    station = Station(wedge=0.01, chi=-0.006, tilt=(0.01, -0.02, 0.015))
    truth = layer(30, 9, station)
    grains = index_spots(truth.spots, instrument_of(station), (llzo(),), SETTINGS).grains
    rows, place, bend = compare(
        grains.lattice_vectors, grains.position, truth.grains.lattice, truth.grains.position, llzo()
    )
    assert sorted(rows) == list(range(30))
    assert np.sqrt(np.mean(place**2)) < 2.0
    assert np.sqrt(np.mean(bend**2)) < 6e-5


def test_two_phases() -> None:
    lithium = phase_rings("Li", 229, np.array([3.51, 3.51, 3.51, *[np.pi / 2] * 3]), count=2)
    garnet, a, p = predicted_layer(UPRIGHT, llzo(), 25, 10)
    metal, b, q = predicted_layer(UPRIGHT, lithium, 12, 11)
    grains = index_spots(together(garnet, metal), UPRIGHT, (llzo(), lithium), SETTINGS).grains
    for phase, table, lattice, position in ((0, llzo(), a, p), (1, lithium, b, q)):
        own = grains.phase == phase
        assert own.sum() == len(lattice)
        rows, place, _ = compare(
            grains.lattice_vectors[own], grains.position[own], lattice, position, table
        )
        assert sorted(rows) == list(range(len(lattice)))
        assert np.abs(place).max() < 30.0


def test_two_polymorphs_on_one_lattice() -> None:
    """Every grain of the one also indexes as the other; what is missing tells them apart."""
    other = phase_rings("LLZO cubic", 230, np.array([A, A, A, *[np.pi / 2] * 3]), count=6)
    one, a, p = predicted_layer(UPRIGHT, llzo(), 12, 13)
    two, b, q = predicted_layer(UPRIGHT, other, 12, 14)
    for phases in ((llzo(), other), (other, llzo())):
        grains = index_spots(together(one, two), UPRIGHT, phases, SETTINGS).grains
        assert len(grains) == 24
        for name, lattice, position in (("LLZO", a, p), ("LLZO cubic", b, q)):
            own = grains.phase == grains.phases.name.index(name)
            assert own.sum() == 12
            rows, _, _ = compare(
                grains.lattice_vectors[own], grains.position[own], lattice, position, llzo()
            )
            assert sorted(rows) == list(range(12))


def test_a_trigonal_crystal() -> None:
    ruby = phase_rings(
        "ruby", 167, np.array([4.76, 4.76, 12.99, *np.radians([90, 90, 120])]), count=6
    )
    spots, lattice, position = predicted_layer(UPRIGHT, ruby, 20, 12)
    grains = index_spots(spots, UPRIGHT, (ruby,), SETTINGS).grains
    assert len(grains) == 20
    rows, place, bend = compare(grains.lattice_vectors, grains.position, lattice, position, ruby)
    assert sorted(rows) == list(range(20))
    assert np.abs(place).max() < 20.0
    assert np.abs(bend).max() < 5e-4


def test_the_wrong_sense_of_rotation_is_found_and_said(truth: VirtualLayer) -> None:
    with pytest.raises(ContradictionError, match=r"sign of omega is wrong.*60 grains"):
        index_spots(reversed_rotation(truth.spots), UPRIGHT, (llzo(),), SETTINGS)


@pytest.mark.parametrize(("factor", "said"), [(1.01, r"-0\.9\d\d%"), (0.992, r"\+0\.8\d\d%")])
def test_a_wrong_lattice_parameter_is_said_by_how_much(
    truth: VirtualLayer, factor: float, said: str
) -> None:
    with pytest.raises(ContradictionError, match=said) as caught:
        index_spots(truth.spots, UPRIGHT, (llzo(a=A * factor),), SETTINGS)
    assert "12.95" in str(caught.value)


def test_nothing_to_index_is_refused(truth: VirtualLayer) -> None:
    with pytest.raises(InvalidValueError, match="no phase"):
        index_spots(truth.spots, UPRIGHT, (), SETTINGS)


@pytest.mark.parametrize("wrong", [{"sample_radius": 0.0}, {"height": -1.0}, {"strain": 0.2}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidValueError):
        IndexSettings(**wrong)


def test_half_a_turn_is_enough() -> None:
    """No spot has its Friedel mate; the other crossings take their place."""
    half = (-np.pi / 2, np.pi / 2)
    spots, lattice, position = predicted_layer(UPRIGHT, llzo(), 30, 21, omega_range=half)
    grains = index_spots(spots, UPRIGHT, (llzo(),), SETTINGS).grains
    assert len(grains) == 30
    rows, place, _ = compare(grains.lattice_vectors, grains.position, lattice, position, llzo())
    assert sorted(rows) == list(range(30))
    assert np.sqrt(np.mean(place**2)) < 3.5


def test_a_grain_that_is_off_settles_on_its_spots(truth: VirtualLayer) -> None:
    index = LayerIndex(truth.spots, UPRIGHT, (llzo(),), SETTINGS)
    angle = np.radians(0.05)
    turn = np.array(
        [[1.0, -angle, angle], [angle, 1.0, -angle], [-angle, angle, 1.0]]
    )  # to first order
    right = Grains(
        np.ascontiguousarray(truth.grains.reciprocal),
        truth.grains.position,
        np.zeros(GRAINS, dtype=np.int64),
    )
    chance = index.chance(right)
    off = Grains(turn @ right.reciprocal, right.position + 25.0, right.phase)
    first = index.match(off)
    assert np.median(index.weigh_alone(off, first, chance).completeness) < 0.5
    nearer, matches = settled(index, off, first, chance)
    assert np.all(index.weigh_alone(nearer, matches, chance).completeness > 0.9)


def test_two_grains_that_lie_alike_are_told_apart() -> None:
    truth = layer(40, 22)
    grains = truth.grains
    near, place = grains.orientation.copy(), grains.position.copy()
    angle = np.radians(0.25)
    cosine, sine = np.cos(angle), np.sin(angle)
    tilt = np.array([[1.0, 0.0, 0.0], [0.0, cosine, -sine], [0.0, sine, cosine]])
    near[1], place[1] = tilt @ near[0], place[0] + [60.0, -40.0, 20.0]
    alike = replace(grains, orientation=near, position=place)
    rng = np.random.default_rng(1)
    spots = measure_spots(alike, reflections_of(), Station(), SpotPlan(), rng).spots
    found = index_spots(spots, UPRIGHT, (llzo(),), SETTINGS).grains
    assert len(found) == 40
    rows, off, _ = compare(
        found.lattice_vectors, found.position, alike.lattice, alike.position, llzo()
    )
    assert sorted(rows) == list(range(40))
    assert np.abs(off[:2]).max() < 10.0
