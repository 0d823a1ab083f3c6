"""A planted change of strain through a station that is believed to be elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.instrument.panel_motion import moved_panel
from mesolith.laue.differential import GrainInPattern, differential_strain
from mesolith.laue.geometry import laue_geometry
from mesolith.laue.modes import calibration_modes
from mesolith.laue.solve import index_pattern
from mesolith.records.laue import laue_peaks
from mesolith.virtual.arrays import full_tensor
from mesolith.virtual.laue.patterns import (
    LaueCrystals,
    PatternPlan,
    drawn_family_factor,
    measure_pattern,
)
from tests.laue.patterns import (
    STATION,
    crystals,
    indexer,
    instrument_of,
    peaks_of,
    virtual_reflections,
)

PLANTED = full_tensor(np.array([6e-5, -9e-5, 3e-5, 4e-5, -5e-5, 2e-5]))
COVARIANCE = np.diag(np.square([10.0, 0.1, 0.1, 1e-4, 1e-4]))


def deviatoric(grains: LaueCrystals) -> FloatArray:
    gradient = (np.eye(3) + grains.strain[0]) @ grains.orientation[0]
    value, axes = np.linalg.eigh(gradient @ gradient.T)
    stretch = (axes * np.sqrt(value)) @ axes.T
    return 3.0 * stretch / np.trace(stretch) - np.eye(3)


def test_a_change_shows_through_a_wrong_calibration() -> None:
    before = crystals(41)
    # a cube's own symmetry: the second scan may index another setting
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    turn = np.array([[1.0, -4e-4, 0.0], [4e-4, 1.0, -3e-4], [0.0, 3e-4, 1.0]])
    left, _, right = np.linalg.svd(turn)
    rotated = left @ right @ before.orientation[0] @ quarter
    after = replace(before, orientation=rotated[None], strain=before.strain + PLANTED)
    off = 3.0 * np.sqrt(np.diag(COVARIANCE)) * np.array([1.0, -1.0, 1.0, 1.0, -1.0])
    instrument = instrument_of(STATION)
    panel = moved_panel(instrument.panels[0], instrument.beam.direction, off)
    wrong = laue_geometry(
        replace(instrument, panels=(panel,)), surface=STATION.surface,
        modes=calibration_modes(instrument, COVARIANCE),
    )  # fmt: skip
    believed = replace(indexer(), geometry=wrong)
    plan, rng = PatternPlan(sigma_px=0.02), np.random.default_rng(41)
    factor = drawn_family_factor(virtual_reflections(), plan, rng)
    sides = []
    for grains in (before, after):
        made = measure_pattern(grains, virtual_reflections(), STATION, plan, rng, factor)
        peaks = peaks_of(made)
        sides.append(GrainInPattern(peaks, index_pattern(believed, peaks), 0))
    found = differential_strain(believed, *sides, height_sigma_um=5.0)
    true = deviatoric(after) - deviatoric(before)
    absolute = sides[0].answer.grains.strain[0] - deviatoric(before)
    assert np.abs(absolute).max() > 1e-4
    np.testing.assert_allclose(found.strain, true, atol=2e-5)
    assert np.all(np.abs(found.strain - true) < 4.0 * found.standard_error)
    assert found.peaks > 80
    np.testing.assert_allclose(found.turn, [3e-4, 0.0, 4e-4], atol=3e-5)
    # the calibration's part cancels, a height that changed in between does not
    names = [mode.name for mode in found.common_modes]
    assert names[-1] == "change of surface height"
    for mode in found.common_modes[:-1]:
        assert np.abs(mode.sigma * mode.derivatives["strain"]).max() < 2e-6
    height = found.common_modes[-1].derivatives["strain"]
    sensitivity = sides[1].answer.grains.depth_sensitivity[0]
    np.testing.assert_allclose(
        height, -np.sqrt(2.0) * sensitivity, atol=0.25 * np.abs(sensitivity).max()
    )
    assert np.all(found.systematic_error > 4.9 * np.abs(height))
    few = laue_peaks(np.zeros(0), np.zeros(0), np.zeros(0))
    other = replace(sides[0].answer, assignment=index_pattern(believed, few).assignment)
    nothing = replace(sides[0], answer=other)
    with pytest.raises(InvalidValueError, match="0 peaks are common"):
        differential_strain(believed, nothing, sides[1])
