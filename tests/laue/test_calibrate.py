"""A panel calibrated on germanium: the measured list beside LaueTools, and virtual patterns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mesolith.axes import FloatArray
from mesolith.errors import ContradictionError, InvalidValueError
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.laue_angles import lauetools_from_panel
from mesolith.instrument.laue_calibration import aspect_remark
from mesolith.instrument.panel_motion import PANEL_PARAMETERS, moved_panel, panel_motions
from mesolith.io.lauetools_detector import read_lauetools, write_lauetools
from mesolith.io.lauetools_list import peaks_from_lauetools, read_lauetools_list
from mesolith.laue.calibrate import CalibrationSettings, calibrate_laue, check_pixel_size
from mesolith.laue.geometry import laue_geometry
from mesolith.laue.reflections import LaueReflections, laue_reflections
from mesolith.laue.spectrum import Spectrum
from mesolith.records.laue import LauePeaks, laue_peaks
from mesolith.virtual.laue.crystal import crystal_reflections
from mesolith.virtual.laue.patterns import PatternPlan, measure_pattern, random_crystals
from tests.laue.patterns import (
    STATION,
    crystals,
    geometry,
    indexer,
    instrument_of,
    pattern,
    peaks_of,
)

CIF = Path(__file__).parent / "germanium.cif"
A = 5.6575
BEAM = np.array([1.0, 0.0, 0.0])
SURFACE = np.array([-np.sin(np.deg2rad(40.0)), 0.0, np.cos(np.deg2rad(40.0))])
OFF = np.array([1000.0, 20.0, -20.0, np.deg2rad(1.0), np.deg2rad(-1.0)])


@cache
def germanium(two_theta: tuple[float, float]) -> LaueReflections:
    lattice = np.array([A, A, A, *[np.pi / 2.0] * 3])
    return laue_reflections(
        CIF, name="Ge", space_group=227, lattice=lattice, two_theta=two_theta,
        spectrum=Spectrum(5.0, 23.0), weakest=3e-5,
    )  # fmt: skip


def moved(instrument: Instrument, changes: FloatArray) -> Instrument:
    return replace(instrument, panels=(moved_panel(instrument.panels[0], BEAM, changes),))


def resized(instrument: Instrument, slow: float, fast: float) -> Instrument:
    """The same pixel of normal incidence and distance, with pixels larger by these factors."""
    panel = instrument.panels[0]
    scale = np.array([fast, slow, 1.0])
    origin = panel.rotation @ (scale * (panel.rotation.T @ panel.origin))
    return replace(
        instrument, panels=(replace(panel, pitch=panel.pitch * scale[1::-1], origin=origin),)
    )


def five(instrument: Instrument) -> FloatArray:
    found = lauetools_from_panel(instrument.panels[0])
    return np.array([getattr(found, name) for name in type(found).__slots__])


@pytest.fixture(scope="module")
def measured_list(measured: Callable[[str], Path]) -> tuple[LauePeaks, Instrument]:
    folder = measured("laue/lauetools_Ge_blanc")
    listed = read_lauetools_list(folder / "Ge_blanc_0000_LT_5.dat")
    return peaks_from_lauetools(listed), read_lauetools(folder / "calibGe111.det").instrument


def test_measured_germanium_gives_the_calibration_of_its_det(
    measured_list: tuple[LauePeaks, Instrument], tmp_path: Path
) -> None:
    peaks, theirs = measured_list
    reflections = germanium(laue_geometry(theirs, surface=SURFACE).two_theta)
    found = calibrate_laue(
        peaks, reflections, moved(theirs, OFF), surface=SURFACE,
        settings=CalibrationSettings(depth=False),
    )  # fmt: skip
    assert (len(found.peak), found.peaks) == (95, 97)
    assert found.mean_distance <= 0.195
    sigma = found.standard_error("change")
    assert sigma is not None
    assert np.all(np.abs(five(found.instrument) - five(theirs)) < sigma)
    np.testing.assert_allclose(sigma[:3], [4.2, 0.08, 0.075], rtol=0.1)
    write_lauetools(tmp_path / "a.det", found.instrument)
    again = read_lauetools(tmp_path / "a.det").instrument
    np.testing.assert_allclose(five(again), five(found.instrument), rtol=1e-9)
    # where rays start deeper the less they are absorbed, spots fit better, and the panel moves
    # along the beam by the mean depth
    deep = calibrate_laue(peaks, reflections, theirs, surface=SURFACE)
    assert deep.mean_distance < found.mean_distance
    shift = 79.142 * (five(found.instrument) - five(deep.instrument))[2]
    assert 5.0 < shift < 40.0
    assert aspect_remark(deep) is None


def test_a_wrong_pixel_size_is_found_and_said(
    measured_list: tuple[LauePeaks, Instrument],
) -> None:
    peaks, theirs = measured_list
    reflections = germanium(laue_geometry(theirs, surface=SURFACE).two_theta)
    wrong = resized(theirs, 0.0734 / 0.079142, 0.0734 / 0.079142)
    with pytest.raises(ContradictionError, match=r"the pixels are 0\.0791\d* mm"):
        calibrate_laue(peaks, reflections, wrong, surface=SURFACE)
    uneven = calibrate_laue(peaks, reflections, resized(theirs, 1.004, 1.0), surface=SURFACE)
    assert len(uneven.peak) > 90
    assert "is 1.000" in (aspect_remark(uneven) or "")
    # a strained crystal of another material tells it too
    made = peaks_of(pattern(25, crystals(25)))
    llzo = indexer().reflections
    check_pixel_size(made, llzo, geometry())
    small = laue_geometry(resized(instrument_of(STATION), 0.93, 0.93), surface=STATION.surface)
    with pytest.raises(ContradictionError, match=r"the pixels are 0\.079\d* mm"):
        check_pixel_size(made, llzo, small)


def test_the_covariance_of_a_calibration_covers() -> None:
    virtual = crystal_reflections(CIF, space_group=227, lattice_angstrom=A)
    plan = PatternPlan(faintest=3e-4, family_log_sigma=0.5)
    reflections = germanium(geometry().two_theta)
    true = instrument_of(STATION)
    squares = []
    for seed in range(12):
        rng = np.random.default_rng([seed, 4])
        made = measure_pattern(
            random_crystals(rng, (1.0,), strain=0.0), virtual, STATION, plan, rng
        )
        start = moved(true, 0.7 * OFF * rng.standard_normal(5))
        peaks = laue_peaks(made.place[:, 0], made.place[:, 1], made.intensity)
        found = calibrate_laue(peaks, reflections, start, surface=STATION.surface)
        assert found.name == PANEL_PARAMETERS
        off = _motion(found.instrument, true)
        squares.append(off @ np.linalg.solve(found.covariance, off))
    # chi^2 of five numbers, twelve times
    assert 30.0 < np.sum(squares) < 95.0


def _motion(found: Instrument, true: Instrument) -> FloatArray:
    """The five changes from the found panel to the true one, a roll about the beam left out."""
    here, there = found.panels[0], true.panels[0]
    turn = there.rotation @ here.rotation.T
    vector = 0.5 * np.array(
        [turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]
    )
    shift = there.origin - here.origin - np.cross(vector, here.origin)
    roll = np.array([[0.0, 0.0, 0.0, 1.0, 0.0, 0.0]])
    motions = np.concatenate([panel_motions(here, BEAM), roll])
    return np.linalg.solve(motions.T, np.concatenate([shift, vector]))[:5]


def test_peaks_of_nothing_and_too_few_are_refused() -> None:
    reflections = germanium(geometry().two_theta)
    rng = np.random.default_rng(3)
    few = laue_peaks(*rng.uniform(0.0, 2047.0, (2, 12)), np.ones(12))
    with pytest.raises(InvalidValueError, match="12 peaks cannot calibrate"):
        calibrate_laue(few, reflections, instrument_of(STATION), surface=STATION.surface)
    nothing = laue_peaks(*rng.uniform(0.0, 2047.0, (2, 40)), rng.uniform(1.0, 2.0, 40))
    with pytest.raises(ContradictionError, match="no orientation of Ge explains the 40 peaks"):
        calibrate_laue(
            nothing, reflections, instrument_of(STATION), surface=STATION.surface,
            settings=CalibrationSettings(bright=8),
        )  # fmt: skip
    beyond = laue_peaks(np.linspace(0.0, 2500.0, 40), np.ones(40), np.ones(40))
    with pytest.raises(ContradictionError, match="beyond the panel of 2048 x 2048 pixels"):
        calibrate_laue(beyond, reflections, instrument_of(STATION), surface=STATION.surface)
