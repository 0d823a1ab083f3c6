"""The grain-list instrument: what it adds to the truth is what it says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mesolith.virtual.arrays import FloatArray
from mesolith.virtual.cell import GrainTruth, VirtualCell
from mesolith.virtual.grain_lists import (
    STILL,
    GrainInstrument,
    MeasuredGrains,
    Motion,
    draw_motions,
    measure_grains,
    moved_truth,
)
from mesolith.virtual.rotation import (
    matrices_from_quaternions,
    matrices_from_vectors,
    quaternions_from_matrices,
    random_orientations,
)

EXACT = GrainInstrument(
    sigma_position_um=0.0,
    sigma_orientation_rad=0.0,
    sigma_strain=0.0,
    radius_scatter=0.0,
    lost=0.0,
    false=0.0,
    reference_offset=0.0,
)


@pytest.fixture(scope="module")
def truth() -> GrainTruth:
    return VirtualCell.draw(2, "demo").grain_truth(1)


def strain_of(measured: MeasuredGrains, lattice: float) -> FloatArray:
    """Green-Lagrange strain on sample axes from the metric of the lattice parameters."""
    a, b, c, alpha, beta, gamma = measured.map.lattice.T
    metric = np.empty((len(a), 3, 3))
    metric[:, 0, 0], metric[:, 1, 1], metric[:, 2, 2] = a * a, b * b, c * c
    metric[:, 0, 1] = metric[:, 1, 0] = a * b * np.cos(gamma)
    metric[:, 0, 2] = metric[:, 2, 0] = a * c * np.cos(beta)
    metric[:, 1, 2] = metric[:, 2, 1] = b * c * np.cos(alpha)
    crystal = 0.5 * (metric / lattice**2 - np.eye(3))
    turn = matrices_from_quaternions(measured.map.orientation)
    return np.asarray(turn @ crystal @ turn.swapaxes(1, 2))


def errors(truth: GrainTruth, instrument: GrainInstrument, seed: int = 0) -> dict[str, FloatArray]:
    measured = measure_grains(truth, instrument, np.random.default_rng(seed))
    real = measured.truth_row >= 0
    row = measured.truth_row[real]
    turn = matrices_from_quaternions(measured.map.orientation[real]) @ truth.orientation[
        row
    ].swapaxes(1, 2)
    vector = np.stack(
        [
            turn[:, 2, 1] - turn[:, 1, 2],
            turn[:, 0, 2] - turn[:, 2, 0],
            turn[:, 1, 0] - turn[:, 0, 1],
        ],
        axis=1,
    )
    return {
        "position": measured.map.position[real] - truth.position[row],
        "rotation": 0.5 * vector,
        "strain": strain_of(measured, 12.95)[real] - truth.strain[row],
        "radius": np.log(measured.map.radius[real] / truth.radius[row]),
    }


def test_without_noise_the_list_is_the_truth(truth: GrainTruth) -> None:
    measured = measure_grains(truth, EXACT, np.random.default_rng(1))
    row = measured.truth_row
    assert np.array_equal(np.sort(row), np.arange(len(truth.grain)))
    assert np.allclose(measured.map.position, truth.position[row])
    assert np.allclose(measured.map.radius, truth.radius[row])
    assert np.array_equal(measured.map.phase, truth.phase[row])
    # Green-Lagrange and infinitesimal strain differ by the square of the strain
    bound = 2.0 * np.abs(truth.strain).max() ** 2
    assert np.abs(strain_of(measured, 12.95) - truth.strain[row]).max() < bound


def test_a_strained_lattice_and_its_orientation_give_the_strained_basis() -> None:
    # Independent of the strain's size: x along a, z along c*, lattice vectors (1 + e) R a0.
    rng = np.random.default_rng(5)
    strain = rng.normal(size=(1, 3, 3)) * 0.02
    strain = strain + strain.swapaxes(1, 2)
    rotation = matrices_from_quaternions(random_orientations(rng, 1))
    truth = GrainTruth(
        grain=np.zeros(1, dtype=np.int64),
        position=np.zeros((1, 3)),
        volume=np.ones(1),
        orientation=rotation,
        phase=np.zeros(1, dtype=np.int64),
        stress=np.zeros((1, 3, 3)),
        strain=strain,
    )
    found = measure_grains(truth, EXACT, rng).map
    a, b, c, alpha, beta, gamma = found.lattice[0]
    star = (math.cos(alpha) - math.cos(beta) * math.cos(gamma)) / math.sin(gamma)
    basis = np.array(
        [
            [a, b * math.cos(gamma), c * math.cos(beta)],
            [0.0, b * math.sin(gamma), c * star],
            [0.0, 0.0, c * math.sqrt(1.0 - math.cos(beta) ** 2 - star**2)],
        ]
    )
    on_sample = matrices_from_quaternions(found.orientation)[0] @ basis
    assert np.allclose(on_sample, (np.eye(3) + strain[0]) @ rotation[0] * 12.95, atol=1e-9)


def test_noise_has_the_stated_size(truth: GrainTruth) -> None:
    found = errors(truth, GrainInstrument(reference_offset=0.0, false=0.0))
    assert found["position"].std() == pytest.approx(8.0, rel=0.03)
    assert found["rotation"].std() == pytest.approx(math.radians(0.05), rel=0.03)
    assert found["strain"][:, 0, 0].std() == pytest.approx(5e-5, rel=0.05)
    assert found["strain"][:, 0, 1].std() == pytest.approx(5e-5, rel=0.05)
    assert found["radius"].std() == pytest.approx(0.08, rel=0.05)
    covariance = measure_grains(truth, GrainInstrument(), np.random.default_rng(0)).map.covariance
    sigma = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    assert np.allclose(sigma, [8.0] * 3 + [math.radians(0.05)] * 3 + [5e-5] * 6)


def test_a_wrong_reference_strains_every_grain_alike(truth: GrainTruth) -> None:
    found = errors(truth, GrainInstrument(reference_offset=3e-4, false=0.0))
    mean = found["strain"].mean(axis=0)
    assert np.allclose(np.diag(mean), 3e-4, atol=4e-6)


def test_heavy_tails_keep_the_sigma(truth: GrainTruth) -> None:
    normal = errors(truth, GrainInstrument(false=0.0))["position"] / 8.0
    heavy = errors(truth, GrainInstrument(false=0.0, tail_freedom=3.0))["position"] / 8.0
    assert heavy.std() == pytest.approx(1.0, rel=0.15)
    assert (np.abs(heavy) > 4.0).mean() > 20.0 * max((np.abs(normal) > 4.0).mean(), 1e-4)


def test_small_grains_can_be_measured_worse(truth: GrainTruth) -> None:
    instrument = GrainInstrument(size_exponent=1.0, false=0.0, lost=0.0)
    measured = measure_grains(truth, instrument, np.random.default_rng(3))
    row = measured.truth_row
    error = np.abs(measured.map.position - truth.position[row]).mean(axis=1)
    small = truth.radius[row] < np.quantile(truth.radius, 0.3)
    large = truth.radius[row] > np.quantile(truth.radius, 0.7)
    expected = truth.radius[row][large].mean() / truth.radius[row][small].mean()
    assert error[small].mean() / error[large].mean() == pytest.approx(expected, rel=0.1)


def test_lost_and_false_grains_are_counted(truth: GrainTruth) -> None:
    instrument = GrainInstrument(lost=0.10, false=0.05)
    measured = measure_grains(truth, instrument, np.random.default_rng(4))
    count = len(truth.grain)
    real = measured.truth_row >= 0
    assert real.sum() == count - round(0.10 * count)
    assert (~real).sum() == round(0.05 * real.sum())
    assert len(np.unique(measured.truth_row[real])) == real.sum()
    gone = np.setdiff1d(np.arange(count), measured.truth_row)
    assert truth.radius[gone].mean() < truth.radius.mean()
    low = measured.map.completeness[~real]
    assert low.min() >= 0.70
    assert low.max() <= 0.78
    assert measured.map.completeness[real].mean() > 0.9


def test_motion_turns_places_orientations_and_tensors(truth: GrainTruth) -> None:
    turn = matrices_from_vectors(np.array([[0.0, 0.0, math.pi / 2.0]]))[0]
    motion = Motion(turn, np.array([10.0, 0.0, -5.0]), dilatation=1e-4)
    moved = moved_truth(truth, motion)
    assert np.allclose(moved.position[:, 0], 10.0 - truth.position[:, 1])
    assert np.allclose(moved.position[:, 2], truth.position[:, 2] - 5.0)
    assert np.allclose(moved.stress[:, 0, 0], truth.stress[:, 1, 1])
    assert np.allclose(moved.stress_hydrostatic, truth.stress_hydrostatic)
    measured = measure_grains(truth, EXACT, np.random.default_rng(1), motion=motion)
    assert np.allclose(measured.map.position, moved.position[measured.truth_row])
    excess = strain_of(measured, 12.95) - moved.strain[measured.truth_row]
    assert np.allclose(excess, 1e-4 * np.eye(3), atol=2e-5)


def test_motions_start_still_and_have_the_asked_size() -> None:
    motions = draw_motions(np.random.default_rng(0), 4000, shift_um=40.0, rotation_deg=0.5)
    assert motions[0] is STILL
    shift = np.array([motion.translation for motion in motions[1:]])
    assert np.sqrt((shift**2).sum(axis=1).mean()) == pytest.approx(40.0, rel=0.05)
    cosine = np.array([(np.trace(motion.rotation) - 1.0) / 2.0 for motion in motions[1:]])
    angle = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    assert np.sqrt((angle**2).mean()) == pytest.approx(0.5, rel=0.05)


def test_quaternions_and_matrices_agree() -> None:
    quaternion = random_orientations(np.random.default_rng(9), 50)
    assert np.allclose(quaternions_from_matrices(matrices_from_quaternions(quaternion)), quaternion)
    quarter = matrices_from_quaternions(np.array([[math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5)]]))[0]
    assert np.allclose(quarter @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
