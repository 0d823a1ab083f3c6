"""Scans of one surface are laid on one another, and what changed is found with its error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.errors import InvalidValueError
from mesolith.link.laue_changes import HEIGHT_CHANGE, change_between
from mesolith.link.laue_register import moved_places, register_maps
from mesolith.records.laue_scan import raster_scan
from mesolith.virtual.laue.maps import CALIBRATION, SECTION_AXES, MapNoise, map_from_truth
from mesolith.virtual.laue.section import SectionPlan, cycled
from tests.link.laue_maps import POINTS, STEP_UM, Surface, surface

PLAN = cycled(SectionPlan())


@pytest.fixture(scope="module")
def scans() -> Surface:
    return surface(3, PLAN)


def test_shift_is_found_within_its_error() -> None:
    pulls, errors = [], []
    for seed in range(10, 22):
        made = surface(seed, PLAN)
        found = made.changes[0].registration
        error = np.sqrt(np.diag(found.covariance)[:2])
        errors.append(error)
        pulls.append((found.shift - made.shifts[1]) / error)
    assert np.median(errors) < 0.1 * STEP_UM
    assert np.mean(np.abs(pulls) < 2.0) > 0.75
    assert np.mean(np.abs(pulls) < 1.0) > 0.45


def test_rotated_raster_is_turned_back(scans: Surface) -> None:
    scan, angle = scans.maps[0].scan, 0.02
    turned = replace(
        scan,
        x=np.cos(angle) * scan.x - np.sin(angle) * scan.y,
        y=np.sin(angle) * scan.x + np.cos(angle) * scan.y,
    )
    found = register_maps(scans.maps[0], replace(scans.maps[0], scan=turned))
    assert found.rotated
    assert found.rotation == pytest.approx(angle, abs=1e-4)
    place = np.stack([scan.x, scan.y], axis=1)
    there = np.stack([turned.x, turned.y], axis=1)
    np.testing.assert_allclose(moved_places(found, place), there, atol=0.03)


def test_change_of_strain_and_turn_is_that_of_the_truth(scans: Surface) -> None:
    (change,) = scans.changes
    section, grain = scans.section, change.grain
    place = change.x, change.y
    strain = [section.strain_at(grain, *place, state) for state in (0, 3)]
    true = SECTION_AXES @ (strain[1] - strain[0]) @ SECTION_AXES.T
    off = change.strain - true
    # what the depth does to all points is in the common mode
    (mode,) = [own for own in change.common_modes if own.name == HEIGHT_CHANGE]
    slope = mode.derivatives["strain"]
    depth = np.sum(off * slope) / np.sum(slope**2)
    assert abs(depth) < 3.0 * mode.sigma
    off = off - depth * slope
    error = np.sqrt(np.einsum("nii->ni", change.strain_covariance)[:, :3])
    pulls = np.einsum("nii->ni", off) / error
    assert 0.8 < np.sqrt(np.mean(pulls**2)) < 1.3
    turn = [section.rotation_vector(grain, *place, state) for state in (0, 3)]
    moved = (turn[1] - turn[0]) @ SECTION_AXES.T
    left = change.turn - (moved - moved.mean(axis=0))
    assert np.sqrt(np.mean(left**2)) < 8e-5


def test_calibration_cancels_and_shift_errors_are_carried(scans: Surface) -> None:
    modes = {mode.name: mode for mode in scans.changes[0].common_modes}
    assert np.abs(modes[CALIBRATION].derivatives["strain"]).max() < 1e-12
    shifts = [mode for name, mode in modes.items() if name.startswith("registration")]
    assert len(shifts) == 2
    assert all(0.0 < mode.sigma < STEP_UM for mode in shifts)


def test_calibrations_of_two_names_do_not_cancel(scans: Surface) -> None:
    first, later = scans.maps
    (mode,) = later.common_modes
    renamed = replace(later, common_modes=(replace(mode, name="another calibration"),))
    change = change_between(first, renamed, registration=scans.changes[0].registration)
    sizes = {
        own.name: float(np.abs(own.derivatives["strain"]).max()) for own in change.common_modes
    }
    assert sizes[CALIBRATION] > 1e-5
    assert sizes["another calibration"] > 1e-5


def test_other_grains_are_refused(scans: Surface) -> None:
    other = surface(4).maps[0]
    with pytest.raises(InvalidValueError, match="no grain in common"):
        register_maps(scans.maps[0], other)


def test_surface_without_marks_is_refused(scans: Surface) -> None:
    plan = SectionPlan(grains=1, interface=1.3)
    section = surface(5, plan, states=(0,)).section
    scan = raster_scan(rows=POINTS, columns=POINTS, step_um=STEP_UM)
    alike = map_from_truth(section, scan, state=0, noise=MapNoise(), seed=1)
    with pytest.raises(InvalidValueError, match="do not tell"):
        register_maps(alike, alike)
