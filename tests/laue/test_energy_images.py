"""Monochromatic pictures, as a stack and as numbered files, to profiles and to the lattice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.io.energy_stack import (
    EnergyStack,
    open_energy_stack,
    write_energy_log,
    write_energy_stack,
)
from mesolith.io.tiff_write import write_tiff_frames
from mesolith.laue.energy import sized_lattices
from mesolith.laue.energy_images import joined_scans, scan_from_pictures
from mesolith.laue.energy_peaks import energy_peaks
from mesolith.laue.energy_settings import EnergySettings
from mesolith.virtual.laue.energy import EnergyPlan, spot_frames
from tests.laue.energy_points import ScannedPoint, crystal, phase, scanned_point
from tests.laue.patterns import STATION

COARSE = replace(STATION, shape=(256, 256), pitch=8 * STATION.pitch)
# a pixel of the coarse panel is eight of the others
SETTINGS = EnergySettings(centre_px=0.02, spot_error_px=0.02)
PLAN = EnergyPlan(
    step=2e-4, half_range=2e-3, random_ev=0.2, place_px=0.0, counts=4000.0, mosaic_deg=0.006
)


@pytest.fixture(scope="module")
def made() -> ScannedPoint:
    return scanned_point(crystal(21, dilatation=4e-4), COARSE, PLAN, sigma_px=0.01, reflections=4)


@pytest.fixture(scope="module")
def pictures(made: ScannedPoint) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of the whole scan and their energies, keV."""
    rng = np.random.default_rng(5)
    frames = [spot_frames(made.spots, k, PLAN, COARSE.shape, rng) for k in range(len(made.spots))]
    return np.concatenate(frames), np.concatenate([spot.energy for spot in made.spots])


def test_pictures_give_the_spots_energies_places_and_the_lattice(
    made: ScannedPoint, pictures: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    write_energy_stack(tmp_path / "scan.h5", *pictures)
    stack = open_energy_stack(tmp_path / "scan.h5")
    np.testing.assert_allclose(stack.energy, pictures[1])
    reflections = phase()
    scan = scan_from_pictures(
        stack, made.geometry, reflections, made.point, made.scan.hkl, SETTINGS
    )
    peaks, split = energy_peaks(scan, SETTINGS)
    true = np.array([spot.blocks.energy.mean() for spot in made.spots])
    logged = np.array([spot.energy[0] - spot.true_energy[0] for spot in made.spots])
    assert np.all(np.abs(peaks.energy - true - logged) < 5.0 * peaks.energy_se)
    assert peaks.energy_se.max() < 1e-4
    assert not split.resolved[0]
    place = np.array([spot.true_place for spot in made.spots])
    seen = np.stack([scan.fast, scan.slow], axis=1)
    counting = scan.covariance - 0.02**2 * np.eye(2)
    assert np.all(np.abs(seen - place) < 6.0 * np.sqrt(np.diagonal(counting, axis1=1, axis2=2)))
    assert np.abs(seen - place).max() < 0.05
    found = sized_lattices(made.geometry, reflections, [made.point], scan, peaks, SETTINGS)
    assert abs(found.hydrostatic[0] - 4e-4) < 3.0 * found.total_error("hydrostatic")[0] < 3e-4


def test_numbered_pictures_with_a_log_in_ev_give_the_same(
    made: ScannedPoint, pictures: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    steps = len(made.spots[0].energy)
    frames, energy = (values[:steps] for values in pictures)
    files = write_tiff_frames(tmp_path, "mono", frames)
    write_energy_log(tmp_path / "scan.log", energy)
    write_energy_stack(tmp_path / "scan.h5", frames, energy)
    scans = [
        scan_from_pictures(stack, made.geometry, phase(), made.point, made.scan.hkl[:1])
        for stack in (
            open_energy_stack(files, log=tmp_path / "scan.log"),
            open_energy_stack(tmp_path / "scan.h5"),
        )
    ]
    np.testing.assert_array_equal(scans[0].counts, scans[1].counts)
    np.testing.assert_allclose(scans[0].energy, scans[1].energy, atol=1e-6)
    both = joined_scans([scans[0], replace(scans[1], point=np.ones(1, dtype=np.int64))])
    assert both.point.tolist() == [0, 1]
    assert both.reflection.tolist() == [0] * steps + [1] * steps


def test_spots_that_cannot_be_measured_are_named(
    made: ScannedPoint, pictures: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    write_energy_stack(tmp_path / "scan.h5", *pictures)
    stack = open_energy_stack(tmp_path / "scan.h5")
    given = (made.geometry, phase(), made.point, made.scan.hkl)
    with pytest.raises(InvalidValueError, match="panel's edge"):
        scan_from_pictures(stack, *given, half_window=120)
    with pytest.raises(InvalidValueError, match="where 0 pictures are"):
        scan_from_pictures(EnergyStack(stack.source, stack.energy + 0.5), *given)
    bright = replace(stack.source, saturation=300.0)
    with pytest.raises(InvalidValueError, match="limit of 300 counts"):
        scan_from_pictures(EnergyStack(bright, stack.energy), *given)
