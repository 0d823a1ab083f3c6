"""Small layers with known truth for tests of indexing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.symmetry import rotation_operators
from mesolith.hedm.index_settings import IndexSettings
from mesolith.hedm.phase_rings import PhaseRings, phase_rings
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.predict import predict_spots
from mesolith.numerics.rotations import matrix_from_quaternion, random_quaternions
from mesolith.records.spots import Spots
from mesolith.virtual.hedm.grains import random_grains
from mesolith.virtual.hedm.reflections import reflections_of
from mesolith.virtual.hedm.spot_lists import SpotPlan, VirtualLayer, measure_spots
from mesolith.virtual.hedm.station import Station
from tests.hedm.virtual_station import instrument_of
from tests.records.spot_lists import spots_at

A = 12.95
SETTINGS = IndexSettings(sample_radius=800.0, height=100.0)


def llzo(count: int = 7, a: float = A) -> PhaseRings:
    return phase_rings("LLZO", 220, np.array([a, a, a, *[np.pi / 2] * 3]), count=count)


def layer(count: int, seed: int, station: Station | None = None, **plan: Any) -> VirtualLayer:
    """Grains of 12.95 angstrom on the first seven rings of I-43d."""
    rng = np.random.default_rng(seed)
    station = Station() if station is None else station
    return measure_spots(
        random_grains(rng, count), reflections_of(), station, SpotPlan(**plan), rng
    )


UPRIGHT = instrument_of(Station())


def predicted_layer(
    instrument: Instrument,
    phase: PhaseRings,
    count: int,
    seed: int,
    *,
    strain: float = 5e-4,
    omega_range: tuple[float, float] = (-np.pi, np.pi),
) -> tuple[Spots, FloatArray, FloatArray]:
    """Spots that the instrument's own model predicts, with noise; lattice vectors, positions.

    For what the virtual station does not know: any lattice, any instrument.
    """
    rng = np.random.default_rng(seed)
    bend = rng.normal(0.0, strain, (count, 3, 3))
    bend = np.eye(3) + 0.5 * (bend + bend.swapaxes(1, 2))
    lattice = bend @ matrix_from_quaternion(random_quaternions(rng, count)) @ phase.basis
    radius, angle = 700.0 * np.sqrt(rng.random(count)), 2.0 * np.pi * rng.random(count)
    height = 100.0 * (rng.random(count) - 0.5)
    position = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), height])
    found = predict_spots(instrument, lattice, position, phase.hkl.astype(np.float64))
    ray = np.linalg.norm(phase.hkl @ phase.reciprocal.T, axis=1) * instrument.beam.wavelength
    off_pole = np.abs(found.rate) > np.sin(np.radians(6.0)) * ray[None, :, None]
    seen = (found.panel >= 0) & off_pole
    seen &= (found.omega >= omega_range[0]) & (found.omega <= omega_range[1])
    place = np.column_stack([found.fast[seen], found.slow[seen], found.omega[seen]])
    sigma = np.array([0.1, 0.1, np.radians(0.05)])
    place += sigma * rng.standard_normal(place.shape)
    return (
        spots_at(
            np.clip(place[:, 2], *omega_range),
            panel=found.panel[seen],
            fast=place[:, 0],
            slow=place[:, 1],
            covariance=np.tile(np.diag(sigma**2), (len(place), 1, 1)),
            intensity=np.repeat(rng.lognormal(8.0, 0.5, count), seen.sum(axis=(1, 2))),
            panel_name=tuple(panel.name for panel in instrument.panels),
            omega_range=np.array([omega_range]),
        ),
        lattice,
        position,
    )


def rows_of(spots: Spots, rows: IntArray) -> Spots:
    """Some of the spots."""
    names = ("panel", "fast", "slow", "omega", "covariance", "intensity", "intensity_se")
    names += ("maximum", "widths", "pixels", "saturated", "partial", "overlapping")
    return replace(spots, **{name: getattr(spots, name)[rows] for name in names})


def together(one: Spots, two: Spots) -> Spots:
    """The spots of two lists of one rotation."""
    names = ("panel", "fast", "slow", "omega", "covariance", "intensity", "intensity_se")
    names += ("maximum", "widths", "pixels", "saturated", "partial", "overlapping")
    joined = {name: np.concatenate([getattr(one, name), getattr(two, name)]) for name in names}
    return replace(one, **joined)


def compare(
    lattice: FloatArray,
    position: FloatArray,
    true_lattice: FloatArray,
    true_position: FloatArray,
    phase: PhaseRings,
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Found grain nearest to each true one, and how far: place (n, 3), deformation (n, 3, 3).

    The deformation is that which takes the true lattice to the found one, less the identity,
    over the equivalent settings of the lattice.
    """
    operators = matrix_from_quaternion(rotation_operators(phase.space_group))
    on_indices = np.linalg.inv(phase.basis) @ operators @ phase.basis
    rows, places, bends = [], [], []
    for a, p in zip(true_lattice, true_position, strict=True):
        near = np.flatnonzero(np.linalg.norm(position - p, axis=1) < 60.0)
        bend = (lattice[near][:, None] @ on_indices) @ np.linalg.inv(a) - np.eye(3)
        size = np.abs(bend).max(axis=(2, 3))
        if not size.size:
            raise AssertionError(f"no grain was found near {p}")
        k, s = np.unravel_index(int(np.argmin(size)), size.shape)
        rows.append(near[k])
        places.append(position[near[k]] - p)
        bends.append(bend[k, s])
    return np.array(rows), np.array(places), np.array(bends)
