"""Matching, weighing and refinement, each beside something slow and obvious."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import least_squares

from mesolith.axes import FloatArray
from mesolith.hedm import _kernels_refine as kernels
from mesolith.hedm.match import MISSED, UNSEEN, Matches, SpotLookup, joined_matches
from mesolith.hedm.occupancy import chance_occupancy, weigh_grains
from mesolith.hedm.phase_rings import reflection_table
from mesolith.hedm.refine import expected_variance, refine_grains
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.predict import linearise_spots, predict_spots
from mesolith.records.spots import Spots
from tests.hedm.virtual_layers import UPRIGHT, llzo, predicted_layer
from tests.instrument.setups import bent, crooked

TABLE = reflection_table((llzo(),))
ONE_PHASE = np.zeros(20, dtype=np.int64)
POLE = math.radians(6.0)


def reciprocal_of(lattice: FloatArray) -> FloatArray:
    return np.ascontiguousarray(np.linalg.inv(lattice).swapaxes(1, 2))


def scene(instrument: Instrument, count: int = 3) -> tuple[Spots, FloatArray, FloatArray]:
    spots, lattice, position = predicted_layer(instrument, llzo(), count, 1)
    return spots, reciprocal_of(lattice), position


@pytest.mark.parametrize("instrument", [UPRIGHT, crooked(distortion=bent())], ids=["flat", "bent"])
def test_matches_against_a_walk_over_all_spots(instrument: Instrument) -> None:
    spots, reciprocal, position = scene(instrument)
    lookup = SpotLookup(spots, instrument)
    found = lookup.match(reciprocal, position, ONE_PHASE[:3], TABLE.hkl, pole=POLE, sigmas=4.0)
    lattice = np.linalg.inv(reciprocal).swapaxes(1, 2)
    true = predict_spots(instrument, lattice, position, TABLE.hkl[0])
    inverse = np.linalg.inv(spots.covariance)
    hits = 0
    for index in np.ndindex(found.spot.shape):
        if found.spot[index] == UNSEEN:
            assert not found.expected[index]
            continue
        off = np.column_stack(
            [
                spots.fast - true.fast[index],
                spots.slow - true.slow[index],
                np.angle(np.exp(1j * (spots.omega - true.omega[index]))),
            ]
        )
        square = np.einsum("ni,nij,nj->n", off, inverse, off)
        square[spots.panel != true.panel[index]] = np.inf
        best = int(np.argmin(square))
        if square[best] < 16.0:
            assert lookup.order[found.spot[index]] == best
            assert found.square[index] == pytest.approx(square[best], rel=1e-9)
            hits += 1
        else:
            assert found.spot[index] == MISSED
    assert hits > 0.95 * len(spots)
    seen = found.expected & (found.spot >= 0)
    assert seen.sum() > 0.98 * found.expected.sum()


def test_spots_are_shared_by_likelihood() -> None:
    spot = np.array([[[4, 7]], [[4, MISSED]], [[4, 9]]])
    square = np.array([[[1.0, 2.0]], [[3.0, np.inf]], [[30.0, 5.0]]])
    seen = np.ones(spot.shape, dtype=np.bool_)
    empty = Matches(spot[:0], square[:0], seen[:0], square[:0])
    all_three = Matches(spot, square, seen, np.zeros(spot.shape))
    share = joined_matches(empty, all_three, sigmas=4.0, spots=10).share
    one, two = math.exp(-0.5), math.exp(-1.5)
    assert share[0, 0].tolist() == pytest.approx([one / (one + two), 1.0])
    assert share[1, 0].tolist() == pytest.approx([two / (one + two), 0.0])
    # beyond four standard deviations a spot is nobody's
    assert share[2, 0].tolist() == pytest.approx([0.0, 1.0])


def test_a_grain_is_weighed_against_chance() -> None:
    spots, reciprocal, position = scene(UPRIGHT, 6)
    lookup = SpotLookup(spots, UPRIGHT)
    phase = ONE_PHASE[:7]
    # the last one is the first turned by a few degrees: it is not there
    turn = np.array(
        [[math.cos(0.06), 0, math.sin(0.06)], [0, 1, 0], [-math.sin(0.06), 0, math.cos(0.06)]]
    )
    reciprocal = np.concatenate([reciprocal, turn @ reciprocal[:1]])
    position = np.concatenate([position, position[:1]])
    chance = chance_occupancy(lookup, TABLE, reciprocal, position, phase, pole=POLE, sigmas=4.0)
    found = lookup.match(reciprocal, position, phase, TABLE.hkl, pole=POLE)
    evidence = weigh_grains(
        found, phase, TABLE, chance, spots=len(spots), sigmas=4.0, evidence=30.0, least_spots=15
    )
    assert evidence.accepted.tolist() == [True] * 6 + [False]
    assert np.all(evidence.completeness[:6] > 0.97)
    assert evidence.completeness[6] < 0.05
    # the first grain, term by term
    volume = 4.0 / 3.0 * math.pi * 64.0 / (2.0 * math.pi) ** 1.5
    best = -np.inf
    for seen in (0.98, 0.9, 0.8, 0.65, 0.5, 0.35, 0.2):
        total = 0.0
        for j, c in np.ndindex(found.spot[0].shape):
            if found.spot[0, j, c] >= 0:
                gain = volume / chance[TABLE.ring[0, j]] * math.exp(-0.5 * found.square[0, j, c])
                total += math.log(1.0 - seen + seen * gain)
            elif found.expected[0, j, c]:
                total += math.log(1.0 - seen)
        best = max(best, total)
    assert evidence.ratio[0] == pytest.approx(best - math.log(7), rel=0.05)


def test_a_grain_found_twice_is_kept_once() -> None:
    spots, reciprocal, position = scene(UPRIGHT, 2)
    lookup = SpotLookup(spots, UPRIGHT)
    rows = np.array([0, 1, 0])
    phase = ONE_PHASE[:3]
    nearly = position[rows] + np.array([[0.0], [0.0], [2.0]])
    found = lookup.match(reciprocal[rows], nearly, phase, TABLE.hkl, pole=POLE)
    evidence = weigh_grains(
        found,
        phase,
        TABLE,
        np.full(7, 0.01),
        spots=len(spots),
        sigmas=4.0,
        evidence=30.0,
        least_spots=15,
    )
    assert evidence.accepted.sum() == 2
    assert evidence.accepted[1]


@pytest.mark.parametrize("instrument", [UPRIGHT, crooked(distortion=bent())], ids=["flat", "bent"])
def test_derivatives_by_differences(instrument: Instrument) -> None:
    _, reciprocal, position = scene(instrument, 1)
    value, by_g, by_p = np.empty(3), np.empty((3, 3)), np.empty((3, 3))
    jacobian, residual = np.empty((3, 12)), np.empty(3)
    lattice = np.linalg.inv(reciprocal).swapaxes(1, 2)
    predicted = predict_spots(instrument, lattice, position, TABLE.hkl[0])
    lookup = SpotLookup(scene(instrument, 1)[0], instrument)
    checked = 0
    for j in range(0, TABLE.hkl.shape[1], 11):
        if predicted.panel[0, j, 0] < 0 or abs(predicted.rate[0, j, 0]) < 0.01:
            continue
        panel = lookup.panels[predicted.panel[0, j, 0]]
        row = np.array([0.0, 0.0, predicted.omega[0, j, 0], 1, 0, 0, 1, 0, 1])
        g = kernels.residual_of(
            reciprocal[0],
            position[0],
            TABLE.hkl[0, j],
            row,
            lookup.source,
            panel,
            value,
            by_g,
            by_p,
            residual,
        )
        kernels.by_grain(*g, by_g, by_p, jacobian)
        for parameter in range(12):
            size = 1.0 if parameter < 3 else 1e-6
            ends = []
            for side in (1.0, -1.0):
                m, p, step = reciprocal[0].copy(), position[0].copy(), np.zeros(9)
                if parameter < 3:
                    p[parameter] += side * size
                else:
                    step[parameter - 3] = side * size
                kernels.deform(m, step)
                kernels.residual_of(
                    m, p, TABLE.hkl[0, j], row, lookup.source, panel, value, by_g, by_p, residual
                )
                ends.append(residual.copy())
            numeric = (ends[1] - ends[0]) / (2.0 * size)
            assert np.allclose(jacobian[:, parameter], numeric, rtol=1e-4, atol=1e-6 / size)
        checked += 1
    assert checked > 5


def test_refinement_against_scipy() -> None:
    spots, reciprocal, position = scene(UPRIGHT, 1)
    lookup = SpotLookup(spots, UPRIGHT)
    phase = ONE_PHASE[:1]
    start = position + np.array([[9.0, -7.0, 5.0]])
    matches = lookup.match(reciprocal, position, phase, TABLE.hkl, pole=POLE)
    refined = refine_grains(lookup, reciprocal, start, phase, TABLE.hkl, matches, steps=12)
    _, reflection, _ = np.nonzero(matches.spot >= 0)
    rows = lookup.order[matches.spot[matches.spot >= 0]]
    hkl = TABLE.hkl[0, reflection]
    observed = np.column_stack([spots.fast, spots.slow, spots.omega])[rows]
    sigma = np.sqrt(np.diagonal(spots.covariance, axis1=1, axis2=2))[rows]

    def off(x: FloatArray) -> FloatArray:
        g = hkl @ (x[3:].reshape(3, 3)).T
        value = linearise_spots(
            UPRIGHT, g, x[:3], near_omega=observed[:, 2], panel=spots.panel[rows]
        ).value
        left = (observed - value) / sigma
        # the root of the mixture's log likelihood is what the weights minimise
        square = np.sum(left**2, axis=1)
        clean = 0.9 * np.exp(-0.5 * square) + 0.1 / 64.0 * np.exp(-0.5 * square / 16.0)
        return np.sqrt(-2.0 * np.log(clean / (0.9 + 0.1 / 64.0)))

    best = least_squares(
        off, np.concatenate([start[0], reciprocal[0].ravel()]), x_scale=[1.0] * 3 + [1e-5] * 9
    )
    sd = np.sqrt(np.diag(refined.covariance[0]))
    assert np.all(np.abs(refined.position[0] - best.x[:3]) < 0.02 * sd[:3])
    assert np.allclose(refined.reciprocal[0].ravel(), best.x[3:], atol=2e-8)
    assert refined.variance[0] == pytest.approx(expected_variance(), abs=0.2)


def test_a_displaced_spot_hardly_moves_its_grain() -> None:
    spots, reciprocal, position = scene(UPRIGHT, 1)
    lookup = SpotLookup(spots, UPRIGHT)
    phase = ONE_PHASE[:1]
    matches = lookup.match(reciprocal, position, phase, TABLE.hkl, pole=POLE)
    plain = refine_grains(lookup, reciprocal, position, phase, TABLE.hkl, matches, steps=6)
    lookup.rows[::10, 0] += 0.5
    moved = refine_grains(lookup, reciprocal, position, phase, TABLE.hkl, matches, steps=6)
    displaced = (matches.spot[0] >= 0) & (matches.spot[0] % 10 == 0)
    assert displaced.sum() > 25
    assert np.median(moved.weight[0][displaced]) < 0.1
    # five standard deviations each: plain least squares would bend the lattice by far more
    sd = np.sqrt(np.diag(plain.covariance[0]))
    assert np.all(np.abs(moved.position - plain.position)[0] < 0.5 * sd[:3])
    strain = moved.reciprocal[0] @ np.linalg.inv(plain.reciprocal[0]) - np.eye(3)
    assert np.abs(strain + strain.T).max() < 2.0 * sd[6:].max()


def test_pulls_against_matrices_written_out() -> None:
    spots, reciprocal, position = scene(UPRIGHT, 1)
    lookup = SpotLookup(spots, UPRIGHT)
    lookup.rows[::7, 1] += 0.2
    phase = ONE_PHASE[:1]
    matches = lookup.match(reciprocal, position, phase, TABLE.hkl, pole=POLE)
    refined = refine_grains(lookup, reciprocal, position, phase, TABLE.hkl, matches, steps=6)
    scatter, effective = refined.scatter, refined.effective

    used = matches.spot[0] >= 0
    rows = lookup.order[matches.spot[0][used]]
    moved = lookup.rows[matches.spot[0][used]]
    g = TABLE.hkl[0, np.nonzero(used)[0]] @ refined.reciprocal[0].T
    spot = linearise_spots(
        UPRIGHT, g, refined.position[0], near_omega=moved[:, 2], panel=spots.panel[rows]
    )
    residual = moved[:, :3] - spot.value
    residual[:, 2] = np.angle(np.exp(1j * residual[:, 2]))
    levers, moves = [], []
    for k in range(len(g)):
        turn = [np.cross(axis, g[k]) for axis in np.eye(3)]
        bend = []
        for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)):
            strain = np.zeros((3, 3))
            strain[i, j] = strain[j, i] = 1.0
            bend.append(-strain @ g[k])
        own = np.hstack([spot.by_position[k], spot.by_g[k] @ np.array(turn + bend).T])
        precision = np.linalg.inv(spots.covariance[rows[k]])
        weight = kernels.robust_weight(float(residual[k] @ precision @ residual[k]))
        force = weight * own.T @ precision @ residual[k]
        lever = weight * np.trace(precision @ own @ refined.covariance[0] @ own.T)
        levers.append(lever)
        moves.append(force @ refined.covariance[0] @ force / (1.0 - lever / 3.0))
    assert effective[0] == pytest.approx(np.sum(levers) ** 2 / np.sum(np.square(levers)), rel=1e-3)
    # every seventh spot is off by two standard deviations besides
    assert 1.05 < scatter[0] < 1.6
    expected = np.sum(moves) / np.sum(levers)
    # 0.9346 is what right errors give: the mean of weight^2 square over three times the weight's
    assert scatter[0] == pytest.approx(expected / 0.9346, rel=1e-3)


def test_a_saturated_spot_is_trusted_less() -> None:
    spots, _, _ = scene(UPRIGHT, 1)
    flagged = np.zeros(len(spots), dtype=np.bool_)
    flagged[::4] = True
    plain = SpotLookup(spots, UPRIGHT)
    for name in ("saturated", "partial"):
        lookup = SpotLookup(replace(spots, **{name: flagged}), UPRIGHT)
        ratio = plain.rows[:, [3, 6, 8]] / lookup.rows[:, [3, 6, 8]]
        assert np.allclose(ratio, np.where(flagged[lookup.order], 9.0, 1.0)[:, None])


def test_too_few_spots_determine_nothing() -> None:
    spots, reciprocal, position = scene(UPRIGHT, 1)
    lookup = SpotLookup(spots, UPRIGHT)
    matches = lookup.match(reciprocal, position, ONE_PHASE[:1], TABLE.hkl, pole=POLE)
    few = np.where(matches.spot > 3, MISSED, matches.spot)
    matches = Matches(few, matches.square, matches.expected, np.where(few < 0, 0.0, matches.share))
    refined = refine_grains(
        lookup, reciprocal, position, ONE_PHASE[:1], TABLE.hkl, matches, steps=3
    )
    assert np.isnan(refined.variance[0])
    assert np.isnan(refined.covariance[0]).all()
    assert np.array_equal(refined.position, position)
