"""Rings drawn by SciPy's rotations and found again; what rings can tell and what they cannot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mesolith.errors import InvalidValueError
from mesolith.instrument.beam import Beam
from mesolith.instrument.calibrate_rings import (
    FROM_RINGS,
    RingPoints,
    calibrate_from_rings,
    ring_points,
    ring_residuals,
)
from mesolith.instrument.calibration import scale_modes
from mesolith.instrument.distortion import Distortion
from mesolith.instrument.goniometer import UPRIGHT
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import Panel, pixels_from_rays
from mesolith.instrument.parameters import moved

CERIA = 5.41165 / np.sqrt([3.0, 4.0, 8.0, 11.0, 12.0, 16.0, 19.0, 20.0, 24.0])
WAVELENGTH, DISTANCE, PITCH, SIZE = 0.1730, 650_000.0, 400.0, 700
# fast runs along -y, slow along z
LEVEL = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
TRUE = {"distance": 900.0, "shift_y": -700.0, "shift_z": 500.0, "tilt_y": 6e-3, "tilt_z": -8e-3}


def _nominal() -> Instrument:
    panel = Panel(
        "flat",
        np.array([SIZE, SIZE]),
        np.array([PITCH, PITCH]),
        np.array([DISTANCE, 0.0, 0.0]),
        LEVEL,
    )
    return Instrument(Beam(WAVELENGTH, np.array([1.0, 0.0, 0.0])), UPRIGHT, (panel,))


def _frame(rng: np.random.Generator) -> np.ndarray:
    """Counts of ceria on a detector that stands as TRUE says; geometry written anew."""
    slow, fast = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2.0
    flat = np.stack([np.zeros_like(fast), -PITCH * fast, PITCH * slow], axis=-1)
    turn = Rotation.from_rotvec([0.0, TRUE["tilt_y"], TRUE["tilt_z"]])
    place = turn.apply(flat.reshape(-1, 3)).reshape(flat.shape)
    place += [DISTANCE + TRUE["distance"], TRUE["shift_y"], TRUE["shift_z"]]
    angle = np.arccos(place[..., 0] / np.linalg.norm(place, axis=-1))
    frame = np.full(angle.shape, 200.0) - 50.0 * angle
    for d in CERIA:
        ring = 2.0 * np.arcsin(WAVELENGTH / (2.0 * d))
        frame += 900.0 * np.exp(-0.5 * ((angle - ring) * DISTANCE / (1.1 * PITCH)) ** 2)
    return rng.poisson(frame).astype(float)


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    return _frame(np.random.default_rng(4))


def test_a_detector_is_found_from_the_rings_on_its_frame(frame: np.ndarray) -> None:
    start = _nominal()
    rough = ring_points(start, [frame], CERIA, half_width=2400.0)
    near = calibrate_from_rings(start, rough)
    points = ring_points(near.instrument, [frame], CERIA, half_width=1600.0)
    assert len(points) > 350
    found = calibrate_from_rings(near.instrument, points)
    change = dict(zip(near.name, near.change + found.change, strict=True))
    for name, value in TRUE.items():
        assert abs(change[name] - value) < 5.0 * found.sigma(name), name
    assert found.sigma("distance") < 15.0
    assert found.sigma("shift_y") < 3.0
    assert found.sigma("tilt_y") < 1e-4
    assert np.std(ring_residuals(found.instrument, points)) < 0.05 * PITCH


def test_a_ring_too_wide_for_its_window_leaves_no_points(frame: np.ndarray) -> None:
    true = moved(_nominal(), TRUE)
    wide = ring_points(true, [frame], CERIA, half_width=1600.0)
    narrow = ring_points(true, [frame], CERIA, half_width=700.0)  # of 440 um standard deviation
    assert len(narrow) < 0.1 * len(wide)


def test_masked_pixels_leave_no_points(frame: np.ndarray) -> None:
    mask = np.zeros(frame.shape, dtype=bool)
    mask[:, : SIZE // 2] = True
    points = ring_points(_nominal(), [frame], CERIA, half_width=2400.0, masks=[mask])
    assert len(points) > 100
    assert points.fast.min() > SIZE // 2 - 10


def test_the_scale_says_what_rings_cannot_tell(frame: np.ndarray) -> None:
    points = ring_points(_nominal(), [frame], CERIA, half_width=2400.0)
    scale = calibrate_from_rings(_nominal(), points).scale
    best, second, worst = scale.combination
    # distance wavelength / lattice is known, wavelength times lattice at one ratio never
    np.testing.assert_allclose(best, np.array([-1.0, 1.0, 1.0]) / np.sqrt(3.0), atol=0.02)
    np.testing.assert_allclose(worst, np.array([1.0, 0.0, 1.0]) / np.sqrt(2.0), atol=1e-6)
    assert scale.sigma[0] < 2e-5
    assert scale.sigma[1] > 20.0 * scale.sigma[0]
    assert scale.sigma[2] > 1e3 * scale.sigma[1]
    assert abs(second @ best) < 1e-9


def test_a_longer_distance_makes_lattices_longer() -> None:
    lattice = np.array([[4.0, 5.0, 6.0, 1.5, 1.6, 1.7]])
    one, other = scale_modes(_nominal(), lattice, sigma={"distance": 65.0, "wavelength": 1.73e-5})
    for mode in (one, other):  # both are a ten-thousandth
        moved = mode.sigma * mode.derivatives["lattice"]
        np.testing.assert_allclose(moved, [[4e-4, 5e-4, 6e-4, 0.0, 0.0, 0.0]])
    with pytest.raises(InvalidValueError, match="tilt_x is no scale"):
        scale_modes(_nominal(), lattice, sigma={"tilt_x": 1.0})


def test_a_distortion_is_found_from_points_on_rings() -> None:
    """HEXRD's GE_41RT, rays of exact rings on a distorted panel with 5 um of noise."""
    bent = Distortion(
        np.zeros(2),
        2e5,
        np.array([2e-4, -3e-4, 6e-4]),
        np.full(3, 2.0),
        np.array([2.0, 4.0, 0.0]),
        np.zeros(3),
    )
    start = _nominal()
    panel = replace(start.panels[0], distortion=replace(bent, amplitude=np.zeros(3)))
    start = replace(start, panels=(panel,))
    true = replace(start, panels=(replace(panel, distortion=bent),))
    eta, d = (a.ravel() for a in np.meshgrid(np.linspace(-3.1, 3.1, 60), CERIA))
    ring = 2.0 * np.arcsin(WAVELENGTH / (2.0 * d))
    rays = np.column_stack([np.cos(ring), -np.sin(ring) * np.sin(eta), np.sin(ring) * np.cos(eta)])
    fast, slow = pixels_from_rays(true.panels[0], np.zeros_like(rays), rays)
    noise = np.random.default_rng(3).normal(0.0, 5.0 / PITCH, (2, len(fast)))
    points = RingPoints(np.zeros(len(fast), dtype=np.int64), fast + noise[0], slow + noise[1], d)
    names = (*FROM_RINGS, "amplitude_0", "amplitude_1", "amplitude_2")
    found = calibrate_from_rings(start, points, names=names)
    for k in range(3):
        sigma = found.sigma(f"amplitude_{k}")
        assert found.change[len(FROM_RINGS) + k] == pytest.approx(bent.amplitude[k], abs=4 * sigma)
        assert sigma < 5e-5  # the radial term is nearly a change of distance
    assert np.std(ring_residuals(found.instrument, points)) == pytest.approx(5.0, rel=0.1)


def test_what_no_ring_can_show_is_refused(frame: np.ndarray) -> None:
    points = ring_points(_nominal(), [frame], CERIA, half_width=2400.0)
    with pytest.raises(InvalidValueError, match="no ring shows wedge"):
        calibrate_from_rings(_nominal(), points, names=("distance", "wedge"))
    few = RingPoints(points.panel[:4], points.fast[:4], points.slow[:4], points.spacing[:4])
    with pytest.raises(InvalidValueError, match="4 points on rings cannot determine 5"):
        calibrate_from_rings(_nominal(), few)
    with pytest.raises(InvalidValueError, match="no ring stands alone"):
        ring_points(_nominal(), [frame], CERIA, half_width=1e6)
    with pytest.raises(InvalidValueError, match="has shape"):
        ring_points(_nominal(), [frame[1:]], CERIA, half_width=1000.0)
    with pytest.raises(InvalidValueError, match="does not diffract"):
        ring_points(_nominal(), [frame], np.array([0.01]), half_width=1000.0)
