"""Spot lists of a few grains on a crooked station, for calibration."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from mesolith.axes import FloatArray, IntArray
from mesolith.instrument.beam import beam_from_energy
from mesolith.instrument.goniometer import Goniometer
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import Panel
from mesolith.instrument.predict import predict_spots
from mesolith.records.spots import Spots
from tests.records.spot_lists import spots_at

LATTICE = 12.95
RINGS = (6, 8, 10, 14, 16)  # h2 + k2 + l2
SPACINGS = LATTICE / np.sqrt(np.array(RINGS))
HKL = np.array(
    [h for h in itertools.product(range(-4, 5), repeat=3) if sum(i * i for i in h) in RINGS]
)
SIGMA_PX, SIGMA_OMEGA = 0.1, np.deg2rad(0.05)


@dataclass(frozen=True)
class Layer:
    spots: Spots
    lattice_vectors: FloatArray
    position: FloatArray
    grain: IntArray  # of each spot, -1 for one that belongs to none
    hkl: IntArray


def station(**changes: float) -> Instrument:
    """The paper's far-field station; ``changes`` as in `tests` below, um and rad."""
    turn = Rotation.from_rotvec([changes.get(f"tilt_{axis}", 0.0) for axis in "xyz"])
    shift = [changes.get(name, 0.0) for name in ("distance", "shift_y", "shift_z")]
    panel = Panel(
        "flat",
        np.array([2048, 2048]),
        np.array([200.0, 200.0]),
        np.array([2_189_000.0, 0.0, 0.0]) + shift,
        turn.as_matrix() @ np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
    )
    return Instrument(beam_from_energy(76.2), Goniometer(changes.get("wedge", 0.0), 0.0), (panel,))


def layer(
    instrument: Instrument, grains: int, rng: np.random.Generator, *, false: int = 0
) -> Layer:
    """Spots of grains in a pellet of 1.6 mm and 100 um, with 0.1 px and 0.05 deg noise."""
    turn = Rotation.random(grains, rng=rng).as_matrix()
    strain = rng.normal(0.0, 3e-4, (grains, 3, 3))
    lattice = LATTICE * (np.eye(3) + (strain + strain.swapaxes(1, 2)) / 2.0) @ turn
    radius = 800.0 * np.sqrt(rng.uniform(size=grains))
    angle = rng.uniform(0.0, 2.0 * np.pi, grains)
    position = np.column_stack(
        [radius * np.cos(angle), radius * np.sin(angle), rng.uniform(-50.0, 50.0, grains)]
    )
    predicted = predict_spots(instrument, lattice, position, HKL)
    # away from the poles
    seen = (predicted.panel >= 0) & (np.abs(predicted.rate) > 0.005)
    grain, hkl, _ = np.nonzero(seen)
    place = np.column_stack([predicted.fast[seen], predicted.slow[seen], predicted.omega[seen]])
    place += rng.normal(size=place.shape) * [SIGMA_PX, SIGMA_PX, SIGMA_OMEGA]
    if false:
        # places of true spots at wrong angles
        stray = place[rng.integers(len(place), size=false)]
        stray[:, 2] = rng.uniform(-np.pi, np.pi, false)
        place = np.vstack([place, stray])
    grain = np.concatenate([grain, np.full(false, -1)])
    indices = np.vstack([HKL[hkl], np.zeros((false, 3), dtype=np.int64)])
    place[:, 2] = (place[:, 2] + np.pi) % (2.0 * np.pi) - np.pi
    return Layer(spot_list(place), lattice, position, grain, indices)


def spot_list(place: FloatArray, name: str = "flat") -> Spots:
    """Spots (n, 3) = fast, slow, omega in [-pi, pi) with the errors of this file."""
    covariance = np.diag([SIGMA_PX, SIGMA_PX, SIGMA_OMEGA]) ** 2
    return spots_at(
        place[:, 2],
        fast=place[:, 0],
        slow=place[:, 1],
        covariance=np.tile(covariance, (len(place), 1, 1)),
        panel_name=(name,),
    )
