"""Bending of the lattice under the beam from the streaks of peaks."""

from __future__ import annotations

import numpy as np

from mesolith.crystal.symmetry import rotation_operators
from mesolith.laue._kernels_refine import places_and_slopes
from mesolith.laue.bending import slopes_of_spots, strain_by_bending, turns_along_x
from mesolith.laue.predict import predict_spots
from mesolith.laue.refine import Links, refine
from mesolith.laue.streaks import streaks_of_grain
from mesolith.numerics.rotations import (
    quaternion_from_rotation_vector,
    quaternion_multiply,
    random_quaternions,
)
from mesolith.records.laue_scan import raster_scan
from tests.laue.patterns import crystals, geometry, indexer, true_reciprocal


def streaked(axis: np.ndarray, bend: float, noise: float, seed: int) -> tuple[np.ndarray, ...]:
    """Widths of peaks of 1 px of a grain that bends about an axis, by differences of places."""
    reflections, here = indexer().reflections, geometry()
    lattice = true_reciprocal(crystals(31))[0]
    spots = predict_spots(lattice, reflections, here).strongest(120)
    hkl = reflections.hkl_float[spots.direction]
    x, y, z = axis
    turn = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    sides = []
    for sign in (1.0, -1.0):
        place, by_depth = np.empty((2, len(hkl), 2))
        moved = np.ascontiguousarray((np.eye(3) + sign * 1e-5 * turn) @ lattice)
        places_and_slopes(
            moved, hkl, spots.depth, here.row, place, np.empty((len(hkl), 2, 8)), by_depth
        )
        sides.append(place)
    streak = bend * (sides[0] - sides[1]) / 2e-5
    moments = np.eye(2) + streak[:, :, None] * streak[:, None, :]
    value, vector = np.linalg.eigh(moments)
    rng = np.random.default_rng(seed)
    widths = np.sqrt(value[:, ::-1]) * (1.0 + noise * rng.standard_normal((len(hkl), 2)))
    tilt = np.arctan2(vector[:, 1, 1], vector[:, 0, 1]) % np.pi
    slope = slopes_of_spots(lattice, hkl, spots.depth, here.row)[..., :3]
    return slope, widths, tilt


def test_axis_and_size_of_the_bend_are_recovered_with_their_error() -> None:
    axis = np.array([0.6, 0.0, 0.8])
    exact = streaks_of_grain(*streaked(axis, 4e-4, 0.0, 0))
    np.testing.assert_allclose(exact.bend, 4e-4, rtol=1e-6)
    np.testing.assert_allclose(abs(exact.bend_axis @ axis), 1.0, atol=1e-9)
    assert exact.streak > 0.5
    off, sigma = [], []
    for seed in range(60):
        found = streaks_of_grain(*streaked(axis, 4e-4, 0.1, seed))
        assert abs(found.bend_axis @ axis) > 0.97
        off.append(found.bend - 4e-4)
        sigma.append(found.bend_se)
    assert 0.5 < np.sqrt(np.mean(np.square(off))) / np.median(sigma) < 1.5


def test_round_peaks_tell_no_axis() -> None:
    given = streaked(np.array([1.0, 0.0, 0.0]), 0.0, 0.1, 1)
    found = streaks_of_grain(*given)
    assert np.isnan(found.bend_axis).all()
    assert found.bend < 1.5e-4
    assert abs(found.peak_width - 1.0) < 0.1
    assert found.peak_width_se < 0.03


def test_few_peaks_tell_their_width_only_and_none_nothing() -> None:
    given = streaked(np.array([1.0, 0.0, 0.0]), 3e-4, 0.0, 2)
    few = streaks_of_grain(*(part[:6] for part in given))
    assert np.isfinite(few.peak_width)
    assert np.isnan(few.bend)
    widths = np.full((120, 2), np.nan)
    none = streaks_of_grain(given[0], widths, given[2])
    assert np.isnan(none.peak_width)


def test_a_turn_along_the_beam_makes_the_strain_that_it_is_said_to() -> None:
    """Spots moved by their depths' turns, then fitted: the strain is the one foretold."""
    reflections, here = indexer().reflections, geometry()
    lattice = true_reciprocal(crystals(32))[0]
    spots = predict_spots(lattice, reflections, here).strongest(100)
    single = spots.doubt < 1e-6
    hkl, depth = reflections.hkl_float[spots.direction[single]], spots.depth[single]
    slope = slopes_of_spots(lattice, hkl, depth, here.row)
    foretold = strain_by_bending(slope, depth, np.ones(len(depth)))
    turn = np.array([2e-5, -1e-5, 1e-5])
    moved = np.einsum("nai,i->na", slope[..., :3], turn) * (depth - depth.mean())[:, None]
    links = Links(
        hkl=hkl,
        grain=np.zeros(len(hkl), dtype=np.int64),
        share=np.ones(len(hkl)),
        depth=depth,
        doubt=np.zeros(len(hkl)),
        point=np.arange(len(hkl)),
        other=np.full(len(hkl), -1),
    )
    place, by_depth = np.empty((2, len(hkl), 2))
    places_and_slopes(lattice, hkl, depth, here.row, place, np.empty((len(hkl), 2, 8)), by_depth)
    told = {"strain_sigma": np.inf, "steps": 3}
    # so wide that all spots count alike
    variance = np.full(len(hkl), 1e3)
    reference = reflections.reciprocal
    straight, bent = (
        refine(lattice[None], links, seen, variance, here.row, reference, **told)
        for seen in (place, place + moved)
    )
    assert straight is not None
    assert bent is not None
    change = bent.reciprocal[0] @ np.linalg.inv(straight.reciprocal[0])
    strain = np.eye(3) - 0.5 * (change + change.T)
    np.testing.assert_allclose(
        strain, np.einsum("a,aij->ij", turn, foretold), atol=0.05 * np.abs(strain).max()
    )
    assert np.abs(strain).max() > 1e-5
    assert np.isnan(strain_by_bending(slope[:3], depth[:3], np.ones(3))).all()


def test_turns_along_x_come_from_neighbours_of_the_grain() -> None:
    rng = np.random.default_rng(6)
    scan = raster_scan(rows=7, columns=14, step_um=2.0)
    grain = np.where(scan.column < 11, 0, 1)
    true = np.array([[3e-5, 0.0, -1e-5], [-2e-5, 1e-5, 0.0]])
    base = random_quaternions(rng, 2)
    noise = 2e-5 * rng.standard_normal((len(scan), 3))
    turn = true[grain] * (scan.x - 10.0)[:, None] + noise
    orientation = quaternion_multiply(quaternion_from_rotation_vector(turn), base[grain])
    operators = rotation_operators(230)
    value, covariance = turns_along_x(scan, grain, orientation, base, operators)
    sigma = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    z = (value - true[grain]) / sigma
    assert np.sqrt(np.mean(z[grain == 0] ** 2)) < 1.6
    assert sigma[grain == 0].max() < 5e-6
    alone = turns_along_x(
        scan, np.where(np.arange(len(scan)) < 3, 0, -1), orientation, base, operators
    )
    assert np.all(alone[0][:3] == 0.0)
    assert np.isnan(alone[0][3:]).all()
