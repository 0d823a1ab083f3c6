"""An instrument with everything off its place: two tilted, mirrored, distorted panels."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from mesolith.axes import FloatArray
from mesolith.instrument.beam import beam_from_energy
from mesolith.instrument.distortion import Distortion
from mesolith.instrument.goniometer import Goniometer
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import Panel


def bent() -> Distortion:
    return Distortion(
        np.array([300.0, -800.0]),
        200_000.0,
        np.array([2e-4, -3e-4, 5e-4, -2e-4]),
        np.array([2.0, 4.0, 2.0, 1.5]),
        np.array([2.0, 4.0, 0.0, 1.0]),
        np.array([0.3, -0.2, 0.0, 1.0]),
    )


def crooked(*, distortion: Distortion | None = None) -> Instrument:
    """76.2 keV, 2.189 m, 200 um; wedge, chi, and a beam that is not along x."""
    direction = np.array([1.0, 0.004, -0.003])
    beam = beam_from_energy(76.2, direction=tuple(direction / np.linalg.norm(direction)))
    upright = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    mirrored = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    turns = Rotation.from_rotvec([[0.02, -0.03, 0.015], [-0.3, 0.1, 0.2]]).as_matrix()
    left = Panel(
        "left",
        np.array([2048, 1024]),
        np.array([200.0, 200.0]),
        np.array([2_189_000.0, 103_000.0, 2_000.0]),
        turns[0] @ upright,
        distortion,
    )
    right = Panel(
        "right",
        np.array([1500, 2000]),
        np.array([150.0, 175.0]),
        np.array([2_300_000.0, -110_000.0, 1_000.0]),
        turns[1] @ mirrored,
        distortion,
    )
    return Instrument(beam, Goniometer(0.01, -0.007), (left, right))


def strained_grains(count: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Lattice vectors (n, 3, 3) near cubic 12.95 angstrom and positions (n, 3) um."""
    draw = np.random.default_rng(seed)
    turn = Rotation.random(count, rng=draw).as_matrix()
    lattice = 12.95 * (np.eye(3) + draw.normal(0.0, 1e-3, (count, 3, 3))) @ turn
    position = draw.uniform(-800.0, 800.0, (count, 3))
    return lattice, position
